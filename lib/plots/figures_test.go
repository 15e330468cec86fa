package plots

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// Each new figure of nothing, and of what can hardly be drawn, is a picture all the
// same, with a text, and nowhere says NaN.
func TestDegenerateFiguresAreDrawn(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	one := flowOf(10)
	junk := &pcap.Flow{Packets: []pcap.Packet{{Data: []byte{1}, LinkType: 147, Time: time.Unix(9, 0)}, {Time: time.Unix(3, 0)}}}
	single, err := metrics.Score([]string{"a"}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*Figure{
		"no CDF":                   CDF("t", "x"),
		"an empty CDF":             CDF("t", "x", Series{}).LogX(),
		"a CDF of NaN":             CDF("t", "x", Series{Y: []float64{nan, inf}}),
		"a CDF of one":             CDF("t", "x", Series{Y: []float64{3}}),
		"a CDF of zeros":           CDF("t", "x", Series{Y: []float64{0, 0, -1}}).LogX(),
		"CDFs, one empty":          CDF("t", "x", Series{Y: []float64{1, 2}}, Series{Name: "none"}),
		"no confusion":             Confusion(nil),
		"an empty confusion":       Confusion(&metrics.Classification{}),
		"one class":                Confusion(single),
		"a confusion without rows": Confusion(&metrics.Classification{Labels: []string{"a", "b"}, Confusion: [][]int{{1}}}),
		"no reliability":           Reliability(nil, nil, 0),
		"reliability of NaN":       Reliability([]float64{nan, 2, -1}, []bool{true, false, true}, 5),
		"reliability of one":       Reliability([]float64{1, .5}, []bool{true}, 1e6),
		"no intervals":             Intervals(nil),
		"intervals of nothing":     Intervals([]string{"a"}, nil, []*pcap.Flow{nil, {}}),
		"intervals of one packet":  Intervals(nil, []*pcap.Flow{one}),
		"no sizes":                 Sizes([]string{"a", "b"}),
		"sizes of one":             Sizes(nil, []*pcap.Flow{one}),
		"no packets":               PacketTimes(nil),
		"packets of nothing":       PacketTimes(&pcap.Flow{}),
		"one packet":               PacketTimes(one),
		"junk packets":             PacketTimes(junk),
		"no sequence":              Sequence(nil),
		"a sequence of nothing":    Sequence(&pcap.Flow{}),
		"a sequence of one":        Sequence(one),
		"a sequence of junk":       Sequence(junk),
		"no surprise":              Surprise(nil, nil),
		"surprise of NaN":          Surprise([]uint16{256, 1}, []float64{nan, nan}),
		"surprise of one":          Surprise([]uint16{256, 1, 2}, []float64{nan, 3, inf}),
		"no surprise at all":       Surprise([]uint16{256, 1, 2}, []float64{0, 0, 0}),
		"no embedding":             Embedding(nil, nil),
		"an embedding of nothing":  Embedding([][]float64{{}, nil}, []string{"a"}),
		"an embedding of one":      Embedding([][]float64{{1, 2}}, []string{"a"}),
		"an embedding of NaN":      Embedding([][]float64{{1, nan}, {inf, 2}}, nil),
		"an embedding of equals":   Embedding([][]float64{{1, 2}, {1, 2}, {1, 2}}, nil),
		"an embedding in one":      Embedding([][]float64{{1}, {2}, {4}}, []string{"a", "b"}),
		"a wide embedding":         Embedding([][]float64{{1, 2, 3, 4, 5}, {5, 4, 3, 2, 1}}, nil),
		"a huge embedding":         Embedding([][]float64{{1e99, 2}, {-1e99, 1}, {1e300, 1}}, nil),
		"no floors":                Floors("t", "y", nil, nil, nil, nil, nil, nil, nil),
		"no heads":                 Heads("t", nil, nil, nil),
		"heads of nothing":         Heads("t", [][][]float64{nil, {}, {nil}}, []string{"a"}, []uint16{256}),
		"heads of NaN":             Heads("t", [][][]float64{{{nan, inf}}}, nil, nil),
		"heads of zeros":           Heads("t", [][][]float64{{{0, 0}}, {{0}}}, []string{"linear 0", " "}, nil),
		"a head of one":            Heads("t", [][][]float64{{{1}}}, nil, []uint16{256}),
		"a head with gaps":         Heads("t", [][][]float64{{{1, nan}, nil, {-inf, 2, 5e-324}}}, []string{"7"}, []uint16{256, 1, 2, 256}),
		"a huge head":              Heads("t", [][][]float64{{{1e308, -1e308}, {5e-324}}}, []string{"a head with such a long name that it has no room"}, nil),
		"many heads":               Heads("t", make([][][]float64, 40), nil, nil),
		"more heads than drawn":    Heads("t", slices.Repeat([][][]float64{{{.5, .5}, {.1, .9}}}, 40), nil, []uint16{256, 256}),
		"floors of NaN":            Floors("t", "y", []string{"a", "b"}, []float64{nan}, []float64{inf}, []float64{nan, 1}, []float64{nan, .1}, nil, []float64{}),
	} {
		t.Run(name, func(t *testing.T) {
			svg, text := wellFormed(t, f.MIME())
			wellFormed(t, f.Size(80, 80).MIME())
			for _, s := range []string{svg, text} {
				if strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
					t.Errorf("NaN or Inf in\n%s", s)
				}
			}
		})
	}
}

