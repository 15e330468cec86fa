package kernel

import (
	"testing"
	"time"
)

// TestPrecedes: the failed cell's request came at 0 and its reply left after
// 150 ms, by the kernel's clock; its date is 12:00:00 by the client's.
func TestPrecedes(t *testing.T) {
	began := time.Now()
	const day = "2026-11-28T"
	for name, c := range map[string]struct {
		failed, date string
		arrived      time.Duration
		want         bool
	}{
		"waits, sent together":               {day + "12:00:00.000Z", day + "12:00:00.001Z", 140 * time.Millisecond, true},
		"waits, without a date":              {day + "12:00:00.000Z", "", 140 * time.Millisecond, true},
		"waits, of a date that comes after":  {day + "12:00:00.000Z", day + "13:00:00.000Z", 140 * time.Millisecond, true},
		"late, sent together":                {day + "12:00:00.000Z", day + "12:00:00.001Z", 900 * time.Millisecond, true},
		"late, sent just before":             {day + "12:00:00.000Z", day + "12:00:00.148Z", 900 * time.Millisecond, true},
		"late, of the same date":             {day + "12:00:00.000Z", day + "12:00:00.000Z", 5 * time.Second, true},
		"an answer to the reply":             {day + "12:00:00.000Z", day + "12:00:00.150Z", 151 * time.Millisecond, false},
		"within the step of the dates":       {day + "12:00:00.000Z", day + "12:00:00.149Z", 151 * time.Millisecond, false},
		"run again":                          {day + "12:00:00.000Z", day + "12:00:00.700Z", 701 * time.Millisecond, false},
		"a clock far behind, sent together":  {"1999-01-01T00:00:00.000Z", "1999-01-01T00:00:00.002Z", 900 * time.Millisecond, true},
		"a clock far behind, run again":      {"1999-01-01T00:00:00.000Z", "1999-01-01T00:00:00.700Z", 900 * time.Millisecond, false},
		"another zone, sent together":        {day + "12:00:00.000000+05:30", day + "12:00:00.002000+05:30", 900 * time.Millisecond, true},
		"without a zone, sent together":      {day + "12:00:00.000000", day + "12:00:00.002000", 900 * time.Millisecond, true},
		"without a zone, run again":          {day + "12:00:00.000000", day + "12:00:00.900000", 900 * time.Millisecond, false},
		"a clock set back":                   {day + "12:00:00.000Z", day + "11:59:59.990Z", 900 * time.Millisecond, false},
		"a clock set back by an hour":        {day + "12:00:00.000Z", day + "11:00:00.700Z", 900 * time.Millisecond, false},
		"on its way for longer than can be":  {day + "12:00:00.000Z", day + "12:00:00.001Z", maxLate + time.Second, false},
		"late, no date":                      {day + "12:00:00.000Z", "", 900 * time.Millisecond, false},
		"late, the failed one without":       {"", day + "12:00:00.001Z", 900 * time.Millisecond, false},
		"late, both without":                 {"", "", 900 * time.Millisecond, false},
		"late, no date at all":               {day + "12:00:00.000Z", "yesterday", 900 * time.Millisecond, false},
		"late, seconds only":                 {day + "12:00:00Z", day + "12:00:00Z", 900 * time.Millisecond, false},
		"late, tenths only":                  {day + "12:00:00.0Z", day + "12:00:00.1Z", 900 * time.Millisecond, false},
		"late, a date that cannot be":        {day + "12:00:00.000Z", "2026-13-41T12:00:00.000Z", 900 * time.Millisecond, false},
		"late, a date of many, many letters": {day + "12:00:00.000Z", day + "12:00:00.001ZZZZZZZZZZZZZZZZZZ", 900 * time.Millisecond, false},
	} {
		f := failure{date: c.failed, arrived: began, shown: began.Add(150 * time.Millisecond)}
		if got := f.precedes(c.date, began.Add(c.arrived)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// An hour's cell: what waits is stopped, what comes after goes by no date.
	f := failure{date: day + "12:00:00.000Z", arrived: began, shown: began.Add(time.Hour)}
	if !f.precedes(day+"12:59:59.000Z", began.Add(time.Hour-time.Second)) || f.precedes(day+"12:59:59.000Z", began.Add(time.Hour+time.Second)) {
		t.Error("after an hour")
	}
}
