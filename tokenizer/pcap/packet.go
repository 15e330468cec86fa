// Package pcap turns capture files into packets and flows, and back.
//
//	c := must(pcap.Read("x.pcap.gz"))                             // pcap or pcapng, any link type
//	c.Flows()                                                     // by 5-tuple, the initiator first
//	c.Flows(pcap.FlowOptions{Through: pcap.Tunnels})              // by what is inside of tunnels
//	must(pcap.WriteFlows("out.pcap", c.Flows()[:10]))
//
// Where the layers of a packet are is said in one place, Walk: flows, the
// explanation of tokens, masks and metrics all follow it. Headers is the short
// answer for the outermost IP packet.
//
// Words of the package: a link type is what a capture file calls the outermost
// header; tags (VLAN, MPLS, PPPoE) lie between it and the network layer, tunnels
// behind that; the initiator is who began a flow; a key is a flow's 5-tuple.
package pcap

import (
	"net/netip"
	"time"
)

// LinkType is a LINKTYPE_ value as written in capture files (1 Ethernet, 101 raw IP, …).
type LinkType uint32

// Packet is one captured packet.
type Packet struct {
	Time      time.Time // UTC, nanosecond precision
	Data      []byte    // the captured bytes, from the link header on
	Length    int       // bytes on the wire, at least len(Data); larger when the snap length cut it
	LinkType  LinkType
	Interface int // index of the capture interface, 0 in pcap files
}

// Key is a bidirectional 5-tuple: Src and SrcPort are the initiator's.
// Flows without ports or without IP have zero ports or addresses.
type Key struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
	Protocol         uint8 // IP protocol number; 0 when there is no IP layer
	EtherType        uint16
}

// Flow is the packets of one bidirectional conversation in time order.
type Flow struct {
	Key     Key
	Label   string // class, when known
	Group   string // near-duplicate group; splits keep a group together
	Source  string // file or generator it comes from
	Packets []Packet
}