func TestCDFIsTheShareOfValuesUpTo(t *testing.T) {
	s := Series{}
	s.steps([]float64{1, 2, 2, 3}, 0, 5)
	if got, want := fmt.Sprint(s.X, s.Y), "[0 1 1 2 2 3 3 5] [0 0 0.25 0.25 0.75 0.75 1 1]"; got != want {
		t.Errorf("steps %s, want %s", got, want)
	}
	// For 100 values the band is 1.3581 / 10 wide to both sides, as in tables of the
	// test of Kolmogorov and Smirnov.
	hundred := Series{}
	hundred.steps(normalised(100), 0, 1)
	for i, y := range hundred.Y {
		if y > .2 && y < .8 && (math.Abs(hundred.High[i]-y-.13581) > 1e-5 || math.Abs(y-hundred.Low[i]-.13581) > 1e-5) {
			t.Fatalf("band %g…%g around %g", hundred.Low[i], hundred.High[i], y)
		}
		if hundred.Low[i] < 0 || hundred.High[i] > 1 {
			t.Fatalf("band %g…%g", hundred.Low[i], hundred.High[i])
		}
	}
	many := Series{}
	many.steps(normalised(100000), 0, 1)
	if n := len(many.X); n > 1300 || many.Y[n-1] != 1 {
		t.Errorf("%d points, the last at %g", n, many.Y[n-1])
	}
	f := CDF("t", "s", Series{Name: "a", Y: []float64{3, 1, math.NaN(), 2}})
	if f.keys[0].name != "a (n = 3)" || !strings.Contains(f.Subtitle, "1 values are not finite") {
		t.Errorf("key %q, subtitle %q", f.keys[0].name, f.Subtitle)
	}
	if f := CDF("t", "s", Series{Y: []float64{0, 10, 1000}}).LogX(); f.Plot.X.Norm(0) != 0 || f.Plot.X.Norm(100) != .5 {
		t.Error("zeros do not lie on the edge of a logarithmic axis")
	}
}

// normalised are n numbers from 1/n to 1.
func normalised(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(i+1) / float64(n)
	}
	return out
}

