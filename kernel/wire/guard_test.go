package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// pair returns both ends of an established connection.
func pair(t *testing.T, server, peer SocketType) (*Conn, *Conn) {
	t.Helper()
	ln, err := Bind("tcp", "127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan *Conn, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			accepted <- nil
			return
		}
		c, _ := Handshake(nc, server, nil, true)
		accepted <- c
	}()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Handshake(nc, peer, []byte("me"), false)
	if err != nil {
		t.Fatal(err)
	}
	a := <-accepted
	if a == nil {
		t.Fatal("no handshake")
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func TestFramesOfAllSizes(t *testing.T) {
	a, b := pair(t, Router, Dealer)
	if a.Identity != "me" {
		t.Errorf("identity %q", a.Identity)
	}
	for _, size := range []int{0, 1, 255, 256, writeUnit - 1, writeUnit, writeUnit + 1, 5 << 20} {
		want := [][]byte{bytes.Repeat([]byte{7}, size), {}, []byte("end")}
		if err := b.Send(want); err != nil {
			t.Fatal(err)
		}
		got, err := a.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || !bytes.Equal(got[0], want[0]) || len(got[1]) != 0 || string(got[2]) != "end" {
			t.Errorf("%d bytes arrived as %d frames", size, len(got))
		}
	}
}

// A frame header that announces a terabyte must not be believed.
func TestOversizedFrameEndsTheConnection(t *testing.T) {
	a, b := pair(t, Router, Dealer)
	head := binary.BigEndian.AppendUint64([]byte{flagLong}, 1<<40)
	if err := b.g.writeMessages(head, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Recv(); !errors.Is(err, ErrOversized) {
		t.Errorf("got %v", err)
	}
}

func TestEndlessMessageEndsTheConnection(t *testing.T) {
	a, b := pair(t, Router, Dealer)
	go func() {
		for {
			if err := b.g.writeMessages(bytes.Repeat([]byte{flagMore, 0}, 1000), func(int) {}); err != nil {
				return
			}
		}
	}()
	if _, err := a.Recv(); !errors.Is(err, ErrOversized) {
		t.Errorf("got %v", err)
	}
}

// A PING is answered between messages and never shown to the user.
func TestPing(t *testing.T) {
	a, b := pair(t, Router, Dealer)
	go func() {
		for {
			if _, err := a.Recv(); err != nil {
				return
			}
		}
	}()
	big := bytes.Repeat([]byte{1}, 3<<20)
	if err := b.g.writeMessages([]byte{4, 7, 4, 'P', 'I', 'N', 'G', 0, 0}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := a.Send([][]byte{big, big}); err != nil {
		t.Fatal(err)
	}
	frames, err := b.Recv() // the PONG before or after it is no user message
	if err != nil || len(frames) != 2 || !bytes.Equal(frames[1], big) {
		t.Errorf("%d frames, %v", len(frames), err)
	}
}

func TestHandshakeRefusesGarbage(t *testing.T) {
	greeting := append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0}, "NULL"...)
	greeting = append(greeting, make([]byte, 64-len(greeting))...)
	ready := func(body string) []byte {
		cmd := "\x05READY" + body
		return append(append(bytes.Clone(greeting), 4, byte(len(cmd))), cmd...)
	}
	for name, sent := range map[string][]byte{
		"http":              []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + strings.Repeat("x", 100)),
		"zeros":             make([]byte, 200),
		"old version":       append([]byte{0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 0}, make([]byte, 52)...),
		"huge command":      append(bytes.Clone(greeting), 6, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"cut metadata":      ready("\x0bSocket-Type\x00\x00\x00\xffDEALER"),
		"metadata overruns": ready("\x10Socket-Type"),
		"unknown type":      ready("\x0bSocket-Type\x00\x00\x00\x04WHAT"),
		"wrong type":        ready("\x0bSocket-Type\x00\x00\x00\x03SUB"),
		"no type":           ready(""),
		"not ready":         append(bytes.Clone(greeting), 4, 5, 4, 'P', 'I', 'N', 'G'),
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			go io.Copy(io.Discard, theirs)
			go func() {
				theirs.Write(sent)
				theirs.Close()
			}()
			if c, err := Handshake(ours, Router, nil, true); err == nil {
				t.Errorf("accepted as %q", c.Identity)
			}
		})
	}
}

// FuzzGuard feeds a listener's side of the protocol and checks that frames
// pass the guard exactly as they would without it, and that none is larger
// than the limit.
func FuzzGuard(f *testing.F) {
	f.Add(appendFrames(nil, [][]byte{[]byte("a"), bytes.Repeat([]byte("b"), 300)}), uint8(3))
	f.Add([]byte{2, 0, 0, 0, 0, 0, 1, 0, 0, 9}, uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, chunk uint8) {
		g := &guard{limit: 1000}
		var walked int
		for step := int(chunk) + 1; walked < len(raw); walked += step {
			if err := g.walk(raw[walked:min(len(raw), walked+step)]); err != nil {
				if !tooLarge(raw, 1000) {
					t.Fatalf("refused %x", raw)
				}
				return
			}
		}
		if tooLarge(raw, 1000) {
			t.Fatalf("let through %x", raw)
		}
	})
}

// tooLarge reads frames the plain way.
func tooLarge(raw []byte, limit uint64) bool {
	var total, frames uint64
	for len(raw) >= 2 {
		more := raw[0]&flagMore != 0
		size := uint64(raw[1])
		head := uint64(2)
		if raw[0]&flagLong != 0 {
			if len(raw) < 9 {
				return false
			}
			size, head = binary.BigEndian.Uint64(raw[1:]), 9
		}
		frames++
		if size > limit || total+size > limit || frames > frameCountLimit {
			return true
		}
		if total += size; !more {
			total, frames = 0, 0
		}
		if uint64(len(raw)) < head+size {
			return false
		}
		raw = raw[head+size:]
	}
	return false
}
