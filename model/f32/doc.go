// Package f32 holds the float32 arithmetic under the models: matrix products, vector and row kernels,
// a worker pool and a bump arena.
//
// Every operation has a naive form in Go that reads like its formula (the oracle and the fallback) and,
// on amd64, AVX2+FMA and AVX-512 forms, the latter also with instructions for products of bfloat16 ([BF16]),
// and with tile registers for them. The best form this processor can run is chosen at start; the
// environment variable TRAFFICGPT_F32=naive|avx2|avx512|avx512bf16|avx512amx or [SetPath] chooses another.
// Paths agree up to rounding, not bit for bit.
//
// It is used below package model; a cell takes it for arithmetic of its own:
//
//	f32.Gemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n) // C = A·B
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
//   - NaN and infinities follow IEEE arithmetic; denormals are kept, not flushed, but in AdamW
//     and in what BF16 is rounded from and multiplied to.
//   - Functions start no work below their threshold on other threads, and may be called from many
//     goroutines at once, also from inside [Parallel].
//
// Words:
//
//   - path: all kernels of one instruction set; its products are an engine's;
//   - tile: mr×nr elements of C that stay in registers while k runs;
//   - panel: nr columns of B below each other, as the kernels read them; a packed
//     matrix is panels one after another;
//   - block, piece: the part of C that one worker computes at a time;
//   - part: a span of k whose sums are added to those of other parts, in order;
//   - turned: of a transposed A, which is copied in tiles before it is multiplied;
//   - ahead: what the next step will read, fetched into the second cache while the
//     kernels compute;
//   - pair: two BF16 that are neighbours along k, in one word: the element of their products;
//   - strip: as much as is taken at one time: 128 bytes of the rows fetched ahead,
//     rows of a block that are finished together, columns of a recurrence;
//   - arena: memory handed out by moving an offset, and freed all at once;
//   - crew, phase: threads that stay together for many short phases, which end together;
//   - share: the columns of a product that one of them computes;
//   - chunk, grain: a piece of [Parallel]'s work, and how much of it that is.
package f32

//go:generate go -C _asm run .