func TestConfusionShowsSharesOfTheTrueClass(t *testing.T) {
	c, err := metrics.Score(strings.Fields("a a a a b b c"), strings.Fields("a a a b b c c"))
	if err != nil {
		t.Fatal(err)
	}
	m := matrixOf(c)
	if got, want := fmt.Sprint(m.counts, m.shares), "[[3 1 0] [0 1 1] [0 0 1]] [[0.75 0.25 0] [0 0.5 0.5] [0 0 1]]"; got != want {
		t.Errorf("matrix %s, want %s", got, want)
	}
	svg, text := wellFormed(t, Confusion(c).MIME())
	if !strings.Contains(svg, ">3<") || !strings.Contains(text, "a                 3  1  0") {
		t.Errorf("no counts:\n%s", text)
	}
}

func TestConfusionOfManyClassesShowsTheMostConfused(t *testing.T) {
	var truth, said []string
	for i := range 60 { // the higher the number, the more confusions with the class after it
		for k := range 100 {
			truth = append(truth, fmt.Sprintf("c%02d", i))
			if k < i {
				said = append(said, fmt.Sprintf("c%02d", (i+1)%60))
			} else {
				said = append(said, truth[len(truth)-1])
			}
		}
	}
	c, err := metrics.Score(truth, said)
	if err != nil {
		t.Fatal(err)
	}
	m := matrixOf(c)
	// Class 0 takes the 59 confusions of class 59.
	if len(m.labels) != 40 || m.labels[0] != "c00" || m.labels[1] != "c21" || m.labels[39] != "c59" {
		t.Errorf("shown are %v", m.labels)
	}
	f := Confusion(c)
	if svg, text := wellFormed(t, f.MIME()); !strings.Contains(f.Subtitle, "the 40 with most confusions") ||
		!strings.Contains(svg, ">59<") || !strings.Contains(text, "c59         c00") {
		t.Errorf("subtitle %q, text:\n%s", f.Subtitle, text)
	}
	if f.Height > 900 || f.Width > 900 {
		t.Errorf("%g × %g", f.Width, f.Height)
	}
}

func TestReliability(t *testing.T) {
	// Two bins: four answers at 0.25, one of them positive, and two at 0.9, one positive.
	p := []float64{.25, .25, .25, .25, .9, .9, math.NaN(), 1.5}
	truth := []bool{true, false, false, false, true, false, true, true}
	r := reliabilityOf(p, truth, 2)
	if want := (4*0 + 2*.4) / 6; math.Abs(r.calibration()-want) > 1e-12 || r.n != 6 || r.left != 2 {
		t.Errorf("error %g, want %g; %d answers, %d left out", r.calibration(), want, r.n, r.left)
	}
	// Values of statsmodels.stats.proportion.proportion_confint(…, method="wilson").
	for _, c := range []struct {
		positive, n int
		low, high   float64
	}{{8, 10, .4901625, .9433178}, {0, 10, 0, .2775328}, {5, 10, .2365931, .7634069}} {
		low, high := bin{n: c.n, positive: c.positive}.wilson()
		if math.Abs(low-c.low) > 1e-6 || math.Abs(high-c.high) > 1e-6 {
			t.Errorf("%d of %d: %.7f…%.7f, want %.7f…%.7f", c.positive, c.n, low, high, c.low, c.high)
		}
	}
	if edge := reliabilityOf([]float64{0, 1, .1}, []bool{false, true, false}, 10); edge.bins[0].n != 1 || edge.bins[9].n != 1 || edge.bins[1].n != 1 {
		t.Errorf("bins %v", edge.bins)
	}
	f := Reliability(p, truth, 2)
	if _, text := wellFormed(t, f.MIME()); !strings.Contains(f.Subtitle, "error 0.1333 over 6 answers in 2 bins; 2 left out") ||
		!strings.Contains(text, "0 to 0.5        4             0.250     0.250    0.046–0.699") {
		t.Errorf("%s", text)
	}
}

