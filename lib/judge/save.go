package judge

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"path/filepath"
	"strings"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
)

// Save writes the report: .html as a page that needs nothing else, .json for
// programs, .csv and .tex for tables, .txt as text.
func (r *Report) Save(path string) error {
	var text string
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".html", ".htm":
		text = r.HTML()
	case ".json":
		text = r.JSON()
	case ".csv":
		text = r.CSV()
	case ".tex":
		text = r.LaTeX()
	case ".txt":
		text = r.Text()
	default:
		return fmt.Errorf("failed to save the report to %s: the name must end in .html, .json, .csv, .tex or .txt, not %q", path, ext)
	}
	return atomicfile.WriteBytes(path, []byte(text))
}

// SaveJSON writes JSON to a file of any name.
func (r *Report) SaveJSON(path string) error { return atomicfile.WriteBytes(path, []byte(r.JSON())) }

// Text is the whole report as text: the summary, then every axis.
func (r *Report) Text() string {
	parts := []string{r.String()}
	for _, a := range r.Axes {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, "\n\n") + "\n"
}

// JSON is the whole report for programs: numbers in full, null for what is not
// known, tables as they are shown, without figures.
func (r *Report) JSON() string {
	type jsonMeasure struct {
		Name        string `json:"name"`
		Unit        string `json:"unit,omitempty"`
		Generated   Value  `json:"generated"`
		Floor       Value  `json:"real_against_real"`
		Copying     Value  `json:"copying_machine"`
		Independent Value  `json:"independent_fields"`
		Higher      bool   `json:"more_is_better"`
		Level       Level  `json:"level"`
		Verdict     string `json:"verdict"`
	}
	type jsonAxis struct {
		Name     AxisName          `json:"axis"`
		Question string            `json:"question"`
		Missing  string            `json:"missing,omitempty"`
		Level    Level             `json:"level"`
		Verdict  string            `json:"verdict"`
		Findings []string          `json:"findings"`
		Measures []jsonMeasure     `json:"measures"`
		Tables   []json.RawMessage `json:"tables"`
		Seconds  float64           `json:"seconds"`
	}
	type jsonSide struct {
		Name    string `json:"name"`
		Given   int    `json:"flows"`
		Judged  int    `json:"judged_flows"`
		Packets int    `json:"judged_packets"`
		Labels  int    `json:"classes"`
	}
	side := func(s Side) jsonSide { return jsonSide(s) }
	out := struct {
		Schema      string         `json:"schema"`
		Real        jsonSide       `json:"real"`
		Synth       jsonSide       `json:"generated"`
		Train       jsonSide       `json:"training"`
		TrainGiven  bool           `json:"training_given"`
		Compared    map[string]int `json:"compared_flows"`
		Axes        []jsonAxis     `json:"axes"`
		Warnings    []string       `json:"warnings"`
		Interrupted bool           `json:"interrupted"`
		Seed        uint64         `json:"seed"`
		Seconds     float64        `json:"seconds"`
	}{"trafficgpt-judge-1", side(r.Real), side(r.Synth), side(r.Train), r.TrainGiven,
		map[string]int{"reference": r.Compared[0], "generated": r.Compared[1], "real": r.Compared[2], "copying": r.Compared[3], "independent": r.Compared[4]},
		[]jsonAxis{}, append([]string{}, r.Warnings...), r.Interrupted, r.Seed, r.Duration.Seconds()}
	for _, a := range r.Axes {
		ja := jsonAxis{Name: a.Name, Question: a.Question, Missing: a.Missing, Level: a.Verdict.Level, Verdict: a.Verdict.Words,
			Findings: append([]string{}, a.Findings...), Measures: []jsonMeasure{}, Tables: []json.RawMessage{}, Seconds: a.Duration.Seconds()}
		for _, m := range a.Measures {
			ja.Measures = append(ja.Measures, jsonMeasure{m.Name, m.Unit, m.Generated, m.Floor, m.Copying, m.Independent, m.Higher, m.Verdict.Level, m.verdict()})
		}
		for _, t := range a.Tables {
			title, _ := json.Marshal(t.Title)
			ja.Tables = append(ja.Tables, json.RawMessage(fmt.Sprintf(`{"title":%s,"rows":%s}`, title, t.JSON())))
		}
		out.Axes = append(out.Axes, ja)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil { // every value is one that JSON has
		return fmt.Sprintf(`{"error":%q}`, err)
	}
	return string(b) + "\n"
}

const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>%s</title><style>
:root{color-scheme:light dark;--ink:#202124;--grey:#5f6368;--page:#fff;--line:#dadce0}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--grey:#9aa0a6;--page:#16181b;--line:#3c4043}}
body{font:15px/1.5 system-ui,"Liberation Sans",Arial,sans-serif;color:var(--ink);background:var(--page);max-width:1180px;margin:0 auto;padding:28px 24px 80px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:44px 0 2px;padding-top:14px;border-top:1px solid var(--line);text-transform:capitalize}
p{margin:4px 0 10px}.grey{color:var(--grey)}ul{margin:6px 0 12px;padding-left:20px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(540px,1fr));gap:18px;margin:14px 0;align-items:start}
.figures img{max-width:100%%;height:auto;border:1px solid var(--line);border-radius:6px}@media(max-width:640px){.figures{display:block}}
details{margin:10px 0}summary{cursor:pointer;color:var(--grey)}
.tg-t{margin:10px 0}
@media print{details{display:block}body{max-width:none;padding:0}}
</style></head><body>
%s
</body></html>
`

// HTML is the report as a page of its own, for light and dark: it loads nothing.
func (r *Report) HTML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "<h1>%s judged against %s</h1>\n", html.EscapeString(r.Synth.Name), html.EscapeString(r.Real.Name))
	fmt.Fprintf(&b, `<p class="grey">%s</p>`+"\n", html.EscapeString(r.sidesLine()))
	t := r.Table()
	t.Title = ""
	b.WriteString(t.MIME()[display.HTML].(string))
	for _, a := range r.Axes {
		fmt.Fprintf(&b, "\n<h2>%s</h2>\n<p class=\"grey\">%s</p>\n", html.EscapeString(string(a.Name)), html.EscapeString(a.Question))
		fmt.Fprintf(&b, "<p>%s</p>\n", a.Verdict.mark().HTML)
		if a.Missing != "" {
			fmt.Fprintf(&b, "<p>%s.</p>\n", html.EscapeString(a.Missing))
			continue
		}
		if len(a.Findings) > 0 {
			b.WriteString("<ul>")
			for _, f := range a.Findings {
				b.WriteString("<li>" + html.EscapeString(f) + "</li>")
			}
			b.WriteString("</ul>\n")
		}
		t := a.Table()
		t.Title, t.Note = "", ""
		b.WriteString(t.MIME()[display.HTML].(string))
		b.WriteString(`<div class="figures">`)
		for _, f := range a.Figures {
			b.WriteString(f.picture())
		}
		b.WriteString("</div>\n")
		for _, t := range a.Tables {
			title := t.Title
			u := *t
			u.Title = ""
			fmt.Fprintf(&b, "<details><summary>%s</summary>%s</details>\n", html.EscapeString(title), u.MIME()[display.HTML])
		}
	}
	b.WriteString(`<p class="grey" style="margin-top:50px">What each number is, and its source: docs/judge.md of trafficgpt.</p>`)
	return fmt.Sprintf(page, html.EscapeString(r.Synth.Name+" judged against "+r.Real.Name), b.String())
}

// sidesLine says in a line what was given.
func (r *Report) sidesLine() string {
	s := fmt.Sprintf("Real: %s flows of %s. Generated: %s flows of %s. ", display.Count(r.Real.Given), r.Real.Name, display.Count(r.Synth.Given), r.Synth.Name)
	if r.TrainGiven {
		s += fmt.Sprintf("Learned from: %s flows of %s. ", display.Count(r.Train.Given), r.Train.Name)
	} else {
		s += "What it was learned from was not given. "
	}
	return s + "Judged in " + display.Duration(r.Duration) + "."
}

// picture is the figure as an image for light and for dark pages.
func (f Figure) picture() string {
	uri := func(svg string) string {
		return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg))
	}
	return fmt.Sprintf(`<picture><source media="(prefers-color-scheme: dark)" srcset="%s"><img alt="%s" width="%.0f" src="%s"></picture>`,
		uri(f.Plot.Dark().SVGText()), html.EscapeString(f.Plot.Title), f.Plot.Width, uri(f.Plot.SVGText()))
}
