package metrics

import (
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// JSDRow is the divergence of one field.
type JSDRow struct {
	Name string
	JSD  float64
	// Low and High enclose 95 % of the bootstrap's resamples of flows (of
	// groups, where they are known), moved so that their mean is JSD: resampling
	// adds a divergence of its own, which the floor shows and an interval should not.
	Low, High float64
	// Floor is the mean divergence between two parts of the real flows, which
	// share no group; FloorLow and FloorHigh enclose 95 % of the splits. Matched
	// is that of real from generated flows in samples of the floor's sizes: the
	// number that may be compared with the floor.
	Floor, FloorLow, FloorHigh, Matched float64
	Bins                                int    // that either side uses
	N                                   [2]int // observations, real and generated
}

// JSDReport is a comparison of real with generated flows, field by field.
type JSDReport struct {
	Title         string
	Rows          []JSDRow
	Mean          JSDRow   // over Rows
	More          []JSDRow // other views of the same, not in the mean
	Unit          string
	Flows         [2]int // real, generated
	Packets       [2]int
	FloorFlows    [2]int // on either side of the floor's comparisons
	Splits        int
	Resamples     int
	Most          float64 // what two disjoint distributions have
	Generated     string  // heads the column of the comparison; "generated" when empty
	withoutGroups bool
}

// report compares; the last more fields stay out of the mean.
func (c *comparison) report(title string, more int, o Options) *JSDReport {
	na, nb := len(c.a.flows), len(c.b.flows)
	nf := len(c.fields)
	r := &JSDReport{
		Title: title, Unit: o.Unit(), Most: o.scale(1),
		Flows: [2]int{na, nb}, withoutGroups: len(c.a.groups) == na,
	}
	main := nf - more
	withMean := func(d []float64) []float64 {
		out := make([]float64, 0, nf+1)
		for _, v := range d {
			out = append(out, o.scale(v))
		}
		return append(out, mean(out[:main]))
	}
	point := withMean(c.jsd(c.a, all(na), c.b, all(nb)))
	rows := make([]JSDRow, nf+1)
	nan := math.NaN()
	for k := range rows {
		rows[k] = JSDRow{JSD: point[k], Low: nan, High: nan, Floor: nan, FloorLow: nan, FloorHigh: nan, Matched: nan}
		if k < nf {
			rows[k].Name, rows[k].Bins = c.fields[k].name, len(c.bins[k])
			rows[k].N = [2]int{c.a.counts[k], c.b.counts[k]}
		}
	}
	rows[nf].Name = "mean"
	c.bootstrap(r, rows, point, withMean, o)
	c.floor(r, rows, withMean, o)
	r.Rows, r.More, r.Mean = rows[:main:main], rows[main:nf:nf], rows[nf]
	return r
}

func (c *comparison) bootstrap(r *JSDReport, rows []JSDRow, point []float64, withMean func([]float64) []float64, o Options) {
	n := count(o.Resamples, 200)
	if n == 0 || len(c.a.flows) < 2 || len(c.b.flows) < 2 {
		return
	}
	r.Resamples = n
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	draws := make([][]float64, len(rows))
	var ai, bi []int
	for range n {
		ai, bi = c.a.resample(rng, ai), c.b.resample(rng, bi)
		for k, v := range withMean(c.jsd(c.a, ai, c.b, bi)) {
			draws[k] = append(draws[k], v)
		}
	}
	for k := range rows {
		centre := mean(draws[k])
		slices.Sort(draws[k])
		shift := point[k] - centre
		rows[k].Low = math.Max(0, math.Min(point[k], quantile(draws[k], .025)+shift))
		rows[k].High = math.Min(r.Most, math.Max(point[k], quantile(draws[k], .975)+shift))
	}
}

func (c *comparison) floor(r *JSDReport, rows []JSDRow, withMean func([]float64) []float64, o Options) {
	n := count(o.Splits, 20)
	wantA, wantB := floorSizes(len(c.a.flows), len(c.b.flows))
	if n == 0 || len(c.a.groups) < 2 || wantB == 0 {
		return
	}
	r.Splits = n
	rng := rand.New(rand.NewPCG(o.Seed, 2))
	floors, matched := make([][]float64, len(rows)), make([][]float64, len(rows))
	for range n {
		ai, bi := c.a.halves(rng, wantA, wantB)
		r.FloorFlows[0] += len(ai)
		r.FloorFlows[1] += len(bi)
		for k, v := range withMean(c.jsd(c.a, ai, c.a, bi)) {
			floors[k] = append(floors[k], v)
		}
		for k, v := range withMean(c.jsd(c.a, ai, c.b, c.b.choose(rng, len(bi)))) {
			matched[k] = append(matched[k], v)
		}
	}
	r.FloorFlows[0] /= n
	r.FloorFlows[1] /= n
	for k := range rows {
		slices.Sort(floors[k])
		rows[k].Floor, rows[k].Matched = mean(floors[k]), mean(matched[k])
		rows[k].FloorLow, rows[k].FloorHigh = quantile(floors[k], .025), quantile(floors[k], .975)
	}
}

func packets(flows []*pcap.Flow) int {
	n := 0
	for _, f := range flows {
		n += len(f.Packets)
	}
	return n
}

// number writes a divergence.
func number(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.4f", v)
}

// Table is the report as a table.
func (r *JSDReport) Table() *display.Table {
	t := display.NewTable("field", "JSD", "95 % interval", "", "floor", "at the floor's size", "bins", "real n", "generated n")
	t.Align = "lrrlrrrrr"
	t.Title = r.Title
	add := func(row JSDRow) {
		interval := "–"
		if !math.IsNaN(row.Low) {
			interval = number(row.Low) + "–" + number(row.High)
		}
		values := []any{row.Name, number(row.JSD), interval, r.bar(row), number(row.Floor), number(row.Matched), "", "", ""}
		if row.Bins > 0 {
			values[6], values[7], values[8] = row.Bins, row.N[0], row.N[1]
		} else {
			values[0] = display.Cell{Text: row.Name, HTML: "<b>" + html.EscapeString(row.Name) + "</b>"}
			values[1] = display.Cell{Text: number(row.JSD), HTML: "<b>" + number(row.JSD) + "</b>"}
		}
		t.Row(values...)
	}
	for _, row := range r.Rows {
		add(row)
	}
	add(r.Mean)
	for _, row := range r.More {
		add(row)
	}
	t.Note = r.note()
	return t
}

// bar draws a divergence in [0, Most] with the floor as a mark.
func (r *JSDReport) bar(row JSDRow) display.Cell {
	if math.IsNaN(row.JSD) {
		return display.Cell{}
	}
	share := func(v float64) float64 { return 100 * math.Max(0, math.Min(1, v/r.Most)) }
	mark := ""
	if !math.IsNaN(row.Floor) {
		mark = fmt.Sprintf(`<span style="position:absolute;top:-2px;bottom:-2px;left:%.1f%%;width:2px;background:var(--jp-content-font-color1,currentColor)"></span>`, share(row.Floor))
	}
	return display.Cell{HTML: fmt.Sprintf(`<span style="display:inline-block;position:relative;width:90px;height:8px;background:#8883;vertical-align:middle">`+
		`<span style="display:block;height:100%%;width:%.1f%%;background:#0072b2"></span>%s</span>`, share(row.JSD), mark)}
}

func (r *JSDReport) note() string {
	s := fmt.Sprintf("Jensen-Shannon divergence in %s, 0 equal to %.3g disjoint; %s real and %s generated flows, %s and %s packets.",
		r.Unit, r.Most, display.Count(r.Flows[0]), display.Count(r.Flows[1]), display.Count(r.Packets[0]), display.Count(r.Packets[1]))
	if strings.HasPrefix(r.Unit, "distance") {
		s = "Square root of the " + s
	}
	if r.Resamples > 0 {
		s += fmt.Sprintf(" Intervals from %d resamples.", r.Resamples)
	}
	if r.Splits > 0 {
		s += fmt.Sprintf(" The floor is real against real: %d random splits into %s and %s flows", r.Splits, display.Count(r.FloorFlows[0]), display.Count(r.FloorFlows[1]))
		if !r.withoutGroups {
			s += " that share no near-duplicates"
		}
		s += "; a column beside it compares generated flows in samples of that size."
	}
	return s
}

// MIME shows the report as a table.
func (r *JSDReport) MIME() display.Bundle { return r.Table().MIME() }

// String is the report as text.
func (r *JSDReport) String() string { return r.Table().String() }
