package judge

import (
	"encoding/json"
	"fmt"
	"math"

	"trafficgpt/lib/metrics"
)

// The four that are compared with the reference.
const (
	generated = iota
	floor
	copying
	independent
	competitors
)

var competitorNames = [competitors]string{"generated", "real against real", "copying machine", "independent fields"}

// Value is a number with its interval of 95 %; NaN for what is not known.
type Value struct{ Value, Low, High float64 }

var unknown = Value{math.NaN(), math.NaN(), math.NaN()}

// exactly is a number without an interval.
func exactly(v float64) Value { return Value{v, math.NaN(), math.NaN()} }

func of(i metrics.Interval) Value { return Value{i.Value, i.Low, i.High} }

// Known reports whether there is a number.
func (v Value) Known() bool { return !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) }

// ends is the interval, or the number itself where there is none.
func (v Value) ends() (low, high float64) {
	if math.IsNaN(v.Low) || math.IsNaN(v.High) {
		return v.Value, v.Value
	}
	return v.Low, v.High
}

// MarshalJSON writes null for what is not known.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Known() {
		return []byte("null"), nil
	}
	out := map[string]float64{"value": v.Value}
	if !math.IsNaN(v.Low) && !math.IsNaN(v.High) {
		out["low"], out["high"] = v.Low, v.High
	}
	return json.Marshal(out)
}

// Measure is one number for the generated flows, and beside it what real flows,
// a copying machine and independent fields have.
type Measure struct {
	Name                                   string
	Unit                                   string // "" for a share or a score in [0,1], "%" …
	Generated, Floor, Copying, Independent Value
	Higher                                 bool // more is better
	Verdict                                Verdict

	near, far float64 // excess over the floor that is still near, and that is far
	chance    float64 // what guessing has: a floor below it is taken for it
	copies    bool    // one copy is a copy, however few flows there are
	digits    int
}

// at is the value of a competitor.
func (m *Measure) at(k int) *Value {
	return [...]*Value{&m.Generated, &m.Floor, &m.Copying, &m.Independent}[k]
}

// measure is one that nothing is known of yet. near and far bound the excess over
// the floor; 0 makes a measure that is shown and not judged.
func measure(name, unit string, digits int, near, far float64) *Measure {
	m := &Measure{Name: name, Unit: unit, digits: digits, near: near, far: far}
	for k := range competitors {
		*m.at(k) = unknown
	}
	return m
}

// Level is how a measure or an axis stands.
type Level int

// Levels, from no verdict to the worst.
const (
	Unjudged Level = iota
	AtFloor
	Near
	Off
	Far
)

var levelWords = [...]string{"not judged", "at the floor", "near", "off", "far"}

func (l Level) String() string { return levelWords[l] }

// MarshalText writes the level's word.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Verdict is a level, and what it means in words.
type Verdict struct {
	Level Level
	Words string
}

// judge compares the generated flows with the floor. They are at the floor when
// they are no worse, or when the two intervals meet and the excess is small; near
// and far are bounds of the excess that docs/judge.md gives for each measure.
func (m *Measure) judge() {
	g, f := m.Generated, m.Floor
	m.Verdict = Verdict{}
	if !g.Known() || !f.Known() || m.far == 0 {
		return
	}
	gl, gh := g.ends()
	fl, fh := f.ends()
	if f.Value < m.chance {
		f.Value, fh = m.chance, math.Max(fh, m.chance)
	}
	excess, least := g.Value-f.Value, gl-fh
	if m.Higher {
		excess, least = -excess, fl-gh
	}
	switch {
	case excess <= 0, excess <= m.near && least <= 0:
		m.Verdict.Level = AtFloor
	case excess <= m.near:
		m.Verdict.Level = Near
	case excess <= m.far:
		m.Verdict.Level = Off
	default:
		m.Verdict.Level = Far
	}
	// An interval wider than what would be far tells nothing but the far side.
	if gh-gl > 2*m.far && least <= m.far {
		m.Verdict = Verdict{Unjudged, "too few flows to tell"}
	}
}

// text is a value as the tables show it.
func (m *Measure) text(v Value) string {
	if !v.Known() {
		return "–"
	}
	return m.number(v.Value)
}

func (m *Measure) number(v float64) string {
	s := fmt.Sprintf("%.*f", m.digits, v)
	if m.Unit == "%" || m.Unit == "s" {
		return s + " " + m.Unit
	}
	return s
}

// excess is how far the generated flows are from the floor, with its sign.
func (m *Measure) excess() string {
	if !m.Generated.Known() || !m.Floor.Known() {
		return "–"
	}
	return fmt.Sprintf("%+.*f", m.digits, m.Generated.Value-m.Floor.Value)
}

// interval is the ends of the generated flows' interval.
func (m *Measure) interval() string {
	g := m.Generated
	if !g.Known() || math.IsNaN(g.Low) || math.IsNaN(g.High) {
		return "–"
	}
	return fmt.Sprintf("%.*f–%.*f", m.digits, g.Low, m.digits, g.High)
}

// tooFew is the number of generated flows under which nothing is judged but copies.
const tooFew = 10

// conclude judges the measures of so many generated flows, and the axis by its first.
func (a *Axis) conclude(flows int) {
	a.Question = questions[a.Name]
	for _, m := range a.Measures {
		if m.judge(); flows < tooFew && m.Verdict.Level != Unjudged && a.Name != Privacy && !m.copies {
			m.Verdict = Verdict{Unjudged, "too few flows to tell"}
		}
	}
	switch {
	case a.Missing != "":
		a.Verdict = Verdict{Unjudged, "not judged"}
	case len(a.Measures) > 0 && a.Verdict.Words == "":
		m := a.Measures[0]
		a.Verdict = m.Verdict
		if a.Verdict.Words == "" {
			a.Verdict.Words = words(a.Name, m)
		}
	}
}

var questions = map[AxisName]string{
	Structure:     "Do packets parse and do connections keep the rules, as often as real ones?",
	Distribution:  "Are header fields, sizes and directions distributed as in real traffic?",
	Time:          "Are intervals, bursts, rates and durations distributed as in real traffic, and not copied from it?",
	Utility:       "Does a classifier that learned from the generated flows work on real ones?",
	Discriminator: "Can a classifier tell generated flows from real ones?",
	Privacy:       "Are generated flows copies of the flows that were learned from?",
	Text:          "What do perplexity, BLEU and ROUGE say, and what would they say of anything?",
	Cost:          "What did it cost to make them?",
}

// words says a level in the terms of an axis.
func words(a AxisName, m *Measure) string {
	l := m.Verdict.Level
	if l == Unjudged {
		return "not judged"
	}
	by := map[AxisName][4]string{
		Structure:     {"keeps the rules as real traffic does", "breaks few more rules than real traffic", "breaks more rules than real traffic", "breaks rules that real traffic keeps"},
		Distribution:  {"as real flows from each other", "near real traffic", "off real traffic", "far from real traffic"},
		Time:          {"as real flows from each other", "near real timing", "off real timing", "far from real timing"},
		Utility:       {"as useful as real flows", "nearly as useful as real flows", "less useful than real flows", "of little use to train on"},
		Discriminator: {"not told from real flows", "hard to tell from real flows", "often told from real flows", "told from real flows"},
		Privacy:       {"copies no more than chance", "a few copies", "copies training flows", "copies its training flows"},
	}[a]
	return by[l-1]
}
