//go:build !amd64 && !arm64

package rt

import (
	"bytes"
	"runtime"
	"strconv"
)

// Goroutine tells the calling goroutine from all others.
func Goroutine() uintptr {
	var buf [40]byte
	text, _ := bytes.CutPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	n, _, _ := bytes.Cut(text, []byte(" "))
	id, _ := strconv.Atoi(string(n))
	return uintptr(id)
}
