package metrics

import (
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"trafficgpt/tokenizer/pcap"
)

// conn makes the packets of a TCP connection with gopacket, which computes
// lengths and checksums independently of the code under test.
type conn struct {
	src, dst     string
	sport, dport uint16
	ttl          uint8
	seq          [2]uint32
	packets      []pcap.Packet
}

func newConn(src, dst string, sport, dport uint16, ttl uint8) *conn {
	return &conn{src: src, dst: dst, sport: sport, dport: dport, ttl: ttl, seq: [2]uint32{math.MaxUint32 - 100, 7000}}
}

// add appends a packet: who is 0 for the initiator.
func (c *conn) add(who int, flags byte, payload int) {
	ip := layers.IPv4{Version: 4, TTL: c.ttl, Protocol: layers.IPProtocolTCP, SrcIP: net.ParseIP(c.src), DstIP: net.ParseIP(c.dst)}
	tcp := layers.TCP{SrcPort: layers.TCPPort(c.sport), DstPort: layers.TCPPort(c.dport), Seq: c.seq[who], Window: 1000,
		SYN: flags&syn != 0, ACK: flags&ack != 0, FIN: flags&fin != 0, RST: flags&rst != 0}
	if who == 1 {
		ip.SrcIP, ip.DstIP = ip.DstIP, ip.SrcIP
		tcp.SrcPort, tcp.DstPort = tcp.DstPort, tcp.SrcPort
	}
	if flags&ack != 0 {
		tcp.Ack = c.seq[1-who]
	}
	if err := tcp.SetNetworkLayerForChecksum(&ip); err != nil {
		panic(err)
	}
	c.serialize(&layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6), EthernetType: layers.EthernetTypeIPv4},
		&ip, &tcp, gopacket.Payload(make([]byte, payload)))
	c.seq[who] += uint32(payload)
	if flags&(syn|fin) != 0 {
		c.seq[who]++
	}
}

func (c *conn) serialize(l ...gopacket.SerializableLayer) {
	buf := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, l...); err != nil {
		panic(err)
	}
	data := append([]byte{}, buf.Bytes()...)
	c.packets = append(c.packets, pcap.Packet{
		Time: time.Unix(1700000000, int64(len(c.packets))*1e6).UTC(), Data: data, Length: len(data), LinkType: pcap.LinkEthernet,
	})
}

func (c *conn) open() {
	c.add(0, syn, 0)
	c.add(1, syn|ack, 0)
	c.add(0, ack, 0)
}

func (c *conn) send(out bool, payload int) {
	who := 1
	if out {
		who = 0
	}
	c.add(who, ack, payload)
}

func (c *conn) flow() *pcap.Flow {
	return &pcap.Flow{
		Key: pcap.Key{Src: netip.MustParseAddr(c.src), Dst: netip.MustParseAddr(c.dst), SrcPort: c.sport, DstPort: c.dport,
			Protocol: 6, EtherType: pcap.TypeIPv4},
		Packets: c.packets,
	}
}
