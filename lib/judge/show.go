package judge

import (
	"encoding/base64"
	"fmt"
	"html"
	"strings"

	"trafficgpt/display"
	"trafficgpt/lib/classify"
	"trafficgpt/lib/metrics"
	"trafficgpt/lib/plots"
)

// Figure is a picture of the report and its short name.
type Figure struct {
	Name string
	Plot *plots.Figure
}

var levelColours = [...]string{"#7a7f87", "#009e73", "#56b4e9", "#e69f00", "#d55e00"}

// mark is a level as a dot before its words; the words say it too.
func (v Verdict) mark() display.Cell {
	if v.Words == "" {
		return display.Cell{}
	}
	return display.Cell{Text: v.Words, HTML: fmt.Sprintf(`<span style="display:inline-block;width:9px;height:9px;border-radius:5px;background:%s;margin-right:6px"></span>%s`,
		levelColours[v.Level], html.EscapeString(v.Words))}
}

// Table is the summary: a row an axis.
func (r *Report) Table() *display.Table {
	t := display.NewTable("axis", "verdict", "measure", "generated", "95 %", "floor", "copying", "independent")
	t.Title = fmt.Sprintf("%s judged against %s", r.Synth.Name, r.Real.Name)
	for _, a := range r.Axes {
		if len(a.Measures) == 0 {
			t.Row(string(a.Name), a.Verdict.mark(), "–", "–", "–", "–", "–", "–")
			continue
		}
		m := a.Measures[0]
		t.Row(string(a.Name), a.Verdict.mark(), m.title(), m.text(m.Generated), m.interval(), m.text(m.Floor), m.text(m.Copying), m.text(m.Independent))
	}
	t.Align = "lllrrrrr"
	t.Note = strings.Join(r.notes(), "\n")
	return t
}

// title names a measure with its unit.
func (m *Measure) title() string {
	if m.Unit == "" || m.Unit == "%" || m.Unit == "s" {
		return m.Name
	}
	return m.Name + ", " + m.Unit
}

func (r *Report) notes() []string {
	out := []string{fmt.Sprintf("%s generated flows against one half of the real ones (%s). Floor: real against real, the other half (%s). Copying: training flows handed in. "+
		"Independent: each field drawn by itself. Seed %d.", display.Count(r.Compared[1]), display.Count(r.Compared[0]), display.Count(r.Compared[2]), r.Seed)}
	if r.Interrupted {
		out = append(out, "Interrupted: the axes that are missing were not judged.")
	}
	for _, w := range r.Warnings {
		out = append(out, "Note: "+w+".")
	}
	for _, a := range r.Axes {
		if a.Missing != "" {
			out = append(out, fmt.Sprintf("%s: not judged: %s.", a.Name, a.Missing))
		}
		for _, f := range a.Findings[:min(len(a.Findings), 2)] {
			out = append(out, string(a.Name)+": "+f)
		}
	}
	return out
}

// Table lists the measures of an axis.
func (a *Axis) Table() *display.Table {
	t := display.NewTable("measure", "verdict", "generated", "95 %", "floor", "excess", "copying", "independent")
	t.Title = string(a.Name)
	for _, m := range a.Measures {
		t.Row(m.title(), Verdict{m.Verdict.Level, m.verdict()}.mark(), m.text(m.Generated), m.interval(), m.text(m.Floor), m.excess(), m.text(m.Copying), m.text(m.Independent))
	}
	t.Align = "llrrrrrr"
	t.Note = strings.Join(append([]string{a.Question}, a.Findings...), "\n")
	if a.Missing != "" {
		t.Note = "Not judged: " + a.Missing + "."
	}
	return t
}

// verdict is a measure's verdict in a word or two; "" when it is shown only.
func (m *Measure) verdict() string {
	if m.Verdict.Words != "" {
		return m.Verdict.Words
	}
	if m.Verdict.Level == Unjudged {
		return ""
	}
	return m.Verdict.Level.String()
}

// MIME shows the summary.
func (r *Report) MIME() display.Bundle { return r.Table().MIME() }

// String is the summary as text.
func (r *Report) String() string { return r.Table().String() }

