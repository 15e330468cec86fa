package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// flowOf makes a TCP flow whose packets carry payloads of these lengths;
// negative ones come from the responder.
func flowOf(payloads ...int) *pcap.Flow {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("93.184.216.34")
	f := &pcap.Flow{Key: pcap.Key{Src: a, Dst: b, SrcPort: 40000, DstPort: 9999, Protocol: 6, EtherType: pcap.TypeIPv4}}
	at := time.Unix(1700000000, 0).UTC()
	for i, n := range payloads {
		src, dst, sp, dp := a, b, 40000, 9999
		if n < 0 {
			src, dst, sp, dp, n = b, a, 9999, 40000, -n
		}
		p := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, byte((40 + n) >> 8), byte(40 + n), 0, byte(i), 0x40, 0, 64, 6, 0, 0}
		p = append(append(p, src.AsSlice()...), dst.AsSlice()...)
		p = append(p, byte(sp>>8), byte(sp), byte(dp>>8), byte(dp), 0, 0, 0, 9, 0, 0, 0, 7, 0x50, 0x18, 1, 2, 0, 0, 0, 0)
		p = append(p, bytes.Repeat([]byte("<&>\""), n/4+1)[:n]...)
		f.Packets = append(f.Packets, pcap.Packet{Time: at, Data: p, Length: len(p), LinkType: pcap.LinkEthernet})
		at = at.Add(1500 * time.Microsecond)
	}
	return f
}

var (
	cells = regexp.MustCompile(`<i( class="[sn]\d*")?( title="[^"]*")?>[^<]+</i>`)
	folds = regexp.MustCompile(`… ([\d,]+) more …`)
	notes = regexp.MustCompile(`… [\d,]+ more packets, ([\d,]+) tokens`)
)

func sumOf(t *testing.T, re *regexp.Regexp, s string) int {
	t.Helper()
	n := 0
	for _, m := range re.FindAllStringSubmatch(s, -1) {
		v, err := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
		if err != nil {
			t.Fatal(err)
		}
		n += v
	}
	return n
}

// Every token is a cell, or counted among those left out.
func TestEveryTokenIsAccountedFor(t *testing.T) {
	for name, f := range map[string]*pcap.Flow{
		"small":     flowOf(0, 0, 10, -20),
		"folded":    flowOf(0, -1400, 85, -92, -93, 500),
		"many":      flowOf(make([]int, 160)...),
		"very many": flowOf(make([]int, 900)...),
		"empty":     {},
		"nil":       nil,
	} {
		for _, p := range []*TokenPicture{Tokens(f), Tokens(f).ByValue(), Tokens(f).Scores(make([]float64, 100), "bits"), Tokens(f).Packets(1, 3), Tokens(f).Packets(7, 2)} {
			h := p.HTMLText()
			got := len(cells.FindAllString(h, -1)) + sumOf(t, folds, h) + sumOf(t, notes, h)
			if got != len(p.Tokens) {
				t.Errorf("%s: %d of %d tokens in the HTML", name, got, len(p.Tokens))
			}
		}
	}
}

func TestLongFlowStaysSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	payloads := make([]int, 0, 139)
	for range 139 {
		payloads = append(payloads, 22) // 12,000 tokens in the packets that need the most fields
	}
	for name, f := range map[string]*pcap.Flow{"acks": flowOf(payloads...), "data": flowOf(-1400, -1400, -1400, -1400, -1400, -1400, -1400, -1400)} {
		scores := make([]float64, tokenizer.Length(f))
		for i := range scores {
			scores[i] = r.ExpFloat64()
		}
		for _, p := range []*TokenPicture{Tokens(f), Tokens(f).Scores(scores, "bits")} {
			b := p.MIME()
			if n := len(b[display.HTML].(string)); n > 300_000 {
				t.Errorf("%s: HTML of %d bytes for %d tokens", name, n, len(p.Tokens))
			}
			if !strings.Contains(b[display.HTML].(string), "usemap") {
				t.Errorf("%s: no overview", name)
			}
			for mime, most := range map[string]int{display.ANSI: 60_000, display.Text: 20_000} {
				if n := len(b[mime].(string)); n > most {
					t.Errorf("%s: %s of %d bytes", name, mime, n)
				}
			}
		}
	}
}

func TestHoverText(t *testing.T) {
	p := Tokens(flowOf(0, -5))
	second := p.packets[1].start
	for i, want := range map[int]string{
		0:                 "packet 1 · packet start",
		1:                 "packet 1 · link type ETHERNET",
		5:                 "packet 1 · seconds since the packet before · 0 s",
		10:                "packet 1 · Ethernet · destination · 02:00:00:00:00:02",
		10 + 22:           "packet 1 · IPv4 · time to live · 64 (0x40)",
		10 + 26:           "packet 1 · IPv4 · source address · 10.0.0.1",
		10 + 37:           "packet 1 · TCP · destination port · 9999 (0x270f)",
		10 + 47:           "packet 1 · TCP · flags · 0x18 PSH ACK",
		second + 3:        "packet 2 · seconds since the packet before · 1.5 ms",
		second + 10 + 54:  "packet 2 · data · 5 bytes: “<&>\"<”",
		len(p.Tokens) - 1: "packet 2 · end of the flow",
		len(p.Tokens):     "",
		-1:                "",
	} {
		if got := p.Describe(i); got != want {
			t.Errorf("token %d: %q, want %q", i, got, want)
		}
	}
	h := p.HTMLText()
	for _, want := range []string{`title="packet 1 · IPv4 · source address · 10.0.0.1"`, `“&lt;&amp;&gt;&#34;&lt;”`, "<u>2 ←<s>+1.5 ms</s></u>", "<u>1 →<s>"} {
		if !strings.Contains(h, want) {
			t.Errorf("HTML lacks %s", want)
		}
	}
	d := xml.NewDecoder(strings.NewReader("<x>" + regexp.MustCompile(`<(br|img|area)([^>]*)>`).ReplaceAllString(h, "<$1$2/>") + "</x>"))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("HTML is not well-formed: %v", err)
		}
	}
}

