package display

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// hostile are cells that mean something to one of the formats.
var hostile = []string{
	`a "quoted" word`, "two\nlines\r\nand more", "comma, semicolon; tab\t", `\textbf{x} & 5 % _ # $ ~ ^`,
	"=1+1", "日本 é ✓", "", " ", `\.`, "<b>&amp;</b>", "[2pt]", "*", "--x ---y", "``z''", "\x00\x1b[31m",
}

func hostileTable() *Table {
	t := NewTable(`head "1", x`, "=2")
	t.Limit = 1
	for _, s := range hostile {
		t.Row(s, s)
	}
	return t
}

func TestCSVIsReadBack(t *testing.T) {
	got, err := csv.NewReader(strings.NewReader(hostileTable().CSV())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{`head "1", x`, "=2"}}
	for _, s := range hostile {
		s = strings.ReplaceAll(s, "\r\n", "\n") // which the reader does to what it reads
		want = append(want, []string{s, s})
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back\n%q, want\n%q", got, want)
	}
}

func TestJSONIsReadBack(t *testing.T) {
	var got []map[string]string
	if err := json.Unmarshal([]byte(hostileTable().JSON()), &got); err != nil {
		t.Fatal(err)
	}
	for i, s := range hostile {
		if want := map[string]string{`head "1", x`: s, "=2": s}; !reflect.DeepEqual(got[i], want) {
			t.Errorf("row %d is %q, want %q", i, got[i], want)
		}
	}
}

func TestExportsHoldNumbersInFull(t *testing.T) {
	type port uint16
	table := NewTable("v")
	for _, v := range []any{12032, -7, uint64(math.MaxUint64), port(443), 1234567.891, float32(0.1), 1e300, 1500 * time.Millisecond,
		math.NaN(), math.Inf(-1), nil, "–", "1,234", "0x1p3", time.March, Cell{Text: "5", HTML: "<b>5</b>"}} {
		table.Row(v)
	}
	want := []string{"12032", "-7", "18446744073709551615", "443", "1.234567891e+06", "0.1", "1e+300", "1.5",
		"null", "null", "null", "null", `"1,234"`, `"0x1p3"`, `"March"`, `"5"`}
	lines := strings.Split(strings.TrimSuffix(table.JSON(), "\n]\n"), "\n")[1:]
	for i, w := range want {
		if got := strings.TrimSuffix(strings.TrimSpace(lines[i]), ","); got != `{"v": `+w+`}` {
			t.Errorf("row %d is %s, want the value %s", i, got, w)
		}
	}
	rows := strings.Split(table.CSV(), "\r\n")[1:]
	for i, w := range map[int]string{0: "12032", 2: "18446744073709551615", 4: "1.234567891e+06", 7: "1.5", 8: `""`, 11: `""`, 12: `"1,234"`} {
		if rows[i] != w {
			t.Errorf("CSV row %d is %s, want %s", i, rows[i], w)
		}
	}
}

// Rows may be changed after Row: what was given for another cell is then not it.
func TestExportsFollowRowsThatWereChanged(t *testing.T) {
	table := NewTable("n").Row(1234567).Row(1.0 / 3)
	table.Rows[0], table.Rows[1] = table.Rows[1], table.Rows[0]
	if got := table.CSV(); got != "n\r\n0.3333\r\n\"1,234,567\"\r\n" {
		t.Errorf("CSV of swapped rows: %q", got)
	}
}

func TestJSONKeysAreDistinct(t *testing.T) {
	table := NewTable("a", "", "a", "a 2", "", "a", "value")
	table.Rows = [][]string{{"1", "2", "3", "4", "5", "6", "7", "8"}, {"1"}}
	want := `[
  {"a": "1", "value 2": "2", "a 3": "3", "a 2": "4", "value 3": "5", "a 4": "6", "value": "7", "value 4": "8"},
  {"a": "1", "value 2": null, "a 3": null, "a 2": null, "value 3": null, "a 4": null, "value": null, "value 4": null}
]
`
	if got := table.JSON(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestExportsOfEmptyTables(t *testing.T) {
	for name, c := range map[string]struct {
		table           *Table
		csv, json, body string
	}{
		"nothing":      {&Table{}, "", "[]\n", "\\begin{tabular}{l}\n\\toprule\n\\bottomrule\n"},
		"only heads":   {NewTable("a", "b"), "a,b\r\n", "[]\n", "\\begin{tabular}{ll}\n\\toprule\na & b \\\\\n\\midrule\n\\bottomrule\n"},
		"only rows":    {(&Table{}).Row("x", 1), "x,1\r\n", "[\n  {\"value\": \"x\", \"value 2\": 1}\n]\n", "\\toprule\nx & 1 \\\\\n\\bottomrule\n"},
		"an empty row": {NewTable("a").Row(""), "a\r\n\"\"\r\n", "[\n  {\"a\": \"\"}\n]\n", "\\midrule\n \\\\\n"},
	} {
		if got := c.table.CSV(); got != c.csv {
			t.Errorf("%s: CSV %q, want %q", name, got, c.csv)
		}
		if got := c.table.JSON(); got != c.json {
			t.Errorf("%s: JSON %q, want %q", name, got, c.json)
		}
		if got := c.table.LaTeX(); !strings.Contains(got, c.body) {
			t.Errorf("%s: LaTeX %s, want in it %s", name, got, c.body)
		}
	}
}

func TestLaTeXEscapes(t *testing.T) {
	table := hostileTable()
	table.Title, table.Note, table.Align, table.More = "50 % of_it?", "one\ntwo.", "cr", 1200
	got := table.LaTeX()
	for _, want := range []string{
		`\caption{50 \% of\_it? one. two.}`, `\begin{tabular}{cr}`,
		`\textbackslash{}textbf\{x\} \& 5 \% \_ \# \$ \textasciitilde{} \textasciicircum{} & `,
		"\n{[}2pt] & ", "\n{*} & ", "\n-{}-{}x -{}-{}-y & ", "two lines  and more & ", "日本 é ✓", `\textless{}b\textgreater{}\&amp;`,
		`{}` + "`{}{}`{}z'{}'{} & ", "\\multicolumn{2}{l}{… and 1,200 more} \\\\\n\\bottomrule",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("LaTeX lacks %q:\n%s", want, got)
		}
	}
	if n := strings.Count(got, "\\\\\n"); n != len(hostile)+2 {
		t.Errorf("%d lines of the table, want %d", n, len(hostile)+2)
	}
}
