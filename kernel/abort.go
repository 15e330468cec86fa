package kernel

import (
	"strings"
	"time"
)

// When a cell fails, a client's requests that were sent before it could know
// are turned down (stop_on_error): "run all" sends one request a cell at once.
// Most wait in the lane by then. Others are still on their way, on a slow
// machine for longer than any delay here could be, so what decides is the date
// that the client itself gave them.

const (
	// holdBack is how long the reply of a failed cell waits, though its error
	// is shown at once: by then a front end has dated all that it sends
	// together. A client that answers to the reply comes after it.
	holdBack = 100 * time.Millisecond
	// maxLate is how long a request may be on its way, and how long after the
	// failed one it may have been sent, for its date to be believed: clocks
	// are set now and then.
	maxLate = 10 * time.Second
	// dateStep is the step of the dates of front ends written in JavaScript.
	dateStep = time.Millisecond
)

// failure is a failed cell, by its request.
type failure struct {
	date           string    // by the client's clock
	arrived, shown time.Time // by ours: the request, and its reply
}

// precedes says whether a request of the same client, of the date and arrived
// at that time, was sent before the client was told of the failure. Only dates
// of the same clock are compared: f.shown-f.arrived after the failed request is
// the latest that the reply can have been on its way.
func (f failure) precedes(date string, arrived time.Time) bool {
	if !arrived.After(f.shown) {
		return true
	}
	first, ok := parseDate(f.date)
	second, also := parseDate(date)
	after := second.Sub(first)
	return ok && also && after >= 0 && after <= maxLate && arrived.Sub(f.shown) <= maxLate &&
		after+dateStep < f.shown.Sub(f.arrived)
}

// parseDate reads the date of a header. One without a zone is taken as it is,
// since it is compared to others of the same clock; one without milliseconds
// says too little.
func parseDate(s string) (time.Time, bool) {
	_, fraction, _ := strings.Cut(s, ".")
	if len(fraction) < 3 || strings.Trim(fraction[:3], "0123456789") != "" {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// fail notes that the cell of r has failed and takes out what its client has
// waiting behind it. Only the lane's own goroutine calls it.
func (l *lane) fail(r *request) (waiting []*request) {
	time.Sleep(holdBack)
	waiting = l.takeExecutes(r.msg.Header.Session)
	now := time.Now()
	for session, f := range l.failures {
		if now.Sub(f.shown) > maxLate {
			delete(l.failures, session)
		}
	}
	if l.failures == nil {
		l.failures = map[string]failure{}
	}
	l.failures[r.msg.Header.Session] = failure{date: r.msg.Header.Date, arrived: r.arrived, shown: now}
	return waiting
}

// tooLate says whether r is a cell sent before its client knew of a failure.
// The first that is not ends the matter. Only the lane's own goroutine calls it.
func (l *lane) tooLate(r *request) bool {
	if r.msg.Header.MsgType != "execute_request" {
		return false
	}
	f, ok := l.failures[r.msg.Header.Session]
	if ok && f.precedes(r.msg.Header.Date, r.arrived) {
		return true
	}
	delete(l.failures, r.msg.Header.Session)
	return false
}

// takeExecutes removes the execute requests of a client that wait.
func (l *lane) takeExecutes(session string) []*request {
	l.mu.Lock()
	defer l.mu.Unlock()
	var taken, kept []*request
	for _, r := range l.todo {
		if r.msg.Header.MsgType == "execute_request" && r.msg.Header.Session == session {
			taken = append(taken, r)
		} else {
			kept = append(kept, r)
		}
	}
	l.todo = kept
	return taken
}
