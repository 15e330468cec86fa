package pcap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"trafficgpt/display"
)

// shown is how many rows a table has at most.
const shown = 20

// MIME shows the capture's flows and what is to say of the file.
func (c *Capture) MIME() display.Bundle {
	flows := c.Flows()
	t := flows.table()
	t.Title = c.head() + flows.head()
	for _, w := range c.Warnings {
		t.Note += "warning: " + w + "\n"
	}
	return t.MIME()
}

// String says in one line what the capture is.
func (c *Capture) String() string {
	size := int64(0)
	for i := range c.Packets {
		size += int64(len(c.Packets[i].Data))
	}
	return fmt.Sprintf("%s%s, %s", c.head(), packetCount(len(c.Packets)), Bytes(size))
}

// head says what file the capture is.
func (c *Capture) head() string {
	format := string(c.Format)
	if c.Compression != "" {
		format += " in " + c.Compression
	}
	links := map[LinkType]bool{}
	var names []string
	for _, i := range c.Interfaces {
		if !links[i.LinkType] {
			links[i.LinkType] = true
			names = append(names, i.LinkType.String())
		}
	}
	return fmt.Sprintf("%s: %s, %s, %s; ", c.Path, format, strings.Join(names, " + "), Bytes(c.Size))
}

// MIME shows the flows as a table.
func (fs Flows) MIME() display.Bundle { return fs.table().MIME() }

// head sums the flows up.
func (fs Flows) head() string {
	packets, size := 0, int64(0)
	for _, f := range fs {
		packets += len(f.Packets)
		size += f.Bytes()
	}
	return fmt.Sprintf("%d flows, %d packets, %s", len(fs), packets, Bytes(size))
}

func (fs Flows) table() *display.Table {
	t := display.NewTable("#", "protocol", "initiator", "responder", "packets", "→", "←", "bytes", "start (UTC)", "duration")
	t.Title, t.Align, t.More = fs.head(), "rlllrrrrlrl", max(0, len(fs)-shown)
	labels := slices.ContainsFunc(fs, func(f *Flow) bool { return f.Label != "" })
	if labels {
		t.Header = append(t.Header, "label")
	}
	for i, f := range fs[:min(shown, len(fs))] {
		out := f.OutgoingPackets()
		src, dst := f.Ends()
		start := ""
		if len(f.Packets) > 0 {
			start = f.Packets[0].Time.Format("2006-01-02 15:04:05.000")
		}
		row := []any{i, f.Protocol(), src, dst, len(f.Packets), out, len(f.Packets) - out, Bytes(f.Bytes()), start, seconds(f.Duration())}
		if labels {
			row = append(row, f.Label)
		}
		t.Row(row...)
	}
	return t
}

// MIME shows the packets of the flow as a table.
func (f *Flow) MIME() display.Bundle {
	t := display.NewTable("#", "", "after", "captured", "on the wire", "flags", "link")
	t.Title, t.Align, t.More = f.String(), "rlrrrll", max(0, len(f.Packets)-shown)
	for i := range f.Packets[:min(shown, len(f.Packets))] {
		p := &f.Packets[i]
		arrow, after := "←", time.Duration(0)
		if f.Outgoing(i) {
			arrow = "→"
		}
		if i > 0 {
			after = p.Time.Sub(f.Packets[i-1].Time)
		}
		var x info
		x.look(p.LinkType, p.Data, Tags)
		t.Row(i, arrow, seconds(after), len(p.Data), p.Length, flagNames(x.flags), p.LinkType)
	}
	return t.MIME()
}

// String says in one line what the flow is.
func (f *Flow) String() string {
	src, dst := f.Ends()
	s := fmt.Sprintf("%s %s → %s: %s, %s, %s", f.Protocol(), src, dst, packetCount(len(f.Packets)), Bytes(f.Bytes()), seconds(f.Duration()))
	if f.Label != "" {
		s = f.Label + ": " + s
	}
	return s
}

func flagNames(flags uint8) string {
	var on []string
	for i, n := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if flags>>i&1 != 0 {
			on = append(on, n)
		}
	}
	return strings.Join(on, " ")
}

func packetCount(n int) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}

// Bytes counts the captured bytes of the flow.
func (f *Flow) Bytes() int64 {
	n := int64(0)
	for _, p := range f.Packets {
		n += int64(len(p.Data))
	}
	return n
}

// OutgoingPackets counts the packets that the initiator sent.
func (f *Flow) OutgoingPackets() int {
	n := 0
	for i := range f.Packets {
		if f.Outgoing(i) {
			n++
		}
	}
	return n
}

// Duration is the time from the first packet to the last.
func (f *Flow) Duration() time.Duration {
	if len(f.Packets) == 0 {
		return 0
	}
	return f.Packets[len(f.Packets)-1].Time.Sub(f.Packets[0].Time)
}

// Ends names the initiator and the responder: address and port, or link
// addresses where there are no others.
func (f *Flow) Ends() (initiator, responder string) {
	k := f.Key
	if k.Src.IsValid() {
		return ending(k.Src.String(), k.SrcPort), ending(k.Dst.String(), k.DstPort)
	}
	if len(f.Packets) == 0 {
		return "", ""
	}
	src, dst := addresses(f.Packets[0].LinkType, f.Packets[0].Data)
	return hexed(src), hexed(dst)
}

func ending(addr string, port uint16) string {
	if port == 0 {
		return addr
	}
	if strings.Contains(addr, ":") {
		addr = "[" + addr + "]"
	}
	return fmt.Sprintf("%s:%d", addr, port)
}

func hexed(b []byte) string {
	var parts []string
	for _, x := range b {
		parts = append(parts, fmt.Sprintf("%02x", x))
	}
	return strings.Join(parts, ":")
}

var protocols = map[uint8]string{1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 33: "DCCP", 41: "IPv6", 46: "RSVP",
	47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 88: "EIGRP", 89: "OSPF", 103: "PIM", 112: "VRRP", 115: "L2TP", 132: "SCTP", 136: "UDP-Lite"}

var etherTypes = map[uint16]string{TypeIPv4: "IPv4", TypeARP: "ARP", TypeIPv6: "IPv6", TypeVLAN: "VLAN", TypeQinQ: "QinQ",
	TypeMPLS: "MPLS", TypeMPLSMulti: "MPLS", 0x8863: "PPPoE", TypePPPoE: "PPPoE", 0x888e: "EAPOL", 0x88cc: "LLDP",
	0x88e5: "MACsec", 0x88f7: "PTP", 0x8809: "Slow", 0x88a2: "AoE", 0x9000: "Loopback", 0x2000: "CDP"}

// Protocol names the flow's protocol: the transport, or what there is instead.
func (f *Flow) Protocol() string {
	k := f.Key
	switch {
	case k.Src.IsValid() && k.EtherType == TypeARP:
		return "ARP"
	case k.Src.IsValid():
		if n := protocols[k.Protocol]; n != "" {
			return n
		}
		return fmt.Sprintf("IP %d", k.Protocol)
	case k.EtherType != 0:
		if n := etherTypes[k.EtherType]; n != "" {
			return n
		}
		return fmt.Sprintf("0x%04x", k.EtherType)
	case len(f.Packets) > 0 && f.Packets[0].LinkType == LinkEthernet:
		return "LLC"
	case len(f.Packets) > 0:
		return f.Packets[0].LinkType.String()
	}
	return "?"
}

// Bytes writes a number of bytes for people.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

func seconds(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Millisecond && d > -time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < time.Second && d > -time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.3f s", d.Seconds())
}
