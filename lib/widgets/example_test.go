package widgets_test

import (
	"fmt"

	"trafficgpt/display"
	"trafficgpt/lib/widgets"
)

// As the last line of a cell a control appears as a slider; elsewhere its state is
// printed. What it calls runs when the user has moved it.
func ExampleSlider() {
	k := widgets.Slider("top-k", 1, 50, 10)
	k.OnChange(func(value int) { fmt.Println("now", value) })
	k.Set(99) // to its end
	display.Show(k)
	fmt.Println(k.Int() * 2)
	// Output:
	// top-k: 50
	// 100
}

func ExampleDropdown() {
	class := widgets.Dropdown("class", "dns", "tls", "ssh")
	class.Set("ssh")
	class.Set("telnet") // is no option
	display.Show(class)
	// Output:
	// class: ssh of dns, tls, ssh
}

// A panel puts controls together.
func ExampleColumn() {
	rate := widgets.FloatSlider("temperature", 0, 2, 0.1, 1)
	greedy := widgets.Checkbox("greedy", false)
	start := widgets.Button("sample")
	start.OnClick(func() { fmt.Println("sampling at", rate.Float(), greedy.Ticked()) })
	display.Show(widgets.Column(widgets.Row(rate, greedy), start))
	// Output:
	// temperature: 1  greedy: false
	// [sample]
}

// Interact draws anew whenever the user moves something.
func ExampleInteract() {
	n := widgets.Slider("n", 1, 9, 3)
	square := func() any { return fmt.Sprintf("%d² = %d", n.Int(), n.Int()*n.Int()) }
	display.Show(widgets.Interact(square, n))
	// Output:
	// n: 3
	// 3² = 9
}

// An Output holds what is shown into it, in place of what was there.
func ExampleOutput() {
	out := widgets.Output()
	out.Show("reading")
	out.Show("12 flows")
	out.Add(display.AsText("of 3 hosts"))
	display.Show(out)
	// Output:
	// 12 flows
	// of 3 hosts
}
