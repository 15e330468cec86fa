package plots

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"trafficgpt/display"
	"trafficgpt/lib/metrics"
)

// wellFormed checks that a figure's bundle is a readable SVG, a readable PNG
// with something drawn on it, and a text, and returns them.
func wellFormed(t *testing.T, b display.Bundle) (svg, text string) {
	t.Helper()
	svg, _ = b[display.SVG].(string)
	d := xml.NewDecoder(strings.NewReader(svg))
	elements := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("SVG: %v", err)
		}
		if _, ok := tok.(xml.StartElement); ok {
			elements++
		}
	}
	// Machines without the font keep each line where it was measured to be.
	if n := strings.Count(svg, "<text "); n != strings.Count(svg, "textLength=") || n != strings.Count(svg, "font-family:Liberation Sans,Arial,")+strings.Count(svg, "font-family:Liberation Serif,Times New Roman,") {
		t.Errorf("of %d lines of text some have no length or no second font", n)
	}
	if elements < 5 {
		t.Errorf("SVG with %d elements", elements)
	}
	data, _ := b[display.PNG].([]byte)
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("PNG: %v", err)
	}
	dark := 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, bl, a := img.At(x, y).RGBA(); a != 0xffff {
				t.Fatal("PNG is not opaque: it would be unreadable on a dark page")
			} else if r+g+bl < 3*0x8000 {
				dark++
			}
		}
	}
	if dark < 20 {
		t.Errorf("PNG with %d dark pixels", dark)
	}
	text, _ = b[display.Text].(string)
	if text == "" {
		t.Error("no text")
	}
	return svg, text
}

func TestCurves(t *testing.T) {
	f := Curves("Loss <&>", "step", "bits",
		Series{Name: "a", Y: []float64{5, 4, math.NaN(), 2, 1}},
		Series{Name: "b", X: []float64{0, 2}, Y: []float64{1, math.Inf(1)}, Points: true, Dashed: true}).
		HLine(3, "bound").VLine(2, "here").Sub("sub")
	svg, text := wellFormed(t, f.MIME())
	for _, want := range []string{"Loss &lt;&amp;&gt;", ">step<", ">bits<", ">a<", ">b<", ">bound<", ">here<", ">sub<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("SVG lacks %s", want)
		}
	}
	if !strings.Contains(text, "─ a  ─ b") || !strings.Contains(text, "5.00 ┤") {
		t.Errorf("text:\n%s", text)
	}
	again := Curves("Loss <&>", "step", "bits",
		Series{Name: "a", Y: []float64{5, 4, math.NaN(), 2, 1}},
		Series{Name: "b", X: []float64{0, 2}, Y: []float64{1, math.Inf(1)}, Points: true, Dashed: true}).
		HLine(3, "bound").VLine(2, "here").Sub("sub")
	if !reflect.DeepEqual(f.MIME(), again.MIME()) {
		t.Error("the same figure drawn twice differs")
	}
}

