package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gonum.org/v1/plot/cmpimg"

	"trafficgpt/lib/dataset"
	"trafficgpt/lib/metrics"
	"trafficgpt/tokenizer"
	"trafficgpt/tokenizer/pcap"
)

// normal are n numbers around mean.
func normal(seed uint64, n int, mean, deviation float64) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = mean + deviation*r.NormFloat64()
	}
	return out
}

// powers are e to the power of each.
func powers(v []float64) []float64 {
	for i := range v {
		v[i] = math.Exp(v[i])
	}
	return v
}

// answers are those of a classifier of n classes that confuses neighbours.
func answers(n, flows int) *metrics.Classification {
	r := rand.New(rand.NewPCG(3, 3))
	var truth, said []string
	for i := range flows {
		class := i % n
		called := class
		if u := r.Float64(); u < .12 {
			called = (class + 1) % n
		} else if u < .2 {
			called = r.IntN(n)
		}
		truth, said = append(truth, fmt.Sprintf("class-%02d", class)), append(said, fmt.Sprintf("class-%02d", called))
	}
	c, err := metrics.Score(truth, said)
	if err != nil {
		panic(err)
	}
	return c
}

// connection is a TCP connection of so many packets, some sent again.
func connection(packets int) *pcap.Flow {
	lens := make([]int, packets)
	for i := range lens {
		if lens[i] = 40 + i*37%700; i%3 == 1 {
			lens[i] = -1400
		}
	}
	f := flowOf(lens...)
	seq := [2]uint32{4000000000, 17}
	for i := range f.Packets {
		data, d := f.Packets[i].Data, 0
		if !f.Outgoing(i) {
			d = 1
		}
		flags := byte(0x18)
		switch i {
		case 0:
			flags = 0x02
		case 1:
			flags = 0x12
		case 2:
			flags = 0x10
		}
		if i < 3 { // a handshake carries nothing
			data = data[:54]
			f.Packets[i].Data, f.Packets[i].Length = data, 54
			data[16], data[17] = 0, 40
		}
		put := func(at int, v uint32) {
			data[at], data[at+1], data[at+2], data[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
		}
		put(38, seq[d])
		put(42, seq[1-d])
		data[47] = flags
		seq[d] += uint32(len(data) - 54)
		if flags&2 != 0 {
			seq[d]++
		}
	}
	for i := 7; i+3 < len(f.Packets); i += 19 { // sent again after a while
		again := f.Packets[i]
		again.Time = f.Packets[i+3].Time.Add(-time.Microsecond)
		f.Packets[i+3] = again
	}
	return f
}

// groups are vectors of n labels.
func groups(n, each int) (vectors [][]float64, labels []string) {
	r := rand.New(rand.NewPCG(5, 5))
	for l := range n {
		centre := []float64{4 * r.NormFloat64(), 4 * r.NormFloat64(), 2 * r.NormFloat64(), r.NormFloat64()}
		for range each {
			v := make([]float64, len(centre))
			for j := range v {
				v[j] = centre[j] + .6*r.NormFloat64()
			}
			vectors, labels = append(vectors, v), append(labels, fmt.Sprintf("label %d", l))
		}
	}
	return vectors, labels
}

func surprising() ([]uint16, []float64) {
	tokens := tokenizer.Encode(dataset.Lab().Only("dns").Flows[0])
	r := rand.New(rand.NewPCG(9, 9))
	bits := make([]float64, len(tokens))
	for i := range bits {
		bits[i] = r.ExpFloat64() * (1 + 3*math.Abs(math.Sin(float64(i)/30)))
	}
	return tokens, bits
}

func jsdReport() *metrics.JSDReport {
	r := &metrics.JSDReport{Title: "Header fields", Unit: "bits", Most: 1, Splits: 20, Flows: [2]int{1000, 800},
		Mean: metrics.JSDRow{Name: "mean", JSD: .2, Low: .18, High: .22, Floor: .07, FloorLow: .06, FloorHigh: .09, Matched: .21}}
	for i, name := range []string{"source port", "length", "TTL"} {
		x := .1 * float64(i+1)
		r.Rows = append(r.Rows, metrics.JSDRow{Name: name, JSD: x, Low: x - .03, High: x + .03, Floor: x / 3, FloorLow: x / 4, FloorHigh: x / 2, Matched: x + .01})
	}
	return r
}

func floors() *Figure {
	return Floors("Header fields, 1,000 generated against 1,000 real flows", "JSD (bits)",
		[]string{"source port", "destination port", "length", "TTL", "mean"},
		[]float64{.11, .32, .08, .2, .18}, []float64{.09, .29, .07, .17, .16}, []float64{.14, .35, .1, .22, .2},
		[]float64{.06, .05, .04, .02, .04}, []float64{.07, .05, .05, .025, .05}, []float64{.06, .06, .31, .45, .22})
}

// attended is what six heads of three kinds might attend to in a flow of three packets.
func attended() *Figure {
	tokens := tokenizer.Encode(dataset.Lab().Only("ntp").Flows[0])[:60]
	tokens[21], tokens[42] = tokenizer.Start, tokenizer.Start // short packets
	r := rand.New(rand.NewPCG(6, 6))
	names := []string{"local 0", "local 1", "linear 2", "linear 3", "retention 4", "retention 5"}
	maps := make([][][]float64, len(names))
	for h := range maps {
		maps[h] = make([][]float64, len(tokens))
		for i := range maps[h] {
			row, sum := make([]float64, len(tokens)), 0.
			for j := range i + 1 {
				switch {
				case h >= 4:
					row[j] = 3 * math.Exp(float64(j-i)/12) * math.Sin(float64(i*(h-3)+j)/9)
				case h >= 2:
					row[j] = .2 + float64(j*h%7)
				case i-j < 16:
					row[j] = math.Exp(4 * r.NormFloat64())
				}
				sum += row[j]
			}
			for j := range row {
				if h < 4 {
					row[j] /= sum
				}
			}
			maps[h][i] = row
		}
	}
	return Heads("What layer 0 attends to", maps, names, tokens)
}

// kept are states of three shapes, one of them of nothing.
func kept() *Figure {
	waves := func(rows, columns int, high float64) [][]float64 {
		out := make([][]float64, rows)
		for i := range out {
			for j := range columns {
				out[i] = append(out[i], high*math.Cos(float64(i*j)/3))
			}
		}
		return out
	}
	return Heads("States", [][][]float64{waves(24, 8, 2), waves(8, 8, 300), waves(8, 8, 100), {}}, []string{"local 0", "linear 1", "linear 2", "softmax 3"}, nil)
}

// pictures are one figure of each kind.
func pictures() map[string]*Figure {
	lab := dataset.Lab()
	tokens, bits := surprising()
	vectors, labels := groups(5, 60)
	loss := normal(1, 300, 0, .3)
	for i := range loss {
		loss[i] += 2 + 6*math.Exp(-float64(i)/40)
	}
	probabilities, positive := normal(2, 2000, .5, .28), make([]bool, 2000)
	r := rand.New(rand.NewPCG(2, 2))
	for i, p := range probabilities {
		positive[i] = r.Float64() < p*p*(3-2*p)
	}
	heat := make([][]float64, 12)
	for i := range heat {
		heat[i] = make([]float64, 16)
		for j := range heat[i] {
			if heat[i][j] = math.Sin(float64(i*j) / 9); i == 3 && j > 9 {
				heat[i][j] = math.NaN()
			}
		}
	}
	return map[string]*Figure{
		"curves": Curves("Loss", "step", "bits per token", Series{Name: "raw", Y: loss, Faint: true}, Series{Name: "training", Y: smooth(loss, 21)},
			Series{Name: "validation", X: []float64{0, 100, 200, 299}, Y: []float64{8.2, 3, 2.2, 2.1}, Low: []float64{8, 2.7, 2, 1.9}, High: []float64{8.4, 3.3, 2.5, 2.4}, Points: true}).HLine(4.2, "unigram entropy"),
		"scatter": Scatter("Packets and bytes", "packets", "bytes", Series{Name: "dns", X: powers(normal(1, 80, 2, .5)), Y: powers(normal(2, 80, 6, 1))},
			Series{Name: "http", X: powers(normal(3, 80, 3, .5)), Y: powers(normal(4, 80, 8, 1))}).LogX().LogY(),
		"bars": Bars("Flows by class", "class", "flows", []string{"dns", "http", "ntp", "quic"},
			Series{Name: "train", Y: []float64{1200, 800, 300, 90}}, Series{Name: "test", Y: []float64{300, 200, 75, 22}, Low: []float64{280, 180, 60, 15}, High: []float64{320, 220, 90, 30}}),
		"box":         Box("Durations", "seconds", []string{"dns", "http"}, [][]float64{powers(normal(1, 300, -2, 1)), powers(normal(2, 300, 1, .7))}).LogY(),
		"histogram":   Histogram("Sizes", "bytes", 40, Series{Name: "real", Y: normal(1, 900, 600, 200)}, Series{Name: "generated", Y: normal(2, 700, 700, 150)}),
		"heatmap":     Heatmap("Weights of a head", "key", "query", "", heat, nil, nil),
		"jsd":         JSD(jsdReport()),
		"cdf":         CDF("Durations of flows", "seconds", Series{Name: "real", Y: append(powers(normal(1, 400, -2, 1.5)), 0, 0, 0)}, Series{Name: "generated", Y: powers(normal(2, 60, -1.5, 1.2))}).LogX(),
		"confusion":   Confusion(answers(8, 900)),
		"confusion40": Confusion(answers(60, 1800)),
		"reliability": Reliability(probabilities, positive, 0),
		"intervals":   Intervals([]string{"real", "generated"}, lab.Only("http").Flows, lab.Only("dns").Flows),
		"sizes":       Sizes([]string{"real", "generated"}, lab.Only("http").Flows, lab.Only("dns").Flows),
		"packettimes": PacketTimes(connection(60)),
		"sequence":    Sequence(connection(80)),
		"surprise":    Surprise(tokens, bits).Size(480, 280),
		"embedding":   Embedding(vectors, labels),
		"floors":      floors(),
		"heads":       attended(),
		"states":      kept(),
	}
}

// inTheDark are the pictures that are compared on a dark card too.
var inTheDark = []string{"curves", "confusion", "floors", "heads"}

// nearly is how far a pixel may be from the one that was looked at, as a share of the way
// from black to white: two of the PNG's shades of grey, and up to six of blue, which eyes see
// least. Processors that round a sum of products once draw edges a shade lighter or darker.
const nearly = 1. / 16

// TestGolden compares figures with pictures that a person has looked at. After a
// change that is meant, TRAFFICGPT_UPDATE=1 go test ./lib/plots -run Golden
// makes them anew: look at them before they are committed.
func TestGolden(t *testing.T) {
	figures := pictures()
	for _, name := range inTheDark {
		f := *figures[name]
		figures[name+"-dark"] = f.Dark()
	}
	for name, f := range figures {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "golden", name+".png")
			scale := 1.
			switch name {
			case "sequence": // half of it is letters, which make large files
				scale = .75
			case "heads", "heads-dark", "states": // at that of PNGs their cells are not smoothed
				scale = 1.5
			}
			got := raster(f.Width, f.Height, scale, f.draw)
			if len(got) > 40<<10 {
				t.Errorf("%d bytes of PNG", len(got))
			}
			if os.Getenv("TRAFFICGPT_UPDATE") != "" {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			same, err := cmpimg.EqualApprox("png", got, want, nearly)
			if err != nil {
				t.Fatal(err)
			}
			if !same {
				place := filepath.Join(os.TempDir(), "plots-"+name+".png")
				t.Errorf("it is not %s: see %s (%v)", path, place, os.WriteFile(place, got, 0o644))
			}
		})
	}
}
