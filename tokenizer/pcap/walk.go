package pcap

import "encoding/binary"

// LayerKind says what sort of header a layer is.
type LayerKind uint8

// The layers that a walk finds.
const (
	LayerLink      LayerKind = iota // the link header, up to the network layer or the first tag
	LayerVLAN                       // one tag of IEEE 802.1Q, with the LLC header behind it if there is one
	LayerMPLS                       // a whole stack of labels, with the control word of a pseudowire
	LayerPPPoE                      // a session's header and the PPP protocol
	LayerARP                        // addresses included
	LayerIPv4                       // options included
	LayerIPv6                       // the 40 bytes that each packet has
	LayerExtension                  // one extension header of IPv6, or an authentication header
	LayerTransport                  // of TCP, UDP, ICMP and ICMPv6; other protocols have a header of no bytes
	LayerTunnel                     // GRE, VXLAN, Geneve, GTP; of no bytes where IP carries IP
	LayerEthernet                   // an Ethernet header inside MPLS or a tunnel
)

var layerNames = [...]string{"link", "VLAN", "MPLS", "PPPoE", "ARP", "IPv4", "IPv6", "extension", "transport", "tunnel", "Ethernet"}

func (k LayerKind) String() string {
	if int(k) < len(layerNames) {
		return layerNames[k]
	}
	return "?"
}

// Fragment says where a packet stands among the fragments of an IP datagram.
type Fragment uint8

// A first fragment has the transport header, a later one only payload.
const (
	FragmentNone Fragment = iota
	FragmentFirst
	FragmentLater
)

// Layer is one header of a packet. Offsets count from the packet's first byte.
type Layer struct {
	Kind     LayerKind
	Whole    bool     // the header is all there and can be read; what is not whole is the last layer
	Fragment Fragment // of LayerIPv4, and of the LayerExtension that fragments IPv6
	Type     uint16   // the EtherType that led here; behind IP the protocol number
	Carries  uint16   // the EtherType of what follows; behind IP its protocol number
	ID       uint32   // of the datagram that a fragment belongs to; of other layers undefined
	From, To int      // the header; To is where its payload begins
	End      int      // where the payload ends: captured bytes, without what this layer says is padding
}

// maxLayers bounds the tags, tunnels and packets in packets that are followed.
const maxLayers = 24

// Walk goes through the layers of a packet from the outside in:
//
//	for w := pcap.NewWalk(p.LinkType, p.Data, pcap.Tags); w.Next(); {
//		fmt.Println(w.Kind, p.Data[w.From:w.To])
//	}
//
// The first layer is the link header. The walk ends at what it cannot read: a
// header that is cut (a layer that is not Whole), a type that is not looked
// into (the Carries of the last layer), or the payload of the last layer. It
// takes any bytes, and allocates nothing.
type Walk struct {
	Layer
	data          []byte
	link          LinkType
	through       Through
	stage         stage
	depth         uint8
	authenticated bool // the packet at hand has had its authentication header
}

// Numbers of IP protocols and extension headers (RFC 5237, RFC 7045).
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoAH          = 51
	protoICMPv6      = 58
	protoDestination = 60
	protoMobility    = 135
	protoHIP         = 139
	protoShim6       = 140
)

// stage is what a walk looks for next.
type stage uint8

const (
	stageLink stage = iota
	stageNetwork
	stageExtension
	stageTransport
	stageTunnel
	stageEnd
)

// NewWalk begins a walk through the tags and tunnels named; 0 means Tags.
func NewWalk(link LinkType, data []byte, through Through) Walk {
	var w Walk
	w.begin(link, data, through)
	return w
}

// begin is NewWalk in place, for those who walk through every packet there is.
func (w *Walk) begin(link LinkType, data []byte, through Through) {
	if through == 0 {
		through = Tags
	}
	w.link, w.data, w.through, w.depth = link, data, through, maxLayers
}

