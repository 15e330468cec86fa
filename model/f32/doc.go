// Package f32 holds the float32 arithmetic under the models: matrix products, vector and row kernels,
// a worker pool and a bump arena.
//
// Every operation has a naive form in Go that reads like its formula (the oracle and the fallback) and,
// on amd64, AVX2+FMA and AVX-512 forms. The best form this processor can run is chosen at start; the
// environment variable TRAFFICGPT_F32=naive|avx2|avx512 or [SetPath] chooses another. Paths agree up
// to rounding, not bit for bit.
//
// Rules that hold on every path:
//
//   - Matrices are row-major slices with a leading dimension (distance in elements between two rows).
//   - The result does not depend on the number of threads, bit for bit: work is cut by the shape of the
//     problem alone and no sum is ever cut by the number of workers.
//   - Slices that are too short panic with the name of the operation; nothing is read or written past
//     the elements an operation names.
//   - dst may be the very same slice as an input of the same shape (in place) where a function says
//     "elementwise"; overlapping at an offset is not allowed.
//   - NaN and infinities follow IEEE arithmetic; denormals are kept, not flushed, but in AdamW.
//   - Functions start no work below their threshold on other threads, and may be called from many
//     goroutines at once, also from inside [Parallel].
package f32

//go:generate go -C _asm run .
