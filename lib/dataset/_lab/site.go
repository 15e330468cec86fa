package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Agents and servers name themselves as common software does.
var (
	browsers = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15",
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1",
	}
	tools   = []string{"curl/8.5.0", "Wget/1.21.4", "python-requests/2.32.3", "Go-http-client/1.1", "okhttp/4.12.0", "Apache-HttpClient/5.3 (Java/21)"}
	servers = []string{"nginx/1.24.0", "nginx", "Apache/2.4.58 (Ubuntu)", "Microsoft-IIS/10.0", "lighttpd/1.4.73", "Caddy", "gunicorn/22.0.0", ""}
)

// site is what a web server serves: a page with its resources, an API, files.
type site struct {
	w      *World
	server string
	think  bool
	files  map[string]file
	order  []string // the page's resources
}

type file struct {
	kind string
	data []byte
}

// newSite makes a site; scale 1 is a page of some 6 kB with its resources.
func newSite(w *World, scale float64) *site {
	s := &site{w: w, server: pick(w.Rand, servers), files: map[string]file{}}
	var head, body strings.Builder
	add := func(path, kind string, data []byte) {
		s.files[path] = file{kind, data}
		s.order = append(s.order, path)
	}
	for i := range w.Between(1, 2) {
		path := fmt.Sprintf("/static/%s.%s.css", pick(w.Rand, parts), token(w.Rand, 6))
		add(path, "text/css; charset=utf-8", []byte(css(w.Rand, int(scale*float64(w.Between(2, 9))))))
		fmt.Fprintf(&head, "  <link rel=\"stylesheet\" href=\"%s\">\n", path)
		if i == 0 && w.Chance(.7) {
			path = fmt.Sprintf("/js/%s.js", pick(w.Rand, parts))
			add(path, "application/javascript", []byte(script(w.Rand, int(scale*float64(w.Between(2, 8))))))
			fmt.Fprintf(&head, "  <script src=\"%s\" defer></script>\n", path)
		}
	}
	for range w.Between(0, 3) {
		path := fmt.Sprintf("/img/%s-%d.png", pick(w.Rand, parts), w.Between(1, 99))
		add(path, "image/png", picture(w.Rand, 8+w.IntN(40)))
		fmt.Fprintf(&body, "  <img src=\"%s\" alt=\"%s\">\n", path, pick(w.Rand, parts))
	}
	for range w.Between(1, 1+int(4*scale)) {
		fmt.Fprintf(&body, "  <h2>%s</h2>\n  <p>%s</p>\n", sentence(w.Rand, 3), text(w.Rand, w.Between(80, 500), "\n"))
	}
	page := fmt.Sprintf("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>%s</title>\n%s</head>\n<body>\n%s</body>\n</html>\n",
		sentence(w.Rand, 4), head.String(), body.String())
	s.files["/"] = file{"text/html; charset=utf-8", []byte(page)}
	return s
}

func css(rng *rand.Rand, rules int) string {
	var b strings.Builder
	for range rules + 1 {
		fmt.Fprintf(&b, ".%s-%s {\n  color: #%06x;\n  margin: %dpx %dpx;\n  padding: %dpx;\n  display: %s;\n}\n",
			pick(rng, parts), pick(rng, parts), rng.IntN(1<<24), rng.IntN(32), rng.IntN(32), rng.IntN(16),
			pick(rng, []string{"block", "flex", "grid", "none", "inline-block"}))
	}
	return b.String()
}

func script(rng *rand.Rand, functions int) string {
	var b strings.Builder
	b.WriteString("\"use strict\";\n")
	for range functions + 1 {
		name, arg := pick(rng, parts), pick(rng, parts)
		fmt.Fprintf(&b, "function %s(%s) {\n  const el = document.querySelector(\".%s-%s\");\n  if (!el) { return %d; }\n  el.addEventListener(\"%s\", () => fetch(\"/api/%s?id=\" + %s));\n}\n",
			name, arg, name, pick(rng, parts), rng.IntN(100), pick(rng, []string{"click", "input", "scroll", "load"}), pick(rng, parts), arg)
	}
	return b.String()
}

