package display

import (
	"fmt"
	"html"
	"math"
	"strings"
	"sync"
	"time"
)

// Bar is a progress bar, made by Progress.
type Bar struct {
	mu       sync.Mutex
	title    string
	unit     string
	note     string
	total    int
	done     int
	started  time.Time
	ended    time.Duration // 0 while it runs
	complete bool
	handle   *Handle
	outside  bool
}

// ProgressOptions say more of a progress bar.
type ProgressOptions struct {
	Unit string // what is counted, for the count and the rate: "steps"; default no word
}

// Progress shows a bar that Set and Add move on, with its rate and the time
// left; total 0 means that the end is not known. Outside a cell only the last
// state is printed. The options may be left out.
func Progress(title string, total int, options ...ProgressOptions) *Bar {
	b := &Bar{title: title, unit: append(options, ProgressOptions{})[0].Unit, total: total, started: time.Now(), outside: current() == nil}
	if !b.outside {
		b.handle = New(b.bundle())
	}
	return b
}

// Note sets the words after the bar.
func (b *Bar) Note(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = note
	b.update()
}

// Set says how much is done.
func (b *Bar) Set(done int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = done
	b.update()
}

// Add moves the bar on by n.
func (b *Bar) Add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done += n
	b.update()
}

// Done ends the bar where it stands; further calls change nothing.
func (b *Bar) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.complete {
		return
	}
	b.ended, b.complete = time.Since(b.started), true
	if b.outside {
		ShowBundle(b.bundle())
		return
	}
	b.handle.Update(b.bundle())
	b.handle.Flush()
}

func (b *Bar) update() {
	// An update that would be dropped for a later one is not drawn, except
	// the last, which may have no later one.
	if b.complete || b.outside || !b.handle.Ready() && (b.total == 0 || b.done < b.total) {
		return
	}
	b.handle.Update(b.bundle())
}

// MIME shows the bar as it stands.
func (b *Bar) MIME() Bundle {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bundle()
}

func (b *Bar) bundle() Bundle {
	words := b.words()
	fraction := 0.0
	if b.total > 0 {
		fraction = math.Max(0, math.Min(1, float64(b.done)/float64(b.total)))
	} else if b.complete {
		fraction = 1
	}
	const width = 30
	text := b.title
	if text != "" {
		text += " "
	}
	if b.total > 0 {
		eighths := int(fraction*width*8 + .5)
		bar := strings.Repeat("█", eighths/8)
		if rest := eighths % 8; rest > 0 {
			bar += string([]rune(" ▏▎▍▌▋▊▉")[rest])
		}
		bar += strings.Repeat(" ", width-len([]rune(bar)))
		text += fmt.Sprintf("%3.0f %% ▕%s▏ ", math.Floor(fraction*100), bar)
	}
	return Bundle{Text: text + words, HTML: b.markup(fraction, words)}
}

func (b *Bar) words() string {
	elapsed := b.ended
	if !b.complete {
		elapsed = time.Since(b.started)
	}
	parts := []string{Count(b.done)}
	if b.total > 0 {
		parts[0] += "/" + Count(b.total)
	}
	if b.unit != "" {
		parts[0] += " " + b.unit
	}
	rate := 0.0
	if s := elapsed.Seconds(); s > 0.05 && b.done > 0 {
		rate = float64(b.done) / s
		unit := b.unit
		if unit != "" {
			unit = " " + unit
		}
		parts = append(parts, strings.TrimLeft(Number(rate), " ")+unit+"/s")
	}
	if b.complete {
		parts = append(parts, Duration(elapsed))
	} else if b.total > b.done && rate > 0 {
		left := time.Duration(float64(b.total-b.done) / rate * float64(time.Second))
		if left >= time.Second {
			left = left.Round(time.Second)
		}
		parts = append(parts, Duration(left)+" left")
	}
	if b.note != "" {
		parts = append(parts, b.note)
	}
	return strings.Join(parts, " · ")
}

func (b *Bar) markup(fraction float64, words string) string {
	colour := "var(--jp-brand-color1,#1976d2)"
	if b.complete && (b.total == 0 || b.done >= b.total) {
		colour = "var(--jp-success-color1,#388e3c)"
	} else if b.complete {
		colour = "var(--jp-warn-color1,#f57c00)"
	}
	return fmt.Sprintf(`<div style="display:flex;align-items:center;gap:10px;flex-wrap:wrap;font-size:13px;`+
		`color:var(--jp-content-font-color1,inherit);font-variant-numeric:tabular-nums"><span>%s</span>`+
		`<span style="flex:0 0 220px;height:8px;border-radius:4px;overflow:hidden;background:#8883">`+
		`<span style="display:block;height:100%%;width:%.1f%%;background:%s"></span></span><span>%s</span></div>`,
		html.EscapeString(b.title), fraction*100, colour, html.EscapeString(words))
}
