//go:build !linux

package f32

// mayUseTiles is false: how other systems grant tile registers is not known here.
func mayUseTiles() bool { return false }
