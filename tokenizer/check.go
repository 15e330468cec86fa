package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"trafficgpt/tokenizer/pcap"
)

// Check says why a packet is illegal in the paper's sense: it does not parse,
// or it lies about its lengths. Checksums, addresses and what a transport
// carries are not looked at. A packet that was cut by the snap length is judged
// by its length on the wire. Of link types that are not looked into, a packet
// is legal when it has a byte; an unregistered link type is not.
func Check(p pcap.Packet) error {
	if !p.LinkType.Registered() {
		return fmt.Errorf("link type %d is not registered", uint32(p.LinkType))
	}
	if len(p.Data) == 0 {
		return errors.New("the packet has no bytes")
	}
	c := checker{b: p.Data, wire: max(p.Length, len(p.Data)), padded: true}
	c.frame = c.wire
	switch p.LinkType {
	case pcap.LinkEthernet:
		return c.ethernet()
	case pcap.LinkRaw, pcap.LinkIPv4, pcap.LinkIPv6:
		c.padded = false
		switch v := p.Data[0] >> 4; {
		case v == 4 && p.LinkType != pcap.LinkIPv6:
			return c.ipv4()
		case v == 6 && p.LinkType != pcap.LinkIPv4:
			return c.ipv6()
		default:
			return fmt.Errorf("IP version %d on a %s link", v, p.LinkType)
		}
	}
	etherType, offset, ok := pcap.Network(p.LinkType, p.Data)
	if !ok || !c.skip(offset) {
		if n := leastHeader[p.LinkType]; c.wire < n {
			return fmt.Errorf("%d bytes are no %s packet, which has at least %d", c.wire, p.LinkType, n)
		}
		return nil
	}
	return c.network(etherType)
}

var leastHeader = map[pcap.LinkType]int{pcap.LinkNull: 4, pcap.LinkSLL: 16, pcap.LinkSLL2: 20, 108: 4}

// checker goes through a packet from the outside in. It does not follow
// pcap.Walk, which makes the best of malformed bytes: here they are judged, with
// the reason, by what was on the wire and not only by what was captured.
type checker struct {
	b      []byte // captured bytes from the layer at hand on
	wire   int    // the same on the wire
	frame  int    // the whole packet on the wire
	padded bool   // the link may have added bytes behind
	part   bool   // a first fragment: the transport goes on elsewhere
	depth  int
}

// skip steps over a header. It is false when the wire does not have it.
func (c *checker) skip(n int) bool {
	if n > c.wire {
		return false
	}
	c.b, c.wire = c.b[min(n, len(c.b)):], c.wire-n
	return true
}

// lacks reports a header that the packet is too short for. Where only the
// capture is too short there is nothing to judge, and cut is true.
func (c *checker) lacks(n int, what string) (err error, cut bool) {
	if c.wire < n {
		return fmt.Errorf("%d bytes where %s has %d", c.wire, what, n), false
	}
	return nil, len(c.b) < n
}

func (c *checker) u16(at int) int { return int(binary.BigEndian.Uint16(c.b[at:])) }

func (c *checker) ethernet() error {
	if err, cut := c.lacks(14, "an Ethernet header"); err != nil || cut {
		return err
	}
	t := c.u16(12)
	c.skip(14)
	return c.tagged(t)
}

// tagged goes on behind an EtherType or length field.
func (c *checker) tagged(t int) error {
	switch {
	case t <= 1500:
		if t > c.wire {
			return fmt.Errorf("IEEE 802.3 length %d with %d bytes there", t, c.wire)
		}
		if t < 3 {
			return fmt.Errorf("IEEE 802.3 length %d is too short for LLC", t)
		}
		if len(c.b) >= 8 && c.b[0] == 0xaa && c.b[1] == 0xaa && c.b[2] == 3 {
			t := c.u16(6)
			c.skip(8)
			return c.network(uint16(t))
		}
		return nil
	case t < 0x600:
		return fmt.Errorf("%d is neither a length nor an EtherType", t)
	}
	return c.network(uint16(t))
}

func (c *checker) network(etherType uint16) error {
	if c.depth++; c.depth > 16 {
		return errors.New("more than 16 layers of tags and tunnels")
	}
	switch etherType {
	case pcap.TypeIPv4:
		return c.ipv4()
	case pcap.TypeIPv6:
		return c.ipv6()
	case pcap.TypeARP:
		return c.arp()
	case pcap.TypeVLAN, pcap.TypeQinQ, pcap.TypeQinQ9100, pcap.TypeQinQ9200:
		if err, cut := c.lacks(4, "a VLAN tag"); err != nil || cut {
			return err
		}
		t := c.u16(2)
		c.skip(4)
		return c.tagged(t)
	case pcap.TypeMPLS, pcap.TypeMPLSMulti:
		return c.mpls()
	case pcap.TypePPPoE:
		if err, cut := c.lacks(8, "a PPPoE header"); err != nil || cut {
			return err
		}
		if n := c.u16(4); n < 2 || n > c.wire-6 {
			return fmt.Errorf("PPPoE length %d with %d bytes there", n, c.wire-6)
		}
		proto := c.u16(6)
		c.skip(8)
		switch proto {
		case 0x21:
			return c.ipv4()
		case 0x57:
			return c.ipv6()
		}
	}
	return nil
}

