package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

func init() {
	add("quic", "page", 4, quicPage)
	add("quic", "api", 8, quicAPI)
	add("quic", "idle", 4, quicIdle)
	add("quic", "resume", 3, quicResume)
	add("quic", "refused", 4, quicRefused)
}

// served is a QUIC server's socket and what its clients need.
type served struct {
	w       *World
	tls     *tls.Config
	quic    *quic.Config
	sockets []*quic.Transport
}

// serveQUIC starts an HTTP/3 server.
func (w *World) serveQUIC(h http.Handler) (*served, error) {
	server, client, err := w.tlsConfigs("h3")
	if err != nil {
		return nil, err
	}
	server.MinVersion, server.MaxVersion = tls.VersionTLS13, 0
	client.MinVersion, client.MaxVersion = tls.VersionTLS13, 0
	if w.Chance(.9) { // see tlsConfigs; here the padding would be as large again
		client.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	w.Label(protoUDP, 443, "quic")
	pc, err := w.Server.ListenPacket(":443")
	if err != nil {
		return nil, err
	}
	cfg := &quic.Config{MaxIdleTimeout: time.Duration(w.Between(5, 30)) * time.Second, DisablePathMTUDiscovery: true, InitialPacketSize: 1200,
		Versions: []quic.Version{pick(w.Rand, []quic.Version{quic.Version1, quic.Version1, quic.Version2})}}
	t := &quic.Transport{Conn: socket{pc}}
	if w.Chance(.15) {
		t.VerifySourceAddress = func(net.Addr) bool { return true } // answers with a Retry first
	}
	l, err := t.ListenEarly(http3.ConfigureTLSConfig(server), cfg)
	if err != nil {
		return nil, err
	}
	srv := &http3.Server{Handler: h, Logger: quietLog}
	go srv.ServeListener(l)
	w.Defer(func() {
		srv.Close()
		l.Close()
		t.Close()
		pc.Close()
	})
	s := &served{w: w, tls: client, quic: cfg.Clone()}
	if w.Chance(.3) {
		s.quic.KeepAlivePeriod = time.Duration(w.Between(2, 8)) * time.Second
	}
	return s, nil
}

// socket hides that a connection is more than a packet socket: gVisor's has
// the methods that QUIC would take for the operating system's.
type socket struct{ net.PacketConn }

// client opens a socket of its own for HTTP/3.
func (s *served) client() (*browser, func(), error) {
	pc, err := s.w.Client.ListenPacket(":0")
	if err != nil {
		return nil, nil, err
	}
	t := &quic.Transport{Conn: socket{pc}}
	tr := &http3.Transport{TLSClientConfig: s.tls, QUICConfig: s.quic, Logger: quietLog, DisableCompression: true,
		Dial: func(ctx context.Context, _ string, tlsCfg *tls.Config, cfg *quic.Config) (*quic.Conn, error) {
			return t.DialEarly(ctx, &net.UDPAddr{IP: s.w.Server.Addr.AsSlice(), Port: 443}, tlsCfg, cfg)
		}}
	b := s.w.newBrowser(1, &http.Transport{})
	b.client.Transport = tr
	return b, func() {
		tr.Close()
		t.Close()
		pc.Close()
	}, nil
}

func quicPage(w *World) error {
	site := newSite(w, logUniform(w.Rand, .01, .06))
	s, err := w.serveQUIC(site)
	if err != nil {
		return err
	}
	b, done, err := s.client()
	if err != nil {
		return err
	}
	defer done()
	return b.load("https://"+w.Name, site)
}

func quicAPI(w *World) error {
	w.SetName("api")
	s, err := w.serveQUIC(newSite(w, .05))
	if err != nil {
		return err
	}
	b, done, err := s.client()
	if err != nil {
		return err
	}
	defer done()
	for range w.Between(1, 2) {
		if err := b.do(pick(w.Rand, []string{"GET", "GET", "POST"}), fmt.Sprintf("https://%s/api/%s/%d", w.Name, pick(w.Rand, parts), w.IntN(100)), "", nil); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .02, 3))
	}
	return nil
}

// quicIdle lets the connection time out, with or without keeping it alive.
func quicIdle(w *World) error {
	s, err := w.serveQUIC(newSite(w, .05))
	if err != nil {
		return err
	}
	b, done, err := s.client()
	if err != nil {
		return err
	}
	defer done()
	if err := b.do("GET", "https://"+w.Name+"/api/state", "", nil); err != nil {
		return err
	}
	w.Sleep(25)
	return nil
}

// quicResume comes back with a ticket, and data in the first flight.
func quicResume(w *World) error {
	s, err := w.serveQUIC(newSite(w, .05))
	if err != nil {
		return err
	}
	s.tls.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		b, done, err := s.client()
		if err != nil {
			return err
		}
		err = b.do(http3.MethodGet0RTT, "https://"+w.Name+"/api/"+pick(w.Rand, parts), "", nil)
		time.Sleep(300 * time.Millisecond)
		done()
		if err != nil {
			return err
		}
		w.Sleep(10)
	}
	return nil
}

// quicRefused fails: no common protocol, or nobody there.
func quicRefused(w *World) error {
	w.Label(protoUDP, 443, "quic")
	s := &served{w: w, tls: &tls.Config{ServerName: w.Name, CurvePreferences: []tls.CurveID{tls.X25519}},
		quic: &quic.Config{HandshakeIdleTimeout: 3 * time.Second, DisablePathMTUDiscovery: true, InitialPacketSize: 1200}}
	if w.Chance(.6) {
		real, err := w.serveQUIC(newSite(w, .05))
		if err != nil {
			return err
		}
		s.tls.RootCAs = real.tls.RootCAs
		s.tls.ServerName = "www." + drawDomain(w.Rand) // the certificate is for another
	}
	b, done, err := s.client()
	if err != nil {
		return err
	}
	defer done()
	if b.do("GET", "https://"+w.Name+"/", "", nil) == nil {
		return fmt.Errorf("a wrong name was accepted")
	}
	return nil
}
