package plots_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/dataset"
	"trafficgpt/lib/plots"
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
