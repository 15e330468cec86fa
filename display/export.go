package display

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// given is a cell that Row was given as a number: what it shows, and the number
// in all its digits. They are told apart from a cell that was written over since.
type given struct{ shown, exact string }

// exact writes a number as CSV and JSON hold it; it is "" for one that JSON
// does not know, such as NaN, and ok is false for what is no number.
func exact(v any) (s string, ok bool) {
	if d, is := v.(time.Duration); is {
		v = d.Seconds()
	}
	switch v.(type) {
	case nil:
		return "", true
	case fmt.Stringer, error:
		return "", false
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return strconv.FormatInt(rv.Int(), 10), true
	case rv.CanUint():
		return strconv.FormatUint(rv.Uint(), 10), true
	case rv.CanFloat():
		s := strconv.FormatFloat(rv.Float(), 'g', -1, rv.Type().Bits())
		if strings.ContainsAny(s, "NI") {
			s = ""
		}
		return s, true
	}
	return "", false
}

// cell is what CSV and JSON hold of a cell: its text, or a number; and neither
// where there is no value.
func (t *Table) cell(r, c int) (text string, number, none bool) {
	if c >= len(t.Rows[r]) {
		return "", false, true
	}
	s := t.Rows[r][c]
	if g, ok := t.given[[2]int{r, c}]; ok && g.shown == s {
		return g.exact, true, g.exact == ""
	}
	return s, false, s == "–"
}

// CSV is the table as comma-separated values (RFC 4180), the header first and
// all rows whatever Limit says. Cells given to Row as numbers have all their
// digits and nothing else, durations are in seconds; NaN, infinities and "–" are
// empty. Title, Note and More are left out.
func (t *Table) CSV() string {
	var b strings.Builder
	columns := t.columns()
	record := func(field func(c int) string) {
		for c := range columns {
			if c > 0 {
				b.WriteByte(',')
			}
			s := field(c)
			// A line of one empty field would be no record at all.
			if strings.ContainsAny(s, "\",\r\n") || s == "" && columns == 1 {
				s = `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
			}
			b.WriteString(s)
		}
		b.WriteString("\r\n")
	}
	if len(t.Header) > 0 {
		record(func(c int) string { return at(t.Header, c) })
	}
	for r := range t.Rows {
		record(func(c int) string {
			s, _, none := t.cell(r, c)
			if none {
				return ""
			}
			return s
		})
	}
	return b.String()
}

// JSON is the table as an array of objects, one a row, all rows whatever Limit
// says; the keys are the column heads, in their order. Cells given to Row as
// numbers are numbers in all their digits, durations in seconds; NaN, infinities,
// "–" and cells that are not there are null, all others strings. A column without
// a head is "value", and what would be there twice gets a number: "flows 2".
// Title, Note and More are left out.
func (t *Table) JSON() string {
	keys := t.keys()
	var b strings.Builder
	b.WriteString("[")
	for r := range t.Rows {
		if r > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for c, k := range keys {
			if c > 0 {
				b.WriteString(", ")
			}
			s, number, none := t.cell(r, c)
			switch {
			case none:
				s = "null"
			case !number:
				s = quoted(s)
			}
			b.WriteString(quoted(k) + ": " + s)
		}
		b.WriteString("}")
	}
	if len(t.Rows) > 0 {
		b.WriteString("\n")
	}
	return b.String() + "]\n"
}

// keys are the column heads, none empty and none twice.
func (t *Table) keys() []string {
	out := make([]string, t.columns())
	taken := map[string]bool{}
	for _, h := range t.Header {
		taken[h] = true
	}
	used := map[string]bool{}
	for c := range out {
		head := at(t.Header, c)
		if head == "" {
			head = "value"
		}
		key := head
		for n := 2; used[key] || key != at(t.Header, c) && taken[key]; n++ {
			key = fmt.Sprintf("%s %d", head, n)
		}
		out[c], used[key] = key, true
	}
	return out
}

// quoted is s as a JSON string.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil { // a string always encodes
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// LaTeX is the table for a paper: a tabular with the rules of the package
// booktabs in a table, with Title and Note as its caption, all rows whatever
// Limit says, and cells as they are shown. What is special to TeX is escaped;
// other letters stay Unicode.
func (t *Table) LaTeX() string {
	var b strings.Builder
	b.WriteString("\\begin{table}[ht]\n\\centering\n")
	if caption := t.caption(); caption != "" {
		b.WriteString("\\caption{" + caption + "}\n")
	}
	aligns := t.aligns()
	columns := string(aligns)
	if columns == "" {
		columns = "l" // TeX knows no table without columns
	}
	b.WriteString("\\begin{tabular}{" + columns + "}\n\\toprule\n")
	line := func(row []string) {
		for c := range aligns {
			if c > 0 {
				b.WriteString(" & ")
			}
			b.WriteString(texEscape(at(row, c)))
		}
		b.WriteString(" \\\\\n")
	}
	if len(t.Header) > 0 {
		line(t.Header)
		b.WriteString("\\midrule\n")
	}
	for _, r := range t.Rows {
		line(r)
	}
	if t.More > 0 {
		fmt.Fprintf(&b, "\\multicolumn{%d}{l}{%s} \\\\\n", len(columns), texEscape(t.beyond()))
	}
	b.WriteString("\\bottomrule\n\\end{tabular}\n\\end{table}\n")
	return b.String()
}

// caption is Title and Note as sentences.
func (t *Table) caption() string {
	var parts []string
	for _, s := range append([]string{t.Title}, t.notes()...) {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if !strings.ContainsAny(s[len(s)-1:], ".!?:;") {
			s += "."
		}
		parts = append(parts, texEscape(s))
	}
	return strings.Join(parts, " ")
}

// tex is what TeX would take as something else: its own characters, those that
// its older fonts have elsewhere, pairs that it joins, a bracket or star that
// would be an argument of the line break before it, and signs it has only
// in formulas.
var tex = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `$`, `\$`, `&`, `\&`, `#`, `\#`, `%`, `\%`, `_`, `\_`,
	`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `<`, `\textless{}`, `>`, `\textgreater{}`, `|`, `\textbar{}`,
	`--`, `-{}-{}`, "`", "{}`{}", `''`, `'{}'{}`, `[`, `{[}`, `*`, `{*}`,
	`−`, `$-$`, `≤`, `$\leq$`, `≥`, `$\geq$`, `≈`, `$\approx$`, `×`, `$\times$`, `→`, `$\rightarrow$`, `←`, `$\leftarrow$`,
)

func texEscape(s string) string {
	return tex.Replace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s))
}
