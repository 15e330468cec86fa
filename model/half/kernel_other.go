//go:build !amd64

package half

func kernel() func(x []float32, w []uint16, y *[columns]float32) { return naivePanel }

func quarterKernel() func(x []float32, w []int8, scale, y *[columns]float32) { return naiveQuarter }

// multipliesIntegers says whether there are kernels of products of bytes; the functions below are theirs.
func multipliesIntegers() bool { return false }

func (m *Quarter) dots(int, *Rounded, int, []float32) {}

func largestOf([]float32) float32 { return 0 }

func roundAll([]float32, float32, []uint8, []uint8) {}
