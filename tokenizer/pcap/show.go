package pcap

import (
	"fmt"
	"html"
	"strings"
	"time"

	"trafficgpt/display"
)

// shown is how many rows a table has at most.
const shown = 20

// table builds the text and the HTML of a table side by side.
type table struct {
	title string
	notes []string
	head  []string
	right []bool // columns of numbers
	rows  [][]string
	left  int // rows that are not shown
}

const style = `<style scoped>
.tg{font-family:var(--jp-ui-font-family,system-ui,sans-serif);font-size:var(--jp-ui-font-size1,13px);color:var(--jp-ui-font-color1,inherit)}
.tg table{border-collapse:collapse;margin:.4em 0}
.tg th,.tg td{padding:.2em .7em;text-align:left!important;border-bottom:1px solid var(--jp-border-color2,#8884);white-space:nowrap;font-variant-numeric:tabular-nums;background:transparent;color:inherit}
.tg th{font-weight:600;border-bottom:1px solid var(--jp-border-color1,#888a)}
.tg tbody tr:hover td{background:var(--jp-layout-color2,#8882)}
.tg .r{text-align:right!important}.tg .n{color:var(--jp-ui-font-color2,#888)}.tg .w{color:var(--jp-warn-color0,#b26a00)}
</style>`

func (t *table) bundle() display.Bundle {
	return display.Bundle{display.Text: t.text(), display.HTML: t.html()}
}

func (t *table) text() string {
	var b strings.Builder
	b.WriteString(t.title + "\n")
	if len(t.rows) > 0 {
		width := make([]int, len(t.head))
		for _, r := range append([][]string{t.head}, t.rows...) {
			for i, c := range r {
				width[i] = max(width[i], len([]rune(c)))
			}
		}
		for _, r := range append([][]string{t.head}, t.rows...) {
			line := ""
			for i, c := range r {
				pad := strings.Repeat(" ", width[i]-len([]rune(c)))
				if t.right[i] {
					line += pad + c + "  "
				} else {
					line += c + pad + "  "
				}
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	if t.left > 0 {
		fmt.Fprintf(&b, "… and %d more\n", t.left)
	}
	for _, n := range t.notes {
		b.WriteString("warning: " + n + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

func (t *table) html() string {
	var b strings.Builder
	b.WriteString(`<div class="tg">` + style + "<div><b>" + html.EscapeString(t.title) + "</b></div>")
	if len(t.rows) > 0 {
		class := func(i int) string {
			if t.right[i] {
				return ` class="r"`
			}
			return ""
		}
		b.WriteString("<table><thead><tr>")
		for i, c := range t.head {
			b.WriteString("<th" + class(i) + ">" + html.EscapeString(c) + "</th>")
		}
		b.WriteString("</tr></thead><tbody>")
		for _, r := range t.rows {
			b.WriteString("<tr>")
			for i, c := range r {
				b.WriteString("<td" + class(i) + ">" + html.EscapeString(c) + "</td>")
			}
			b.WriteString("</tr>")
		}
		b.WriteString("</tbody></table>")
	}
	if t.left > 0 {
		fmt.Fprintf(&b, `<div class="n">… and %d more</div>`, t.left)
	}
	for _, n := range t.notes {
		b.WriteString(`<div class="w">⚠ ` + html.EscapeString(n) + "</div>")
	}
	b.WriteString("</div>")
	return b.String()
}

// MIME shows the capture's flows and what is to say of the file.
func (c *Capture) MIME() display.Bundle {
	t := c.Flows().table()
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
	t.title = fmt.Sprintf("%s: %s, %s, %s; %s", c.Path, format, strings.Join(names, " + "), Bytes(c.Size), t.title)
	t.notes = c.Warnings
	return t.bundle()
}

// String says in one line what the capture is.
func (c *Capture) String() string { return strings.SplitN(c.MIME()[display.Text].(string), "\n", 2)[0] }

// MIME shows the flows as a table.
func (fs Flows) MIME() display.Bundle { return fs.table().bundle() }

func (fs Flows) table() *table {
	packets, size := 0, int64(0)
	labels := false
	for _, f := range fs {
		packets += len(f.Packets)
		size += f.Bytes()
		labels = labels || f.Label != ""
	}
	t := &table{title: fmt.Sprintf("%d flows, %d packets, %s", len(fs), packets, Bytes(size)), left: max(0, len(fs)-shown)}
	t.head = []string{"#", "protocol", "initiator", "responder", "packets", "→", "←", "bytes", "start (UTC)", "duration"}
	t.right = []bool{true, false, false, false, true, true, true, true, false, true}
	if labels {
		t.head, t.right = append(t.head, "label"), append(t.right, false)
	}
	for i, f := range fs[:min(shown, len(fs))] {
		out := f.OutgoingPackets()
		src, dst := f.Ends()
		row := []string{fmt.Sprint(i), f.Protocol(), src, dst, fmt.Sprint(len(f.Packets)), fmt.Sprint(out),
			fmt.Sprint(len(f.Packets) - out), Bytes(f.Bytes()), "", seconds(f.Duration())}
		if len(f.Packets) > 0 {
			row[8] = f.Packets[0].Time.Format("2006-01-02 15:04:05.000")
		}
		if labels {
			row = append(row, f.Label)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// MIME shows the packets of the flow as a table.
func (f *Flow) MIME() display.Bundle {
	src, dst := f.Ends()
	title := fmt.Sprintf("%s %s → %s: %s, %s, %s", f.Protocol(), src, dst, packetCount(len(f.Packets)), Bytes(f.Bytes()), seconds(f.Duration()))
	if f.Label != "" {
		title = f.Label + ": " + title
	}
	t := &table{title: title, left: max(0, len(f.Packets)-shown)}
	t.head = []string{"#", "", "after", "captured", "on the wire", "flags", "link"}
	t.right = []bool{true, false, true, true, true, false, false}
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
		t.rows = append(t.rows, []string{fmt.Sprint(i), arrow, seconds(after), fmt.Sprint(len(p.Data)), fmt.Sprint(p.Length),
			flagNames(x.flags), p.LinkType.String()})
	}
	return t.bundle()
}

// String says in one line what the flow is.
func (f *Flow) String() string { return strings.SplitN(f.MIME()[display.Text].(string), "\n", 2)[0] }

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