func TestIntervalsAndSizes(t *testing.T) {
	f := flowOf(100, -1000, 0, 50)
	i := Intervals([]string{"real"}, []*pcap.Flow{f}, []*pcap.Flow{f, f})
	if i.keys[0].name != "real (n = 3)" || i.keys[1].name != "flows 2 (n = 6)" {
		t.Errorf("keys %v", i.keys)
	}
	if s := Sizes([]string{"real"}, []*pcap.Flow{f}); s.Plot.X.Min != 54 || s.Plot.X.Max != 1054 {
		t.Errorf("sizes from %g to %g", s.Plot.X.Min, s.Plot.X.Max)
	}
}

func TestPacketTimes(t *testing.T) {
	f := PacketTimes(flowOf(100, -1000, 0))
	svg, text := wellFormed(t, f.MIME())
	for _, want := range []string{"10.0.0.1:40000, 2 packets (up)", "93.184.216.34:9999, 1 packet (down)", "3 packets in 0.003 s", ">1,000<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("SVG lacks %q", want)
		}
	}
	if strings.Contains(svg, ">-1,000<") {
		t.Error("a size is negative")
	}
	if !strings.Contains(text, "bytes on the wire") {
		t.Errorf("text:\n%s", text)
	}
	if n := len(PacketTimes(connection(6000)).SVGText()); n > 150<<10 {
		t.Errorf("%d bytes of SVG for 6,000 packets", n)
	}
}

func TestSequenceCountsFromTheFirst(t *testing.T) {
	f := connection(12)
	var got []string
	for _, r := range ladderOf(f).rungs {
		got = append(got, r.label())
	}
	want := []string{
		"SYN  seq 0  len 0", "SYN, ACK  seq 0  ack 1  len 0", "ACK  seq 1  ack 1  len 0",
		"PSH, ACK  seq 1  ack 1  len 151", "PSH, ACK  seq 1  ack 152  len 1400", "PSH, ACK  seq 152  ack 1401  len 225",
		"PSH, ACK  seq 377  ack 1401  len 262", "PSH, ACK  seq 1401  ack 639  len 1400",
	}
	if !slices.Equal(got[:8], want) {
		t.Errorf("got %q", got[:8])
	}
	if got[10] != got[7]+"  · retransmission" {
		t.Errorf("what was sent again is %q", got[10])
	}
	// Without the handshake both begin at 1, also when the first packet says where the other stands.
	f.Packets = f.Packets[4:]
	rungs := ladderOf(f).rungs
	if rungs[0].words != "PSH, ACK  seq 1  ack 1  len 1400" || rungs[1].words != "PSH, ACK  seq 1  ack 1401  len 225" {
		t.Errorf("in the middle: %q, %q", rungs[0].words, rungs[1].words)
	}
	// What the capture cut off belongs to the length.
	f.Packets[0].Data = f.Packets[0].Data[:100]
	if r := ladderOf(f).rungs[0]; !strings.HasSuffix(r.words, "len 1400") {
		t.Errorf("cut: %q", r.words)
	}
}

func TestSequenceFoldsTheMiddle(t *testing.T) {
	forty, long := Sequence(connection(40)), Sequence(connection(252))
	if s := forty.String(); strings.Contains(s, "more packets") || strings.Count(s, "\n") != 42 {
		t.Errorf("40 packets:\n%s", s)
	}
	svg, text := wellFormed(t, long.MIME())
	if !strings.Contains(svg, "… 212 more packets, ") || !strings.Contains(text, "… 212 more packets, ") || strings.Count(text, "\n") != 43 {
		t.Errorf("252 packets:\n%s", text)
	}
	if long.Height <= Sequence(connection(10)).Height {
		t.Error("the height does not grow with the packets")
	}
	udp := flowOf(30, -20)
	udp.Key.Protocol = 17
	for i := range udp.Packets {
		udp.Packets[i].Data[23] = 17
	}
	if s := Sequence(udp).String(); !strings.Contains(s, "0.000000 s → UDP  len 42") { // UDP has 12 bytes less of header
		t.Errorf("UDP:\n%s", s)
	}
}

