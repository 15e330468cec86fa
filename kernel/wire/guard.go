package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"sync"
)

// Limits of one incoming ZeroMQ message.
const (
	handshakeLimit  = 64 << 10
	messageLimit    = 128 << 20
	frameCountLimit = 10_000
)

// ErrOversized ends a connection whose peer announced more than the limits.
var ErrOversized = errors.New("a frame or message is larger than the limit")

const (
	flagMore      = 0x1
	flagLong      = 0x2
	greetingBytes = 64
)

// guard stands between a socket and zmq4. zmq4 allocates whatever size a
// frame header claims, so guard walks along the incoming bytes and fails the
// read before such a header takes effect. It also owns writing: zmq4 writes
// header and body of a PONG separately, from the reading goroutine, so those
// are put together before they go out between whole messages.
type guard struct {
	net.Conn
	in *bufio.Reader

	limit  uint64
	skip   uint64  // bytes of greeting or body still to pass
	header [9]byte // header being collected
	have   int
	total  uint64 // of the message so far
	frames int

	write     sync.Mutex
	open      bool // the handshake is over
	unwritten []byte
}

func newGuard(c net.Conn) *guard {
	return &guard{Conn: c, in: bufio.NewReaderSize(c, 16<<10), limit: handshakeLimit, skip: greetingBytes}
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.in.Read(p)
	if walkErr := g.walk(p[:n]); walkErr != nil {
		return 0, walkErr
	}
	return n, err
}

// walk follows the frame structure over p.
func (g *guard) walk(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, uint64(len(p)))
			g.skip -= n
			p = p[n:]
			continue
		}
		g.header[g.have] = p[0]
		g.have++
		p = p[1:]
		long := g.header[0]&flagLong != 0
		if g.have < 2 || long && g.have < 9 {
			continue
		}
		size := uint64(g.header[1])
		if long {
			size = binary.BigEndian.Uint64(g.header[1:])
		}
		g.have = 0
		if err := g.frame(size, g.header[0]&flagMore != 0); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) frame(size uint64, more bool) error {
	g.frames++
	if size > g.limit || g.total+size > g.limit || g.frames > frameCountLimit {
		return ErrOversized
	}
	g.skip = size
	g.total += size
	if !more {
		g.total, g.frames = 0, 0
	}
	return nil
}

// established lifts the handshake's limits.
func (g *guard) established() {
	g.limit = messageLimit
	g.write.Lock()
	g.open = true
	g.write.Unlock()
}

// Write is called by zmq4: during the handshake, and later only for PONGs.
func (g *guard) Write(p []byte) (int, error) {
	g.write.Lock()
	defer g.write.Unlock()
	if !g.open {
		return g.Conn.Write(p)
	}
	g.unwritten = append(g.unwritten, p...)
	if len(g.unwritten) < 2 || len(g.unwritten) < 2+int(g.unwritten[1]) {
		return len(p), nil
	}
	_, err := g.Conn.Write(g.unwritten)
	g.unwritten = g.unwritten[:0]
	return len(p), err
}

// writeMessages writes whole encoded messages, in pieces so that progress can
// be seen, but with nothing in between.
func (g *guard) writeMessages(p []byte, progress func(n int)) error {
	g.write.Lock()
	defer g.write.Unlock()
	for len(p) > 0 {
		n, err := g.Conn.Write(p[:min(len(p), writeUnit)])
		if err != nil {
			return err
		}
		progress(n)
		p = p[n:]
	}
	return nil
}

// appendFrames encodes the frames of one message in ZMTP's framing.
func appendFrames(dst []byte, frames [][]byte) []byte {
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags = flagMore
		}
		if len(f) > 255 {
			dst = append(dst, flags|flagLong)
			dst = binary.BigEndian.AppendUint64(dst, uint64(len(f)))
		} else {
			dst = append(dst, flags, byte(len(f)))
		}
		dst = append(dst, f...)
	}
	return dst
}
