package model

// dropout drops values with probability rate and divides the rest by 1-rate. Which
// ones is a function of seed, site and position alone, so the backward pass and
// a recomputed forward pass see the same choice on any number of threads. The
// zero value drops nothing.
type dropout struct {
	rate float32
	seed uint64
}

// at returns the dropout of another place in the model or another step.
func (d dropout) at(site uint64) dropout {
	d.seed = mix(d.seed + site*0x9e3779b97f4a7c15)
	return d
}

// row applies dropout to x, whose first element is column col of the given row.
func (d dropout) row(x []float32, site uint64, row, col int) {
	if d.rate == 0 {
		return
	}
	key := mix(d.seed ^ mix(site<<32+uint64(row)))
	limit := uint64(float64(d.rate) * (1 << 32))
	keep := 1 / (1 - d.rate)
	for i := range x {
		if mix(key+uint64(col+i))>>32 < limit {
			x[i] = 0
		} else {
			x[i] *= keep
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
