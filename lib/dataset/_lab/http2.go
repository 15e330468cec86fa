package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

func init() {
	add("http2", "page", 12, h2Page)
	add("http2", "api", 16, h2API)
	add("http2", "rpc", 18, h2RPC)
	add("http2", "transfer", 7, h2Transfer)
	add("http2", "cancel", 8, h2Cancel)
	add("http2", "idle", 8, h2Idle)
}

// h2c starts a site that speaks HTTP/2 without TLS (as behind a proxy or
// within a cluster) and a transport for it.
func (w *World) h2c(h http.Handler) (string, *http.Transport, error) {
	base, err := w.serveHTTP(h, "http2")
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	return base, tr, err
}

func h2Page(w *World) error {
	s := newSite(w, logUniform(w.Rand, .3, 1.5))
	base, tr, err := w.h2c(s)
	if err != nil {
		return err
	}
	return w.newBrowser(1, tr).load(base, s)
}

func h2API(w *World) error {
	w.SetName("api")
	base, tr, err := w.h2c(newSite(w, .1))
	if err != nil {
		return err
	}
	b := w.newTool(tr)
	for range w.Between(1, 6) {
		method, body := "GET", []byte(nil)
		if w.Chance(.3) {
			method, body = "POST", records(w.Rand, 1, time.Now())
		}
		if err := b.do(method, fmt.Sprintf("%s/api/%s/%d", base, pick(w.Rand, parts), w.IntN(1000)), "application/json", body); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .01, 6))
	}
	return nil
}

// h2RPC makes calls framed as gRPC does, with the status in the trailers.
func h2RPC(w *World) error {
	w.SetName(pick(w.Rand, []string{"rpc", "orders", "billing", "users"}))
	base, tr, err := w.h2c(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Think()
		io.Copy(io.Discard, r.Body)
		rw.Header().Set("Content-Type", "application/grpc")
		rw.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
		for range w.Between(1, 3) {
			if w.Chance(.1) {
				rw.Header().Set("Grpc-Status", "5")
				rw.Header().Set("Grpc-Message", sentence(w.Rand, 4))
				return
			}
			rw.Write(rpcMessage(w))
		}
		rw.Header().Set("Grpc-Status", "0")
		rw.Header().Set("Grpc-Message", "")
	}))
	if err != nil {
		return err
	}
	b := w.newTool(tr)
	b.headers = map[string]string{"User-Agent": pick(w.Rand, []string{"grpc-go/1.66.0", "grpc-java-netty/1.65.1", "grpc-python/1.66.1"}), "Te": "trailers"}
	service := pick(w.Rand, parts) + "." + pick(w.Rand, parts)
	var wg sync.WaitGroup
	for range w.Between(1, 9) {
		wg.Add(1)
		method := pick(w.Rand, []string{"Get", "List", "Update", "Watch"})
		body := rpcMessage(w)
		go func() {
			defer wg.Done()
			b.do("POST", base+"/"+service+"/"+method, "application/grpc", body)
		}()
		w.Sleep(logUniform(w.Rand, .002, 4))
	}
	wg.Wait()
	return nil
}

// rpcMessage is a length-prefixed message of protobuf fields.
func rpcMessage(w *World) []byte {
	var m []byte
	for i := range w.Between(1, 8) {
		if w.Chance(.5) {
			s := sentence(w.Rand, w.Between(1, 5))
			m = append(append(append(m, byte(i+1)<<3|2), byte(len(s)&127)), s[:len(s)&127]...)
		} else {
			m = binary.AppendUvarint(append(m, byte(i+1)<<3), uint64(w.IntN(1<<20)))
		}
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

func h2Transfer(w *World) error {
	s := newSite(w, .1)
	s.files["/export.json"] = file{"application/json", records(w.Rand, w.Between(12, 70), time.Now())}
	base, tr, err := w.h2c(s)
	if err != nil {
		return err
	}
	b := w.newTool(tr)
	if w.Chance(.5) {
		return b.do("GET", base+"/export.json", "", nil)
	}
	return b.do("POST", base+"/import", "application/json", records(w.Rand, w.Between(12, 60), time.Now()))
}

// h2Cancel starts streams and resets some of them.
func h2Cancel(w *World) error {
	s := newSite(w, .1)
	base, tr, err := w.h2c(s)
	if err != nil {
		return err
	}
	b := w.newTool(tr)
	if err := b.do("GET", base+"/", "", nil); err != nil {
		return err
	}
	for range w.Between(1, 4) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(w.Between(300, 4000))*time.Millisecond)
		req, err := http.NewRequestWithContext(ctx, "GET", base+"/events", nil)
		if err != nil {
			cancel()
			return err
		}
		req.Header.Set("User-Agent", b.headers["User-Agent"])
		if resp, err := b.client.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		cancel()
		w.Sleep(1)
	}
	return nil
}

// h2Idle keeps a connection with pings between rare requests.
func h2Idle(w *World) error {
	base, tr, err := w.h2c(newSite(w, .1))
	if err != nil {
		return err
	}
	tr.HTTP2 = &http.HTTP2Config{SendPingTimeout: time.Duration(w.Between(2, 15)) * time.Second}
	b := w.newTool(tr)
	for range w.Between(2, 3) {
		if err := b.do("POST", base+"/api/heartbeat", "application/json", bytes.TrimSpace([]byte(`{"alive":true}`))); err != nil {
			return err
		}
		w.Sleep(30)
	}
	return nil
}