func TestSurprise(t *testing.T) {
	nan := math.NaN()
	if got, want := fmt.Sprint(smooth([]float64{nan, 1, 2, 6, nan, nan, nan}, 3)), "[1 1.5 3 4 6 NaN NaN]"; got != want {
		t.Errorf("smooth %s, want %s", got, want)
	}
	tokens := tokenizer.Encode(flowOf(10, -10, 10))
	bits := make([]float64, len(tokens)-1)
	for i := range bits {
		bits[i] = 2
	}
	bits[0] = nan
	f := Surprise(tokens, bits)
	wellFormed(t, f.MIME())
	if want := fmt.Sprintf("mean 2 bits a token over %d tokens · 3 packets", len(bits)-1); f.Subtitle != want {
		t.Errorf("subtitle %q, want %q", f.Subtitle, want)
	}
}

func TestEmbeddingIsThePrincipalPlane(t *testing.T) {
	// On a line in three dimensions, with the direction (-2, 1, 2)/3: the largest loading is
	// made positive, and the first of two as large counts.
	var vectors [][]float64
	for _, x := range []float64{-3, 0, 3} {
		vectors = append(vectors, []float64{5 - 2*x/3, x / 3, 2 * x / 3})
	}
	e := &embedding{}
	shares := e.project(vectors, []int{0, 1, 2})
	if math.Abs(shares[0]-1) > 1e-9 || math.Abs(shares[1]) > 1e-9 {
		t.Errorf("shares %v", shares)
	}
	if d := e.points[2].x - e.points[0].x; math.Abs(d+6) > 1e-9 {
		t.Errorf("the ends lie %g apart, want -6", d)
	}
	f := Embedding(append(vectors, []float64{1}, nil), []string{"a", "b"})
	if !strings.Contains(f.Subtitle, "3 vectors of 3 dimensions; 2 left out") || f.keys[2].name != "no label (1)" {
		t.Errorf("subtitle %q, keys %v", f.Subtitle, f.keys)
	}
	many, labels := groups(30, 4)
	if k := Embedding(many, labels).keys; len(k) != 25 || k[24].name != "other (6 labels)" {
		t.Errorf("%d keys, the last %q", len(k), k[len(k)-1].name)
	}
	big, labels := groups(3, 700)
	old := runtime.GOMAXPROCS(1)
	one := Embedding(big, labels).SVGText()
	runtime.GOMAXPROCS(4)
	four := Embedding(big, labels).SVGText()
	runtime.GOMAXPROCS(old)
	if one != four {
		t.Error("the map depends on the number of threads")
	}
}

func TestFloors(t *testing.T) {
	f := floors()
	svg, text := wellFormed(t, f.MIME())
	for _, want := range []string{">value and interval<", ">floor: real against real<", ">copying machine<", ">independent fields<", ">JSD (bits)<", ">TTL<", ">0.320<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("SVG lacks %s", want)
		}
	}
	if !strings.Contains(text, "TTL               0.200  0.170  0.220                     0.020            0.025               0.450\n") {
		t.Errorf("text:\n%s", text)
	}
	if f.Plot.X.Max < .45 {
		t.Error("a mark lies outside")
	}
	if again := f.String(); again != text {
		t.Error("the text grows")
	}
	if bare := Floors("t", "y", []string{"a"}, []float64{.1}, nil, nil, []float64{.05}, nil, nil); len(bare.keys) != 2 || bare.keys[0].name != "value" {
		t.Errorf("keys %v", bare.keys)
	}
}

func TestDark(t *testing.T) {
	light, night := floors(), floors().Dark()
	svg := night.SVGText()
	for _, c := range []color.NRGBA{card, ink, grey, faint, axis} {
		if s := strings.ToUpper(hex(c)); strings.Contains(svg, s) {
			t.Errorf("the dark SVG has the light %s", s)
		}
	}
	if !strings.Contains(svg, strings.ToUpper(hex(dark[card]))) || strings.Contains(light.SVGText(), strings.ToUpper(hex(dark[card]))) {
		t.Error("not the dark card, or it is the default")
	}
	if light.String() != night.String() {
		t.Error("the texts differ")
	}
	if b := night.MIME(); b[display.SVG] != svg {
		t.Error("MIME is not dark")
	}
	dir := t.TempDir()
	for _, name := range []string{"a.svg", "a.png"} {
		path := filepath.Join(dir, name)
		if err := night.Save(path); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != svg && string(b) != string(night.PNGBytes()) {
			t.Errorf("%s is not dark (%v)", name, err)
		}
	}
}

