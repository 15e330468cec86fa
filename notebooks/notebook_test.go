package notebooks

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// reference is what nbformat 5.10 wrote for the same notebook.
const reference = `{
 "cells": [
  {
   "cell_type": "markdown",
   "id": "m1",
   "metadata": {},
   "source": [
    "# Title\n",
    "é \"quoted\" \\ <b>"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "c1",
   "metadata": {
    "tags": [
     "parameters"
    ]
   },
   "outputs": [
    {
     "data": {
      "image/png": "aGk=",
      "text/plain": [
       "a\n",
       "b"
      ]
     },
     "metadata": {},
     "output_type": "display_data"
    }
   ],
   "source": [
    "n := 1\n",
    "name := \"x\""
   ]
  },
  {
   "cell_type": "code",
   "execution_count": null,
   "id": "c2",
   "metadata": {},
   "outputs": [],
   "source": []
  }
 ],
 "metadata": {
  "custom": 1.5
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`

func TestRoundTripIsByteExact(t *testing.T) {
	nb, err := Parse([]byte(reference))
	if err != nil {
		t.Fatal(err)
	}
	got, err := nb.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != reference {
		t.Errorf("got:\n%s", got)
	}
}

func TestReadNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"{\n\"cells\": [}":               "line 2",
		`{"nbformat": 3, "cells": []}`:   "nbformat is 3",
		`{"nbformat": 4}`:                "no list of cells",
		`{"nbformat": 4, "cells": [1]}`:  "cell 1 is not an object",
		`{"nbformat": 4, "cells": [{}]}`: "cell 1 has no cell_type",
		``:                               "EOF",
		`null`:                           "no JSON object",
		`{"nbformat":4,"cells":[{"cell_type":1}]}`: "cell 1 has no cell_type",
	} {
		path := filepath.Join(t.TempDir(), "x.ipynb")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want one with %q and the path", text, err, want)
		}
	}
}

// scripted is an engine whose cells are commands of the test.
type scripted struct {
	interp.Engine
	ran []string
}

func (s *scripted) Close() error { return nil }

func (s *scripted) Eval(_ context.Context, c interp.Cell, sink interp.Sink) interp.Result {
	s.ran = append(s.ran, c.Code)
	var res interp.Result
	switch c.Code {
	case "print":
		sink.Stdout([]byte("a"))
		sink.Stdout([]byte("b\n"))
		sink.Stderr([]byte("e\n"))
	case "show":
		sink.Emit(display.Event{ID: "d", Data: display.Bundle{display.Text: "first"}})
		sink.Emit(display.Event{Data: display.Bundle{display.PNG: []byte("hi")}})
	case "update":
		sink.Emit(display.Event{Kind: display.Update, ID: "d", Data: display.Bundle{display.Text: "second"}})
	case "clear":
		sink.Stdout([]byte("gone"))
		sink.Emit(display.Event{Kind: display.Clear, Wait: true})
		sink.Stdout([]byte("kept"))
	case "value":
		res.Value = display.Bundle{display.Text: "42"}
	case "ask":
		_, err := sink.Input(context.Background(), "?", false)
		res.Err = &interp.Error{Name: "Error", Message: err.Error()}
	case "fail":
		res.Err = &interp.Error{Name: "Panic", Message: "boom", Traceback: []string{"at cell 1"}}
	}
	return res
}

func document(sources ...string) *Notebook {
	nb := &Notebook{Metadata: map[string]any{}, minor: 5}
	for i, s := range sources {
		nb.Cells = append(nb.Cells, &Cell{ID: scriptID(i), Type: "code", Source: s, Metadata: map[string]any{}})
	}
	return nb
}

func TestRunRecordsAsJupyterDoes(t *testing.T) {
	nb := document("print", "show", "update", "clear", "value", "")
	if err := Run(t.Context(), nb, &scripted{}, Options{}); err != nil {
		t.Fatal(err)
	}
	out := func(cell, i int) map[string]any { return nb.Cells[cell].Outputs[i] }
	if got := out(0, 0)["text"]; got != "ab\n" || len(nb.Cells[0].Outputs) != 2 {
		t.Errorf("stream: %v", nb.Cells[0].Outputs)
	}
	if got := out(1, 0)["data"].(map[string]any)["text/plain"]; got != "second" {
		t.Errorf("an update of a later cell must reach the output: %v", got)
	}
	if got := out(1, 1)["data"].(map[string]any)["image/png"]; got != "aGk=" {
		t.Errorf("png: %v", got)
	}
	if len(nb.Cells[2].Outputs) != 0 {
		t.Errorf("an update is no output of its own cell: %v", nb.Cells[2].Outputs)
	}
	if got := out(3, 0)["text"]; got != "kept" || len(nb.Cells[3].Outputs) != 1 {
		t.Errorf("clear: %v", nb.Cells[3].Outputs)
	}
	if o := out(4, 0); o["output_type"] != "execute_result" || o["execution_count"] != 5 {
		t.Errorf("result: %v", o)
	}
	if nb.Cells[5].Count != 0 {
		t.Errorf("an empty cell is not executed, count %d", nb.Cells[5].Count)
	}
}

func TestRunStopsAtTheFirstFailure(t *testing.T) {
	nb, engine := document("print", "fail", "value"), &scripted{}
	err := Run(t.Context(), nb, engine, Options{})
	var failure *Failure
	if !errors.As(err, &failure) || failure.Cell != 2 {
		t.Fatalf("error %v", err)
	}
	if len(engine.ran) != 2 {
		t.Errorf("ran %v", engine.ran)
	}
	if o := nb.Cells[1].Outputs; len(o) != 1 || o[0]["ename"] != "Panic" {
		t.Errorf("outputs %v", o)
	}
	if err := Run(t.Context(), document("ask"), engine, Options{}); err == nil || !strings.Contains(err.Error(), "nobody can answer") {
		t.Errorf("input: %v", err)
	}
}

