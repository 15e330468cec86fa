//go:build !amd64

package f32

func nativePaths() []*path { return nil }
