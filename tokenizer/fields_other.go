package tokenizer

import (
	"strings"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"trafficgpt/tokenizer/pcap"
)

// linkDecoders are the link layers that gopacket knows beyond those looked into here.
var linkDecoders = map[pcap.LinkType]gopacket.Decoder{
	105: layers.LayerTypeDot11,
	127: layers.LayerTypeRadioTap,
	119: layers.LayerTypePrismHeader,
	189: layers.LayerTypeUSB,
	220: layers.LayerTypeUSB,
}

// other names the layers of a link header that the walk does not take off,
// through gopacket; where that fails too, at least the addresses.
func (d *dissection) other(link pcap.LinkType) {
	if dec := linkDecoders[link]; dec != nil {
		d.gopacket(dec, KindEthernet)
	}
	if d.at == 0 {
		d.addresses(link)
	}
	d.payload()
}

var protocolNames = map[int]string{46: "RSVP", 88: "EIGRP", 103: "PIM", 115: "L2TP", 33: "DCCP", 59: "no next header"}

// ipProtocol names the layers of the less common IP protocols.
func (d *dissection) ipProtocol(proto int) {
	switch p := layers.IPProtocol(proto); p {
	case layers.IPProtocolOSPF:
		d.ospf()
	case layers.IPProtocolVRRP, layers.IPProtocolEtherIP:
		d.gopacket(p, KindTransport)
		d.payload()
	default:
		name := protocolNames[proto]
		if name == "" {
			name = "IP protocol"
		}
		d.enter(KindTransport, name)
		d.take(d.left(), "data")
	}
}

func (d *dissection) ospf() {
	d.enter(KindTransport, "OSPF")
	version := d.u8("version")
	d.take(1, "type")
	d.take(2, "length")
	d.take(4, "router")
	d.take(4, "area")
	d.take(2, "checksum")
	if version == 2 {
		d.take(2, "authentication type")
		d.take(8, "authentication")
	} else {
		d.take(2, "instance")
	}
	d.take(d.left(), "message")
}

// udpDecoders are the protocols over UDP that gopacket knows by their port.
var udpDecoders = map[int]gopacket.Decoder{
	67: layers.LayerTypeDHCPv4, 68: layers.LayerTypeDHCPv4,
	546: layers.LayerTypeDHCPv6, 547: layers.LayerTypeDHCPv6,
	123: layers.LayerTypeNTP, 5060: layers.LayerTypeSIP, 6343: layers.LayerTypeSFlow,
	623: layers.LayerTypeRMCP, 1812: layers.LayerTypeRADIUS, 3784: layers.LayerTypeBFD,
}

// recognised names the application layer by port, through gopacket where it knows it.
func (d *dissection) recognised(sport, dport int) {
	if d.left() == 0 {
		return
	}
	if d.layer == "UDP" {
		dec := udpDecoders[dport]
		if dec == nil {
			dec = udpDecoders[sport]
		}
		if dec != nil {
			d.gopacket(dec, KindPayload)
			d.payload()
			return
		}
	}
	for _, p := range []int{dport, sport} {
		if n := portNames[p]; n != "" {
			d.enter(KindPayload, n)
			d.take(d.left(), "data")
			return
		}
	}
	d.payload()
}

var portNames = map[int]string{20: "FTP data", 21: "FTP", 22: "SSH", 23: "Telnet", 25: "SMTP", 69: "TFTP", 80: "HTTP", 110: "POP3",
	123: "NTP", 137: "NetBIOS", 138: "NetBIOS", 139: "NetBIOS", 143: "IMAP", 161: "SNMP", 162: "SNMP", 179: "BGP", 389: "LDAP",
	443: "TLS", 445: "SMB", 500: "ISAKMP", 502: "Modbus", 514: "syslog", 587: "SMTP", 853: "TLS", 993: "TLS", 995: "TLS",
	1433: "TDS", 1883: "MQTT", 1900: "SSDP", 3306: "MySQL", 3389: "RDP", 5060: "SIP", 5432: "PostgreSQL", 5672: "AMQP", 6379: "Redis",
	8080: "HTTP", 8443: "TLS", 8883: "TLS", 20000: "DNP3"}

// unreadHeader is a link header in which nobody here knows the addresses.
const unreadHeader = "unread header"

// gopacket names what is left by the layers that gopacket finds in it, each as
// a whole.
func (d *dissection) gopacket(first gopacket.Decoder, kind Kind) {
	rest := d.data[d.at:d.end:d.end] // no more: a decoder must not find what the memory held before
	p := gopacket.NewPacket(rest, first, gopacket.DecodeOptions{NoCopy: true})
	for _, l := range p.Layers() {
		n := len(l.LayerContents())
		if l.LayerType() == gopacket.LayerTypeDecodeFailure || l.LayerType() == gopacket.LayerTypePayload {
			break
		}
		name := "header"
		if kind == KindEthernet {
			name = unreadHeader
		}
		d.enter(kind, strings.ToUpper(l.LayerType().String()[:1])+l.LayerType().String()[1:])
		if _, ok := d.take(n, name); !ok {
			return
		}
		kind = KindPayload
	}
}
