package metrics

import (
	"encoding/binary"
	"net/netip"

	"trafficgpt/tokenizer/pcap"
)

// view is what the metrics need to know of a packet's IP and transport layer.
type view struct {
	pcap.Headers
	src, dst netip.Addr
	length   int    // of the IP packet, as its header says
	ttl      int    // or hop limit
	segment  []byte // from the transport header on, to the captured end of the IP packet; nil without one
	ports    bool
	sport    int
	dport    int
}

func look(p *pcap.Packet) view {
	v := view{Headers: p.Headers()}
	b := p.Data[max(v.Network, 0):]
	switch v.Version {
	case 4:
		v.length, v.ttl = int(binary.BigEndian.Uint16(b[2:])), int(b[8])
		v.src, v.dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	case 6:
		v.length, v.ttl = 40+int(binary.BigEndian.Uint16(b[4:])), int(b[7])
		v.src, v.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	}
	if v.Transport < 0 {
		return v
	}
	v.segment = p.Data[v.Transport:v.End]
	switch v.Protocol {
	case 6, 17, 33, 132, 136:
		if v.ports = len(v.segment) >= 4; v.ports {
			v.sport = int(binary.BigEndian.Uint16(v.segment))
			v.dport = int(binary.BigEndian.Uint16(v.segment[2:]))
		}
	}
	return v
}

// payload is how many bytes a TCP segment carried on the wire: those that the
// headers say, or, where segmentation offload left the length to the network
// card, those captured.
func (v *view) payload() int {
	end := v.Network + v.length
	if end < v.Transport {
		end = v.End
	}
	return max(0, end-v.Transport-max(20, int(v.segment[12]>>4)*4))
}
