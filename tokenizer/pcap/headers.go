package pcap

// Headers says where the outermost IP packet of a packet has its headers,
// behind tags. Offsets count from the packet's first byte.
type Headers struct {
	EtherType uint16   // of what follows the link header and its tags; 0 when that is not known
	Network   int      // where it begins, -1 when that is not known
	Version   int      // 4 or 6; 0 when there is no whole IP header
	Protocol  uint8    // of IP, behind the extension headers
	Fragment  Fragment // a later one has no transport header
	Transport int      // where the transport header begins, -1 when there is none or one of TCP or UDP is cut
	Payload   int      // where what the transport carries begins
	End       int      // where IP says that the packet ends, without padding
}

// Headers finds the headers of the packet. Of a packet that is not IP, Payload
// and End are at the end of the bytes.
func (p *Packet) Headers() Headers {
	h := Headers{Network: -1, Transport: -1, Payload: len(p.Data), End: len(p.Data)}
	for w := NewWalk(p.LinkType, p.Data, Tags); w.Next(); {
		switch w.Kind {
		case LayerIPv4, LayerIPv6:
			if !w.Whole {
				return h
			}
			if h.Version = 4; w.Kind == LayerIPv6 {
				h.Version = 6
			}
			h.internet(&w)
		case LayerExtension:
			if !w.Whole {
				return h
			}
			h.internet(&w)
		case LayerTransport:
			h.Transport, h.Payload = w.From, w.To
			if !w.Whole {
				if h.Payload = w.From; w.Type == protoTCP || w.Type == protoUDP {
					h.Transport = -1
				}
			}
		case LayerARP:
		default:
			if h.EtherType, h.Network = w.Carries, w.To; !w.Whole {
				h.EtherType, h.Network = 0, -1
			}
		}
	}
	return h
}

// internet takes a header of IP.
func (h *Headers) internet(w *Walk) {
	h.Protocol, h.End = uint8(w.Carries), w.End
	if w.Fragment != FragmentNone {
		h.Fragment = w.Fragment
	}
	h.Payload = w.To
}
