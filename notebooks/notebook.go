// Package notebooks reads, runs, writes and exports Jupyter notebooks
// (nbformat 4) and cell scripts (.go files with // %% marks).
//
// What it writes is what Python's nbformat would write byte for byte: keys
// sorted, one space of indentation, text split into lines; so a run that
// changes nothing leaves no difference in version control.
package notebooks

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"trafficgpt/atomicfile"
)

// Notebook is one document. Fields this package does not know are kept.
type Notebook struct {
	Metadata map[string]any
	Cells    []*Cell
	minor    int
	rest     map[string]any // top-level fields beside the known ones
}

// Cell is one cell. Outputs and Count mean something for code cells only.
type Cell struct {
	ID       string
	Type     string // "code", "markdown" or "raw"
	Source   string
	Metadata map[string]any
	Outputs  []map[string]any
	Count    int // execution count, 0 when not executed
	rest     map[string]any
}

// Tagged reports whether the cell carries the tag.
func (c *Cell) Tagged(tag string) bool {
	tags, _ := c.Metadata["tags"].([]any)
	for _, t := range tags {
		if t == tag {
			return true
		}
	}
	return false
}

// Read reads a notebook (.ipynb) or a cell script (.go). Errors name the file
// and, where the JSON is broken, the line.
func Read(path string) (*Notebook, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the notebook: %w", err)
	}
	if strings.EqualFold(filepath.Ext(path), ".go") {
		return parseScript(string(data)), nil
	}
	nb, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not a notebook: %w", path, err)
	}
	return nb, nil
}

// Parse decodes nbformat 4 JSON.
func Parse(data []byte) (*Notebook, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var root map[string]any
	if err := dec.Decode(&root); err != nil {
		return nil, fmt.Errorf("line %d: %w", lineOf(data, dec.InputOffset(), err), err)
	}
	if root == nil {
		return nil, fmt.Errorf("it holds no JSON object")
	}
	if major := integer(root["nbformat"]); major != 4 {
		return nil, fmt.Errorf("nbformat is %d, only 4 can be read", major)
	}
	list, ok := root["cells"].([]any)
	if !ok {
		return nil, fmt.Errorf("it has no list of cells")
	}
	nb := &Notebook{minor: integer(root["nbformat_minor"]), Metadata: object(root["metadata"]), rest: root}
	for i, item := range list {
		cell, err := parseCell(i, item)
		if err != nil {
			return nil, err
		}
		nb.Cells = append(nb.Cells, cell)
	}
	for _, known := range []string{"cells", "metadata", "nbformat", "nbformat_minor"} {
		delete(root, known)
	}
	return nb, nil
}

func parseCell(i int, item any) (*Cell, error) {
	m, ok := item.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("cell %d is not an object", i+1)
	}
	c := &Cell{Metadata: object(m["metadata"]), rest: m}
	c.ID, _ = m["id"].(string)
	if c.Type, ok = m["cell_type"].(string); !ok {
		return nil, fmt.Errorf("cell %d has no cell_type", i+1)
	}
	if c.Source, ok = multiline(m["source"]); !ok {
		return nil, fmt.Errorf("cell %d has no source", i+1)
	}
	c.Count = integer(m["execution_count"])
	outputs, _ := m["outputs"].([]any)
	for _, o := range outputs {
		if out, ok := o.(map[string]any); ok {
			c.Outputs = append(c.Outputs, joinOutput(out))
		}
	}
	if c.ID == "" { // nbformat 4.5 wants one; derived, so that reading twice agrees
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", i, c.Type, c.Source))
		c.ID = hex.EncodeToString(sum[:4])
	}
	for _, known := range []string{"id", "cell_type", "source", "metadata", "outputs", "execution_count"} {
		delete(m, known)
	}
	return c, nil
}

// Bytes encodes the notebook as nbformat 4.5.
func (nb *Notebook) Bytes() ([]byte, error) {
	root := map[string]any{"nbformat": 4, "nbformat_minor": max(nb.minor, 5), "metadata": nb.Metadata}
	cells := make([]any, 0, len(nb.Cells))
	for _, c := range nb.Cells {
		cells = append(cells, c.tree())
	}
	root["cells"] = cells
	for k, v := range nb.rest {
		root[k] = v
	}
	var b bytes.Buffer
	if err := encodeJSON(&b, root, 0); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

func (c *Cell) tree() map[string]any {
	m := map[string]any{"id": c.ID, "cell_type": c.Type, "metadata": c.Metadata, "source": lines(c.Source)}
	if c.Type == "code" {
		outputs := make([]any, 0, len(c.Outputs))
		for _, o := range c.Outputs {
			outputs = append(outputs, splitOutput(o))
		}
		m["outputs"], m["execution_count"] = outputs, nil
		if c.Count > 0 {
			m["execution_count"] = c.Count
		}
	}
	for k, v := range c.rest {
		m[k] = v
	}
	return m
}

// Write stores the notebook, whole or not at all: a full disk or a kill leaves what
// was there.
func (nb *Notebook) Write(path string) error {
	data, err := nb.Bytes()
	if err != nil {
		return fmt.Errorf("failed to encode %s: %w", path, err)
	}
	return atomicfile.WriteBytes(path, data)
}

func object(v any) map[string]any {
	if m, ok := v.(map[string]any); ok {
		return m
	}
	return map[string]any{}
}

func integer(v any) int {
	if n, ok := v.(json.Number); ok {
		i, _ := n.Int64()
		return int(i)
	}
	return 0
}

func lineOf(data []byte, offset int64, err error) int {
	if e, ok := err.(*json.SyntaxError); ok {
		offset = e.Offset
	}
	return 1 + bytes.Count(data[:min(int(offset), len(data))], []byte("\n"))
}