// Next goes on to the next layer, and reports whether there is one.
func (w *Walk) Next() bool {
	switch w.stage {
	case stageLink:
		return w.linkHeader()
	case stageNetwork:
		return w.network()
	case stageExtension:
		return w.extension() || w.transport()
	case stageTransport:
		return w.transport()
	case stageTunnel:
		return w.tunnel()
	}
	return false
}

// stop makes the layer at hand the last one.
func (w *Walk) stop() bool {
	w.stage = stageEnd
	return false
}

// open begins a layer behind the one at hand.
func (w *Walk) open(kind LayerKind) {
	// Field by field: a literal would be built elsewhere and copied, for each layer.
	w.Kind, w.Fragment, w.Type, w.Carries, w.From = kind, FragmentNone, w.Carries, 0, w.To
}

// close ends the layer's header n bytes from its beginning, or where the data do.
func (w *Walk) close(n int, then stage) bool {
	w.To = w.From + n
	if w.Whole = w.To <= w.End; !w.Whole {
		w.To, then = w.End, stageEnd
	}
	w.stage = then
	return true
}

func (w *Walk) linkHeader() bool {
	etherType, at, ok := Network(w.link, w.data)
	w.Carries, w.To, w.End = etherType, len(w.data), len(w.data)
	if w.stage = stageEnd; ok && at <= len(w.data) {
		w.To, w.Whole, w.stage = at, true, stageNetwork
		if w.link == LinkEthernet {
			w.limit(12)
		}
	}
	return true
}

// limit lets the length of IEEE 802.3 at offset i say where the frame ends.
func (w *Walk) limit(i int) {
	if n := int(binary.BigEndian.Uint16(w.data[i:])); n <= maxLength && i+2+n < w.End {
		w.End = max(i+2+n, w.To)
	}
}

// network takes a tag off, or reads a header of the network layer.
func (w *Walk) network() bool {
	if w.depth == 0 {
		return w.stop()
	}
	w.depth--
	at, data := w.To, w.data[:w.End]
	switch w.Carries {
	case TypeIPv4:
		return w.ipv4(data, at)
	case TypeIPv6:
		return w.ipv6(data, at)
	case TypeARP:
		w.open(LayerARP)
		if len(data) < at+8 {
			return w.close(8, stageEnd)
		}
		return w.close(8+2*int(data[at+4])+2*int(data[at+5]), stageEnd)
	case TypeVLAN, TypeQinQ, TypeQinQ9100, TypeQinQ9200:
		return w.through&ThroughVLAN != 0 && w.vlan(data, at) || w.stop()
	case TypeMPLS, TypeMPLSMulti:
		return w.through&ThroughMPLS != 0 && w.mpls(data, at) || w.stop()
	case TypePPPoE:
		return w.through&ThroughPPPoE != 0 && w.pppoe(data, at) || w.stop()
	case TypeBridge:
		w.open(LayerEthernet)
		etherType, to, ok := ethernet(data, at)
		if !ok {
			w.close(14, stageEnd)
			w.Whole = false
			return true
		}
		w.Carries = etherType
		w.close(to-at, stageNetwork)
		w.limit(at + 12)
		return true
	}
	return w.stop()
}

func (w *Walk) vlan(data []byte, at int) bool {
	w.open(LayerVLAN)
	if len(data) < at+4 {
		return w.close(4, stageEnd)
	}
	w.Carries = binary.BigEndian.Uint16(data[at+2:])
	if w.Carries > maxLength {
		return w.close(4, stageNetwork)
	}
	etherType, to, ok := llc(data, at+4)
	if !ok { // a protocol of LLC itself
		return w.close(4, stageEnd)
	}
	w.Carries = etherType
	return w.close(to-at, stageNetwork)
}

func (w *Walk) mpls(data []byte, at int) bool {
	w.open(LayerMPLS)
	etherType, to, ok := belowMPLS(data, at)
	if !ok {
		w.Whole, w.To, w.stage = false, w.End, stageEnd
		return true
	}
	w.Carries = etherType
	return w.close(to-at, stageNetwork)
}

