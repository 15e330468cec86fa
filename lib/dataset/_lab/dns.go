package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/miekg/dns"
)

func init() {
	add("dns", "lookup", 30, dnsLookup)
	add("dns", "dual", 12, dnsDual)
	add("dns", "missing", 10, dnsMissing)
	add("dns", "large", 8, dnsLarge)
	add("dns", "reverse", 8, dnsReverse)
	add("dns", "dead", 4, dnsDead)
	add("dot", "lookup", 14, dotLookup)
	add("dot", "idle", 10, dotIdle)
	add("doh", "post", 12, func(w *World) error { return dohLookup(w, http.MethodPost) })
	add("doh", "get", 12, func(w *World) error { return dohLookup(w, http.MethodGet) })
}

// zone answers questions about any name, the same answer for the same question.
type zone struct {
	w       *World
	answers map[string][]dns.RR
}

func newZone(w *World) *zone { return &zone{w: w, answers: map[string][]dns.RR{}} }

func (z *zone) ServeDNS(rw dns.ResponseWriter, q *dns.Msg) {
	z.w.Think()
	m := z.reply(q)
	if rw.RemoteAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if o := q.IsEdns0(); o != nil {
			size = int(o.UDPSize())
		}
		m.Truncate(size)
	}
	rw.WriteMsg(m)
}

func (z *zone) reply(q *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	m.Compress = true
	name := q.Question[0].Name
	switch {
	case strings.HasPrefix(name, "missing-"):
		m.Rcode = dns.RcodeNameError
		m.Ns = []dns.RR{rr("%s 900 IN SOA ns1.%s hostmaster.%s 2026030201 7200 3600 1209600 900", parent(name), parent(name), parent(name))}
	case strings.HasPrefix(name, "refused-"):
		m.Rcode = dns.RcodeRefused
	case strings.HasPrefix(name, "broken-"):
		m.Rcode = dns.RcodeServerFailure
	default:
		key := name + dns.TypeToString[q.Question[0].Qtype]
		if _, ok := z.answers[key]; !ok {
			z.answers[key] = z.records(name, q.Question[0].Qtype)
		}
		m.Answer = z.answers[key]
	}
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
	}
	return m
}

func parent(name string) string {
	if i := strings.IndexByte(name, '.'); i >= 0 && i+1 < len(name) {
		return name[i+1:]
	}
	return name
}

func rr(format string, args ...any) dns.RR {
	r, err := dns.NewRR(fmt.Sprintf(format, args...))
	if err != nil {
		panic(err)
	}
	return r
}

func (z *zone) records(name string, kind uint16) []dns.RR {
	w := z.w
	ttl := pick(w.Rand, []int{30, 60, 300, 300, 600, 3600, 86400})
	var out []dns.RR
	owner := name
	if (kind == dns.TypeA || kind == dns.TypeAAAA) && w.Chance(.25) {
		owner = pick(w.Rand, []string{"edge", "cdn", "lb"}) + fmt.Sprint(w.IntN(40)) + "." + drawDomain(w.Rand) + "."
		out = append(out, rr("%s %d IN CNAME %s", name, ttl, owner))
	}
	switch kind {
	case dns.TypeA:
		for range w.Between(1, 4) {
			out = append(out, rr("%s %d IN A 100.%d.%d.%d", owner, ttl, w.Between(64, 127), w.IntN(256), w.Between(1, 254)))
		}
	case dns.TypeAAAA:
		for range w.Between(0, 3) {
			out = append(out, rr("%s %d IN AAAA 2001:db8:%x::%x", owner, ttl, w.IntN(65536), w.Between(1, 65535)))
		}
	case dns.TypeMX:
		for i := range w.Between(1, 3) {
			out = append(out, rr("%s %d IN MX %d mx%d.%s", name, ttl, 10*(i+1), i+1, name))
		}
	case dns.TypeTXT:
		out = append(out, rr("%s %d IN TXT \"v=spf1 ip4:198.18.%d.0/24 include:_spf.%s -all\"", name, ttl, w.IntN(256), name))
		for range w.Between(0, 2) {
			out = append(out, rr("%s %d IN TXT \"%s-verification=%s\"", name, ttl, pick(w.Rand, parts), token(w.Rand, 32)))
		}
	case dns.TypeSRV:
		for i := range w.Between(1, 3) {
			out = append(out, rr("%s %d IN SRV %d %d %d node%d.%s", name, ttl, 10, w.IntN(100), w.Between(1024, 9999), i+1, parent(name)))
		}
	case dns.TypePTR:
		out = append(out, rr("%s %d IN PTR host-%d.%s.", name, ttl, w.IntN(10000), drawDomain(w.Rand)))
	case dns.TypeNS:
		for i := range w.Between(2, 4) {
			out = append(out, rr("%s %d IN NS ns%d.%s", name, ttl, i+1, name))
		}
	case dns.TypeHTTPS:
		out = append(out, rr("%s %d IN HTTPS 1 . alpn=\"h3,h2\" ipv4hint=100.%d.%d.%d", name, ttl, w.Between(64, 127), w.IntN(256), w.Between(1, 254)))
	case dns.TypeDNSKEY:
		for range 6 {
			out = append(out, rr("%s %d IN DNSKEY 257 3 13 %s", name, ttl, base64.StdEncoding.EncodeToString([]byte(token(w.Rand, 64)))))
		}
	}
	return out
}

