package plots_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/plots"
	"trafficgpt/tokenizer"
)

// As the last line of a cell a figure appears as SVG; where there are no pictures,
// as text.
func ExampleCurves() {
	loss := []float64{8, 5.1, 3.2, 2.6, 2.4, 2.3}
	f := plots.Curves("Loss", "step", "bits per token", plots.Series{Name: "training", Y: loss})
	f.HLine(4.2, "unigram entropy").Sub("six steps")
	text := display.Of(f)[display.Text].(string)
	fmt.Println(strings.Join(strings.Split(text, "\n")[:2], "\n"))
	// Output:
	// Loss
	// six steps
}

func ExampleBars() {
	f := plots.Bars("Packets", "protocol", "share", []string{"tcp", "udp", "other"},
		plots.Series{Name: "real", Y: []float64{.7, .25, .05}},
		plots.Series{Name: "generated", Y: []float64{.66, .3, .04}})
	fmt.Println(f)
	// Output:
	// Packets
	// tcp    real         0.700 ████████████████████████████████▊
	//        generated    0.660 ██████████████████████████████▉
	// udp    real         0.250 ███████████▊
	//        generated    0.300 ██████████████
	// other  real         0.050 ██▍
	//        generated    0.040 █▉
}

func ExampleHistogram() {
	var sizes []float64
	for _, f := range dataset.Lab().Only("dns").Flows {
		for _, p := range f.Packets {
			sizes = append(sizes, float64(p.Length))
		}
	}
	f := plots.Histogram("Packets of DNS", "bytes", 20, plots.Series{Name: "lab", Y: sizes})
	fmt.Println(f.Title, "·", f.Plot.X.Label.Text)
	// Output:
	// Packets of DNS · bytes
}

