//go:build !amd64

package f32

// spin is one beat of a short wait.
func spin() {}