// serveDNS answers on UDP and TCP port 53.
func (w *World) serveDNS() error {
	w.Label(protoUDP, 53, "dns")
	pc, err := w.Server.ListenPacket(":53")
	if err != nil {
		return err
	}
	l, err := w.Serve(53, "dns")
	if err != nil {
		return err
	}
	z := newZone(w)
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: z}, {Listener: l, Handler: z}} {
		go s.ActivateAndServe()
		w.Defer(func() { s.Shutdown() })
	}
	time.Sleep(time.Millisecond)
	return nil
}

// question builds a query; id and options vary as resolvers' do.
func (w *World) question(name string, kind uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), kind)
	m.Id = uint16(w.IntN(1 << 16))
	return m
}

// ask sends a query over UDP from a port of its own and repeats it twice when
// no answer comes, then falls back to TCP when the answer was cut.
func (w *World) ask(m *dns.Msg) error {
	var answer *dns.Msg
	raw, err := w.Client.Dial("udp", w.Addr(53))
	if err != nil {
		return err
	}
	c := &dns.Conn{Conn: raw, UDPSize: 4096}
	for try := range 3 {
		if err = c.WriteMsg(m); err != nil {
			break
		}
		c.SetReadDeadline(time.Now().Add(time.Duration(2<<try) * time.Second))
		if answer, err = c.ReadMsg(); err == nil {
			break
		}
	}
	c.Close()
	if err != nil || !answer.Truncated {
		return err
	}
	if raw, err = w.Client.Dial("tcp", w.Addr(53)); err != nil {
		return err
	}
	c = &dns.Conn{Conn: raw}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if err := c.WriteMsg(m); err != nil {
		return err
	}
	_, err = c.ReadMsg()
	return err
}

func (w *World) hostName() string {
	return pick(w.Rand, []string{"www", "mail", "api", "cdn", "img", "login", "static", pick(w.Rand, parts)}) + "." + drawDomain(w.Rand)
}

var kinds = []uint16{dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeA, dns.TypeAAAA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeMX, dns.TypeTXT, dns.TypeSRV, dns.TypeNS}

func dnsLookup(w *World) error {
	if err := w.serveDNS(); err != nil {
		return err
	}
	edns := w.Chance(.5)
	for range w.Between(1, 6) {
		m := w.question(w.hostName(), pick(w.Rand, kinds))
		if edns {
			m.SetEdns0(pick(w.Rand, []uint16{512, 1232, 1280, 4096}), w.Chance(.2))
		}
		if err := w.ask(m); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .01, 10))
	}
	return nil
}

// dnsDual asks for IPv4 and IPv6 from one socket, as libc's resolver does.
func dnsDual(w *World) error {
	if err := w.serveDNS(); err != nil {
		return err
	}
	for range w.Between(1, 4) {
		raw, err := w.Client.Dial("udp", w.Addr(53))
		if err != nil {
			return err
		}
		c := &dns.Conn{Conn: raw}
		name := w.hostName()
		for range w.Between(1, 2) {
			for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
				if err := c.WriteMsg(w.question(name, kind)); err != nil {
					return err
				}
			}
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
			_, err = c.ReadMsg()
			if err == nil {
				_, err = c.ReadMsg()
			}
			if err == nil {
				break
			}
		}
		c.Close()
		w.Sleep(2)
	}
	return nil
}

// dnsMissing asks for what is not there, with the search list, or gets a refusal.
func dnsMissing(w *World) error {
	if err := w.serveDNS(); err != nil {
		return err
	}
	name := pick(w.Rand, []string{"missing-", "missing-", "refused-", "broken-"}) + pick(w.Rand, parts)
	for _, domain := range []string{drawDomain(w.Rand), "corp." + drawDomain(w.Rand), "lan"}[:w.Between(1, 3)] {
		if err := w.ask(w.question(name+"."+domain, pick(w.Rand, []uint16{dns.TypeA, dns.TypeAAAA}))); err != nil {
			return err
		}
	}
	return nil
}

// dnsLarge gets answers too large for UDP, so that TCP follows.
func dnsLarge(w *World) error {
	if err := w.serveDNS(); err != nil {
		return err
	}
	for range w.Between(1, 2) {
		m := w.question(drawDomain(w.Rand), pick(w.Rand, []uint16{dns.TypeDNSKEY, dns.TypeTXT}))
		if w.Chance(.3) {
			m.SetEdns0(4096, true)
		}
		if err := w.ask(m); err != nil {
			return err
		}
	}
	return nil
}

