package widgets

import (
	"fmt"
	"slices"
	"strings"
)

// labelled shows a control as "label: value".
func labelled(state map[string]any) string {
	return fmt.Sprintf("%v: %v", state["description"], state["value"])
}

func control(name, style string, state map[string]any) *model {
	m := newControl(name, style, state)
	m.text = labelled
	return m
}

// number reads what JSON or Go put into a state.
func number(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	}
	return 0
}

// IntSlider chooses a whole number.
type IntSlider struct{ *model }

// Slider makes a slider from min to max that stands at value.
func Slider(label string, min, max, value int) *IntSlider {
	return &IntSlider{control("IntSlider", "SliderStyleModel", map[string]any{
		"description": label, "min": min, "max": max, "value": clamp(value, min, max), "step": 1,
		"orientation": "horizontal", "readout": true, "readout_format": "d",
		"continuous_update": false, "disabled": false, "behavior": "drag-tap"})}
}

func clamp[T int | float64](v, lo, hi T) T { return max(lo, min(v, hi)) }

// Int is the number chosen.
func (s *IntSlider) Int() int { return int(number(s.get("value"))) }

// Set moves the slider, to its end at most.
func (s *IntSlider) Set(value int) {
	s.set("value", clamp(value, int(number(s.get("min"))), int(number(s.get("max")))))
}

// OnChange has f called when the user moves the slider.
func (s *IntSlider) OnChange(f func(value int)) { s.on("value", func() { f(s.Int()) }) }

// RealSlider chooses a real number.
type RealSlider struct{ *model }

// FloatSlider makes a slider from min to max in steps.
func FloatSlider(label string, min, max, step, value float64) *RealSlider {
	return &RealSlider{control("FloatSlider", "SliderStyleModel", map[string]any{
		"description": label, "min": min, "max": max, "value": clamp(value, min, max), "step": step,
		"orientation": "horizontal", "readout": true, "readout_format": ".2f",
		"continuous_update": false, "disabled": false, "behavior": "drag-tap"})}
}

// Float is the number chosen.
func (s *RealSlider) Float() float64 { return number(s.get("value")) }

// Set moves the slider, to its end at most.
func (s *RealSlider) Set(value float64) {
	s.set("value", clamp(value, number(s.get("min")), number(s.get("max"))))
}

// OnChange has f called when the user moves the slider.
func (s *RealSlider) OnChange(f func(value float64)) { s.on("value", func() { f(s.Float()) }) }

// Choice chooses one of several words.
type Choice struct {
	*model
	options []string
}

// Dropdown makes a list to choose from; the first option is chosen.
func Dropdown(label string, options ...string) *Choice {
	var index any
	if len(options) > 0 {
		index = 0
	}
	c := &Choice{options: slices.Clone(options)}
	c.model = control("Dropdown", "DescriptionStyleModel", map[string]any{
		"description": label, "_options_labels": c.options, "index": index, "disabled": false})
	c.text = func(state map[string]any) string {
		return fmt.Sprintf("%v: %s of %s", label, c.Text(), strings.Join(c.options, ", "))
	}
	return c
}

// Text is the option chosen, empty when there is none.
func (c *Choice) Text() string {
	if i := c.get("index"); i != nil && int(number(i)) < len(c.options) && number(i) >= 0 {
		return c.options[int(number(i))]
	}
	return ""
}

// Set chooses an option; one that does not exist changes nothing.
func (c *Choice) Set(option string) {
	if i := slices.Index(c.options, option); i >= 0 {
		c.set("index", i)
	}
}

// OnChange has f called when the user chooses.
func (c *Choice) OnChange(f func(option string)) { c.on("index", func() { f(c.Text()) }) }

// Check is a box to tick.
type Check struct{ *model }

// Checkbox makes a box to tick.
func Checkbox(label string, ticked bool) *Check {
	return &Check{control("Checkbox", "CheckboxStyleModel", map[string]any{
		"description": label, "value": ticked, "indent": true, "disabled": false})}
}

// Ticked tells whether it is.
func (c *Check) Ticked() bool {
	ticked, _ := c.get("value").(bool)
	return ticked
}

// Set ticks the box or clears it.
func (c *Check) Set(ticked bool) { c.set("value", ticked) }

// OnChange has f called when the user clicks.
func (c *Check) OnChange(f func(ticked bool)) { c.on("value", func() { f(c.Ticked()) }) }

// Field is a line of text to write.
type Field struct{ *model }

// Text makes a line to write in.
func Text(label, value string) *Field {
	return &Field{control("Text", "TextStyleModel", map[string]any{
		"description": label, "value": value, "placeholder": "", "continuous_update": false, "disabled": false})}
}

// Text is what is written.
func (f *Field) Text() string {
	text, _ := f.get("value").(string)
	return text
}

// Set writes.
func (f *Field) Set(value string) { f.set("value", value) }

// OnChange has g called when the user has written and pressed Enter or left.
func (f *Field) OnChange(g func(value string)) { f.on("value", func() { g(f.Text()) }) }

// PushButton is a button.
type PushButton struct{ *model }

// Button makes a button.
func Button(label string) *PushButton {
	b := &PushButton{newControl("Button", "ButtonStyleModel", map[string]any{
		"description": label, "button_style": "", "disabled": false, "icon": ""})}
	b.text = func(map[string]any) string { return "[" + label + "]" }
	return b
}

// OnClick has f called when the user presses the button.
func (b *PushButton) OnClick(f func()) {
	b.custom = func(e event) {
		if e.Event == "click" {
			f()
		}
	}
}

// Enable makes the button work or rest.
func (b *PushButton) Enable(enabled bool) { b.set("disabled", !enabled) }

// Page is a piece of HTML that can be replaced.
type Page struct{ *model }

// HTML shows a piece of HTML.
func HTML(html string) *Page {
	return &Page{control("HTML", "HTMLStyleModel", map[string]any{"description": "", "value": html, "placeholder": ""})}
}

// Set replaces the HTML.
func (p *Page) Set(html string) { p.set("value", html) }

// Bar is a progress bar.
type Bar struct{ *model }

// Progress makes a bar from 0 to max.
func Progress(label string, max int) *Bar {
	return &Bar{control("IntProgress", "ProgressStyleModel", map[string]any{
		"_view_name": "ProgressView", "description": label, "value": 0, "min": 0, "max": max, "bar_style": "", "orientation": "horizontal"})}
}

// Set moves the bar.
func (b *Bar) Set(value int) { b.set("value", value) }

// Panel is a box of widgets.
type Panel struct{ *model }

// Column puts widgets below each other.
func Column(children ...Widget) *Panel { return panel("VBox", "\n", children) }

// Row puts widgets beside each other.
func Row(children ...Widget) *Panel { return panel("HBox", "  ", children) }

func panel(name, between string, children []Widget) *Panel {
	refs := make([]string, len(children))
	for i, c := range children {
		refs[i] = ref(c.twin())
	}
	p := &Panel{newControl(name, "", map[string]any{"children": refs, "box_style": ""})}
	p.text = func(map[string]any) string {
		var lines []string
		for _, c := range children {
			line, _ := c.MIME()["text/plain"].(string)
			lines = append(lines, line)
		}
		return strings.Join(lines, between)
	}
	return p
}
