//go:build race

package worker

// raced says that the race detector is on: it speaks up before Go's runtime
// does, and needs more memory than a test may have.
const raced = true