func TestDegenerateCurvesAreDrawn(t *testing.T) {
	for name, series := range map[string][]Series{
		"none":      nil,
		"empty":     {{Name: "a"}},
		"all NaN":   {{Name: "a", Y: []float64{math.NaN(), math.Inf(-1)}}},
		"one point": {{Name: "a", Y: []float64{3}}},
		"constant":  {{Name: "a", Y: []float64{3, 3, 3}}},
		"huge":      {{Name: "a", Y: []float64{-1e300, 1e300}}},
		"rounding":  {{Name: "a", X: []float64{1e20, 1e20 + 1<<15}, Y: []float64{1e99, math.Nextafter(1e99, 2e99)}}},
		"short x":   {{Name: "a", X: []float64{1}, Y: []float64{3, 4, 5}}},
		"negative":  {{Name: "a", Y: []float64{-1, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			wellFormed(t, Curves("t", "x", "y", series...).LogX().LogY().MIME())
			wellFormed(t, Scatter("t", "x", "y", series...).MIME())
		})
	}
}

func TestLogAxisPlacesDecadesEvenly(t *testing.T) {
	f := Curves("t", "x", "y", Series{Y: []float64{0.01, 0, 1, 100}}).LogY()
	for v, want := range map[float64]float64{0.01: 0, 1: .5, 100: 1, 0: 0, -7: 0} {
		if got := f.Plot.Y.Norm(v); math.Abs(got-want) > 1e-12 {
			t.Errorf("Norm(%g) = %g, want %g", v, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 1, "0 0.2 0.4 0.6 0.8 1.0"},
		{-3, 12032, "0 2,000 4,000 6,000 8,000 10,000 12,000"},
		{0.1152, 0.1161, "0.1152 0.1154 0.1156 0.1158 0.1160"},
		{2, 2, "2"},
		{0, 3e9, "0 5e+08 1e+09 1.5e+09 2e+09 2.5e+09 3e+09"},
	} {
		var got []string
		for _, tick := range (ticks{most: 7}).Ticks(c.low, c.high) {
			got = append(got, tick.Label)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("ticks(%g, %g) = %s, want %s", c.low, c.high, s, c.want)
		}
	}
}

func TestThinKeepsPeaks(t *testing.T) {
	x, y := make([]float64, 100000), make([]float64, 100000)
	for i := range x {
		x[i] = float64(i)
	}
	y[34567], y[77777] = 9, -9
	tx, ty := thin(x, y, 700)
	if len(tx) > 1400 || len(tx) != len(ty) {
		t.Fatalf("%d points", len(tx))
	}
	high, low := false, false
	for i := range ty {
		high = high || ty[i] == 9 && tx[i] == 34567
		low = low || ty[i] == -9 && tx[i] == 77777
		if i > 0 && tx[i] < tx[i-1] {
			t.Fatal("points out of order")
		}
	}
	if !high || !low {
		t.Error("a peak was lost")
	}
}

func TestSave(t *testing.T) {
	dir := t.TempDir()
	f := Curves("t", "x", "y", Series{Y: []float64{1, 2}})
	for _, name := range []string{"a.png", "a.SVG"} {
		if err := f.Save(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := f.Save(filepath.Join(dir, "a.jpeg")); err == nil || !strings.Contains(err.Error(), "a.jpeg") {
		t.Errorf("saving as jpeg: %v", err)
	}
	if err := f.Save(filepath.Join(dir, "none", "a.png")); err == nil {
		t.Error("no error for a missing folder")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestPlainGonumPlotShowsItself(t *testing.T) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = "mine", "time"
	p.Add(&lines{Series: Series{X: []float64{0, 1}, Y: []float64{0, 1}}, color: Color(0)})
	_, text := wellFormed(t, display.Of(p))
	if text != "(mine: y against time)" {
		t.Errorf("text %q", text)
	}
}

func TestBars(t *testing.T) {
	f := Bars("t", "class", "flows", []string{"http", "dns"},
		Series{Name: "train", Y: []float64{12000, 3}, Low: []float64{11000, 2}, High: []float64{13000, math.NaN()}},
		Series{Name: "test", Y: []float64{math.NaN()}})
	svg, text := wellFormed(t, f.MIME())
	for _, want := range []string{">http<", ">dns<", ">12,000<", ">train<", ">test<", ">flows<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("SVG lacks %s", want)
		}
	}
	if want := "http  train   12,000 ██████████████████████████████▎  (11,000–13,000)\n      test   –\n"; !strings.Contains(text, want) {
		t.Errorf("text:\n%s", text)
	}
	if f.Plot.Y.Min != 0 || f.Plot.Y.Max < 13000 {
		t.Errorf("axis %g…%g cuts a whisker, or does not begin at 0", f.Plot.Y.Min, f.Plot.Y.Max)
	}
	long := Bars("t", "", "v", []string{strings.Repeat("long name ", 4), strings.Repeat("another ", 6), strings.Repeat("third ", 8)}, Series{Y: []float64{1, -2, 3}})
	if long.Plot.X.Label.Text != "v" {
		t.Error("bars with long names do not lie")
	}
	wellFormed(t, long.MIME())
	wellFormed(t, Bars("none", "", "v", nil).MIME())
	wellFormed(t, Bars("log", "", "v", []string{"a", "b"}, Series{Y: []float64{10, 1000}}).LogY().MIME())
}

func TestDistributions(t *testing.T) {
	values := []float64{1, 2, 3, 4, 100, math.NaN(), -5}
	f := Histogram("t", "x", 10, Series{Name: "a", Y: values})
	svg, _ := wellFormed(t, f.MIME())
	if !strings.Contains(svg, "a (n = 7)") || !strings.HasPrefix(f.Subtitle, "1 values") {
		t.Errorf("subtitle %q", f.Subtitle)
	}
	if f := LogHistogram("t", "x", 0, Series{Y: values}); !strings.HasPrefix(f.Subtitle, "2 values") {
		t.Errorf("subtitle %q", f.Subtitle)
	}
	wellFormed(t, LogHistogram("t", "x", 0, Series{Y: []float64{-1}}).MIME())
	wellFormed(t, Histogram("t", "x", 3, Series{Y: []float64{2, 2}}).MIME())
	_, text := wellFormed(t, Box("t", "y", []string{"a", "b"}, [][]float64{values, nil}).LogY().MIME())
	if !strings.Contains(text, "a  6     -5") {
		t.Errorf("text:\n%s", text)
	}
}

func TestHistogramCountsEveryValue(t *testing.T) {
	h := &steps{edges: []float64{0, .25, .5, .75, 1}}
	sum := 0.
	for _, p := range h.shareOf([]float64{0, .1, .25, .5, .9, 1, 1}, func(v float64) float64 { return v }) {
		sum += p
	}
	if math.Abs(sum-100) > 1e-9 {
		t.Errorf("shares add up to %g %%", sum)
	}
}

func TestHeatmap(t *testing.T) {
	f := Heatmap("t", "key", "query", "weight", [][]float64{{0, 1, math.NaN()}, {2}}, []string{"r0", "r1"}, nil)
	svg, text := wellFormed(t, f.MIME())
	if !strings.Contains(svg, ">r1<") || !strings.Contains(svg, `preserveAspectRatio="none"`) {
		t.Error("SVG lacks row names or a full image")
	}
	if !strings.HasPrefix(text, "t\n·▒ \n█  \n") {
		t.Errorf("text:\n%s", text)
	}
	wellFormed(t, Heatmap("t", "", "", "", nil, nil, nil).MIME())
	wellFormed(t, Heatmap("t", "", "", "", [][]float64{{3, 3}}, nil, nil).MIME())
	if Shade(-1) != Shade(math.NaN()) || Shade(0) == Shade(1) || Shade(2) != Shade(1) {
		t.Error("shades outside [0,1]")
	}
}

func TestJSDFigure(t *testing.T) {
	r := &metrics.JSDReport{Title: "Header", Unit: "bits", Most: 1, Splits: 20, Flows: [2]int{10, 5},
		Rows: []metrics.JSDRow{{Name: "TTL", JSD: .25, Low: .2, High: .3, Floor: .1, FloorLow: .05, FloorHigh: .2, Matched: .27}},
		Mean: metrics.JSDRow{Name: "mean", JSD: .25, Low: math.NaN(), High: math.NaN(), Floor: math.NaN(), Matched: math.NaN()}}
	svg, text := wellFormed(t, JSD(r).MIME())
	for _, want := range []string{">TTL<", ">mean<", "floor", ">0.250<", "10 real and 5 generated flows"} {
		if !strings.Contains(svg, want) {
			t.Errorf("SVG lacks %s", want)
		}
	}
	if !strings.Contains(text, "0.250 ") || !strings.Contains(text, "(0.200–0.300)") {
		t.Errorf("text:\n%s", text)
	}
	wellFormed(t, JSD(metrics.HeaderJSD(nil, nil)).MIME())
}