func (w *Walk) pppoe(data []byte, at int) bool {
	w.open(LayerPPPoE)
	if len(data) < at+8 {
		return w.close(8, stageEnd)
	}
	if n := int(binary.BigEndian.Uint16(data[at+4:])); n >= 2 && at+6+n < w.End {
		w.End = at + 6 + n
	}
	etherType, ok := pppType(binary.BigEndian.Uint16(data[at+6:]))
	if w.Carries = etherType; !ok {
		return w.close(8, stageEnd)
	}
	return w.close(8, stageNetwork)
}

func (w *Walk) ipv4(data []byte, at int) bool {
	if len(data) <= at || data[at]>>4 != 4 || data[at]&15 < 5 {
		return w.stop()
	}
	w.open(LayerIPv4)
	header := int(data[at]&15) * 4
	if w.close(header, stageTransport); !w.Whole {
		return true
	}
	// A total length of 0 comes from segmentation offload.
	if total := int(binary.BigEndian.Uint16(data[at+2:])); total >= header && at+total < w.End {
		w.End = at + total
	}
	w.Carries, w.authenticated = uint16(data[at+9]), false
	if f := binary.BigEndian.Uint16(data[at+6:]); f&0x3fff != 0 {
		w.ID = uint32(binary.BigEndian.Uint16(data[at+4:]))
		if w.Fragment = FragmentFirst; f&0x1fff != 0 {
			w.Fragment, w.stage = FragmentLater, stageEnd
		}
	}
	return true
}

func (w *Walk) ipv6(data []byte, at int) bool {
	if len(data) <= at || data[at]>>4 != 6 {
		return w.stop()
	}
	w.open(LayerIPv6)
	if w.close(40, stageExtension); !w.Whole {
		return true
	}
	if n := int(binary.BigEndian.Uint16(data[at+4:])); n > 0 && at+40+n < w.End {
		w.End = at + 40 + n
	}
	w.Carries, w.authenticated = uint16(data[at+6]), false
	return true
}

// extension reads an extension header of IPv6, if one comes.
func (w *Walk) extension() bool {
	at, data := w.To, w.data[:w.End]
	if len(data) < at+8 {
		return false
	}
	size := 8 + int(data[at+1])*8
	switch w.Carries {
	case protoHopByHop, protoRouting, protoDestination, protoMobility, protoHIP, protoShim6:
		w.open(LayerExtension)
	case protoFragment:
		size = 8
		w.open(LayerExtension)
		w.ID = binary.BigEndian.Uint32(data[at+4:])
	default:
		return false
	}
	w.Carries = uint16(data[at])
	w.close(size, stageExtension)
	if w.Type != protoFragment {
		return true
	}
	if f := binary.BigEndian.Uint16(data[at+2:]); f&0xfff8 != 0 {
		w.Fragment, w.stage = FragmentLater, stageEnd
	} else if f&1 != 0 {
		w.Fragment = FragmentFirst
	}
	return true
}

// transport reads the transport header; an authentication header comes first.
func (w *Walk) transport() bool {
	proto, b := w.Carries, w.data[w.To:w.End]
	if proto == protoAH && !w.authenticated && len(b) >= 12 {
		if size := 8 + int(b[1])*4; size <= len(b) {
			w.open(LayerExtension)
			w.Carries, w.authenticated = uint16(b[0]), true
			return w.close(size, stageTransport)
		}
	}
	w.open(LayerTransport)
	w.Carries = 0
	header := 0
	switch proto {
	case protoTCP:
		if w.close(20, stageEnd); w.Whole { // options may be cut
			w.To = min(w.From+max(20, int(b[12]>>4)*4), w.End)
		}
		return true
	case protoUDP:
		header = 8
		if len(b) >= 8 {
			if n := int(binary.BigEndian.Uint16(b[4:])); n >= 8 && n < len(b) {
				w.End = w.From + n
			}
		}
	case protoICMP, protoICMPv6:
		header = 8
	}
	then := stageEnd
	if w.through&(Tunnels&^Tags) != 0 {
		then = stageTunnel
	}
	return w.close(header, then)
}

