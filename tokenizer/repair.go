package tokenizer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// Checksum is what was found of one checksum of a packet.
type Checksum struct {
	Layer string // IPv4, TCP, UDP, ICMP, ICMPv6, IGMP
	Good  bool
}

// Checksums verifies the checksums of a packet: of the IPv4 header and of what
// it carries, behind tags but not inside tunnels. Those that cannot be verified
// (fragments, packets that were cut, UDP without one) are left out.
func Checksums(p pcap.Packet) []Checksum {
	var found []Checksum
	r := repairer{data: p.Data, whole: p.Length <= len(p.Data)}
	r.sum = func(layer string, at int, right uint16) {
		found = append(found, Checksum{layer, binary.BigEndian.Uint16(p.Data[at:]) == right})
	}
	r.frame(p.LinkType)
	return found
}

// Repair returns a packet with its lengths and checksums put right, and the
// names of the fields that it changed. The packet itself is left as it is. What
// is too short for its headers cannot be repaired; Check says so.
func Repair(p pcap.Packet) (repaired pcap.Packet, fields []string) {
	repaired = p
	repaired.Data = append([]byte(nil), p.Data...)
	r := repairer{data: repaired.Data, whole: p.Length <= len(p.Data), lengths: true}
	r.changed = func(name string) { fields = append(fields, name) }
	r.sum = func(layer string, at int, right uint16) {
		r.set16(at, int(right), layer+" checksum")
	}
	r.frame(p.LinkType)
	return repaired, fields
}

// RepairReport counts what was repaired.
type RepairReport struct {
	Packets  int            // looked at
	Repaired int            // changed
	Illegal  int            // still illegal afterwards
	Fields   map[string]int // changes by field
}

// RepairAll repairs a list of packets and reports what it changed.
func RepairAll(packets []pcap.Packet) ([]pcap.Packet, *RepairReport) {
	out := make([]pcap.Packet, len(packets))
	report := &RepairReport{Packets: len(packets), Fields: map[string]int{}}
	for i, p := range packets {
		var fields []string
		out[i], fields = Repair(p)
		if len(fields) > 0 {
			report.Repaired++
		}
		for _, f := range fields {
			report.Fields[f]++
		}
		if Check(out[i]) != nil {
			report.Illegal++
		}
	}
	return out, report
}

// String is the report in one line.
func (r *RepairReport) String() string {
	s := r.head()
	for _, f := range slices.Sorted(maps.Keys(r.Fields)) {
		s += fmt.Sprintf("; %s %d", f, r.Fields[f])
	}
	return s
}

func (r *RepairReport) head() string {
	return fmt.Sprintf("%d of %d packets repaired, %d still illegal", r.Repaired, r.Packets, r.Illegal)
}

// MIME shows the report as a table.
func (r *RepairReport) MIME() display.Bundle {
	t := display.NewTable("field", "changes")
	t.Title, t.Limit = r.head(), -1
	for _, f := range slices.Sorted(maps.Keys(r.Fields)) {
		t.Row(f, r.Fields[f])
	}
	return t.MIME()
}

// repairer goes through a packet from the outside in, computes what lengths and
// checksums should be, and sets them if it is to. It does not follow pcap.Walk,
// which believes the lengths that are to be put right here.
type repairer struct {
	data    []byte
	end     int  // of the layer at hand
	whole   bool // nothing was cut by the snap length
	lengths bool // set lengths, too
	changed func(name string)
	sum     func(layer string, at int, right uint16)
	depth   int
}

// set16 puts a number in its place if another one is there.
func (r *repairer) set16(at, v int, name string) {
	if got := int(binary.BigEndian.Uint16(r.data[at:])); got != v && v <= 0xffff {
		binary.BigEndian.PutUint16(r.data[at:], uint16(v))
		r.changed(name)
	}
}

func (r *repairer) frame(link pcap.LinkType) {
	r.end = len(r.data)
	if link == pcap.LinkEthernet {
		if r.end < 14 {
			return
		}
		if t := int(binary.BigEndian.Uint16(r.data[12:])); t < 0x600 {
			if n := r.end - 14; r.lengths && r.whole && n >= 3 && n <= 1500 && t != n && (t > n || t < 3) {
				r.set16(12, n, "IEEE 802.3 length")
			}
		}
	}
	switch link {
	case pcap.LinkRaw, pcap.LinkIPv4, pcap.LinkIPv6:
		if r.end > 0 {
			r.ip(0)
		}
		return
	}
	if etherType, offset, ok := pcap.Network(link, r.data); ok {
		r.network(etherType, offset)
	}
}

func (r *repairer) network(etherType uint16, at int) {
	if r.depth++; r.depth > 16 {
		return
	}
	switch etherType {
	case pcap.TypeIPv4, pcap.TypeIPv6:
		r.ip(at)
	case pcap.TypeVLAN, pcap.TypeQinQ, pcap.TypeQinQ9100, pcap.TypeQinQ9200:
		if at+4 <= r.end {
			r.network(binary.BigEndian.Uint16(r.data[at+2:]), at+4)
		}
	case pcap.TypeMPLS, pcap.TypeMPLSMulti:
		for at+4 <= r.end {
			at += 4
			if r.data[at-2]&1 != 0 {
				r.ip(at)
				return
			}
		}
	case pcap.TypePPPoE:
		if at+8 > r.end {
			return
		}
		if n := int(binary.BigEndian.Uint16(r.data[at+4:])); r.lengths && r.whole && (n > r.end-at-6 || n < 2) {
			r.set16(at+4, r.end-at-6, "PPPoE length")
		}
		r.ip(at + 8)
	}
}

