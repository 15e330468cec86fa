package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"time"
)

func init() {
	add("http", "page", 22, httpPage)
	add("http", "api", 12, httpAPI)
	add("http", "upload", 8, httpUpload)
	add("http", "download", 8, httpDownload)
	add("http", "errors", 10, httpErrors)
	add("http", "events", 6, httpEvents)
	add("http", "health", 6, httpHealth)
	add("http", "refused", 3, httpRefused)
	add("http", "abort", 5, httpAbort)
}

var quiet = log.New(io.Discard, "", 0)

// discard reads a request's body to its end.
func discard(r *http.Request) (int64, error) { return io.Copy(io.Discard, r.Body) }

// serveHTTP starts a web server on a usual port and returns its base URL.
func (w *World) serveHTTP(h http.Handler, label string) (string, error) {
	port := pick(w.Rand, []uint16{80, 80, 80, 80, 8080, 8000})
	l, err := w.Serve(port, label)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ErrorLog: quiet, IdleTimeout: time.Duration(w.Between(5, 75)) * time.Second}
	if label == "http2" {
		srv.Protocols = new(http.Protocols)
		srv.Protocols.SetUnencryptedHTTP2(true)
	}
	go srv.Serve(l)
	w.Defer(func() { srv.Close() })
	if port == 80 {
		return "http://" + w.Name, nil
	}
	return "http://" + w.Addr(port), nil
}

// browser is an HTTP client with at most n connections and browser's headers.
type browser struct {
	w       *World
	client  *http.Client
	headers map[string]string
}

func (w *World) newBrowser(n int, tr *http.Transport) *browser {
	tr.DialContext = w.Client.DialContext
	tr.MaxConnsPerHost = n
	tr.MaxIdleConnsPerHost = n
	tr.DisableCompression = true
	w.Defer(tr.CloseIdleConnections)
	return &browser{w: w, client: &http.Client{Transport: tr, Timeout: 2 * time.Minute}, headers: map[string]string{
		"User-Agent":      pick(w.Rand, browsers),
		"Accept-Language": pick(w.Rand, []string{"en-US,en;q=0.9", "de-DE,de;q=0.8,en;q=0.5", "fr-FR,fr;q=0.9", "en-GB", "ja"}),
	}}
}

func (w *World) newTool(tr *http.Transport) *browser {
	b := w.newBrowser(2, tr)
	b.headers = map[string]string{"User-Agent": pick(w.Rand, tools), "Accept": pick(w.Rand, []string{"*/*", "application/json"})}
	if w.Chance(.4) {
		b.headers["Authorization"] = "Bearer " + token(w.Rand, 24)
	}
	return b
}