// A figure is saved by the ending of its name.
func ExampleFigure_Save() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	f := plots.Heatmap("Confusion", "predicted", "true", "flows", [][]float64{{9, 1}, {2, 8}}, []string{"dns", "ntp"}, []string{"dns", "ntp"})
	for _, name := range []string{"c.svg", "c.png"} {
		if err := f.Size(400, 300).Save(filepath.Join(dir, name)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(f.Save("c.txt"))
	// Output:
	// failed to save the figure to c.txt: the name must end in .svg or .png, not ".txt"
}

// Tokens shows what each token of a flow is.
func ExampleTokens() {
	p := plots.Tokens(dataset.Lab().Only("ntp").Flows[0])
	for _, i := range []int{0, 1, 9, 60} {
		fmt.Println(p.Describe(i))
	}
	// Output:
	// packet 1 · packet start
	// packet 1 · link type ETHERNET
	// packet 1 · seconds since the packet before · 0 s
	// packet 1 · IPv6 · destination address · 2001:db8:58d2:38b5::769
}

// Scores colours the tokens by a number of each, such as what a model needs to say
// them; see sample.Score.
func ExampleTokenPicture_Scores() {
	p := plots.Tokens(dataset.Lab().Only("ntp").Flows[0])
	bits := make([]float64, len(p.Tokens))
	for i := range bits {
		bits[i] = float64(i % 8)
	}
	b := p.Scores(bits, "bits").MIME()
	for _, form := range []string{display.HTML, display.PNG, display.ANSI, display.Text} {
		_, there := b[form]
		fmt.Println(form, there)
	}
	// Output:
	// text/html true
	// image/png true
	// text/x-ansi true
	// text/plain true
}

// CDF compares distributions without bins.
func ExampleCDF() {
	durations := func(label string) (out []float64) {
		for _, f := range dataset.Lab().Only(label).Flows {
			out = append(out, f.Duration().Seconds())
		}
		return out
	}
	f := plots.CDF("Durations of flows", "seconds",
		plots.Series{Name: "http", Y: durations("http")}, plots.Series{Name: "dns", Y: durations("dns")}).LogX()
	fmt.Println(strings.Split(f.String(), "\n")[1])
	// Output:
	// band: 95 % (Dvoretzky–Kiefer–Wolfowitz)
}

func ExampleConfusion() {
	c, err := metrics.Score([]string{"dns", "dns", "ntp", "ntp"}, []string{"dns", "ntp", "ntp", "ntp"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plots.Confusion(c))
	// Output:
	// Confusion: accuracy 0.7500, macro-F1 0.7333
	// 4 flows of 2 classes; shade: share of the true class
	// true \ predicted  dns  ntp
	// ────────────────  ───  ───
	// dns                 1    1
	// ntp                 0    2
}

// Reliability asks whether what was said to be likely happened as often.
func ExampleReliability() {
	said := []float64{.1, .1, .1, .1, .9, .9, .9, .9}
	came := []bool{false, false, false, true, true, true, true, true}
	fmt.Println(plots.Reliability(said, came, 2))
	// Output:
	// Reliability
	// expected calibration error 0.1250 over 8 answers in 2 bins
	// bin       answers  mean probability  positive  95 % interval
	// ────────  ───────  ────────────────  ────────  ─────────────  ────────────────────
	// 0 to 0.5        4             0.100     0.250    0.046–0.699  █████
	// 0.5 to 1        4             0.900     1.000    0.510–1.000  ████████████████████
}

// Floors shows divergences beside what they must be read with.
func ExampleFloors() {
	fields := []string{"length", "TTL"}
	value, low, high := []float64{.2, .12}, []float64{.18, .1}, []float64{.22, .15}
	floor, copying, independent := []float64{.02, .04}, []float64{.03, .04}, []float64{.31, .05}
	f := plots.Floors("Header fields", "JSD (bits)", fields, value, low, high, floor, copying, independent)
	fmt.Println(strings.Join(strings.Split(f.String(), "\n")[:5], "\n"))
	// Output:
	// Header fields
	//         value   from     to  floor: real against real  copying machine  independent fields
	// ──────  ─────  ─────  ─────  ────────────────────────  ───────────────  ──────────────────
	// length  0.200  0.180  0.220                     0.020            0.030               0.310
	// TTL     0.120  0.100  0.150                     0.040            0.040               0.050
}

func ExampleIntervals() {
	lab := dataset.Lab()
	f := plots.Intervals([]string{"http", "dns"}, lab.Only("http").Flows, lab.Only("dns").Flows)
	fmt.Println(f.Title, "·", f.Plot.X.Label.Text)
	// Output:
	// Time between packets of a flow · seconds since the packet before
}

func ExampleSizes() {
	lab := dataset.Lab()
	f := plots.Sizes([]string{"http", "dns"}, lab.Only("http").Flows, lab.Only("dns").Flows)
	fmt.Println(f.Title, "·", f.Plot.X.Label.Text)
	// Output:
	// Sizes of packets · bytes on the wire
}

func ExamplePacketTimes() {
	f := plots.PacketTimes(dataset.Lab().Only("http").Flows[3])
	fmt.Println(f.Subtitle)
	// Output:
	// 192.168.1.84:57717 ↔ 198.51.100.157:8080 · TCP · 11 packets in 8.236 s
}

// Sequence shows what the two ends of a connection say to each other.
func ExampleSequence() {
	fmt.Println(plots.Sequence(dataset.Lab().Only("http").Flows[3]))
	// Output:
	// Sequence of packets
	// TCP · 11 packets in 8.24 s
	// 192.168.1.84:57717 → 198.51.100.157:8080
	//     0.000000 s → SYN  seq 0  len 0
	//     0.000060 s ← SYN, ACK  seq 0  ack 1  len 0
	//     0.049700 s → ACK  seq 1  ack 1  len 0
	//     0.049774 s → PSH, ACK  seq 1  ack 1  len 277
	//     0.049843 s ← ACK  seq 1  ack 278  len 0
	//     0.050496 s ← PSH, ACK  seq 1  ack 278  len 810
	//     0.103013 s → ACK  seq 278  ack 811  len 0
	//     8.178877 s ← FIN, ACK  seq 811  ack 278  len 0
	//     8.204931 s → FIN, ACK  seq 278  ack 811  len 0
	//     8.204982 s ← ACK  seq 812  ack 279  len 0
	//     8.236399 s → ACK  seq 279  ack 812  len 0
}

// Surprise takes what sample.Score returns: s.Tokens and s.Bits.
func ExampleSurprise() {
	tokens := tokenizer.Encode(dataset.Lab().Only("ntp").Flows[0])
	bits := make([]float64, len(tokens))
	for i := range bits {
		bits[i] = float64(i % 8)
	}
	fmt.Println(plots.Surprise(tokens[:96], bits[:96]).Subtitle)
	// Output:
	// mean 3.5 bits a token over 96 tokens · 1 packet
}

// Embedding shows vectors, such as those of sample.Embed, on a plane.
func ExampleEmbedding() {
	vectors := [][]float64{{0, 0, 1}, {0, 1, 1}, {9, 9, 1}, {9, 8, 1}}
	f := plots.Embedding(vectors, []string{"dns", "dns", "ntp", "ntp"})
	fmt.Println(f.Subtitle, "·", f.Plot.X.Label.Text)
	// Output:
	// 4 vectors of 3 dimensions · first component (99.6 % of the variance)
}

// Dark is for pages with a dark theme, and for slides.
func ExampleFigure_Dark() {
	f := plots.Curves("Loss", "step", "bits per token", plots.Series{Y: []float64{8, 4, 3}}).Dark()
	fmt.Println(strings.Contains(f.SVGText(), "#1E1E1E"))
	// Output:
	// true
}

// Heads shows what heads attend to; a cell has maps and names from model.Attention:
//
//	for _, h := range must(m.Attention(tokens, 0)) {
//		maps, names = append(maps, h.Weights), append(names, fmt.Sprintf("%s %d", h.Kind, h.Head))
//	}
//
// With nil for the tokens it shows states, those of model.Stream.State.
func ExampleHeads() {
	tokens := tokenizer.Encode(dataset.Lab().Only("ntp").Flows[0])[:12]
	even := make([][]float64, len(tokens)) // each token attends evenly to all up to itself
	for i := range even {
		even[i] = make([]float64, len(tokens))
		for j := range i + 1 {
			even[i][j] = 1 / float64(i+1)
		}
	}
	f := plots.Heads("Attention", [][][]float64{even}, []string{"linear 0"}, tokens)
	fmt.Println(f)
	// Output:
	// Attention
	// 1 head · 12 tokens · 1 packet
	// linear 0
	// █
	// ▓▓
	// ▒▒▒
	// ▒▒▒▒
	// ░░░░░
	// ░░░░░░
	// ░░░░░░░
	// ········
	// ·········
	// ··········
	// ···········
	// ············
	// linear from 0.0833 [·] to 1 (log) [█]
}
