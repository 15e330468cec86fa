package wire

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"trafficgpt/kernel/ahead"
)

// listener accepts connections for one bound socket. Every connection shakes
// hands and is served in its own goroutine, so one that stays silent holds up
// nobody.
type listener struct {
	typ   SocketType
	log   *slog.Logger
	ln    net.Listener
	serve func(*Conn)

	mu     sync.Mutex
	raw    map[net.Conn]struct{} // still shaking hands
	conns  map[*Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// Bind listens on an endpoint: for "tcp" ip and port, for "ipc" the path
// ip-port, as Jupyter names it. Port 0 on TCP takes a free one. A socket that
// package ahead has bound before is taken over.
func Bind(transport, ip string, port int) (net.Listener, error) {
	switch transport {
	case "", "tcp":
		if ip == "*" {
			ip = ""
		}
		address := net.JoinHostPort(ip, strconv.Itoa(port))
		if ln := bound("tcp", address); ln != nil {
			return ln, nil
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		return ln, nil
	case "ipc":
		path := ip + "-" + strconv.Itoa(port)
		if ln := bound("unix", path); ln != nil {
			return ln, nil
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use by another process", path)
		}
		// Left behind by a kernel that was killed; ZeroMQ replaces it too.
		if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
			os.Remove(path)
		}
		ln, err := net.Listen("unix", path)
		if err != nil {
			return nil, err
		}
		return ln, nil
	}
	return nil, fmt.Errorf("transport %q is neither tcp nor ipc", transport)
}

// bound is the listener of a socket that package ahead has bound, on Linux and
// for fixed ports only; nil when there is none.
func bound(network, address string) net.Listener {
	fd, ok := ahead.Take(network, address)
	if !ok {
		return nil
	}
	f := os.NewFile(uintptr(fd), address)
	defer f.Close() // the listener has a descriptor of its own
	ln, err := net.FileListener(f)
	if err != nil {
		return nil // bound anew by the caller
	}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(true)
	}
	return ln
}

func listen(ln net.Listener, typ SocketType, log *slog.Logger, serve func(*Conn)) *listener {
	l := &listener{typ: typ, log: log, ln: ln, serve: serve,
		raw: make(map[net.Conn]struct{}), conns: make(map[*Conn]struct{})}
	l.wg.Go(l.accept)
	return l
}

func (l *listener) accept() {
	for {
		nc, err := l.ln.Accept()
		if err != nil {
			l.mu.Lock()
			closed := l.closed
			l.mu.Unlock()
			if closed {
				return
			}
			// Out of descriptors, most likely: wait and go on.
			l.log.Warn("accept failed", "error", err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if !l.admit(nc) {
			nc.Close()
			return
		}
		l.wg.Go(func() { l.run(nc) })
	}
}

func (l *listener) admit(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.raw[nc] = struct{}{}
	return true
}

func (l *listener) run(nc net.Conn) {
	c, err := Handshake(nc, l.typ, nil, true)
	l.mu.Lock()
	delete(l.raw, nc)
	closed := l.closed
	if err == nil && !closed {
		l.conns[c] = struct{}{}
	}
	l.mu.Unlock()
	if err != nil {
		l.log.Debug("connection refused", "socket", l.typ, "error", err)
		return
	}
	defer c.Close()
	if closed {
		return
	}
	l.serve(c)
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
}

// close stops accepting, gives what is queued until the limit to go out, and
// ends all connections.
func (l *listener) close(limit time.Duration) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	conns := make([]*Conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	for nc := range l.raw {
		nc.Close()
	}
	l.mu.Unlock()
	l.ln.Close()
	var wg sync.WaitGroup
	for _, c := range conns {
		wg.Go(func() {
			c.Drain(limit)
			c.Close()
		})
	}
	wg.Wait()
	l.wg.Wait()
}
