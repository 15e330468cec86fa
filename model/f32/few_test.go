package f32

import (
	"testing"
)

// TestFewColumns wants of every share the elements of the whole product, and nothing written beside it.
func TestFewColumns(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 8, 40}, {2, 33, 64}, {3, 256, 96}, {5, 200, 100}, {16, 64, 128}, {17, 5, 33}, {50, 300, 160}, {99, 30, 70}, {4, 0, 40}} {
			m, k, n := s[0], s[1], s[2]
			a, b, bias := filled(m*(k+2)), filled(k*n), filled(n)
			var p Packed
			Pack(false, k, n, b, n, &p)
			want := make([]float32, m*n)
			GemmPacked(m, a, k+2, &p, bias, want, n)
			for first := 0; first < n; first += 32 {
				for last := first; last < n+32; last += 32 {
					end := min(last, n)
					got := make([]float32, m*(n+1))
					FewColumns(m, a, k+2, &p, bias, got, n+1, first, end)
					for i, x := range got {
						r, j := i/(n+1), i%(n+1)
						y := float32(0)
						if j >= first && j < end {
							y = want[r*n+j]
						}
						if x != y {
							t.Fatalf("%v, columns %d to %d: element %d,%d is %v, not %v", s, first, end, r, j, x, y)
						}
					}
				}
			}
		}
	})
}

// TestFewColumnsBF16 holds shares against products of whole matrices, and wants of each row the same bits
// whatever rows are beside it.
func TestFewColumnsBF16(t *testing.T) {
	onEveryPath(t, func(t *testing.T) {
		for _, s := range [][2]int{{8, 40}, {33, 64}, {256, 96}, {200, 100}, {512, 70}, {1024, 64}} {
			const m = 51
			k, n := s[0], s[1]
			lda := (k + 3) &^ 1
			x, b, bias := filled(m*lda), filled(k*n), filled(n)
			a := make([]BF16, len(x))
			Round(a, x)
			var p PackedBF16
			PackBF16(false, k, n, b, n, &p)
			want := make([]float32, m*n)
			TimesBF16(true, m, a, lda, &p, false, want, n)
			alone := make([]float32, m*n)
			for i := range m {
				FewColumnsBF16(1, a[i*lda:], lda, &p, bias, alone[i*n:], n, 0, n)
				for j := range n {
					if d := alone[i*n+j] - want[i*n+j] - bias[j]; d > 1e-3 || d < -1e-3 {
						t.Fatalf("%v: element %d,%d is off by %v", s, i, j, d)
					}
				}
			}
			for rows := 1; rows <= m; rows++ {
				got := make([]float32, rows*n)
				for first := 0; first < n; first += 64 {
					FewColumnsBF16(rows, a[(m-rows)*lda:], lda, &p, bias, got, n, first, min(first+64, n))
				}
				for i, x := range got {
					if y := alone[(m-rows)*n+i]; x != y {
						t.Fatalf("%v, %d rows: element %d is %v, alone %v", s, rows, i, x, y)
					}
				}
			}
		}
	})
}
