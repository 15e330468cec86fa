package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"time"
)

func init() {
	add("tls", "page", 7, tlsPage)
	add("tls", "api", 9, tlsAPI)
	add("tls", "resume", 7, tlsResume)
	add("tls", "upload", 3, tlsUpload)
	add("tls", "alert", 9, tlsAlert)
	add("tls", "raw", 7, tlsRaw)
}

// identity is a server's certificate and what a client needs to trust it.
type identity struct {
	cert tls.Certificate
	pool *x509.CertPool
}

// issue makes a certificate for the names, signed by an authority of its own
// or (as on many devices) by itself.
func (w *World) issue(names ...string) (*identity, error) {
	newKey := func() (crypto.Signer, error) {
		switch k := w.IntN(10); {
		case k < 7:
			return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		case k < 8:
			return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		default:
			return rsa.GenerateKey(rand.Reader, 2048)
		}
	}
	sign := func(tmpl, parent *x509.Certificate, key, signer crypto.Signer) ([]byte, *x509.Certificate, error) {
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
		if err != nil {
			return nil, nil, err
		}
		cert, err := x509.ParseCertificate(der)
		return der, cert, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	since := time.Now().Add(-time.Duration(w.Between(1, 80*24)) * time.Hour).Truncate(time.Hour)
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(w.Uint64()),
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    since, NotAfter: since.Add(90 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: names, BasicConstraintsValid: true,
	}
	id := &identity{pool: x509.NewCertPool()}
	if w.Chance(.35) {
		der, cert, err := sign(leaf, leaf, key, key)
		if err != nil {
			return nil, err
		}
		id.pool.AddCert(cert)
		id.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		return id, nil
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	org := pick(w.Rand, parts)
	ca := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(w.Uint64()),
		Subject: pkix.Name{CommonName: fmt.Sprintf("%s %s %d", org, pick(w.Rand, []string{"CA", "Root", "Authority", "TLS ECC CA"}), w.Between(1, 9)),
			Organization: []string{org + " trust"}, Country: []string{pick(w.Rand, []string{"US", "DE", "FR", "NL", "JP"})}},
		NotBefore: since.Add(-1000 * time.Hour), NotAfter: since.Add(80000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	_, caCert, err := sign(ca, ca, caKey, caKey)
	if err != nil {
		return nil, err
	}
	der, _, err := sign(leaf, caCert, key, caKey)
	if err != nil {
		return nil, err
	}
	id.pool.AddCert(caCert)
	id.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return id, nil
}

// tlsConfigs draws a server's and a client's configuration for a name.
func (w *World) tlsConfigs(protos ...string) (server, client *tls.Config, err error) {
	id, err := w.issue(w.Name)
	if err != nil {
		return nil, nil, err
	}
	server = &tls.Config{Certificates: []tls.Certificate{id.cert}, NextProtos: protos, MinVersion: tls.VersionTLS12}
	client = &tls.Config{RootCAs: id.pool, ServerName: w.Name, NextProtos: protos, MinVersion: tls.VersionTLS12}
	if w.Chance(.3) {
		pick(w.Rand, []*tls.Config{server, client}).MaxVersion = tls.VersionTLS12
	}
	// Some of today's clients offer the post-quantum hybrid, whose key shares
	// are a kilobyte each way; so do their servers.
	if w.Chance(.88) {
		client.CurvePreferences = pick(w.Rand, [][]tls.CurveID{{tls.X25519, tls.CurveP256}, {tls.CurveP256}, {tls.X25519, tls.CurveP256, tls.CurveP384}})
	}
	if w.Chance(.3) {
		client.CipherSuites = pick(w.Rand, [][]uint16{
			{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
			{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
			{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
		})
	}
	return server, client, nil
}

// serveTLS starts a web server with TLS and returns its base URL and the
// configuration for its clients.
func (w *World) serveTLS(h http.Handler, label string, protos ...string) (string, *tls.Config, error) {
	server, client, err := w.tlsConfigs(protos...)
	if err != nil {
		return "", nil, err
	}
	port := pick(w.Rand, []uint16{443, 443, 443, 443, 443, 8443})
	if label != "tls" {
		port = 443
	}
	l, err := w.Serve(port, label)
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: h, ErrorLog: quiet, TLSConfig: server, IdleTimeout: time.Duration(w.Between(5, 75)) * time.Second}
	if len(protos) > 0 && protos[0] == "http/1.1" {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetHTTP1(true)
	}
	go srv.ServeTLS(l, "", "")
	w.Defer(func() { srv.Close() })
	if port == 443 {
		return "https://" + w.Name, client, nil
	}
	return "https://" + w.Addr(port), client, nil
}

// webTLS starts a site with TLS, over HTTP/1.1 or HTTP/2, and a transport for it.
func (w *World) webTLS(s *site) (string, *http.Transport, error) {
	protos := []string{"h2", "http/1.1"}
	if w.Chance(.35) {
		protos = []string{"http/1.1"}
	}
	base, cfg, err := w.serveTLS(s, "tls", protos...)
	return base, &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: protos[0] == "h2"}, err
}

func tlsPage(w *World) error {
	s := newSite(w, logUniform(w.Rand, .02, .12))
	base, tr, err := w.webTLS(s)
	if err != nil {
		return err
	}
	return w.newBrowser(w.Between(1, 2), tr).load(base, s)
}

func tlsAPI(w *World) error {
	w.SetName("api")
	base, tr, err := w.webTLS(newSite(w, .03))
	if err != nil {
		return err
	}
	b := w.newTool(tr)
	for range w.Between(1, 3) {
		if err := b.do(pick(w.Rand, []string{"GET", "GET", "POST"}), base+"/api/"+pick(w.Rand, parts), "application/json", nil); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .05, 20))
	}
	return nil
}

// tlsResume comes back with a session ticket, a connection a request.
func tlsResume(w *World) error {
	base, tr, err := w.webTLS(newSite(w, .03))
	if err != nil {
		return err
	}
	tr.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	b := w.newTool(tr)
	for range w.Between(2, 3) {
		if err := b.do("GET", base+"/api/"+pick(w.Rand, parts), "", nil); err != nil {
			return err
		}
		w.Sleep(2)
		tr.CloseIdleConnections()
		w.Sleep(20)
	}
	return nil
}

func tlsUpload(w *World) error {
	base, tr, err := w.webTLS(newSite(w, .03))
	if err != nil {
		return err
	}
	return w.newTool(tr).do("PUT", base+"/files/"+token(w.Rand, 6), "text/plain", []byte(text(w.Rand, int(logUniform(w.Rand, 600, 11000)), "\n")))
}

// tlsAlert fails to shake hands: wrong name, unknown authority, no common
// version, or a certificate that the client does not have.
func tlsAlert(w *World) error {
	server, client, err := w.tlsConfigs()
	if err != nil {
		return err
	}
	switch w.IntN(4) {
	case 0:
		client.ServerName = "www." + drawDomain(w.Rand)
	case 1:
		client.RootCAs = x509.NewCertPool()
	case 2:
		server.MinVersion, server.MaxVersion = tls.VersionTLS13, 0
		client.MaxVersion = tls.VersionTLS12
	case 3:
		server.ClientAuth = tls.RequireAnyClientCert
	}
	l, err := w.Serve(443, "tls")
	if err != nil {
		return err
	}
	go w.accept(l, func(c conn) { tls.Server(c, server).Handshake() })
	for range w.Between(1, 3) {
		c, err := w.Client.Dial("tcp", w.Addr(443))
		if err != nil {
			return err
		}
		t := tls.Client(c, client)
		if t.Handshake() == nil {
			t.SetReadDeadline(time.Now().Add(5 * time.Second))
			t.Read(make([]byte, 1))
		}
		t.Close()
		w.Sleep(4)
	}
	return nil
}

// tlsRaw talks some protocol of its own inside TLS, on a port of its own.
func tlsRaw(w *World) error {
	server, client, err := w.tlsConfigs()
	if err != nil {
		return err
	}
	port := pick(w.Rand, []uint16{443, 5223, 5671, 6697, 8883, 9443})
	l, err := w.Serve(port, "tls")
	if err != nil {
		return err
	}
	go w.accept(l, func(c conn) {
		t := tls.Server(c, server)
		defer t.Close()
		buf := make([]byte, 4096)
		for {
			if _, err := t.Read(buf); err != nil {
				return
			}
			w.Think()
			t.Write([]byte(sentence(w.Rand, w.Between(1, 9))))
		}
	})
	for range w.Between(1, 2) {
		c, err := w.Client.Dial("tcp", w.Addr(port))
		if err != nil {
			return err
		}
		t := tls.Client(c, client)
		t.SetDeadline(time.Now().Add(10 * time.Minute))
		buf := make([]byte, 4096)
		for range w.Between(1, 8) {
			if _, err := t.Write([]byte(sentence(w.Rand, w.Between(1, 12)))); err != nil {
				return err
			}
			if _, err := t.Read(buf); err != nil {
				return err
			}
			w.Sleep(logUniform(w.Rand, .2, 40))
		}
		t.Close()
	}
	return nil
}