// do sends a request and reads the answer. A status that says no is not an error.
func (b *browser) do(method, url, kind string, body []byte, extra ...string) error {
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	req, err := http.NewRequest(method, url, rd)
	if err != nil {
		return err
	}
	for k, v := range b.headers {
		req.Header.Set(k, v)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(extra); i += 2 {
		req.Header.Set(extra[i], extra[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// load fetches a page and its resources as a browser does, several at once.
func (b *browser) load(base string, s *site) error {
	if err := b.do("GET", base+"/", "", nil, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, path := range s.order {
		b.w.Sleep(.004)
		wg.Add(1)
		go func() {
			defer wg.Done()
			b.do("GET", base+path, "", nil, "Accept", "*/*", "Referer", base+"/")
		}()
	}
	if b.w.Chance(.4) {
		b.do("GET", base+"/favicon.ico", "", nil, "Referer", base+"/")
	}
	wg.Wait()
	return nil
}

func httpPage(w *World) error {
	if w.Chance(.3) {
		w.SetName(pick(w.Rand, []string{"shop", "blog", "intranet", "news", "wiki"}))
	}
	s := newSite(w, logUniform(w.Rand, .3, 2))
	base, err := w.serveHTTP(s, "http")
	if err != nil {
		return err
	}
	b := w.newBrowser(w.Between(1, 3), &http.Transport{})
	for range w.Between(1, 2) {
		if err := b.load(base, s); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .5, 20))
	}
	return nil
}

func httpAPI(w *World) error {
	w.SetName("api")
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	b := w.newTool(&http.Transport{DisableKeepAlives: w.Chance(.3)})
	name := pick(w.Rand, parts)
	for range w.Between(1, 7) {
		switch w.IntN(4) {
		case 0:
			err = b.do("POST", base+"/api/v1/"+name, "application/json", records(w.Rand, 1, time.Now()))
		case 1:
			err = b.do("DELETE", fmt.Sprintf("%s/api/v1/%s/%d", base, name, w.IntN(10000)), "", nil)
		default:
			err = b.do("GET", fmt.Sprintf("%s/api/v1/%s?page=%d&limit=%d", base, name, w.IntN(20), 10*w.Between(1, 10)), "", nil)
		}
		if err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .01, 3))
	}
	return nil
}

func httpUpload(w *World) error {
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	b := w.newTool(&http.Transport{})
	for range w.Between(1, 2) {
		data := []byte(text(w.Rand, int(logUniform(w.Rand, 400, 18000)), "\n"))
		if w.Chance(.5) {
			if err := b.do("PUT", base+"/files/"+pick(w.Rand, parts)+".txt", "text/plain", data); err != nil {
				return err
			}
			continue
		}
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		form.SetBoundary("----WebKitFormBoundary" + token(w.Rand, 16))
		form.WriteField("comment", sentence(w.Rand, 5))
		part, err := form.CreateFormFile("file", pick(w.Rand, parts)+".csv")
		if err != nil {
			return err
		}
		part.Write(data)
		form.Close()
		if err := b.do("POST", base+"/upload", form.FormDataContentType(), body.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func httpDownload(w *World) error {
	w.SetName(pick(w.Rand, []string{"files", "mirror", "download", "static"}))
	s := newSite(w, .2)
	path := "/pub/" + pick(w.Rand, parts) + ".log"
	data := []byte(text(w.Rand, int(logUniform(w.Rand, 6000, 45000)), "\n"))
	s.files[path] = file{"text/plain", data}
	base, err := w.serveHTTP(s, "http")
	if err != nil {
		return err
	}
	b := w.newTool(&http.Transport{})
	if w.Chance(.4) {
		cut := w.IntN(len(data) - 100)
		if err := b.do("GET", base+path, "", nil, "Range", fmt.Sprintf("bytes=%d-%d", cut, min(cut+6000, len(data)-1))); err != nil {
			return err
		}
		return b.do("HEAD", base+path, "", nil)
	}
	return b.do("GET", base+path, "", nil)
}

func httpErrors(w *World) error {
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	b := w.newTool(&http.Transport{DisableKeepAlives: w.Chance(.6)})
	for range w.Between(1, 4) {
		path := pick(w.Rand, []string{"/old/" + token(w.Rand, 5), "/private/", "/broken", "/busy", "/" + pick(w.Rand, parts) + ".php", "/wp-login.php", "/.env"})
		if err := b.do(pick(w.Rand, []string{"GET", "GET", "HEAD"}), base+path, "", nil); err != nil {
			return err
		}
		w.Sleep(logUniform(w.Rand, .05, 6))
	}
	return nil
}

func httpEvents(w *World) error {
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	b := w.newBrowser(1, &http.Transport{})
	return b.do("GET", base+"/events/"+pick(w.Rand, parts), "", nil, "Accept", "text/event-stream")
}

func httpHealth(w *World) error {
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	b := w.newTool(&http.Transport{DisableKeepAlives: true})
	b.headers = map[string]string{"User-Agent": pick(w.Rand, []string{"kube-probe/1.31", "ELB-HealthChecker/2.0", "Prometheus/2.53.0", "check_http/v2.3.3"})}
	path := pick(w.Rand, []string{"/healthz", "/api/health", "/", "/metrics"})
	for range w.Between(2, 4) {
		if err := b.do("GET", base+path, "", nil); err != nil {
			return err
		}
		w.Sleep(30)
	}
	return nil
}

// httpRefused knocks at a closed port and comes back.
func httpRefused(w *World) error {
	w.Label(protoTCP, 80, "http")
	b := w.newTool(&http.Transport{})
	for range w.Between(1, 2) {
		if b.do("GET", "http://"+w.Name+"/", "", nil) == nil {
			return fmt.Errorf("a closed port answered")
		}
		w.Sleep(3)
	}
	base, err := w.serveHTTP(newSite(w, .2), "http")
	if err != nil {
		return err
	}
	return b.do("GET", base+"/", "", nil)
}

// httpAbort gives up in the middle of a download, or hears nothing and retries.
func httpAbort(w *World) error {
	s := newSite(w, .2)
	s.files["/big.txt"] = file{"text/plain", []byte(strings.Repeat(text(w.Rand, 4000, "\n"), 4))}
	slow := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" && w.Chance(.7) {
			<-r.Context().Done()
			return
		}
		s.ServeHTTP(rw, r)
	})
	base, err := w.serveHTTP(slow, "http")
	if err != nil {
		return err
	}
	b := w.newBrowser(1, &http.Transport{})
	if w.Chance(.5) {
		for range 3 {
			b.client.Timeout = 2 * time.Second
			if b.do("GET", base+"/slow", "", nil) == nil {
				return nil
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", base+"/big.txt", nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", b.headers["User-Agent"])
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.CopyN(io.Discard, resp.Body, int64(w.Between(1000, 5000)))
	return err
}