// linear is a colour in linear light.
func linear(c color.Color) (v [3]float64) {
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	for i, b := range []uint8{n.R, n.G, n.B} {
		if x := float64(b) / 255; x <= .04045 {
			v[i] = x / 12.92
		} else {
			v[i] = math.Pow((x+.055)/1.055, 2.4)
		}
	}
	return v
}

// contrast is that of WCAG 2.
func contrast(a, b color.Color) float64 {
	l := func(c color.Color) float64 {
		v := linear(c)
		return .2126*v[0] + .7152*v[1] + .0722*v[2] + .05
	}
	return math.Max(l(a), l(b)) / math.Min(l(a), l(b))
}

// lab is a colour in CIE L*a*b*, in which distances are about as large as they look.
func lab(v [3]float64) [3]float64 {
	f := func(t float64) float64 {
		if t > .008856 {
			return math.Cbrt(t)
		}
		return 7.787*t + 16./116
	}
	x, y, z := f((.4124*v[0]+.3576*v[1]+.1805*v[2])/.95047), f(.2126*v[0]+.7152*v[1]+.0722*v[2]), f((.0193*v[0]+.1192*v[1]+.9505*v[2])/1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// How eyes without one kind of cone see linear colours (Machado, Oliveira and
// Fernandes 2009, severity 1).
var blindness = map[string][3][3]float64{
	"normal":       {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protanopia":   {{.152286, 1.052583, -.204868}, {.114503, .786281, .099216}, {-.003882, -.048116, 1.051998}},
	"deuteranopia": {{.367322, .860646, -.227968}, {.280085, .672501, .047413}, {-.011820, .042940, .968881}},
	"tritanopia":   {{1.255528, -.076749, -.178779}, {-.078411, .930809, .147602}, {.004733, .691367, .303900}},
}

func TestPalettesStayApart(t *testing.T) {
	var night []color.Color
	for _, c := range Palette {
		to, ok := dark[c.(color.NRGBA)]
		if !ok {
			t.Fatalf("no dark colour for %v", c)
		}
		night = append(night, to)
		if r := contrast(to, dark[card]); r < 3 {
			t.Errorf("%v has a contrast of %.2f on the dark card", to, r)
		}
	}
	for name, c := range map[string]color.NRGBA{"ink": ink, "grey": grey} {
		if l, d := contrast(c, card), contrast(dark[c], dark[card]); l < 4.5 || d < 4.5 {
			t.Errorf("%s: contrast of %.2f on the light card, %.2f on the dark one", name, l, d)
		}
	}
	for mode, palette := range map[string][]color.Color{"light": Palette, "dark": night} {
		for eyes, m := range blindness {
			var seen [][3]float64
			for _, c := range palette[:6] {
				v, s := linear(c), [3]float64{}
				for i := range s {
					s[i] = math.Max(0, math.Min(1, m[i][0]*v[0]+m[i][1]*v[1]+m[i][2]*v[2]))
				}
				seen = append(seen, lab(s))
			}
			for i := range seen {
				for j := range i {
					d := math.Sqrt(math.Pow(seen[i][0]-seen[j][0], 2) + math.Pow(seen[i][1]-seen[j][1], 2) + math.Pow(seen[i][2]-seen[j][2], 2))
					if d < 15 {
						t.Errorf("%s, %s: colours %d and %d are %.1f apart", mode, eyes, j, i, d)
					}
				}
			}
		}
	}
}
