package pcap

import "encoding/binary"

// AddressRole says whose a link address is.
type AddressRole uint8

// OtherAddress stands for what tells of a host without saying which: an access
// point's address, the name of a process, the rules of a firewall.
const (
	OtherAddress AddressRole = iota
	Sender
	Receiver
)

// LinkAddress is a run of bytes in a link header that tells of a host.
type LinkAddress struct {
	Role     AddressRole
	From, To int
}

// LinkAddresses lists in increasing order what in the link header tells of the
// hosts, for the link types that Network takes off, whether or not it can take
// this one. What says which header follows, and how long it is, is never part of
// it: without those bytes the packet could not be read any more.
func LinkAddresses(link LinkType, data []byte) []LinkAddress {
	var list []LinkAddress
	add := func(role AddressRole, from, to int) {
		if to = min(to, len(data)); from < to {
			list = append(list, LinkAddress{role, from, to})
		}
	}
	ethernet := func(at int) {
		add(Receiver, at, at+6)
		add(Sender, at+6, at+12)
	}
	behind := func(inner LinkType, n int) {
		for _, a := range LinkAddresses(inner, data[min(n, len(data)):]) {
			add(a.Role, a.From+n, a.To+n)
		}
	}
	switch link {
	case LinkEthernet, 281, 284, 285:
		ethernet(0)
	case 282:
		ethernet(4)
	case LinkSLL:
		add(Sender, 6, 14)
	case LinkSLL2:
		add(Sender, 12, 20)
	case 6, 10: // Token Ring, FDDI
		add(Receiver, ringHeader(link)-12, ringHeader(link)-6)
		add(Sender, ringHeader(link)-6, ringHeader(link))
	case 105:
		add(Receiver, 4, 10)
		add(Sender, 10, 16)
		add(OtherAddress, 16, 22)
		if len(data) > 1 && data[1]&3 == 3 {
			add(OtherAddress, 24, 30)
		}
	case 127: // radiotap
		if len(data) >= 4 {
			behind(105, int(binary.LittleEndian.Uint16(data[2:])))
		}
	case 119:
		behind(105, 144)
	case 163:
		if len(data) >= 8 {
			behind(105, int(min(binary.BigEndian.Uint32(data[4:]), 1<<16)))
		}
	case 192: // PPI, whose fields may say where the host was
		if len(data) >= 8 {
			if inner := LinkType(binary.LittleEndian.Uint32(data[4:])); inner != link {
				size := int(binary.LittleEndian.Uint16(data[2:]))
				add(OtherAddress, 8, size)
				behind(inner, size)
			}
		}
	case 8: // SLIP with what was left of the headers before compression
		add(OtherAddress, 0, 16)
	case 117: // PF's log: interface, rules, user and process
		if len(data) > 0 {
			add(OtherAddress, 1, (int(data[0])+3)&^3)
		}
	case 7, 129: // ARCNET
		add(Sender, 0, 1)
		add(Receiver, 1, 2)
	case 138: // IEEE 1394
		add(Receiver, 0, 8)
		add(Sender, 8, 16)
	case 242: // InfiniBand's global routing header
		add(OtherAddress, 0, 40)
	case 239:
		nflogValues(data, func(from, to int) { add(OtherAddress, from, to) })
	case 258: // PKTAP: interface, process
		if len(data) >= 12 {
			size, inner := binary.LittleEndian.Uint32(data), LinkType(binary.LittleEndian.Uint32(data[8:]))
			if size <= 1<<16 && inner != link {
				add(OtherAddress, 12, int(size))
				behind(inner, int(size))
			}
		}
	case 143:
		if len(data) >= 6 {
			at := 6
			if data[0]&1 != 0 {
				at += int(data[1])
			}
			ethernet(at)
		}
	}
	return list
}

// nflogValues goes through the values of a packet of NFLOG that come before the payload.
func nflogValues(data []byte, value func(from, to int)) {
	for at := 4; at+4 <= len(data); {
		n, kind := int(binary.LittleEndian.Uint16(data[at:])), binary.LittleEndian.Uint16(data[at+2:])
		if n < 4 || at+n > len(data) || kind&0x7fff == 9 {
			return
		}
		value(at+4, at+n)
		at += (n + 3) &^ 3
	}
}
