package f32

import (
	"math"

	"golang.org/x/sys/cpu"
)

// nativePaths returns the assembly paths this processor and system can run, the slower first.
func nativePaths() []*path {
	var found []*path
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI2 {
		found = append(found, avx2Path())
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL {
			wide := avx512Path()
			found = append(found, wide)
			if hasBF16() {
				found = append(found, bf16Path(wide, nil))
			}
			if hasAMX() {
				found = append(found, bf16Path(wide, tileamx))
			}
		}
	}
	return found
}

func avx2Path() *path {
	p := naive
	p.name, p.peak, p.peakFlops = "avx2", peakavx2, 24*8
	e := &engine{mr: 6, nr: 16, transposeBlocks: transposeavx2, copyRows: copyRowsavx2, copyPart: copyPartavx2, copyFour: copyFouravx2, dot: dotavx2, fourDots: fourDotsavx2, add: addavx2, addScaled: addScaledavx2, scale: scaleavx2,
		full: []tileFunc{nil, gemm1x16avx2, gemm2x16avx2, gemm3x16avx2, gemm4x16avx2, gemm5x16avx2, gemm6x16avx2},
		half: []tileFunc{nil, gemm1x8avx2, gemm2x8avx2, gemm3x8avx2, gemm4x8avx2, gemm5x8avx2, gemm6x8avx2},
		row:  []rowFunc{nil, row1x16avx2, row2x16avx2, row3x16avx2, row4x16avx2}}
	e.install(&p)
	p.exp, p.gelu, p.silu, p.sigmoid, p.elu1 = expavx2, geluavx2, siluavx2, sigmoidavx2, eluOneavx2
	p.geluGrad, p.siluGrad, p.elu1Grad = geluGradavx2, siluGradavx2, eluOneGradavx2
	p.add, p.sub, p.mul, p.addScaled, p.scale = addavx2, subavx2, mulavx2, addScaledavx2, scaleavx2
	p.dot, p.sum, p.sumSquares, p.max, p.expSum = dotavx2, sumavx2, sumSquaresavx2, maxavx2, expSumavx2
	p.softmaxGrad, p.variance, p.normSums, p.normGrad = softmaxGradavx2, varianceavx2, normSumsavx2, normGradavx2
	p.normGradAdd = normGradAddavx2
	p.normalize = shiftOrNot(normalizeavx2, normalizeOnlyavx2)
	p.adamW, p.recur = adamWith(adamWavx2), recuravx2
	p.withWide()
	return &p
}

func avx512Path() *path {
	p := naive
	p.name, p.peak, p.peakFlops = "avx512", peakavx512, 24*16
	e := &engine{mr: 12, nr: 32, transposeBlocks: transposeavx512, copyRows: copyRowsavx512, copyPart: copyPartavx512, copyFour: copyFouravx512, dot: dotavx512, fourDots: fourDotsavx512, add: addavx512, addScaled: addScaledavx512, scale: scaleavx512,
		full: []tileFunc{nil, gemm1x32avx512, gemm2x32avx512, gemm3x32avx512, gemm4x32avx512, gemm5x32avx512, gemm6x32avx512,
			gemm7x32avx512, gemm8x32avx512, gemm9x32avx512, gemm10x32avx512, gemm11x32avx512, gemm12x32avx512},
		half: []tileFunc{nil, gemm1x16avx512, gemm2x16avx512, gemm3x16avx512, gemm4x16avx512, gemm5x16avx512, gemm6x16avx512,
			gemm7x16avx512, gemm8x16avx512, gemm9x16avx512, gemm10x16avx512, gemm11x16avx512, gemm12x16avx512},
		row: []rowFunc{nil, row1x32avx512, row2x32avx512, row3x32avx512, row4x32avx512}}
	e.install(&p)
	p.exp, p.gelu, p.silu, p.sigmoid, p.elu1 = expavx512, geluavx512, siluavx512, sigmoidavx512, eluOneavx512
	p.geluGrad, p.siluGrad, p.elu1Grad = geluGradavx512, siluGradavx512, eluOneGradavx512
	p.add, p.sub, p.mul, p.addScaled, p.scale = addavx512, subavx512, mulavx512, addScaledavx512, scaleavx512
	p.dot, p.sum, p.sumSquares, p.max, p.expSum = dotavx512, sumavx512, sumSquaresavx512, maxavx512, expSumavx512
	p.softmaxGrad, p.variance, p.normSums, p.normGrad = softmaxGradavx512, varianceavx512, normSumsavx512, normGradavx512
	p.normGradAdd = normGradAddavx512
	p.normalize = shiftOrNot(normalizeavx512, normalizeOnlyavx512)
	p.adamW, p.recur = adamWith(adamWavx512), recuravx512
	p.withWide()
	return &p
}

func shiftOrNot(shift func(dst, x, gamma, beta []float32, mean, rstd float32), only func(dst, x, gamma []float32, mean, rstd float32)) func(dst, x, gamma, beta []float32, mean, rstd float32) {
	return func(dst, x, gamma, beta []float32, mean, rstd float32) {
		if beta == nil {
			only(dst, x, gamma, mean, rstd)
			return
		}
		shift(dst, x, gamma, beta, mean, rstd)
	}
}

func adamWith(f func(p, g, m, v []float32, step, beta1, rest1, beta2, rest2, root, eps, keep float32)) func(p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32) {
	return func(p, g, m, v []float32, lr, beta1, beta2, eps, decay, t1, t2 float32) {
		f(p, g, m, v, lr/t1, beta1, 1-beta1, beta2, 1-beta2, float32(1/math.Sqrt(float64(t2))), eps, 1-lr*decay)
	}
}
