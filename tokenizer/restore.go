package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"trafficgpt/atomicfile"
	"trafficgpt/display"
)

// RestoreOptions says which files RestoreTo restores, and how. The zero value
// is all of them, byte for byte.
type RestoreOptions struct {
	Only    string // the file of this name alone; "" is all
	Plain   bool   // what is inside .gz and .zst files instead of them
	Salvage bool   // leave out what is damaged instead of leaving out the file
}

// Restored is what RestoreTo has written.
type Restored struct {
	Files int
	Bytes int64
}

// RestoreTo restores the files of the corpus, several at a time. A corpus of one
// file is restored to the file back (or into it, if back is a folder), several
// files into the folder back. Files that cannot be restored do not appear; the
// others do, and the error joins one for each that does not, or lacks a piece
// with Salvage. It ends when the running cell is interrupted.
func (c *Corpus) RestoreTo(back string, o ...RestoreOptions) (Restored, error) {
	r := restorer{ctx: display.Context(), k: c, o: append(o, RestoreOptions{})[0]}
	if err := r.plan(back); err != nil {
		return Restored{}, err
	}
	r.run()
	return Restored{r.done, r.size}, errors.Join(r.errs...)
}

// IsCorpus says whether a file begins as a corpus does that this version reads.
func IsCorpus(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return checkStart(f, path) == nil, nil
}

// restorer writes files of a corpus to where they belong.
type restorer struct {
	ctx     context.Context
	k       *Corpus
	o       RestoreOptions
	targets []target

	mu   sync.Mutex
	errs []error
	done int // files
	size int64
}

type target struct {
	file int
	path string
}

// plan decides which files go where.
func (r *restorer) plan(back string) error {
	files := r.k.files
	st, err := os.Stat(back)
	isFolder := err == nil && st.IsDir()
	if r.o.Only != "" {
		for i, f := range files {
			if f.Name == r.o.Only {
				if isFolder {
					back = filepath.Join(back, filepath.Base(filepath.FromSlash(f.Name)))
				}
				r.targets = []target{{i, back}}
				return nil
			}
		}
		return fmt.Errorf("%s has no file %q (decode -list shows them)", r.k.Path, r.o.Only)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds no file", r.k.Path)
	}
	if len(files) == 1 && !files[0].FromFolder && !isFolder {
		r.targets = []target{{0, back}}
		return nil
	}
	if err == nil && !isFolder {
		return fmt.Errorf("%s is a file; %d files of %s need a folder", back, len(files), r.k.Path)
	}
	for i, f := range files {
		name := filepath.FromSlash(f.Name)
		if !filepath.IsLocal(name) {
			return fmt.Errorf("%s has a file of the name %q, which leads out of the folder", r.k.Path, f.Name)
		}
		r.targets = append(r.targets, target{i, filepath.Join(back, name)})
	}
	return nil
}

func (r *restorer) run() {
	next := make(chan target)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(r.targets)) {
		wg.Go(func() {
			for t := range next {
				err := r.one(t)
				r.mu.Lock()
				if err != nil {
					r.errs = append(r.errs, err)
				} else {
					r.done++
				}
				r.mu.Unlock()
			}
		})
	}
	for _, t := range r.targets {
		if r.ctx.Err() != nil {
			break
		}
		next <- t
	}
	close(next)
	wg.Wait()
	if len(r.errs) == 0 && r.done < len(r.targets) {
		r.errs = append(r.errs, errInterrupted)
	}
}

func (r *restorer) one(t target) error {
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return err
	}
	var damage []*SectionError
	err := atomicfile.Write(t.path, func(w io.Writer) (err error) {
		n := &counter{ctx: r.ctx, w: w}
		switch {
		case r.o.Salvage:
			damage, err = r.k.Salvage(t.file, n)
		case r.o.Plain:
			err = r.k.RestorePlain(t.file, n)
		default:
			err = r.k.Restore(t.file, n)
		}
		r.mu.Lock()
		r.size += n.n
		r.mu.Unlock()
		return err
	}, atomicfile.Options{Mode: r.k.Mode()})
	if err == nil && len(damage) > 0 {
		err = fmt.Errorf("%s lacks %d pieces: %w", t.path, len(damage), damage[0])
	}
	return err
}

// counter counts what is written, until ctx is done.
type counter struct {
	ctx context.Context
	w   io.Writer
	n   int64
}

func (c *counter) Write(b []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, errInterrupted
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