// tunnel goes into the packet that the transport layer carries, if it does.
func (w *Walk) tunnel() bool {
	b := w.data[w.From:w.End]
	port := uint16(0)
	if w.Type == protoUDP {
		port = binary.BigEndian.Uint16(b[2:])
	}
	etherType, at, ok := tunnel(w.Type, port, b, w.through)
	if !ok || w.From+at > w.End {
		return w.stop()
	}
	from, proto := w.From, w.Type
	w.open(LayerTunnel)
	w.Type, w.Carries = proto, etherType
	return w.close(from+at-w.From, stageNetwork)
}

// belowMPLS takes a label stack off; what is below has to be guessed.
func belowMPLS(data []byte, at int) (etype uint16, offset int, ok bool) {
	for {
		if len(data) < at+5 {
			return 0, 0, false
		}
		bottom := data[at+2]&1 != 0
		at += 4
		if bottom {
			break
		}
	}
	switch data[at] >> 4 {
	case 4:
		return TypeIPv4, at, true
	case 6:
		return TypeIPv6, at, true
	case 0: // a pseudowire's control word before an Ethernet frame
		return TypeBridge, at + 4, true
	}
	return TypeBridge, at, true
}

// tunnel finds what is inside the payload b of an IP protocol.
func tunnel(proto, port uint16, b []byte, through Through) (etype uint16, at int, ok bool) {
	switch {
	case proto == 4 && through&ThroughIPIP != 0:
		return TypeIPv4, 0, true
	case proto == 41 && through&ThroughIPIP != 0:
		return TypeIPv6, 0, true
	case proto == 47 && through&ThroughGRE != 0:
		return gre(b)
	case proto != protoUDP || len(b) < 16:
		return 0, 0, false
	case (port == 4789 || port == 8472) && through&ThroughVXLAN != 0:
		return TypeBridge, 16, b[8]&0x08 != 0
	case port == 6081 && through&ThroughGeneve != 0:
		return binary.BigEndian.Uint16(b[10:]), 16 + int(b[8]&0x3f)*4, b[8]>>6 == 0
	case port == 2152 && through&ThroughGTP != 0:
		return gtp(b)
	}
	return 0, 0, false
}

func gre(b []byte) (etype uint16, at int, ok bool) {
	if len(b) < 4 {
		return 0, 0, false
	}
	flags, etype := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	at = 4
	for _, bit := range [...]uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence number
		if flags&bit != 0 {
			at += 4
		}
	}
	if flags&7 == 1 && flags&0x80 != 0 { // PPTP's acknowledgment number
		at += 4
	}
	switch etype {
	case 0x880b: // PPP
		if t, off, ok := shifted(9, b, at); ok {
			return t, off, true
		}
		return 0, 0, false
	case typeERSPAN2:
		if flags&0x1000 != 0 { // type I has no header and no sequence number
			at += 8
		}
		return TypeBridge, at, true
	case typeERSPAN3:
		if len(b) > at+11 && b[at+11]&1 != 0 { // a platform-specific subheader
			at += 8
		}
		return TypeBridge, at + 12, true
	}
	return etype, at, true
}

func gtp(b []byte) (etype uint16, at int, ok bool) {
	if b[8]>>5 != 1 || b[9] != 0xff { // version 1, a user packet
		return 0, 0, false
	}
	at = 16
	if b[8]&7 != 0 {
		if len(b) < 20 {
			return 0, 0, false
		}
		next := b[19]
		at = 20
		for b[8]&4 != 0 && next != 0 { // extension headers
			if len(b) < at+4 || b[at] == 0 || len(b) < at+int(b[at])*4 {
				return 0, 0, false
			}
			at += int(b[at]) * 4
			next = b[at-1]
		}
	}
	return version(b, at)
}
