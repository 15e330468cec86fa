package display_test

import (
	"fmt"
	"math"
	"strings"
	"time"

	"trafficgpt/display"
)

// A value that has a method MIME shows itself when it is the last line of a cell.
// Outside a notebook its text is printed, as here.
type port uint16

func (p port) MIME() display.Bundle {
	return display.Bundle{
		display.HTML: fmt.Sprintf("<b>port</b> %d", p),
		display.Text: fmt.Sprintf("port %d", p),
	}
}

func ExampleRich() {
	display.Show(port(443))
	// Output:
	// port 443
}

func ExampleNewTable() {
	t := display.NewTable("protocol", "flows", "bytes a flow")
	t.Title = "What was captured"
	t.Row("dns", 12032, 131.25)
	t.Row("tls", 871, 20480.5)
	display.Show(t)
	// Output:
	// What was captured
	// protocol   flows  bytes a flow
	// ────────  ──────  ────────────
	// dns       12,032         131.2
	// tls          871        20,481
}

// New shows a value that is replaced in place: of a thousand updates a notebook
// keeps the last.
func ExampleNew() {
	h := display.New("nothing read yet")
	for n := range 1000 {
		h.Update(fmt.Sprintf("%s packets read", display.Count(n+1)))
	}
	h.Flush()
	// Output:
	// 1,000 packets read
}

// Progress shows how far something is, its rate and the time left.
func ExampleProgress() {
	files := []string{"a.pcap", "b.pcap", "c.pcap"}
	bar := display.Progress("reading", len(files), display.ProgressOptions{Unit: "files"})
	for _, f := range files {
		_ = f // read it
		bar.Add(1)
	}
	text := bar.MIME()[display.Text].(string)
	fmt.Println(text[:len("reading 100 %")])
	// Output:
	// reading 100 %
}

// Of says what a front end would be given. Every value has text at least.
func ExampleOf() {
	b := display.Of([][]string{{"src", "dst"}, {"10.0.0.1", "10.0.0.2"}})
	fmt.Println(b[display.Text])
	_, html := b[display.HTML]
	fmt.Println("as HTML too:", html)
	// Output:
	// src       dst
	// ────────  ────────
	// 10.0.0.1  10.0.0.2
	// as HTML too: true
}

// Register lets a type of another package show itself.
func ExampleRegister() {
	display.Register(time.Monday, func(v any) display.Bundle {
		return display.AsText("day " + v.(time.Weekday).String())
	})
	display.Show(time.Friday)
	// Output:
	// day Friday
}

// Work that takes long asks Context at each step whether the user has interrupted
// the cell, and returns what it has.
func ExampleContext() {
	ctx := display.Context()
	sum := 0
	for i := range 1000 {
		if ctx.Err() != nil {
			break
		}
		sum += i
	}
	fmt.Println(display.Count(sum))
	// Output:
	// 499,500
}

func ExampleDuration() {
	fmt.Println(display.Duration(1250*time.Millisecond), "·", display.Duration(200*time.Second))
	// Output:
	// 1.25 s · 3 min 20 s
}

// A table goes to other programs with every digit of its numbers.
func ExampleTable_CSV() {
	t := display.NewTable("field", "JSD", "flows").Row("dst, port", 1.0/3, 12032).Row("TTL", math.NaN(), 7)
	fmt.Println(strings.ReplaceAll(t.CSV(), "\r\n", "\n"))
	// Output:
	// field,JSD,flows
	// "dst, port",0.3333333333333333,12032
	// TTL,,7
}

func ExampleTable_JSON() {
	t := display.NewTable("field", "JSD", "flows").Row("dst port", 0.25, 12032).Row("TTL", "–", 7)
	fmt.Println(t.JSON())
	// Output:
	// [
	//   {"field": "dst port", "JSD": 0.25, "flows": 12032},
	//   {"field": "TTL", "JSD": null, "flows": 7}
	// ]
}

// In a paper the table needs the package booktabs.
func ExampleTable_LaTeX() {
	t := display.NewTable("field", "JSD").Row("src_port", 0.25)
	t.Title, t.Note = "Divergences", "95 % intervals"
	fmt.Println(t.LaTeX())
	// Output:
	// \begin{table}[ht]
	// \centering
	// \caption{Divergences. 95 \% intervals.}
	// \begin{tabular}{lr}
	// \toprule
	// field & JSD \\
	// \midrule
	// src\_port & 0.25 \\
	// \bottomrule
	// \end{tabular}
	// \end{table}
}
