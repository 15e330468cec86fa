package widgets

// Interact shows what draw gives below the controls and draws again whenever
// the user changes one of them. A draw that panics leaves what was there.
func Interact(draw func() any, controls ...Widget) *Panel {
	out := Output()
	redraw := func() { out.Show(draw()) }
	for _, c := range controls {
		c.twin().watch(redraw)
	}
	redraw()
	return Column(append(controls[:len(controls):len(controls)], out)...)
}
