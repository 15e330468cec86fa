package assist

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trafficgpt/interp"
	"trafficgpt/interp/symbols"
)

// completeImport lists the packages whose path, or a part of it after a slash,
// begins with text: "stat" finds gonum.org/v1/gonum/stat.
func completeImport(text string, pos int, dir string) interp.Completion {
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "/") {
		c := CompletePath(text, pos, dir)
		c.Items = slices.DeleteFunc(c.Items, func(it interp.CompletionItem) bool { return !strings.HasSuffix(it.Text, "/") })
		return c
	}
	c := candidates{start: pos - len(text), end: pos, seen: map[string]bool{}}
	for _, path := range symbols.Paths() {
		rank := -1
		switch {
		case strings.HasPrefix(path, text):
			rank = min(rankPath(path), 50)
		case text != "" && strings.Contains(path, "/"+text):
			rank = 60 + min(rankPath(path), 30)
		}
		if rank >= 0 {
			c.add(rank, path, "package", func() string { return symbols.Synopsis(path) })
		}
	}
	return c.result()
}

// most is how many files of a folder are offered.
const most = 500

// CompletePath lists the files whose path begins with text, which ends at pos,
// seen from a folder; folders end in a slash.
func CompletePath(text string, pos int, from string) interp.Completion {
	c := candidates{start: pos - len(text), end: pos, seen: map[string]bool{}}
	dir, base := "", text
	if i := strings.LastIndexByte(text, '/'); i >= 0 {
		dir, base = text[:i+1], text[i+1:]
	}
	c.start, c.prefix = pos-len(base), base
	look := dir
	if look == "" {
		look = "."
	} else if home, err := os.UserHomeDir(); err == nil && strings.HasPrefix(look, "~/") {
		look = filepath.Join(home, look[2:])
	}
	if from != "" && !filepath.IsAbs(look) {
		look = filepath.Join(from, look)
	}
	entries, err := os.ReadDir(look)
	if err != nil {
		return c.result()
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(base, ".") || len(c.items) >= most {
			continue
		}
		folder := e.IsDir()
		if e.Type()&os.ModeSymlink != 0 {
			if info, err := os.Stat(filepath.Join(look, name)); err == nil {
				folder = info.IsDir()
			}
		}
		if folder {
			name += "/"
		}
		c.add(0, name, "path", nil)
	}
	return c.result()
}
