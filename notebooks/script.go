package notebooks

import (
	"strings"
)

// parseScript reads a .go cell script: cells begin at lines "// %%", Markdown
// cells at "// %% [markdown]" with their text in // comments (the percent
// format of jupytext and of editors). Text before the first mark is a cell of
// its own. A file without marks is one cell.
func parseScript(text string) *Notebook {
	nb := &Notebook{Metadata: map[string]any{}, minor: 5}
	var cell *Cell
	var body []string
	flush := func() {
		if cell == nil {
			return
		}
		source := strings.Trim(strings.Join(body, "\n"), "\n")
		if cell.Type == "markdown" {
			source = uncomment(source)
		}
		if source != "" || cell.Type == "code" && len(nb.Cells) > 0 {
			cell.Source = source
			cell.ID = scriptID(len(nb.Cells))
			nb.Cells = append(nb.Cells, cell)
		}
		body = nil
	}
	cell = &Cell{Type: "code", Metadata: map[string]any{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if mark, ok := strings.CutPrefix(line, "// %%"); ok {
			flush()
			cell = &Cell{Type: "code", Metadata: map[string]any{}}
			if strings.Contains(mark, "[markdown]") {
				cell.Type = "markdown"
			}
			if strings.Contains(mark, `tags=["parameters"]`) {
				cell.Metadata["tags"] = []any{"parameters"}
			}
			continue
		}
		body = append(body, line)
	}
	flush()
	return nb
}

func scriptID(i int) string {
	const digits = "abcdefghijklmnopqrstuvwxyz"
	return "cell-" + string(digits[i/26%26]) + string(digits[i%26])
}

func uncomment(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		line, ok := strings.CutPrefix(line, "// ")
		if !ok {
			line = strings.TrimPrefix(line, "//")
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