// picture is a small PNG of coloured stripes.
func picture(rng *rand.Rand, size int) []byte {
	img := image.NewPaletted(image.Rect(0, 0, size, size), color.Palette{
		color.RGBA{uint8(rng.IntN(256)), uint8(rng.IntN(256)), uint8(rng.IntN(256)), 255}, color.White, color.Black})
	for i := range img.Pix {
		img.Pix[i] = uint8((i / (1 + rng.IntN(2)*size/4 + 3)) % 3)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// record is a JSON object as APIs return them.
func record(rng *rand.Rand, now time.Time) map[string]any {
	return map[string]any{
		"id": rng.IntN(1 << 20), "name": pick(rng, firstNames) + " " + pick(rng, lastNames),
		"status": pick(rng, []string{"open", "closed", "pending", "shipped", "failed"}),
		"amount": float64(rng.IntN(100000)) / 100, "tags": []string{pick(rng, parts), pick(rng, parts)},
		"updated": now.UTC().Add(-time.Duration(rng.IntN(1e6)) * time.Second).Format(time.RFC3339),
		"note":    sentence(rng, 2+rng.IntN(8)),
	}
}

func records(rng *rand.Rand, n int, now time.Time) []byte {
	list := make([]map[string]any, n)
	for i := range list {
		list[i] = record(rng, now)
	}
	b, err := json.Marshal(map[string]any{"count": n, "items": list})
	if err != nil {
		panic(err)
	}
	return b
}

func (s *site) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w := s.w
	w.Think()
	if s.server != "" {
		rw.Header().Set("Server", s.server)
	}
	if f, ok := s.files[r.URL.Path]; ok {
		rw.Header().Set("Content-Type", f.kind)
		rw.Header().Set("ETag", fmt.Sprintf("\"%x\"", len(f.data)*2654435761))
		if f.kind != "text/html; charset=utf-8" {
			rw.Header().Set("Cache-Control", "public, max-age=31536000")
		}
		http.ServeContent(rw, r, "", time.Now().Add(-time.Duration(len(f.data))*time.Hour), bytes.NewReader(f.data))
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/"):
		s.api(rw, r)
	case strings.HasPrefix(r.URL.Path, "/old"):
		http.Redirect(rw, r, "/", http.StatusMovedPermanently)
	case strings.HasPrefix(r.URL.Path, "/private"):
		rw.Header().Set("WWW-Authenticate", `Basic realm="`+pick(w.Rand, parts)+`"`)
		http.Error(rw, "401 Unauthorized", http.StatusUnauthorized)
	case strings.HasPrefix(r.URL.Path, "/broken"):
		http.Error(rw, "500 Internal Server Error", http.StatusInternalServerError)
	case strings.HasPrefix(r.URL.Path, "/busy"):
		rw.Header().Set("Retry-After", "5")
		http.Error(rw, "503 Service Unavailable", http.StatusServiceUnavailable)
	case strings.HasPrefix(r.URL.Path, "/events"):
		s.events(rw, r)
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		n, err := discard(r)
		if err != nil {
			http.Error(rw, "400 Bad Request", http.StatusBadRequest)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusCreated)
		fmt.Fprintf(rw, "{\"stored\":%d,\"location\":\"/files/%s\"}\n", n, token(w.Rand, 8))
	default:
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(rw, "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center><hr><center>%s</center></body></html>\r\n", s.server)
	}
}

func (s *site) api(rw http.ResponseWriter, r *http.Request) {
	w := s.w
	if _, err := discard(r); err != nil {
		http.Error(rw, "400 Bad Request", http.StatusBadRequest)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("X-Request-Id", token(w.Rand, 12))
	switch {
	case r.Method == http.MethodDelete:
		rw.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		rw.WriteHeader(http.StatusCreated)
		rw.Write(records(w.Rand, 1, time.Now()))
	case w.Chance(.08):
		rw.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(rw, "{\"error\":\"%s\"}\n", sentence(w.Rand, 6))
	default:
		rw.Write(records(w.Rand, w.Between(1, 6), time.Now()))
	}
}

// events streams server-sent events until the client goes or ten were sent.
func (s *site) events(rw http.ResponseWriter, r *http.Request) {
	w := s.w
	rw.Header().Set("Content-Type", "text/event-stream")
	rw.Header().Set("Cache-Control", "no-cache")
	control := http.NewResponseController(rw)
	for i := range w.Between(3, 20) {
		fmt.Fprintf(rw, "id: %d\nevent: %s\ndata: {\"value\": %.2f, \"at\": \"%s\"}\n\n", i, pick(w.Rand, parts),
			w.Float64()*100, time.Now().UTC().Format(time.RFC3339))
		if control.Flush() != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(time.Duration(w.Between(100, 9000)) * time.Millisecond):
		}
	}
}
