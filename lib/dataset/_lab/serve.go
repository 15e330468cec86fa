package main

import (
	"net"
	"sync"
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
