package session

import (
	"strings"
	"testing"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// A value of a type that was declared anew is named as such in the list of
// variables too (testdata/cells/redefinition.txt has the rest).
func TestStaleVariables(t *testing.T) {
	s := newTestSession(t)
	for _, code := range []string{"type T struct{ X int }\nold := T{2}", "type T struct{ X, Y int }"} {
		if _, r := cellOut(s, code); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	var m memory
	s.Eval(t.Context(), interp.Cell{Code: "%vars"}, &m)
	text := ""
	for _, e := range m.events {
		v, _ := e.Data[display.Text].(string)
		text += v
	}
	if !strings.Contains(text, "T, earlier version") {
		t.Errorf("%%vars:\n%s%s", text, m.out.String())
	}
}
