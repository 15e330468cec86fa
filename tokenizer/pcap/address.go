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

// ethernetAddresses are those of an Ethernet header.
var ethernetAddresses = []LinkAddress{{Receiver, 0, 6}, {Sender, 6, 12}}

// fixedAddresses are those that stand in one place.
var fixedAddresses = map[LinkType][]LinkAddress{
	LinkEthernet: ethernetAddresses, 281: ethernetAddresses, 284: ethernetAddresses, 285: ethernetAddresses,
	282:     {{Receiver, 4, 10}, {Sender, 10, 16}}, // the tag comes first
	LinkSLL: {{Sender, 6, 14}}, LinkSLL2: {{Sender, 12, 20}},
	6: {{Receiver, 2, 8}, {Sender, 8, 14}}, 10: {{Receiver, 1, 7}, {Sender, 7, 13}}, // Token Ring, FDDI
	7: {{Sender, 0, 1}, {Receiver, 1, 2}}, 129: {{Sender, 0, 1}, {Receiver, 1, 2}}, // ARCNET
	8:   {{OtherAddress, 0, 16}},             // SLIP with what was left of the headers before compression
	138: {{Receiver, 0, 8}, {Sender, 8, 16}}, // IEEE 1394
	242: {{OtherAddress, 0, 40}},             // InfiniBand's global routing header
}

// LinkAddresses lists in increasing order what in the link header tells of the
// hosts, for the link types that Network takes off, whether or not it can take
// this one. What says which header follows, and how long it is, is never part of
// it: without those bytes the packet could not be read any more.
func LinkAddresses(link LinkType, data []byte) []LinkAddress {
	var list []LinkAddress
	add := func(n int, more ...LinkAddress) { // n bytes on
		for _, a := range more {
			if a.From, a.To = a.From+n, min(a.To+n, len(data)); a.From < a.To {
				list = append(list, a)
			}
		}
	}
	behind := func(inner LinkType, n int) {
		if inner != link && n > 0 { // each header has bytes, or this would not end
			add(n, LinkAddresses(inner, data[min(n, len(data)):])...)
		}
	}
	add(0, fixedAddresses[link]...)
	le := binary.LittleEndian
	switch n := len(data); {
	case link == 105:
		add(0, LinkAddress{Receiver, 4, 10}, LinkAddress{Sender, 10, 16}, LinkAddress{OtherAddress, 16, 22})
		if n > 1 && data[1]&3 == 3 {
			add(0, LinkAddress{OtherAddress, 24, 30})
		}
	case link == 127 && n >= 4: // radiotap
		behind(105, int(le.Uint16(data[2:])))
	case link == 119: // Prism
		behind(105, 144)
	case link == 163 && n >= 8: // AVS
		behind(105, int(min(binary.BigEndian.Uint32(data[4:]), 1<<16)))
	case link == 192 && n >= 8: // PPI, whose fields may say where the host was
		size := int(le.Uint16(data[2:]))
		add(0, LinkAddress{OtherAddress, 8, size})
		behind(LinkType(le.Uint32(data[4:])), size)
	case link == 117 && n > 0: // PF's log: interface, rules, user and process
		add(0, LinkAddress{OtherAddress, 1, (int(data[0]) + 3) &^ 3})
	case link == 239:
		nflogValues(data, func(from, to int) { add(0, LinkAddress{OtherAddress, from, to}) })
	case link == 258 && n >= 12: // PKTAP: interface, process
		size := int(min(le.Uint32(data), 1<<16))
		add(0, LinkAddress{OtherAddress, 12, size})
		behind(LinkType(le.Uint32(data[8:])), size)
	case link == 143 && n >= 6: // DOCSIS
		at := 6
		if data[0]&1 != 0 {
			at += int(data[1])
		}
		add(at, ethernetAddresses...)
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
