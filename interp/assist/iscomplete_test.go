package assist

import (
	"testing"

	"trafficgpt/interp"
)

func TestIsComplete(t *testing.T) {
	for _, c := range []struct {
		code   string
		status interp.Status
		indent string
	}{
		{"", "complete", ""},
		{"x := 1", "complete", ""},
		{"x := 1\n", "complete", ""},
		{"x++", "complete", ""},
		{"func f() {", "incomplete", "\t"},
		{"func f() {\n\tif x {", "incomplete", "\t\t"},
		{"func f() {\n\tif x {\n\t}", "incomplete", "\t"},
		{"func f() {\n\tif x {\n\t}\n}", "complete", ""},
		{"go func() { wg.Add(1", "incomplete", "\t"},
		{"http.HandleFunc(\"/\", func(w http.ResponseWriter, r *http.Request) {", "incomplete", "\t"},
		{"switch x {", "incomplete", ""},
		{"switch x {\ncase 1:", "incomplete", "\t"},
		{"if x {\n    y := 1", "incomplete", "    "},
		{"a := b +", "incomplete", "\t"},
		{"x :=", "incomplete", "\t"},
		{"strings.", "incomplete", "\t"},
		{"f(1,", "incomplete", "\t"},
		{"[]int{1,\n\t2,", "incomplete", "\t"},
		{"s := `raw", "incomplete", ""},
		{"s := `raw\n'`", "complete", ""},
		{"/* a", "incomplete", ""},
		{"x := 1 // a {", "complete", ""},
		{"s := \"{\"", "complete", ""},
		{"s := \"abc", "invalid", ""},
		{"f(1}", "invalid", ""},
		{")", "invalid", ""},
		{"for", "incomplete", "\t"},
		{"return", "complete", ""},
		{"p.x", "complete", ""},
		{"import (\n\t\"fmt\"", "incomplete", "\t"},
		{"%time", "complete", ""},
		{"!ls (", "complete", ""},
		{"%time\nfor i := range 3 {", "incomplete", "\t"},
		{"%%bash\nls", "incomplete", ""},
		{"%%bash\nls\n\n", "complete", ""},
		{"%%bash\nls\n", "incomplete", ""},
		{"é := \"ü\"; if é == \"", "invalid", ""},
	} {
		if got := IsComplete(c.code); got != (interp.Completeness{Status: c.status, Indent: c.indent}) {
			t.Errorf("%q: %+v, want %q with indent %q", c.code, got, c.status, c.indent)
		}
	}
}
