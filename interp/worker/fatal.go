package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"trafficgpt/interp"
)

// fatalWords begin what Go's runtime says before it ends a process.
var fatalWords = regexp.MustCompile(`(?m)^(panic: |fatal error: |runtime: |runtime/cgo: |SIG[A-Z]+: |unexpected fault address |\[signal |signal arrived )`)

// rawStderr reads descriptor 2, to which only the runtime writes: os.Stderr of
// the child is another. What it says may be the child's last words, so it is
// held back until the child dies or some time has passed.
type rawStderr struct {
	r       *os.File
	deliver func([]byte)
	ended   atomic.Bool

	mu   sync.Mutex
	held []byte
}

const (
	// hold is how long words are held back that may be the child's last,
	// holdFatal if they sound like it: a busy machine needs its time to unwind a
	// gigabyte of stack.
	hold      = 20 * time.Millisecond
	holdFatal = 30 * time.Second
	// lastWords is how much of the child's last words is kept: the stacks of
	// thousands of goroutines help nobody.
	lastWords = 64 << 10
)

func (s *rawStderr) run() {
	buf := make([]byte, 16<<10)
	for {
		ended := s.ended.Load()
		var deadline time.Time
		if ended {
			deadline = time.Now().Add(drain)
		} else if len(s.held) > 0 {
			wait := hold
			if fatalWords.Match(s.held) {
				wait = holdFatal
			}
			deadline = time.Now().Add(wait)
		}
		_ = s.r.SetReadDeadline(deadline)
		if ended != s.ended.Load() {
			continue
		}
		n, err := s.r.Read(buf)
		s.mu.Lock()
		if room := lastWords - len(s.held); room > 0 {
			s.held = append(s.held, buf[:min(n, room)]...)
		}
		s.mu.Unlock()
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || ended {
			return
		}
		if !s.ended.Load() { // else they are the last words
			s.release()
		}
	}
}

func (s *rawStderr) finish() {
	s.ended.Store(true)
	_ = s.r.SetReadDeadline(time.Now())
}

func (s *rawStderr) release() {
	s.mu.Lock()
	held := s.held
	s.held = nil
	s.mu.Unlock()
	if len(held) > 0 {
		s.deliver(held)
	}
}

// words returns what was held back, split into what was printed before the
// runtime spoke its last words, and those.
func (s *rawStderr) words() (before, last string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := string(s.held)
	if loc := fatalWords.FindStringIndex(text); loc != nil {
		return text[:loc[0]], text[loc[0]:]
	}
	return text, ""
}

var (
	fatalLine = regexp.MustCompile(`(?m)^fatal error: (.*)$`)
	panicLine = regexp.MustCompile(`(?m)^panic: (.*)$`)
	// as a process has it that ends by a signal for which Go prints its stacks
	signalLine = regexp.MustCompile(`^(SIG[A-Z]+)(: .*)`)
	codeLine   = regexp.MustCompile(`(?m)^PC=.* sigcode=(-?\d+)`)
	stackLine  = regexp.MustCompile(`(?m)^runtime: goroutine stack exceeds (\d+)-byte limit`)
)

// sentByProcess is the code of a signal that kill has sent (SI_USER).
const sentByProcess = "0"

// explain says why a child is dead.
func explain(wait error, last string, limit int64) string {
	switch m := fatalLine.FindStringSubmatch(last); {
	case m == nil:
	case strings.Contains(m[1], "out of memory") || strings.Contains(m[1], "cannot allocate memory"):
		if limit > 0 {
			return fmt.Sprintf("out of memory: the limit is %s", bytesText(limit))
		}
		return "out of memory"
	case m[1] == "stack overflow":
		if b := stackLine.FindStringSubmatch(last); b != nil {
			return "stack overflow: a function called itself until its stack exceeded " + b[1] + " bytes"
		}
		return "stack overflow"
	default:
		return "fatal error: " + m[1]
	}
	// Where the limit leaves no memory for another thread's stack, the C library
	// says so and aborts.
	if limit > 0 && strings.HasPrefix(last, "runtime/cgo: pthread_create failed") {
		return fmt.Sprintf("out of memory: the limit is %s (no stack for another thread)", bytesText(limit))
	}
	if sig := signalLine.FindStringSubmatch(last); sig != nil {
		// The runtime tells who sent a signal: a process, or the fault itself.
		code := codeLine.FindStringSubmatch(last)
		switch {
		case code != nil && code[1] == sentByProcess:
			return "killed from outside (" + sig[1] + ")"
		case sig[1] == "SIGABRT":
			return "the engine aborted itself (SIGABRT)"
		}
		return sig[1] + sig[2]
	}
	if m := panicLine.FindStringSubmatch(last); m != nil {
		return "panic in a goroutine: " + strings.TrimSpace(strings.TrimSuffix(m[1], "[recovered, repanicked]"))
	}
	var exit *exec.ExitError
	if !errors.As(wait, &exit) {
		if wait == nil {
			return "os.Exit(0) ended it"
		}
		return wait.Error()
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL:
		return "killed from outside (SIGKILL), perhaps by the system for want of memory"
	case ok && status.Signaled():
		return "killed from outside (" + unix.SignalName(status.Signal()) + ")"
	case last != "":
		line, _, _ := strings.Cut(last, "\n")
		return line
	}
	return fmt.Sprintf("os.Exit(%d) ended it", exit.ExitCode())
}

func bytesText(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

const (
	red   = "\x1b[31m"
	reset = "\x1b[0m"
	// stackLines is how much of a dead child's stack is shown.
	stackLines = 24
)

// diedError is what a cell ends with whose child is dead.
func diedError(reason, last string, replay int) *interp.Error {
	e := &interp.Error{Name: "EngineDied", Message: reason, SessionLost: true}
	e.Traceback = append(e.Traceback, red+"EngineDied"+reset+": "+reason)
	if frames := frames(last); len(frames) > 0 {
		e.Traceback = append(e.Traceback, frames...)
	}
	note := "The engine has been restarted; all variables are gone."
	if replay == 1 {
		note += " %replay runs the cell before this one again."
	} else if replay > 1 {
		note += fmt.Sprintf(" %%replay runs the %d cells before this one again.", replay)
	}
	e.Traceback = append(e.Traceback, note)
	return e
}

// machinery are the packages whose frames say nothing about a cell.
var machinery = []string{"github.com/traefik/yaegi/", "reflect.", "runtime.", "trafficgpt/interp", "created by "}

// frames picks from a stack what concerns the cell: the functions of the
// first goroutine, without those of the interpreter.
func frames(last string) []string {
	_, stack, ok := strings.Cut(last, "\ngoroutine ")
	if !ok || signalLine.MatchString(last) { // what a signal met says nothing of the cell
		return nil
	}
	stack, _, _ = strings.Cut(stack, "\n\n")
	lines := strings.Split(stack, "\n")
	var out []string
	for i := 1; i+1 < len(lines) && len(out) < stackLines; i++ {
		where, isPlace := strings.CutPrefix(lines[i+1], "\t")
		if !isPlace {
			continue
		}
		i++
		fn := lines[i-1]
		skip := false
		for _, m := range machinery {
			skip = skip || strings.HasPrefix(fn, m)
		}
		if skip {
			continue
		}
		if at := strings.LastIndex(fn, "("); at > 0 {
			fn = fn[:at]
		}
		where, _, _ = strings.Cut(where, " +0x")
		out = append(out, "  "+fn+"  "+where)
	}
	return out
}
