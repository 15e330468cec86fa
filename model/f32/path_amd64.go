package f32

import "golang.org/x/sys/cpu"

// nativePaths returns the assembly paths this processor and system can run, the slower first.
func nativePaths() []*path {
	var found []*path
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2 {
		found = append(found, avx2Path())
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
			found = append(found, avx512Path())
		}
	}
	return found
}

func avx2Path() *path {
	p := naive
	p.name, p.peak, p.peakFlops = "avx2", peakavx2, 24*8
	e := &engine{mr: 6, nr: 16, transposeBlocks: transposeavx2, copyRows: copyRowsavx2,
		full: []tileFunc{nil, gemm1x16avx2, gemm2x16avx2, gemm3x16avx2, gemm4x16avx2, gemm5x16avx2, gemm6x16avx2},
		half: []tileFunc{nil, gemm1x8avx2, gemm2x8avx2, gemm3x8avx2, gemm4x8avx2, gemm5x8avx2, gemm6x8avx2}}
	e.install(&p)
	return &p
}

func avx512Path() *path {
	p := naive
	p.name, p.peak, p.peakFlops = "avx512", peakavx512, 24*16
	e := &engine{mr: 12, nr: 32, transposeBlocks: transposeavx512, copyRows: copyRowsavx512,
		full: []tileFunc{nil, gemm1x32avx512, gemm2x32avx512, gemm3x32avx512, gemm4x32avx512, gemm5x32avx512, gemm6x32avx512,
			gemm7x32avx512, gemm8x32avx512, gemm9x32avx512, gemm10x32avx512, gemm11x32avx512, gemm12x32avx512},
		half: []tileFunc{nil, gemm1x16avx512, gemm2x16avx512, gemm3x16avx512, gemm4x16avx512, gemm5x16avx512, gemm6x16avx512,
			gemm7x16avx512, gemm8x16avx512, gemm9x16avx512, gemm10x16avx512, gemm11x16avx512, gemm12x16avx512}}
	e.install(&p)
	return &p
}