func dnsReverse(w *World) error {
	if err := w.serveDNS(); err != nil {
		return err
	}
	for range w.Between(1, 6) {
		name := fmt.Sprintf("%d.%d.%d.100.in-addr.arpa", w.Between(1, 254), w.IntN(256), w.Between(64, 127))
		if err := w.ask(w.question(name, dns.TypePTR)); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .01, 2))
	}
	return nil
}

// dnsDead asks a host that runs no name server: ICMP says so, or nothing does.
func dnsDead(w *World) error {
	w.Label(protoUDP, 53, "dns")
	for range w.Between(1, 2) {
		if w.ask(w.question(w.hostName(), dns.TypeA)) == nil {
			return fmt.Errorf("a closed port answered")
		}
	}
	return nil
}

// dnsOverTLS starts a DoT server and returns a dialler of connections to it.
func (w *World) dnsOverTLS() (func() (*dns.Conn, error), error) {
	w.SetName("dns")
	server, client, err := w.tlsConfigs("dot")
	if err != nil {
		return nil, err
	}
	l, err := w.Serve(853, "dot")
	if err != nil {
		return nil, err
	}
	s := &dns.Server{Listener: tls.NewListener(l, server), Handler: newZone(w), IdleTimeout: func() time.Duration { return 10 * time.Second }}
	go s.ActivateAndServe()
	w.Defer(func() { s.Shutdown() })
	client.ClientSessionCache = tls.NewLRUClientSessionCache(2)
	return func() (*dns.Conn, error) {
		raw, err := w.Client.Dial("tcp", w.Addr(853))
		if err != nil {
			return nil, err
		}
		raw.SetDeadline(time.Now().Add(5 * time.Minute))
		return &dns.Conn{Conn: tls.Client(raw, client)}, nil
	}, nil
}

func dotLookup(w *World) error {
	dial, err := w.dnsOverTLS()
	if err != nil {
		return err
	}
	for range w.Between(1, 2) {
		c, err := dial()
		if err != nil {
			return err
		}
		for range w.Between(1, 2) {
			if err := w.exchange(c); err != nil {
				return err
			}
		}
		c.Close()
		w.Sleep(15)
	}
	return nil
}

// dotIdle keeps the connection until the server closes it.
func dotIdle(w *World) error {
	dial, err := w.dnsOverTLS()
	if err != nil {
		return err
	}
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for range w.Between(1, 4) {
		if err := w.exchange(c); err != nil {
			return nil // the server closed it in the meantime
		}
		w.Sleep(logUniform(w.Rand, .1, 12))
	}
	c.ReadMsg()
	return nil
}

func (w *World) exchange(c *dns.Conn) error {
	m := w.question(w.hostName(), pick(w.Rand, kinds))
	m.SetEdns0(1232, false)
	if w.Chance(.6) {
		pad := &dns.EDNS0_PADDING{Padding: make([]byte, 128-(m.Len()+4)%128)}
		m.IsEdns0().Option = append(m.IsEdns0().Option, pad)
	}
	if err := c.WriteMsg(m); err != nil {
		return err
	}
	_, err := c.ReadMsg()
	return err
}

// dohLookup asks over HTTPS (RFC 8484), over HTTP/2.
func dohLookup(w *World, method string) error {
	w.SetName(pick(w.Rand, []string{"dns", "doh", "resolver"}))
	z := newZone(w)
	base, cfg, err := w.serveTLS(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Think()
		body, err := io.ReadAll(r.Body)
		if r.Method == http.MethodGet {
			body, err = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
		}
		q := new(dns.Msg)
		if err != nil || q.Unpack(body) != nil {
			http.Error(rw, "bad request", http.StatusBadRequest)
			return
		}
		out, err := z.reply(q).Pack()
		if err != nil {
			http.Error(rw, "failed", http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Content-Type", "application/dns-message")
		rw.Header().Set("Cache-Control", "max-age=300")
		rw.Write(out)
	}), "doh", "h2", "http/1.1")
	if err != nil {
		return err
	}
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return w.Client.DialContext(ctx, network, addr)
		}}
	b := w.newBrowser(1, tr)
	delete(b.headers, "Accept-Language")
	for range w.Between(1, 4) {
		m := w.question(w.hostName(), pick(w.Rand, kinds))
		m.Id = 0
		m.SetEdns0(4096, false)
		wire, err := m.Pack()
		if err != nil {
			return err
		}
		if method == http.MethodGet {
			err = b.do(method, base+"/dns-query?dns="+base64.RawURLEncoding.EncodeToString(wire), "", nil, "Accept", "application/dns-message")
		} else {
			err = b.do(method, base+"/dns-query", "application/dns-message", bytes.Clone(wire), "Accept", "application/dns-message")
		}
		if err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .02, 20))
	}
	return nil
}