func TestTokenText(t *testing.T) {
	got := Tokens(flowOf(0, -300)).String()
	want := `TCP 10.0.0.1:40000 → 93.184.216.34:9999: 2 packets, 408 B, 1.5 ms
2 packets · 429 tokens
^ start 2  l link 2  t time 16  e MAC/Ethernet 28  4 IP 40  T TCP 40  p payload 300  $ end 1
   1 →      +0 s ^ltttttttteeeeeeeeeeeeee44444444444444444444TTTTTTTTTTTTTTTTTTTT
   2 ←   +1.5 ms ^ltttttttteeeeeeeeeeeeee44444444444444444444TTTTTTTTTTTTTTTTTTTTpppppppppppppppp
                 pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp +214
                 $`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(Tokens(flowOf(0, -300)).ANSIText(), "")
	if a, b := strings.Count(plain, "\n"), strings.Count(want, "\n"); a != b {
		t.Errorf("the colour form has %d lines, the letters %d", a, b)
	}
	if s := Tokens(flowOf(make([]int, 60)...)).String(); !strings.Contains(s, "… 37 more packets, ") || !strings.HasSuffix(s, " $") {
		t.Errorf("60 packets:\n%s", s)
	}
}

func TestTokenImages(t *testing.T) {
	for _, f := range []*pcap.Flow{flowOf(0, 300), flowOf(make([]int, 300)...), {}} {
		for _, p := range []*TokenPicture{Tokens(f), Tokens(f).ByValue(), Tokens(f).Scores([]float64{1, math.NaN(), 3}, "bits")} {
			img, err := png.Decode(bytes.NewReader(p.PNGBytes()))
			if err != nil {
				t.Fatal(err)
			}
			l := p.layout()
			if img.Bounds().Dx() != 1640 || math.Abs(float64(img.Bounds().Dy())-2*l.height) > 2 {
				t.Errorf("image of %v for a layout of %g × %g", img.Bounds(), l.width, l.height)
			}
			// The first cell has the colour of its token, up to the palette's rounding.
			if len(p.Tokens) > 0 {
				r, g, b, _ := img.At(int(2*l.left)+4, int(2*l.top)+4).RGBA()
				c := p.color(0)
				for i, d := range []int{int(r>>8) - int(c.R), int(g>>8) - int(c.G), int(b>>8) - int(c.B)} {
					if abs(d) > 8 {
						t.Errorf("channel %d of the first cell is off by %d", i, d)
					}
				}
			}
			svg := p.SVGText()
			if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil {
				t.Errorf("SVG: %v", err)
			}
			if !reflect.DeepEqual(p.MIME(), p.MIME()) {
				t.Error("the same picture drawn twice differs")
			}
		}
	}
}

func TestScoresScale(t *testing.T) {
	p := Tokens(flowOf(0)).Scores([]float64{0, 1, 2, 3, 4, math.Inf(1)}, "bits")
	if p.level(0) != 0 || p.level(4) != levels-1 || p.level(2) <= p.level(1) || p.level(5) != -1 || p.level(20) != -1 {
		t.Errorf("levels %d %d %d %d %d %d", p.level(0), p.level(1), p.level(2), p.level(4), p.level(5), p.level(20))
	}
	if p.ByKind().level(1) != -1 || p.ByValue().level(2) != 0 || p.level(0) != -1 {
		t.Error("colours by kind or value")
	}
}

func TestAnyTokensAreShown(t *testing.T) {
	for _, tokens := range [][]uint16{nil, {5}, {256}, {257, 256, 3}, {258, 259, 1000, 65535}, {256, 3, 1, 2, 3}, {256, 256, 256}} {
		p := TokensOf(tokens)
		h := p.HTMLText()
		if n := len(cells.FindAllString(h, -1)); n != len(tokens) {
			t.Errorf("%v: %d cells", tokens, n)
		}
		p.MIME()
	}
}

func TestXterm(t *testing.T) {
	for c, want := range map[uint32]int{0x000000: 16, 0xffffff: 231, 0xff0000: 196, 0x8a8a8a: 245, 0x5fafff: 75} {
		if got := xterm(rgb(c)); got != want {
			t.Errorf("xterm(%06x) = %d, want %d", c, got, want)
		}
	}
}

func TestSavePicture(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.html", "a.svg", "a.png"} {
		if err := Tokens(flowOf(1)).Save(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
		if s, err := os.Stat(filepath.Join(dir, name)); err != nil || s.Size() < 500 {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if err := Tokens(flowOf(1)).Save(filepath.Join(dir, "a.gif")); !errors.Is(err, os.ErrInvalid) {
		t.Errorf("saving as gif: %v", err)
	}
}
