package session

import (
	"io"
	"os"
	"reflect"

	"trafficgpt/display"
	"trafficgpt/interp"
)

// What a goroutine prints belongs to the cell that started it. Standard output
// is one for the whole process, so what is written there by a goroutine of an
// earlier cell must be turned aside before it gets there.

// late is w, or what stands for it when w is standard output or error and the
// calling goroutine is that of an earlier cell.
func late(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok || f != os.Stdout && f != os.Stderr {
		return w
	}
	own, ok := display.Late().(interp.Sink)
	if !ok {
		return w
	}
	if f == os.Stderr {
		return written(own.Stderr)
	}
	return written(own.Stdout)
}

type written func([]byte)

func (w written) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// fileMethod is late for the methods of os.Stdout and os.Stderr.
func fileMethod(name string) reflect.Value {
	switch name {
	case "*os.File.Write":
		return reflect.ValueOf(func(f *os.File, p []byte) (int, error) { return late(f).Write(p) })
	case "*os.File.WriteString":
		return reflect.ValueOf(func(f *os.File, s string) (int, error) { return io.WriteString(late(f), s) })
	}
	return reflect.Value{}
}
