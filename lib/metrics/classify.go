package metrics

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"trafficgpt/display"
)

// ClassScore is how one class fared.
type ClassScore struct {
	Class                 string
	Support, Predicted    int // flows that are of it, and that were called so
	Precision, Recall, F1 float64
}

// Classification is the result of a classifier on a test set.
type Classification struct {
	Labels    []string // of the rows and columns of Confusion, sorted
	Confusion [][]int  // [true][predicted]
	N         int
	Accuracy  float64
	MacroF1   float64      // mean of F1 over the classes that the test set has
	Classes   []ClassScore // one a label
}

// Score compares predictions with the truth, one a flow. It is an error for
// the lists to differ in length.
func Score(truth, predicted []string) (*Classification, error) {
	if len(truth) != len(predicted) {
		return nil, fmt.Errorf("failed to score: %d true labels against %d predicted ones", len(truth), len(predicted))
	}
	c := &Classification{N: len(truth)}
	c.Labels = slices.Concat(truth, predicted)
	slices.Sort(c.Labels)
	c.Labels = slices.Compact(c.Labels)
	index := map[string]int{}
	for i, l := range c.Labels {
		index[l] = i
		c.Confusion = append(c.Confusion, make([]int, len(c.Labels)))
	}
	for i := range truth {
		c.Confusion[index[truth[i]]][index[predicted[i]]]++
	}
	c.score()
	return c, nil
}

func (c *Classification) score() {
	right, classes := 0, 0
	for i, l := range c.Labels {
		s := ClassScore{Class: l}
		for j := range c.Labels {
			s.Support += c.Confusion[i][j]
			s.Predicted += c.Confusion[j][i]
		}
		hit := c.Confusion[i][i]
		right += hit
		s.Precision, s.Recall = share(hit, s.Predicted), share(hit, s.Support)
		s.F1 = share(2*hit, s.Predicted+s.Support)
		if s.Support > 0 {
			c.MacroF1 += s.F1
			classes++
		}
		c.Classes = append(c.Classes, s)
	}
	c.Accuracy = share(right, c.N)
	if classes > 0 {
		c.MacroF1 /= float64(classes)
	}
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Table lists the classes.
func (c *Classification) Table() *display.Table {
	t := display.NewTable("class", "support", "predicted", "precision", "recall", "F1")
	t.Title = fmt.Sprintf("Accuracy %.4f, macro-F1 %.4f on %s flows", c.Accuracy, c.MacroF1, display.Count(c.N))
	for _, s := range c.Classes {
		f := func(v float64) string { return fmt.Sprintf("%.3f", v) }
		t.Row(s.Class, s.Support, s.Predicted, f(s.Precision), f(s.Recall), f(s.F1))
	}
	t.Limit = 250
	t.Note = "Macro-F1 is the mean of F1 over the classes that the test set has."
	return t
}

// MIME shows the classes and, up to 40 of them, the confusion matrix.
func (c *Classification) MIME() display.Bundle {
	b := c.Table().MIME()
	if n := len(c.Labels); n > 1 && n <= 40 {
		b[display.HTML] = `<div style="display:flex;gap:32px;flex-wrap:wrap">` + b[display.HTML].(string) + c.matrix() + `</div>`
	}
	return b
}

// matrix is the confusion matrix as HTML, shaded by the share of the true class.
func (c *Classification) matrix() string {
	var b strings.Builder
	b.WriteString(`<div><div style="font-size:13px;font-weight:600;padding:2px 0 5px">True class (row), predicted (column)</div>` +
		`<table style="border-collapse:collapse;border:0;font-size:11px;font-variant-numeric:tabular-nums"><tr><td style="border:0"></td>`)
	for _, l := range c.Labels {
		b.WriteString(`<td style="border:0;padding:2px;vertical-align:bottom;height:64px;text-align:left"><span style="writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap">` +
			html.EscapeString(l) + `</span></td>`)
	}
	b.WriteString("</tr>")
	for i, l := range c.Labels {
		b.WriteString(`<tr style="background:transparent"><td style="border:0;padding:1px 6px;text-align:right;white-space:nowrap">` + html.EscapeString(l) + "</td>")
		for j := range c.Labels {
			n, s := c.Confusion[i][j], share(c.Confusion[i][j], c.Classes[i].Support)
			colour := "0,114,178"
			if i != j {
				colour = "213,94,0"
			}
			text := ""
			if n > 0 {
				text = fmt.Sprint(n)
			}
			alpha := 0.04
			if s > 0 {
				alpha = .12 + .55*s
			}
			fmt.Fprintf(&b, `<td title="%s called %s: %d" style="border:0;padding:0;min-width:22px;height:20px;text-align:center;background:rgba(%s,%.2f)">%s</td>`,
				html.EscapeString(l), html.EscapeString(c.Labels[j]), n, colour, alpha, text)
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</table></div>")
	return b.String()
}
