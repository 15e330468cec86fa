package main

import (
	"net"
	"sync"
	"time"
)

type conn = net.Conn

// accept calls handle for each connection, each in a goroutine, until the
// listener closes. A connection closes when handle returns or the world ends.
func (w *World) accept(l net.Listener, handle func(conn)) {
	var mu sync.Mutex
	var open []net.Conn
	ended := false
	w.Defer(func() {
		mu.Lock()
		defer mu.Unlock()
		ended = true
		for _, c := range open {
			c.Close()
		}
	})
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		mu.Lock()
		if ended {
			mu.Unlock()
			c.Close()
			return
		}
		open = append(open, c)
		mu.Unlock()
		go func() {
			handle(c)
			c.Close()
		}()
	}
}

// gathered is a connection that sends what is written within some microseconds
// as one, as programs with output buffers do.
type gathered struct {
	net.Conn
	mu  sync.Mutex
	out []byte
	err error
}

func (g *gathered) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	if len(g.out) == 0 {
		time.AfterFunc(20*time.Microsecond, g.flush)
	}
	g.out = append(g.out, b...)
	return len(b), nil
}

func (g *gathered) flush() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.out) > 0 {
		_, g.err = g.Conn.Write(g.out)
		g.out = nil
	}
}

func (g *gathered) Close() error {
	g.flush()
	return g.Conn.Close()
}

// gathering is a listener whose connections gather.
type gathering struct{ net.Listener }

func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gathered{Conn: c}, nil
}