func (c *checker) mpls() error {
	for {
		if err, cut := c.lacks(4, "an MPLS label"); err != nil || cut {
			return err
		}
		bottom := c.b[2]&1 != 0
		c.skip(4)
		if bottom {
			break
		}
	}
	if len(c.b) > 0 {
		switch c.b[0] >> 4 {
		case 4:
			return c.ipv4()
		case 6:
			return c.ipv6()
		}
	}
	return nil
}

func (c *checker) arp() error {
	if err, cut := c.lacks(8, "an ARP header"); err != nil || cut {
		return err
	}
	if n := 8 + 2*int(c.b[4]) + 2*int(c.b[5]); n > c.wire {
		return fmt.Errorf("ARP addresses of %d and %d bytes in a packet of %d", c.b[4], c.b[5], c.wire)
	}
	return nil
}

// mostPadding is how long a frame may be that has bytes behind its IP packet:
// 60 bytes is the least of Ethernet, and a VLAN tag and a checksum may come on top.
const mostPadding = 68

// within narrows the view to the n bytes that IP says there are.
func (c *checker) within(n int, what string) error {
	if n > c.wire {
		return fmt.Errorf("%s says %d bytes, %d are there", what, n, c.wire)
	}
	if over := c.wire - n; over > 0 && (!c.padded || c.frame > mostPadding) {
		return fmt.Errorf("%s says %d bytes, and %d more are there", what, n, over)
	}
	c.wire = n
	c.b = c.b[:min(n, len(c.b))]
	return nil
}

func (c *checker) ipv4() error {
	if err, cut := c.lacks(20, "an IPv4 header"); err != nil || cut {
		return err
	}
	if v := c.b[0] >> 4; v != 4 {
		return fmt.Errorf("IP version %d in an IPv4 packet", v)
	}
	header, total := int(c.b[0]&15)*4, c.u16(2)
	if header < 20 || header > c.wire {
		return fmt.Errorf("IPv4 header length %d in a packet of %d bytes", header, c.wire)
	}
	if total < header {
		return fmt.Errorf("IPv4 total length %d is less than the header's %d", total, header)
	}
	if err := c.within(total, "the IPv4 header"); err != nil {
		return err
	}
	proto, frag := int(c.b[9]), c.u16(6)
	c.skip(header)
	if frag&0x1fff != 0 {
		return nil
	}
	c.part = frag&0x2000 != 0
	return c.transport(proto)
}

func (c *checker) ipv6() error {
	if err, cut := c.lacks(40, "an IPv6 header"); err != nil || cut {
		return err
	}
	if v := c.b[0] >> 4; v != 6 {
		return fmt.Errorf("IP version %d in an IPv6 packet", v)
	}
	n, next := c.u16(4), int(c.b[6])
	if n > 0 || next != 0 { // 0 before hop-by-hop options: a jumbogram
		if err := c.within(40+n, "the IPv6 header"); err != nil {
			return err
		}
	}
	c.skip(40)
	for {
		switch next {
		case 0, 43, 44, 60, 135:
		default:
			return c.transport(next)
		}
		if err, cut := c.lacks(8, "an IPv6 extension header"); err != nil || cut {
			return err
		}
		size := 8 + int(c.b[1])*8
		if next == 44 {
			size = 8
			frag := c.u16(2)
			if frag&0xfff8 != 0 {
				return nil
			}
			c.part = frag&1 != 0
		}
		next = int(c.b[0])
		if !c.skip(size) {
			return fmt.Errorf("an IPv6 extension header of %d bytes with %d there", size, c.wire)
		}
	}
}

func (c *checker) transport(proto int) error {
	switch proto {
	case 6:
		return c.tcp()
	case 17:
		return c.udp()
	case 1, 2:
		err, _ := c.lacks(8, map[int]string{1: "ICMP", 2: "IGMP"}[proto])
		return err
	case 58:
		err, _ := c.lacks(4, "ICMPv6")
		return err
	case 132:
		return c.sctp()
	case 4:
		c.padded = false
		return c.network(pcap.TypeIPv4)
	case 41:
		c.padded = false
		return c.network(pcap.TypeIPv6)
	case 47:
		err, _ := c.lacks(4, "a GRE header")
		return err
	case 50:
		err, _ := c.lacks(8, "an ESP header")
		return err
	}
	return nil
}

func (c *checker) tcp() error {
	if err, cut := c.lacks(20, "a TCP header"); err != nil || cut {
		return err
	}
	if n := int(c.b[12]>>4) * 4; n < 20 || n > c.wire && !c.part {
		return fmt.Errorf("TCP header length %d in a segment of %d bytes", n, c.wire)
	}
	return nil
}

func (c *checker) udp() error {
	if err, cut := c.lacks(8, "a UDP header"); err != nil || cut {
		return err
	}
	if n := c.u16(4); n < 8 || n < c.wire || n > c.wire && !c.part {
		return fmt.Errorf("UDP length %d in a datagram of %d bytes", n, c.wire)
	}
	return nil
}

func (c *checker) sctp() error {
	if err, cut := c.lacks(12, "an SCTP header"); err != nil || cut || c.part {
		return err
	}
	c.skip(12)
	for c.wire > 0 {
		if err, cut := c.lacks(4, "an SCTP chunk"); err != nil || cut {
			return err
		}
		n := c.u16(2)
		if n < 4 || n > c.wire {
			return fmt.Errorf("SCTP chunk length %d with %d bytes there", n, c.wire)
		}
		c.skip(min((n+3)&^3, c.wire))
	}
	return nil
}
