package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"trafficgpt/display"
	"trafficgpt/tokenizer/pcap"
)

// Folder reads all captures under path, of every format that pcap.Read knows,
// and snapshots that Save wrote. The first sub-folder of a file is its label;
// files beside the sub-folders have none. Hidden files are passed over. What
// cannot be read becomes a warning of the set; nothing readable at all is an
// error. Near-duplicate flows get a common group (see Regroup).
//
// When the cell is interrupted, what was read so far is returned with a warning.
func Folder(path string) (*Set, error) {
	var files []string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if p == path {
				return err
			}
			files = append(files, p) // reading it gives the error again, as a warning
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") && p != path {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.IsDir() {
			files = append(files, p)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("failed to read the folder: %w", err)
	}
	if len(files) == 1 && files[0] == path {
		return nil, fmt.Errorf("%s is a file, not a folder; dataset.File reads one", path)
	}
	s := &Set{Name: filepath.Base(filepath.Clean(path))}
	parts := readAll(files)
	read := 0
	for i, p := range parts {
		switch {
		case p.skipped:
			s.Warnings = append(s.Warnings, fmt.Sprintf("interrupted: %d files were not read", len(files)-i))
		case p.err != nil:
			s.Warnings = append(s.Warnings, p.err.Error())
		default:
			read++
			label := labelOf(path, files[i])
			for _, f := range p.set.Flows {
				if label != "" || f.Label == "" {
					f.Label = label
				}
			}
			s.Flows = append(s.Flows, p.set.Flows...)
			s.Warnings = append(s.Warnings, p.set.Warnings...)
		}
		if p.skipped {
			break
		}
	}
	if read == 0 {
		if len(s.Warnings) > 0 {
			return nil, fmt.Errorf("no capture could be read in %s: %s", path, s.Warnings[0])
		}
		return nil, fmt.Errorf("no capture in %s", path)
	}
	s.regroup()
	return s, nil
}

// File reads one capture or snapshot. Its flows have no label of their own
// (a snapshot's do); near-duplicates get a common group.
func File(path string) (*Set, error) {
	s, err := readFile(path)
	if err != nil {
		return nil, err
	}
	s.Name = filepath.Base(path)
	s.regroup()
	return s, nil
}

// labelOf is the first sub-folder under root on the way to file.
func labelOf(root, file string) string {
	rel, err := filepath.Rel(root, file)
	if err != nil {
		return ""
	}
	label, _, ok := strings.Cut(filepath.ToSlash(rel), "/")
	if !ok {
		return ""
	}
	return label
}

// part is what came of one file.
type part struct {
	set     *Set
	err     error
	skipped bool
}

// readAll reads the files, several at once; the result does not depend on how
// many. It stops early when the cell is interrupted.
func readAll(files []string) []part {
	out := make([]part, len(files))
	ctx := display.Context()
	var bar *display.Bar
	if len(files) > 200 {
		bar = display.Progress("reading captures", len(files), display.ProgressOptions{Unit: "files"})
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wg.Go(func() {
			for i := range next {
				out[i].set, out[i].err = readFile(files[i])
				if bar != nil {
					bar.Add(1)
				}
			}
		})
	}
	for i := range files {
		if ctx.Err() != nil {
			out[i].skipped = true
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if bar != nil {
		bar.Done()
	}
	return out
}

// readFile reads a capture or a snapshot, told apart by its first bytes.
func readFile(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the capture: %w", err)
	}
	head := make([]byte, 5)
	n, _ := f.Read(head)
	f.Close()
	if string(head[:n]) == snapshotMagic[:5] {
		return Open(path)
	}
	c, err := pcap.Read(path)
	if err != nil {
		return nil, err
	}
	if len(c.Packets) == 0 {
		if len(c.Warnings) > 0 {
			return nil, errors.New(c.Warnings[0])
		}
		return nil, fmt.Errorf("%s holds no packet", path)
	}
	return &Set{Flows: slices.Clone([]*pcap.Flow(c.Flows())), Warnings: c.Warnings}, nil
}

func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("failed to make the folder: %w", err)
	}
	return nil
}
