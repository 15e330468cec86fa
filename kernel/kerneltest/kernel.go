package kerneltest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"trafficgpt/interp"
	"trafficgpt/kernel"
	"trafficgpt/kernel/client"
	"trafficgpt/kernel/wire"
)

// Patience is how long tests wait for what must come.
const Patience = 20 * time.Second

// Kernel is a kernel that runs in the test's process.
type Kernel struct {
	File *wire.ConnectionFile
	Path string

	t    testing.TB
	log  lockedBuffer
	stop context.CancelFunc
	done chan error
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Start runs a kernel over "tcp" or "ipc" until the test ends.
func Start(t testing.TB, transport string, engine interp.Engine, opts kernel.Options) *Kernel {
	t.Helper()
	// Socket paths must be short, which test folders are not.
	dir, err := os.MkdirTemp("", "k")
	if err != nil {
		t.Fatal(err)
	}
	f := &wire.ConnectionFile{Transport: transport, IP: "127.0.0.1", Key: "a key of the test", SignatureScheme: "hmac-sha256"}
	if transport == "ipc" {
		f.IP = filepath.Join(dir, "s")
		f.ShellPort, f.IOPubPort, f.StdinPort, f.ControlPort, f.HBPort = 1, 2, 3, 4, 5
	}
	k := &Kernel{File: f, Path: filepath.Join(dir, "connection.json"), t: t, done: make(chan error, 1)}
	if err := f.Write(k.Path); err != nil {
		t.Fatal(err)
	}
	opts.Log = &k.log
	if opts.HistoryFile == "" {
		opts.HistoryFile = "none"
	}
	if opts.Parent == 0 {
		opts.Parent = -1
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.stop = cancel
	go func() { k.done <- kernel.Run(ctx, k.Path, engine, opts) }()
	t.Cleanup(func() {
		cancel()
		os.RemoveAll(dir)
	})
	k.awaitPorts(transport)
	return k
}

// awaitPorts waits until the kernel has written the ports it chose.
func (k *Kernel) awaitPorts(transport string) {
	deadline := time.Now().Add(Patience)
	for transport == "tcp" && k.File.HBPort == 0 {
		f, err := wire.ReadConnectionFile(k.Path)
		if err != nil || time.Now().After(deadline) {
			k.t.Fatalf("the kernel did not bind: %v", err)
		}
		k.File = f
		time.Sleep(time.Millisecond)
	}
}

// Dial connects a client until the test ends.
func (k *Kernel) Dial() *client.Client {
	k.t.Helper()
	c, err := client.Dial(k.File, Patience)
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(c.Close)
	return c
}

// Log is what the kernel has logged.
func (k *Kernel) Log() string {
	k.log.mu.Lock()
	defer k.log.mu.Unlock()
	return k.log.b.String()
}

// Stop ends the kernel as its surroundings would.
func (k *Kernel) Stop() { k.stop() }

// Wait returns what Run returned.
func (k *Kernel) Wait() error {
	k.t.Helper()
	select {
	case err := <-k.done:
		return err
	case <-time.After(Patience):
		k.t.Fatal("the kernel did not end")
		return nil
	}
}
