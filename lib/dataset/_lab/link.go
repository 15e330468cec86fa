package main

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Path says how the network between the two hosts behaves.
type Path struct {
	Delay   time.Duration // one way
	Jitter  time.Duration // mean of the exponential extra delay of a packet
	Up      float64       // bits per second, client to server
	Down    float64       // bits per second, server to client
	Loss    float64       // probability that a packet is lost
	Reorder float64       // probability that a packet may be overtaken
	Queue   int           // bytes that wait before the bottleneck; more are dropped
	MTU     uint32
}

// Frame is one frame as the tap saw it.
type Frame struct {
	Time time.Time
	Data []byte
}

// Link joins two network cards by a path and captures what passes the tap,
// which sits at the client's end (or at the server's, when AtServer is set):
// a frame lost on the path is in the capture when it left the tap's side and
// missing when it came from the other.
type Link struct {
	Path     Path
	AtServer bool
	Pad      bool // frames that arrive at the tap are padded to 60 bytes, as by real cards

	mu     sync.Mutex
	rng    *rand.Rand
	ends   [2]*card // client, server
	free   [2]time.Time
	last   [2]time.Time
	frames []Frame
	closed bool
	lost   int
}

func newLink(p Path, rng *rand.Rand) *Link {
	l := &Link{Path: p, rng: rng}
	for i := range l.ends {
		l.ends[i] = &card{link: l, side: i}
	}
	return l
}

// send moves a frame from the card at side to the other one.
func (l *Link) send(side int, frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := time.Now()
	rate := l.Path.Up
	if side == 1 {
		rate = l.Path.Down
	}
	wire := time.Duration(float64(len(frame)+24) * 8 / rate * 1e9)
	// The time the host's driver takes, some microseconds.
	ready := now.Add(time.Duration(2e3 + 8e3*l.rng.ExpFloat64()))
	start := ready
	if l.free[side].After(start) {
		start = l.free[side]
	}
	queued := start.Sub(ready).Seconds() * rate / 8
	if l.Path.Queue > 0 && queued > float64(l.Path.Queue) {
		l.lost++
		return
	}
	left := start.Add(wire)
	l.free[side] = left

	delay := l.Path.Delay + time.Duration(float64(l.Path.Jitter)*math.Min(l.rng.ExpFloat64(), 6))
	arrival := left.Add(delay)
	if l.rng.Float64() < l.Path.Reorder {
		// This one takes a longer way; later frames may overtake it.
		arrival = arrival.Add(time.Duration((0.5 + l.rng.Float64()) * float64(2*time.Millisecond+l.Path.Delay/4)))
	} else {
		if !arrival.After(l.last[side]) {
			arrival = l.last[side].Add(wire)
		}
		l.last[side] = arrival
	}
	lost := isIP(frame) && l.rng.Float64() < l.Path.Loss
	tapSide := 0
	if l.AtServer {
		tapSide = 1
	}
	if side == tapSide {
		l.frames = append(l.frames, Frame{left, frame})
	} else if !lost {
		seen := frame
		if l.Pad && len(seen) < 60 {
			seen = append(append(make([]byte, 0, 60), seen...), make([]byte, 60-len(seen))...)
		}
		l.frames = append(l.frames, Frame{arrival, seen})
	}
	if lost {
		l.lost++
		return
	}
	l.ends[1-side].arrive(frame, now, arrival)
}

// take returns the frames seen so far and forgets them.
func (l *Link) take() []Frame {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.frames
	l.frames = nil
	return f
}

func (l *Link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// isIP tells frames that may be lost from ARP and neighbour discovery, which
// stay on the first hop.
func isIP(frame []byte) bool {
	switch {
	case len(frame) < 34:
		return false
	case frame[12] == 0x08 && frame[13] == 0x00:
		return true
	case frame[12] == 0x86 && frame[13] == 0xdd:
		return frame[20] != uint8(header.ICMPv6ProtocolNumber)
	}
	return false
}
