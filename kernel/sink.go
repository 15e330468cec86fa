package kernel

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"trafficgpt/display"
)

// sliceTime is how long printed text is gathered before it goes out: short
// enough to look live, long enough that a loop of prints does not become a
// message a line. sliceSize sends earlier.
const (
	sliceTime = 30 * time.Millisecond
	sliceSize = 64 << 10
)

// cellSink sends what one cell prints and shows, with that cell as parent. It
// outlives the cell: what its goroutines print later still goes there.
type cellSink struct {
	s      *server
	r      *request
	comm   *request // parent of comm messages; r but for what a control's function does
	silent bool
	stdin  bool

	mu     sync.Mutex
	stream string // of what is in text
	text   []byte
	timer  *time.Timer
	ended  bool
}

func newCellSink(s *server, r *request, silent, stdin bool) *cellSink {
	return &cellSink{s: s, r: r, comm: r, silent: silent, stdin: stdin}
}

func (k *cellSink) Stdout(p []byte) { k.print("stdout", p) }
func (k *cellSink) Stderr(p []byte) { k.print("stderr", p) }

func (k *cellSink) print(stream string, p []byte) {
	if k.silent || len(p) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stream != stream {
		k.flush(true)
		k.stream = stream
	}
	k.text = append(k.text, p...)
	if len(k.text) >= sliceSize {
		k.flush(false)
	} else if k.timer == nil {
		k.timer = time.AfterFunc(sliceTime, func() {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.timer = nil
			k.flush(k.ended)
		})
	}
}

// flush publishes the gathered text. A character of which only the first
// bytes have been printed waits for the others, unless all must go. The
// caller holds mu.
func (k *cellSink) flush(all bool) {
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	n := len(k.text)
	if !all {
		n -= unfinished(k.text)
	}
	if n == 0 {
		return
	}
	text := strings.ToValidUTF8(string(k.text[:n]), "\uFFFD")
	k.text = append(k.text[:0], k.text[n:]...)
	k.s.publish(k.r, "stream", map[string]any{"name": k.stream, "text": text})
}

// unfinished is how many bytes at the end of p begin a character that is not
// complete.
func unfinished(p []byte) int {
	for n := 1; n <= min(utf8.UTFMax-1, len(p)); n++ {
		if c := p[len(p)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(p[len(p)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// endCell sends what is left; the cell has ended.
func (k *cellSink) endCell() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flush(true)
	k.ended = true
}

// Emit publishes a display event after the text printed before it.
func (k *cellSink) Emit(e display.Event) error {
	comm := e.Kind == display.CommOpen || e.Kind == display.CommMsg || e.Kind == display.CommClose
	if k.silent && !comm {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flush(true)
	switch e.Kind {
	case display.Display, display.Update:
		k.show(e)
	case display.Clear:
		k.s.publish(k.r, "clear_output", map[string]any{"wait": e.Wait})
	default:
		return k.s.emitComm(k.comm, k.r, e)
	}
	return nil
}

func (k *cellSink) show(e display.Event) {
	metadata := e.Metadata
	if metadata == nil {
		metadata = map[string]any{}
	}
	transient := map[string]any{}
	if e.ID != "" {
		transient["display_id"] = e.ID
	}
	msgType := "display_data"
	if e.Kind == display.Update {
		msgType = "update_display_data"
	}
	k.s.publish(k.r, msgType, map[string]any{"data": bundle(e.Data), "metadata": metadata, "transient": transient}, extras{buffers: e.Buffers})
}

var errNoInput = errors.New("the front end that runs this cell cannot be asked for input (allow_stdin is false)")

// Input asks the front end that started the cell.
func (k *cellSink) Input(ctx context.Context, prompt string, password bool) (string, error) {
	if !k.stdin {
		return "", errNoInput
	}
	k.mu.Lock()
	k.flush(true)
	ended := k.ended
	k.mu.Unlock()
	if ended {
		return "", errors.New("the cell that asks for input has ended")
	}
	return k.s.ask(ctx, k.r, prompt, password)
}
