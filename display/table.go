package display

import (
	"fmt"
	"html"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Table shows rows of text as an HTML table that follows Jupyter's theme and
// as aligned plain text. Columns of numbers are set right, others left.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Note   string // under the table, one line or several
	Limit  int    // rows shown, the first and the last; 0 means 60, negative all
	More   int    // rows behind the last that the table does not hold, and only counts
	Align  string // one letter a column, l r or c; missing ones are chosen by content

	html  map[[2]int]string
	given map[[2]int]given
}

// Cell is a table entry that looks better in HTML than as text.
type Cell struct{ Text, HTML string }

// NewTable makes an empty table with these column heads.
func NewTable(header ...string) *Table { return &Table{Header: header} }

// Row adds a row. Whole numbers get thousands separators, floats four
// significant digits; a Cell may bring its own HTML; a string stays as it is.
func (t *Table) Row(values ...any) *Table {
	row := make([]string, len(values))
	for i, v := range values {
		if c, ok := v.(Cell); ok {
			if t.html == nil {
				t.html = map[[2]int]string{}
			}
			t.html[[2]int{len(t.Rows), i}] = c.HTML
			row[i] = c.Text
			continue
		}
		row[i] = Number(v)
		if x, ok := exact(v); ok {
			if t.given == nil {
				t.given = map[[2]int]given{}
			}
			t.given[[2]int{len(t.Rows), i}] = given{row[i], x}
		}
	}
	t.Rows = append(t.Rows, row)
	return t
}

// Count writes n with thousands separators: 12,032.
func Count(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Number writes a value as tables show it.
func Number(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case time.Duration:
		return Duration(x)
	case fmt.Stringer:
		return x.String()
	case error:
		return x.Error()
	}
	switch rv := reflect.ValueOf(v); {
	case rv.CanInt():
		return Count(int(rv.Int()))
	case rv.CanUint() && rv.Uint() <= math.MaxInt:
		return Count(int(rv.Uint()))
	case rv.CanFloat():
		f := rv.Float()
		if a := math.Abs(f); a >= 1000 && a < 1e15 {
			return Count(int(math.Round(f)))
		}
		return strconv.FormatFloat(f, 'g', 4, 64)
	}
	return fmt.Sprint(v)
}

// Duration writes d with three significant digits at most: 1.25 s, 3 min 20 s.
func Duration(d time.Duration) string {
	switch a := d.Abs(); {
	case d == 0:
		return "0 s"
	case a < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case a < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case a < time.Second-time.Millisecond/2:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	case a < 99500*time.Millisecond:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case a < time.Hour:
		s := int(math.Round(d.Seconds()))
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	default:
		m := int(math.Round(d.Minutes()))
		return fmt.Sprintf("%d h %d min", m/60, m%60)
	}
}

// MIME shows the table as HTML and as text.
func (t *Table) MIME() Bundle { return Bundle{HTML: t.markup(), Text: t.String()} }

func (t *Table) columns() int {
	n := len(t.Header)
	for _, r := range t.Rows {
		n = max(n, len(r))
	}
	return n
}

// aligns is one letter a column.
func (t *Table) aligns() []byte {
	out := make([]byte, t.columns())
	for c := range out {
		if c < len(t.Align) && strings.IndexByte("lrc", t.Align[c]) >= 0 {
			out[c] = t.Align[c]
			continue
		}
		out[c] = 'l'
		for r := range t.Rows {
			s := at(t.Rows[r], c)
			if s == "" || s == "–" {
				continue
			}
			if !numeric(s) {
				out[c] = 'l'
				break
			}
			out[c] = 'r'
		}
	}
	return out
}

// numeric tells a number, also with a unit or a ± behind it, from a word.
func numeric(s string) bool {
	s = strings.TrimLeft(s, "+-−±<>≈≤≥ ")
	r, _ := utf8.DecodeRuneInString(s)
	if r == '.' && len(s) > 1 {
		r = rune(s[1])
	}
	return unicode.IsDigit(r) && !strings.Contains(s, ":") && strings.Count(s, ".") < 3 ||
		s == "NaN" || s == "Inf"
}

func at(row []string, c int) string {
	if c < len(row) {
		return row[c]
	}
	return ""
}

// shown are the indices of the rows to show; -1 stands for the gap.
func (t *Table) shown() []int {
	limit := t.Limit
	if limit == 0 {
		limit = 60
	}
	n := len(t.Rows)
	var out []int
	for r := 0; r < n; r++ {
		if limit > 0 && n > limit && r == limit-limit/6 {
			out = append(out, -1)
			r = n - limit/6
		}
		if r < n {
			out = append(out, r)
		}
	}
	return out
}

func (t *Table) gap(shown []int) string {
	return fmt.Sprintf("… %s more rows …", Count(len(t.Rows)-len(shown)+1))
}

func (t *Table) beyond() string { return fmt.Sprintf("… and %s more", Count(t.More)) }

