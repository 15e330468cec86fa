//go:build amd64 || arm64

package rt

// Goroutine tells the calling goroutine from all others that live. It is the
// address of the runtime's record of it: to ask the runtime for its number
// means to walk the whole stack.
func Goroutine() uintptr