func TestParameters(t *testing.T) {
	nb := document("steps := 100\nvar out = \"a.pcap\"", "value")
	nb.Cells[0].Metadata["tags"] = []any{"parameters"}
	engine := &scripted{}
	params := []Parameter{{"steps", "7"}, {"out", "/tmp/b c.pcap"}}
	for range 2 { // the second run replaces the cell that the first one put in
		if err := Run(t.Context(), nb, engine, Options{Parameters: params}); err != nil {
			t.Fatal(err)
		}
		if want := "// Parameters\nsteps = 7\nout = \"/tmp/b c.pcap\""; nb.Cells[1].Source != want || len(nb.Cells) != 3 {
			t.Errorf("got %q in %d cells", nb.Cells[1].Source, len(nb.Cells))
		}
	}
	for _, bad := range []Parameter{{"step", "1"}, {"steps", "1 +"}} {
		if err := Run(t.Context(), nb, engine, Options{Parameters: []Parameter{bad}}); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
	if err := document("x := 1").inject(params); err == nil {
		t.Error("a notebook without a parameters cell took parameters")
	}
}

func TestRunFile(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.ipynb"), filepath.Join(dir, "out.ipynb")
	if err := document("print", "fail").Write(in); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(in)
	started := ""
	start := func(dir string) (interp.Engine, error) {
		started = dir
		return &scripted{}, nil
	}
	var failure *Failure
	if err := RunFile(t.Context(), in, FileOptions{Start: start, Out: out}); !errors.As(err, &failure) || err.Error() != "cell 2 failed: Panic: boom" || started != dir {
		t.Errorf("%v, in %s", err, started)
	}
	if nb, err := Read(out); err != nil || len(nb.Cells[1].Outputs) != 1 {
		t.Errorf("the outputs up to the failure must be stored: %v", err)
	}
	if after, _ := os.ReadFile(in); !bytes.Equal(before, after) {
		t.Error("the input changed")
	}
	var live bytes.Buffer
	if err := RunFile(t.Context(), in, FileOptions{Start: start, Dir: "/", Options: Options{Live: &live}}); !errors.As(err, &failure) || live.String() != "ab\ne\n" || started != "/" {
		t.Errorf("%v, printed %q, in %s", err, live.String(), started)
	}
	started = ""
	for name, o := range map[string]FileOptions{"none.ipynb": {Start: start}, "in.ipynb": {Start: start, Out: filepath.Join(dir, "no", "x.ipynb")}} {
		if err := RunFile(t.Context(), filepath.Join(dir, name), o); err == nil || started != "" {
			t.Errorf("%s: %v, started in %q", name, err, started)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) != 0 {
		t.Errorf("temporary files left: %v", left)
	}
}

func TestScript(t *testing.T) {
	nb := parseScript("// a program\nx := 1\n\n// %% [markdown]\n// # Title\n// text\n// %%\nx\n")
	if len(nb.Cells) != 3 || nb.Cells[0].Source != "// a program\nx := 1" || nb.Cells[1].Source != "# Title\ntext" ||
		nb.Cells[1].Type != "markdown" || nb.Cells[2].Source != "x" {
		for _, c := range nb.Cells {
			t.Errorf("%s %q", c.Type, c.Source)
		}
	}
}

// The states of controls are stored for the front end that opens the notebook.
func TestWidgetStates(t *testing.T) {
	rec := newRecorder(nil)
	nb := &Notebook{Metadata: map[string]any{}, minor: 5}
	rec.widgets.store(nb)
	if len(nb.Metadata) != 0 {
		t.Errorf("without controls: %v", nb.Metadata)
	}
	for _, e := range []display.Event{
		{Kind: display.CommOpen, ID: "m", Target: "jupyter.widget", Data: display.Bundle{display.JSON: map[string]any{"state": map[string]any{"_model_name": "IntSliderModel", "value": 1}}}},
		{Kind: display.CommOpen, ID: "other", Target: "else", Data: display.Bundle{}},
		{Kind: display.CommMsg, ID: "m", Data: display.Bundle{display.JSON: map[string]any{"method": "update", "state": map[string]any{"value": 7}}}},
		{Kind: display.CommMsg, ID: "m", Data: display.Bundle{display.JSON: map[string]any{"method": "echo_update", "state": map[string]any{"value": 9}}}},
	} {
		rec.emit(e)
	}
	rec.widgets.store(nb)
	stored := nb.Metadata["widgets"].(map[string]any)["application/vnd.jupyter.widget-state+json"].(map[string]any)["state"].(map[string]any)
	model := stored["m"].(map[string]any)
	if len(stored) != 1 || model["model_name"] != "IntSliderModel" || model["state"].(map[string]any)["value"] != 7.0 {
		t.Errorf("stored %v", stored)
	}
}

// What a cell prints after its end stays its own.
func TestLateOutput(t *testing.T) {
	rec := newRecorder(nil)
	one, two := &Cell{}, &Cell{}
	rec.begin(one)
	first := cellSink{rec, one}
	first.Stdout([]byte("a"))
	rec.begin(two)
	second := cellSink{rec, two}
	second.Stdout([]byte("b"))
	first.Stdout([]byte("c"))
	second.Stdout([]byte("d"))
	if one.Outputs[0]["text"] != "ac" || two.Outputs[0]["text"] != "bd" || len(one.Outputs)+len(two.Outputs) != 2 {
		t.Errorf("outputs %v and %v", one.Outputs, two.Outputs)
	}
}