// ip takes the version from the packet.
func (r *repairer) ip(at int) {
	if at >= r.end {
		return
	}
	switch r.data[at] >> 4 {
	case 4:
		r.ipv4(at)
	case 6:
		r.ipv6(at)
	}
}

// padded reports bytes behind the IP packet that the link may have put there.
func (r *repairer) padded(n, there int) bool { return n < there && r.end <= mostPadding }

func (r *repairer) ipv4(at int) {
	b := r.data[at:r.end]
	if len(b) < 20 {
		return
	}
	header := int(b[0]&15) * 4
	if (header < 20 || header > len(b)) && r.lengths && r.whole {
		b[0] = 0x45
		header = 20
		r.changed("IPv4 header length")
	}
	if header < 20 || header > len(b) {
		return
	}
	total := int(binary.BigEndian.Uint16(b[2:]))
	if r.lengths && r.whole && total != len(b) && (total < header || !r.padded(total, len(b))) {
		r.set16(at+2, len(b), "IPv4 total length")
		total = int(binary.BigEndian.Uint16(b[2:]))
	}
	if total >= header && total < len(b) {
		b = b[:total]
	}
	cut := total != len(b)
	// The sum of a header with its checksum taken out.
	r.sum("IPv4", at+10, finish(add(add(0, b[:10]), b[12:header])))
	if frag := binary.BigEndian.Uint16(b[6:]); frag&0x3fff != 0 {
		return
	}
	pseudo := add(0, b[12:20]) + uint32(b[9])
	r.transport(int(b[9]), at+header, b[header:], pseudo, cut)
}

func (r *repairer) ipv6(at int) {
	b := r.data[at:r.end]
	if len(b) < 40 {
		return
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if r.lengths && r.whole && n != len(b)-40 && (b[6] != 0 || n != 0) && !r.padded(40+n, len(b)) {
		r.set16(at+4, len(b)-40, "IPv6 payload length")
		n = int(binary.BigEndian.Uint16(b[4:]))
	}
	if n+40 < len(b) {
		b = b[:n+40]
	}
	cut := n+40 != len(b)
	next, off := int(b[6]), 40
	for off+8 <= len(b) {
		switch next {
		case 0, 43, 60, 135:
			if next == 43 && b[off+3] > 0 {
				return // the checksum is that of the last destination
			}
			next, off = int(b[off]), off+8+int(b[off+1])*8
			continue
		case 44:
			if binary.BigEndian.Uint16(b[off+2:])&^6 != 0 {
				return // a fragment; the atomic ones are whole
			}
			next, off = int(b[off]), off+8
			continue
		}
		break
	}
	if off > len(b) {
		return
	}
	r.transport(next, at+off, b[off:], add(0, b[8:40])+uint32(next), cut)
}

// transport works on segment b at data[at:]; pseudo is the sum of the pseudo
// header without the length.
func (r *repairer) transport(proto, at int, b []byte, pseudo uint32, cut bool) {
	type place struct {
		layer       string
		least, sum  int
		withPseudo  bool
		zeroIsNone  bool
		zeroIsOnes  bool
		lengthField int
	}
	var p place
	switch proto {
	case 6:
		p = place{layer: "TCP", least: 20, sum: 16, withPseudo: true}
	case 17:
		p = place{layer: "UDP", least: 8, sum: 6, withPseudo: true, zeroIsNone: true, zeroIsOnes: true, lengthField: 4}
	case 1:
		p = place{layer: "ICMP", least: 4, sum: 2}
	case 2:
		p = place{layer: "IGMP", least: 8, sum: 2}
	case 58:
		p = place{layer: "ICMPv6", least: 4, sum: 2, withPseudo: true}
	default:
		return
	}
	if len(b) < p.least || cut || !r.whole {
		return
	}
	if r.lengths && proto == 6 {
		if n := int(b[12]>>4) * 4; n < 20 || n > len(b) {
			b[12] = b[12]&15 | 5<<4
			r.changed("TCP header length")
		}
	}
	if p.lengthField > 0 {
		if r.lengths {
			r.set16(at+p.lengthField, len(b), p.layer+" length")
		} else if n := int(binary.BigEndian.Uint16(b[p.lengthField:])); n < p.least || n > len(b) {
			return
		} else {
			b = b[:n]
		}
	}
	if p.zeroIsNone && b[p.sum] == 0 && b[p.sum+1] == 0 {
		return
	}
	sum := uint32(0)
	if p.withPseudo {
		sum = pseudo + uint32(len(b)>>16) + uint32(len(b)&0xffff)
	}
	right := finish(add(add(sum, b[:p.sum]), b[p.sum+2:]))
	if p.zeroIsOnes && right == 0 {
		right = 0xffff
	}
	r.sum(p.layer, at+p.sum, right)
}

// add sums 16-bit words (RFC 1071), without losing the carries.
func add(sum uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
		sum = sum&0xffff + sum>>16
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum&0xffff + sum>>16
}

// finish folds a sum into a checksum.
func finish(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
