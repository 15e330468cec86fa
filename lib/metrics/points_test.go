package metrics

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"trafficgpt/display"
)

func TestStandardize(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	reference := [][]float64{{1, 5, nan, .1}, {3, 5, 7, .1}, {1, 5, 9, .1}, {3, 5, inf, .1}}
	other := [][]float64{{2, 6, 8}, {4, nan, 1e300, 3}, {-100, 5, -inf, .1}, {}}
	got := Standardize(reference, other)
	want := [][][]float64{
		{{-1, 0, 0, 0}, {1, 0, -1, 0}, {-1, 0, 1, 0}, {1, 0, 0, 0}},
		{{0, 8, 0, 0}, {2, 0, 8, 8}, {-8, 0, 0, 0}, {0, 0, 0, 0}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("standardized %v, want %v", got, want)
	}
	if reference[0][0] != 1 || !math.IsNaN(reference[0][2]) || other[2][0] != -100 || len(other[3]) != 0 {
		t.Errorf("what was given became %v and %v", reference, other)
	}
	// Without a reference there is no scale; huge values have none either.
	for _, sets := range [][][][]float64{Standardize(nil, [][]float64{{1, 2}}), Standardize([][]float64{{1e308}, {-1e308}}), Standardize(nil)} {
		for _, rows := range sets {
			for _, row := range rows {
				for _, v := range row {
					if v != 0 {
						t.Errorf("got %v without a scale", sets)
					}
				}
			}
		}
	}
}

func TestPointsThatCannotBeCompared(t *testing.T) {
	two := [][]float64{{1, 2}, {3, 4}}
	for _, c := range []struct {
		x, y [][]float64
		want string
	}{
		{two, nil, "failed to compare: the generated side has no points"},
		{nil, two, "failed to compare: the real side has no points"},
		{two[:1], two, "the real side has one point"},
		{two, [][]float64{{1, 2}, {1}}, "point 1 of the generated side has 1 features, the first real one 2"},
		{two, [][]float64{{1, 2}, {1, math.NaN()}}, "feature 1 of point 1 of the generated side is NaN"},
		{two, [][]float64{{1e200, 2}, {1, 2}}, "feature 0 of point 0 of the generated side is 1e+200"},
		{[][]float64{{}, {}}, [][]float64{{}, {}}, "the points have no features"},
	} {
		_, err := MMD(c.x, c.y)
		_, also := Neighbourhoods(c.x, c.y, 0)
		if err == nil || also == nil || !strings.Contains(err.Error(), c.want) || err.Error() != also.Error() {
			t.Errorf("errors %v and %v, want %q", err, also, c.want)
		}
	}
	for _, o := range []MMDOptions{{Bandwidth: -1}, {Bandwidth: math.NaN()}, {Most: 1}, {Most: -2}} {
		if _, err := MMD(two, two, o); err == nil || !strings.Contains(err.Error(), "metrics.MMDOptions.") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if _, err := Neighbourhoods(two, two, -1); err == nil {
		t.Error("neighbourhoods of -1")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	defer display.Enter(ctx, nil)()
	if _, err := MMD(two, two); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := Neighbourhoods(two, two, 0); err == nil {
		t.Error("interrupted neighbourhoods")
	}
}

func TestMMDByHand(t *testing.T) {
	// Two points at 0, two at 3, s 2: 1 + 1 - 2·exp(-9/8).
	r, err := MMD([][]float64{{0}, {0}}, [][]float64{{3}, {3}}, MMDOptions{Bandwidth: 2})
	if err != nil || math.Abs(r.Squared-(2-2*math.Exp(-9./8))) > 1e-15 || r.N != [2]int{2, 2} {
		t.Errorf("MMD %+v, %v", r, err)
	}
	// All points are one: nothing to tell apart.
	r, err = MMD([][]float64{{7}, {7}, {7}}, [][]float64{{7}, {7}})
	if err != nil || math.Abs(r.Squared) > 1e-15 || r.P != 1 || r.Bandwidth != 1 {
		t.Errorf("MMD of one point many times %+v, %v", r, err)
	}
	// Most pairs are equal: the bandwidth is of those that are not, 4 and 4.
	r, err = MMD([][]float64{{0}, {0}, {0}, {0}}, [][]float64{{0}, {4}})
	if err != nil || r.Bandwidth != 4 {
		t.Errorf("bandwidth of discrete points %+v, %v", r, err)
	}
}

// For equal distributions MMD² is 0 on average and p uniform; a shift is found.
func TestMMDOfEqualDistributions(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 0))
	const rounds = 200
	sum, squares, low := 0., 0., 0
	for i := range rounds {
		got, err := MMD(normals(r, 25, 3, 0), normals(r, 20, 3, 0), MMDOptions{Permutations: 99, Seed: uint64(i)})
		if err != nil {
			t.Fatal(err)
		}
		sum += got.Squared
		squares += got.Squared * got.Squared
		if got.P <= .1 {
			low++
		}
	}
	if m, se := sum/rounds, math.Sqrt(squares)/rounds; math.Abs(m) > 3*se {
		t.Errorf("mean MMD² %.5f ± %.5f", m, se)
	}
	if low < 8 || low > 33 { // 20 ± 3 standard deviations
		t.Errorf("%d of %d p values are at most 0.1", low, rounds)
	}
	got, err := MMD(normals(r, 100, 3, 0), normals(r, 100, 3, 1))
	if err != nil || got.P != 1./201 || got.Squared < .05 {
		t.Errorf("a shift by 1: %+v, %v", got, err)
	}
}

func TestComparisonsDependOnTheSeedAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 0))
	x, y := normals(r, 90, 2, 0), normals(r, 80, 2, .2)
	run := func(threads int, seed uint64) (*MMDResult, *Manifold) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(threads))
		a, err := MMD(x, y, MMDOptions{Most: 40, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		b, err := Neighbourhoods(x, y, 3)
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	a, b := run(1, 7)
	c, d := run(8, 7)
	if *a != *c || *b != *d || a.N != [2]int{40, 40} || b.N != [2]int{90, 80} {
		t.Errorf("one thread %+v %+v, eight %+v %+v", *a, *b, *c, *d)
	}
	if e, _ := run(1, 8); *e == *a {
		t.Error("another seed draws the same points")
	}
}

func TestNeighbourhoodsByHand(t *testing.T) {
	// Radii of the real points 1, 1, 1, 8, of the generated ones 19.5: 0.5 lies
	// in the balls of 0 and 1, 20 in none; all real points in that of 0.5.
	r, err := Neighbourhoods([][]float64{{0}, {1}, {2}, {10}}, [][]float64{{.5}, {20}}, 0)
	want := Manifold{Precision: .5, Recall: 1, Density: 1, Coverage: .5, K: 1, N: [2]int{4, 2}}
	if err != nil || *r != want {
		t.Errorf("got %+v, %v, want %+v", r, err, want)
	}
	far, err := Neighbourhoods([][]float64{{0}, {1}, {2}}, [][]float64{{100}, {101}, {102}}, 2)
	if err != nil || far.Precision+far.Recall+far.Density+far.Coverage != 0 {
		t.Errorf("points far apart: %+v, %v", far, err)
	}
	// Copies, also where all points are one and the balls have no width.
	for _, points := range [][][]float64{{{0}, {1}, {5}}, {{2}, {2}, {2}}} {
		same, err := Neighbourhoods(points, points, 1)
		if err != nil || same.Precision != 1 || same.Recall != 1 || same.Coverage != 1 {
			t.Errorf("copies of %v: %+v, %v", points, same, err)
		}
	}
}

func TestNeighbourhoodsOfEqualDistributions(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	const rounds = 20
	density, coverage := 0., 0.
	var m *Manifold
	for range rounds {
		var err error
		if m, err = Neighbourhoods(normals(r, 150, 3, 0), normals(r, 100, 3, 0), 5); err != nil {
			t.Fatal(err)
		}
		density += m.Density / rounds
		coverage += m.Coverage / rounds
	}
	// Naeem et al. 2020 for N 150, M 100, k 5.
	want := 1 - 149.*148*147*146*145/(249*248*247*246*245)
	if math.Abs(density-1) > .05 || math.Abs(coverage-want) > .02 {
		t.Errorf("density %.3f, coverage %.3f, want 1 and %.3f", density, coverage, want)
	}
	if math.Abs(m.likeCoverage()-want) > 1e-14 {
		t.Errorf("the note says %.4f, want %.4f", m.likeCoverage(), want)
	}
}

func TestResultsShowThemselvesWithoutNaN(t *testing.T) {
	for name, r := range map[string]interface {
		String() string
		MIME() display.Bundle
	}{
		"MMD": &MMDResult{P: math.NaN(), Squared: math.NaN()}, "manifold": &Manifold{}, "text": &TextReport{},
		"times": Times(nil), "copied times": FindCopiedTimes(nil, nil),
	} {
		if s := r.String() + r.MIME()[display.HTML].(string); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
			t.Errorf("%s:\n%s", name, s)
		}
	}
}

func TestNearest(t *testing.T) {
	got := Nearest([][]float64{{0, 0}, {3, 4}, {1}}, [][]float64{{0, 0}, {3, 0}})
	if want := []float64{0, 4, 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("nearest %v, want %v", got, want)
	}
	if got := Nearest([][]float64{{1}}, nil); !math.IsInf(got[0], 1) {
		t.Errorf("with nothing to be near to: %v", got)
	}
}

// Wilson 1927's formula by hand: 8 of 10 from .4902 to .9433, 0 of 10 to .2775.
func TestWilson(t *testing.T) {
	if i := Wilson(8, 10); i.Value != .8 || math.Abs(i.Low-.4902) > 1e-4 || math.Abs(i.High-.9433) > 1e-4 {
		t.Errorf("8 of 10: %+v", i)
	}
	if i := Wilson(0, 10); i.Low != 0 || math.Abs(i.High-.2775) > 1e-4 {
		t.Errorf("0 of 10: %+v", i)
	}
	if i := Wilson(0, 0); !math.IsNaN(i.Value) || !math.IsNaN(i.Low) {
		t.Errorf("0 of 0: %+v", i)
	}
}