// notes are the lines under the table.
func (t *Table) notes() []string {
	if t.Note == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(t.Note, "\n"), "\n")
}

// String is the table as aligned text.
func (t *Table) String() string {
	aligns, shown := t.aligns(), t.shown()
	width := make([]int, len(aligns))
	for c := range aligns {
		width[c] = Width(at(t.Header, c))
		for _, r := range shown {
			if r >= 0 {
				width[c] = max(width[c], Width(oneLine(at(t.Rows[r], c))))
			}
		}
	}
	var b strings.Builder
	line := func(row []string) {
		var l strings.Builder
		for c, w := range width {
			if c > 0 {
				l.WriteString("  ")
			}
			l.WriteString(pad(oneLine(at(row, c)), w, aligns[c]))
		}
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	if t.Title != "" {
		b.WriteString(t.Title + "\n")
	}
	if len(t.Header) > 0 {
		line(t.Header)
		for c, w := range width {
			if c > 0 {
				b.WriteString("  ")
			}
			b.WriteString(strings.Repeat("─", w))
		}
		b.WriteByte('\n')
	}
	for _, r := range shown {
		if r < 0 {
			b.WriteString(t.gap(shown) + "\n")
			continue
		}
		line(t.Rows[r])
	}
	if t.More > 0 {
		b.WriteString(t.beyond() + "\n")
	}
	for _, n := range t.notes() {
		b.WriteString(n + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func pad(s string, width int, align byte) string {
	n := max(width-Width(s), 0)
	switch align {
	case 'r':
		return strings.Repeat(" ", n) + s
	case 'c':
		return strings.Repeat(" ", n/2) + s + strings.Repeat(" ", n-n/2)
	}
	return s + strings.Repeat(" ", n)
}

// Width is the number of terminal columns of s, which holds no escapes:
// combining marks take none, East Asian wide characters and emoji two.
func Width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 ||
			r >= 0xffe0 && r <= 0xffe6 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
			n += 2
		default:
			n++
		}
	}
	return n
}

// tableStyle leaves colours to the page where it can: JupyterLab's variables,
// and translucent grey elsewhere, read well on light and on dark.
const tableStyle = `<style>.tg-t{overflow-x:auto}.tg-t table{border-collapse:collapse;border:0;margin:2px 0;` +
	`font-size:13px;line-height:1.35;font-variant-numeric:tabular-nums;color:var(--jp-content-font-color1,inherit)}` +
	`.tg-t caption{caption-side:top;text-align:left;font-weight:600;padding:2px 10px 5px 0;color:inherit}` +
	`.tg-t th,.tg-t td{padding:3px 12px 3px 6px;border:0;white-space:nowrap;text-align:left!important;vertical-align:baseline}` +
	`.tg-t th{font-weight:600;border-bottom:1px solid var(--jp-border-color1,#8888)}` +
	`.tg-t .r{text-align:right!important}.tg-t .c{text-align:center!important}` +
	`.tg-t tbody tr{background:transparent}.tg-t tbody tr:nth-child(even){background:var(--jp-rendermime-table-row-background,#8881)}` +
	`.tg-t tbody tr:hover{background:var(--jp-rendermime-table-row-hover-background,#8883)}` +
	`.tg-t p{margin:3px 0 6px;font-size:12px;color:var(--jp-content-font-color2,inherit);opacity:.85}</style>`

func (t *Table) markup() string {
	aligns, shown := t.aligns(), t.shown()
	class := func(c int) string {
		if aligns[c] == 'l' {
			return ""
		}
		return ` class="` + string(aligns[c]) + `"`
	}
	var b strings.Builder
	b.WriteString(`<div class="tg-t">` + tableStyle + `<table>`)
	if t.Title != "" {
		b.WriteString("<caption>" + html.EscapeString(t.Title) + "</caption>")
	}
	if len(t.Header) > 0 {
		b.WriteString("<thead><tr>")
		for c := range aligns {
			b.WriteString("<th" + class(c) + ">" + html.EscapeString(at(t.Header, c)) + "</th>")
		}
		b.WriteString("</tr></thead>")
	}
	b.WriteString("<tbody>")
	for _, r := range shown {
		if r < 0 {
			fmt.Fprintf(&b, `<tr><td colspan="%d" class="c">%s</td></tr>`, len(aligns), t.gap(shown))
			continue
		}
		b.WriteString("<tr>")
		for c := range aligns {
			cell, rich := t.html[[2]int{r, c}]
			if !rich {
				cell = html.EscapeString(at(t.Rows[r], c))
			}
			b.WriteString("<td" + class(c) + ">" + cell + "</td>")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("</tbody></table>")
	if t.More > 0 {
		b.WriteString("<p>" + t.beyond() + "</p>")
	}
	for _, n := range t.notes() {
		b.WriteString("<p>" + html.EscapeString(n) + "</p>")
	}
	b.WriteString("</div>")
	return b.String()
}
