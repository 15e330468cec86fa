package f32

import "unsafe"

// addBytes moves p by n bytes within one slice.
func addBytes(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), n)) }
