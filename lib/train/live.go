package train

import (
	"fmt"
	"math"
	"time"

	"trafficgpt/display"
)

// showEvery is the least time between two drawings of the live curve: drawing
// takes time from training.
const showEvery = 250 * time.Millisecond

// show updates the live curve in place.
func (r *run) show(final bool) {
	if r.o.Quiet || len(r.report.History) == 0 {
		return
	}
	if !final && (time.Since(r.lastShow) < showEvery || r.view != nil && !r.view.Ready()) {
		return
	}
	r.lastShow = time.Now()
	f := r.report.Curve()
	f.Sub(r.status(final))
	switch {
	case final && r.view == nil:
		display.Show(f)
	case final:
		r.view.Update(f)
		r.view.Flush()
	case r.view == nil:
		r.view = display.New(f.Live())
	default:
		r.view.Update(f.Live())
	}
}

// status is the line of text over the curve.
func (r *run) status(final bool) string {
	p := r.report
	elapsed := r.elapsed()
	if final {
		elapsed = max(p.Duration, time.Millisecond)
	}
	busy := max(elapsed-r.paused, time.Millisecond).Seconds()
	steps := fmt.Sprintf("step %d", p.Steps)
	if r.o.Steps > 0 {
		steps += fmt.Sprintf(" of %d", r.o.Steps)
	}
	s := fmt.Sprintf("%s · %.1f steps/s · %s tokens/s", steps, float64(p.Steps)/busy, display.Count(int(float64(p.Tokens)/busy)))
	if final {
		return s + " · " + display.Duration(elapsed) + " · " + p.Stopped
	}
	return s + fmt.Sprintf(" · loss %.3f bits · %s left", p.Loss/math.Ln2, display.Duration(r.left(elapsed).Round(time.Second)))
}

// left estimates the time left.
func (r *run) left(elapsed time.Duration) time.Duration {
	left := time.Duration(math.MaxInt64)
	if r.o.Steps > 0 && r.report.Steps > 0 {
		left = time.Duration(float64(elapsed) / float64(r.report.Steps) * float64(r.o.Steps-r.report.Steps))
	}
	if r.o.Budget > 0 {
		left = min(left, r.o.Budget-elapsed)
	}
	return max(left, 0)
}
