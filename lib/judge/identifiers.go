package judge

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// names are identifiers of one kind.
type names map[string]bool

func (n names) shared(o names) int {
	c := 0
	for k := range n {
		if o[k] {
			c++
		}
	}
	return c
}

// only are those that n shares with train and held does not, sorted.
func (n names) only(train, held names) []string {
	var out []string
	for k := range n {
		if train[k] && !held[k] {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

func joined(list []string, most int) string {
	s := ""
	for i, x := range list {
		if i == most {
			return s + fmt.Sprintf(" and %s more", display.Count(len(list)-most))
		}
		if i > 0 {
			s += ", "
		}
		s += x
	}
	return s
}

// identifiers are the addresses, names and hardware addresses in flows; those that
// everybody has (unspecified, broadcast, multicast) are left out.
func identifiers(flows []*pcap.Flow) [3]names {
	out := [3]names{{}, {}, {}}
	for _, f := range flows {
		for _, a := range []netip.Addr{f.Key.Src, f.Key.Dst} {
			if a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
				out[0][a.String()] = true
			}
		}
		for _, n := range readableNames(f) {
			out[1][n] = true
		}
		for i := range f.Packets {
			p := &f.Packets[i]
			for _, a := range pcap.LinkAddresses(p.LinkType, p.Data) {
				b := p.Data[a.From:a.To]
				if len(b) == 6 && b[0]&1 == 0 && slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) {
					out[2][fmt.Sprintf("%x", b)] = true
				}
			}
		}
	}
	return out
}

// readableNames are the host names that a flow shows to who looks at it: in TLS
// client hellos, in questions and answers of DNS, in HTTP's Host.
func readableNames(f *pcap.Flow) []string {
	out := tokenizer.ServerNames(f)
	for i := range f.Packets {
		b := payload(&f.Packets[i])
		switch {
		case f.Key.Protocol == 17 && (f.Key.SrcPort == 53 || f.Key.DstPort == 53 || f.Key.DstPort == 5353 || f.Key.DstPort == 5355):
			out = append(out, dnsNames(b)...)
		case f.Key.Protocol == 6 && bytes.Contains(b[:min(len(b), 16)], []byte(" /")):
			if name := httpHost(b); name != "" {
				out = append(out, name)
			}
		}
	}
	for i, n := range out {
		out[i] = strings.ToLower(strings.TrimSuffix(n, "."))
	}
	return slices.DeleteFunc(out, func(n string) bool { return !isName(n) })
}

// isName tells a host's name from bytes that stand where one should.
func isName(s string) bool {
	letters := 0
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z':
			letters++
		case c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return letters > 0 && strings.Contains(s, ".")
}

// dnsNames are the names of the questions and answers of a DNS message, as far as
// it can be read.
func dnsNames(b []byte) []string {
	var p dnsmessage.Parser
	if _, err := p.Start(b); err != nil {
		return nil
	}
	var out []string
	for {
		q, err := p.Question()
		if err != nil {
			break
		}
		out = append(out, q.Name.String())
	}
	for {
		h, err := p.AnswerHeader()
		if err != nil || p.SkipAnswer() != nil {
			break
		}
		out = append(out, h.Name.String())
	}
	return out
}

// httpHost is the Host of an HTTP request, "" when there is none.
func httpHost(b []byte) string {
	for line := range bytes.Lines(b[:min(len(b), 4096)]) {
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if ok && strings.EqualFold(string(name), "Host") {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}