// MIME shows the measures, then the other tables and the figures.
func (a *Axis) MIME() display.Bundle {
	var h strings.Builder
	text := a.String()
	for _, t := range append([]*display.Table{a.Table()}, a.Tables...) {
		h.WriteString(t.MIME()[display.HTML].(string))
	}
	for _, f := range a.Figures { // as PNG: previews of notebooks leave SVG out
		fmt.Fprintf(&h, `<img style="margin:8px 12px 8px 0;max-width:100%%" width="%.0f" alt="%s" src="data:image/png;base64,%s">`,
			f.Plot.Width, html.EscapeString(f.Plot.Title), base64.StdEncoding.EncodeToString(f.Plot.PNGBytes()))
	}
	return display.Bundle{display.HTML: h.String(), display.Text: text}
}

// String is the axis's tables as text.
func (a *Axis) String() string {
	parts := []string{a.Table().String()}
	for _, t := range a.Tables {
		parts = append(parts, t.String())
	}
	return strings.Join(parts, "\n\n")
}

// CSV is the measures of all axes, a line each, for a spreadsheet.
func (r *Report) CSV() string { return r.measures().CSV() }

// LaTeX is the summary as a table for a paper.
func (r *Report) LaTeX() string {
	t := r.Table()
	t.Note = r.notes()[0]
	return t.LaTeX()
}

// measures is one table of all measures of all axes.
func (r *Report) measures() *display.Table {
	t := display.NewTable("axis", "measure", "unit", "generated", "low", "high", "real against real", "copying machine", "independent fields", "verdict")
	for _, a := range r.Axes {
		for _, m := range a.Measures {
			row := []any{string(a.Name), m.Name, m.Unit}
			for _, v := range []float64{m.Generated.Value, m.Generated.Low, m.Generated.High, m.Floor.Value, m.Copying.Value, m.Independent.Value} {
				if exactly(v).Known() {
					row = append(row, v)
				} else {
					row = append(row, "–")
				}
			}
			t.Row(append(row, m.verdict())...)
		}
	}
	t.Limit = -1
	return t
}

// barsOf draws measures with their interval and the three that stand beside.
func barsOf(name, title string, measures []*Measure, more ...*Measure) Figure {
	var names []string
	var v [6][]float64
	for _, m := range append(measures[:len(measures):len(measures)], more...) {
		if !m.Generated.Known() {
			continue
		}
		names = append(names, m.Name)
		for i, x := range []float64{m.Generated.Value, m.Generated.Low, m.Generated.High, m.Floor.Value, m.Copying.Value, m.Independent.Value} {
			v[i] = append(v[i], x)
		}
	}
	unit := "area under the curve"
	if len(measures) > 0 && measures[0].Unit != "" {
		unit = measures[0].Unit
	}
	return Figure{name, plots.Floors(title, unit, names, v[0], v[1], v[2], v[3], v[4], v[5])}
}

// breachFigure draws how many flows break each rule.
func breachFigure(rules [competitors][]metrics.Breach) []Figure {
	var names []string
	series := make([]plots.Series, competitors)
	for k := range series {
		series[k].Name = competitorNames[k]
	}
	for i, b := range rules[generated] {
		if b.Flows == 0 {
			continue
		}
		names = append(names, b.Rule)
		for k := range series {
			v := 0.
			if i < len(rules[k]) {
				v = rules[k][i].PerThousand()
			}
			series[k].Y = append(series[k].Y, v)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []Figure{{"rules", plots.Bars("Flows that break a rule", "", "flows of 1,000", names, series...)}}
}

func confusion(c *metrics.Classification) Figure { return Figure{"confusion", plots.Confusion(c)} }

// importanceFigure draws what a discriminator looked at.
func importanceFigure(name, title string, drops []classify.Importance) Figure {
	s := plots.Series{Name: "AUC lost"}
	var names []string
	for _, d := range drops {
		names, s.Y = append(names, d.Name), append(s.Y, d.Drop)
	}
	return Figure{name, plots.Bars(title, "", "AUC lost", names, s)}
}

// distanceFigure draws distances to the nearest training flow.
func (j *judgement) distanceFigure() Figure {
	s := &j.sides
	return Figure{"distances", plots.CDF("Distance to the nearest training flow: share of flows up to x", "distance in standard deviations a feature",
		plots.Series{Name: competitorNames[generated], Y: nearestDistances(s.train, s.flows[generated])},
		plots.Series{Name: "real flows not learned from", Y: nearestDistances(s.train, s.held)},
		plots.Series{Name: competitorNames[independent], Y: nearestDistances(s.train, s.flows[independent]), Dashed: true})}
}
