package notebooks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/interp"
)

// Starter starts an engine whose working directory is dir.
type Starter func(dir string) (interp.Engine, error)

// FileOptions says how RunFile runs a notebook. Start must be given.
type FileOptions struct {
	Options
	Start Starter
	Out   string // where the executed notebook is stored; "" stores it nowhere
	Dir   string // where the engine works; "" is the notebook's own folder
}

// RunFile runs a notebook or a script of cells, as Run does, and stores what it
// has become. When a cell fails, the outputs up to there are stored and the
// error is a *Failure. The file itself is only changed when it is Out.
func RunFile(ctx context.Context, path string, o FileOptions) error {
	nb, err := Read(path)
	if err != nil {
		return err
	}
	if o.Out != "" { // a folder that is not there is better known before the work than after
		if info, err := os.Stat(filepath.Dir(o.Out)); err != nil || !info.IsDir() {
			return fmt.Errorf("failed to write %s: %s is not a folder", o.Out, filepath.Dir(o.Out))
		}
	}
	if o.Dir == "" {
		o.Dir = filepath.Dir(path)
	}
	engine, err := o.Start(o.Dir)
	if err != nil {
		return err
	}
	defer engine.Close()
	began := time.Now()
	failed := Run(ctx, nb, engine, o.Options)
	if o.Out != "" {
		if err := nb.Write(o.Out); err != nil {
			return err
		}
	}
	if failed == nil && o.Progress != nil {
		fmt.Fprintf(o.Progress, "done in %s%s\n", time.Since(began).Round(100*time.Millisecond), wrote(o.Out))
	}
	return failed
}

func wrote(path string) string {
	if path == "" {
		return ""
	}
	return ", wrote " + path
}
