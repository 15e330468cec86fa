// Package kernel puts an engine behind the Jupyter protocol. It is the only
// room that knows Jupyter.
//
// The rules that everything here keeps:
//
//   - Every request, on whichever channel, is answered in this order: status
//     busy, outputs, reply, status idle, all with the request as parent, also
//     when its handler panics.
//   - A reply leaves on the connection its request came in on.
//   - Nothing a client sends is fatal. What is malformed, wrongly signed or
//     repeated is dropped and logged.
//   - Output is neither lost nor reordered, and belongs to the cell that
//     started it, however late it comes.
//
// The words of this package:
//
//   - request: a message that is to be answered; it knows its connection, its
//     lane and when it arrived;
//   - lane: requests that are answered one after the other. The main one runs
//     cells; beside is for what need not wait for a cell that runs, and is
//     moved there after a moment; controls and debugs have their own, so that
//     an interrupt waits for nothing; each subshell (JEP 91) has one;
//   - engine's turn: whoever holds it runs a cell; it is one for all lanes;
//   - sink: where a cell prints and shows, also after its end;
//   - origin: the cell that made a comm, to which the comm's outputs belong;
//   - failure: a failed cell, behind which a client's cells are turned down
//     that were sent before its error was shown.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"trafficgpt/interp"
	"trafficgpt/kernel/wire"
)

// drainTime is how long the last messages may take to leave at the end.
const drainTime = 2 * time.Second

// Options are what a kernel can be told beyond its connection file.
type Options struct {
	// Version is the program's own, shown in kernel_info.
	Version string
	// Log receives what is worth knowing about misbehaving clients; nil
	// discards it.
	Log io.Writer
	// HistoryFile overrides where history is kept; "none" keeps it in memory.
	HistoryFile string
	// Catch, where it is set, has f called for every interrupt of the process
	// until release: it interrupts the running cell.
	Catch func(f func()) (release func())
	// Parent is watched, and Run ends when it is gone; 0 watches the process
	// that JPY_PARENT_PID names, -1 nobody.
	Parent int
}

// Run serves the connection file's sockets with engine until a front end asks
// for shutdown, the parent process dies or ctx is done. It closes the engine.
// A shutdown is no error; an unreadable file and a port in use are.
func Run(ctx context.Context, connectionFile string, engine interp.Engine, opts Options) (err error) {
	defer func() {
		if closeErr := engine.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("failed to close the engine: %w", closeErr)
		}
	}()
	file, err := wire.ReadConnectionFile(connectionFile)
	if err != nil {
		return err
	}
	codec, err := wire.NewCodec(file.SignatureScheme, file.Key)
	if err != nil {
		return fmt.Errorf("failed to use the connection file %s: %w", connectionFile, err)
	}
	ports, err := bindAll(file)
	if err != nil {
		return err
	}
	if ports.chosen {
		if err := file.Write(connectionFile); err != nil {
			ports.close()
			return err
		}
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	log := slog.New(slog.NewTextHandler(opts.Log, nil))
	s := newServer(file, codec, engine, opts, log)
	s.open(ports)
	stop := s.watch(opts)
	defer stop()
	select {
	case <-ctx.Done():
	case <-s.quit:
	}
	s.close()
	return nil
}

// endpoints are the five bound sockets.
type endpoints struct {
	shell, control, stdin, iopub, hb net.Listener
	chosen                           bool // a port of 0 was replaced
}

func bindAll(f *wire.ConnectionFile) (*endpoints, error) {
	e := &endpoints{}
	for _, b := range []struct {
		ln   *net.Listener
		port *int
		name string
	}{
		{&e.shell, &f.ShellPort, "shell"},
		{&e.control, &f.ControlPort, "control"},
		{&e.stdin, &f.StdinPort, "stdin"},
		{&e.iopub, &f.IOPubPort, "iopub"},
		{&e.hb, &f.HBPort, "heartbeat"},
	} {
		ln, err := wire.Bind(f.Transport, f.IP, *b.port)
		if err != nil {
			e.close()
			return nil, fmt.Errorf("failed to open the %s socket: %w", b.name, err)
		}
		*b.ln = ln
		if addr, ok := ln.Addr().(*net.TCPAddr); ok && *b.port == 0 {
			*b.port, e.chosen = addr.Port, true
		}
	}
	return e, nil
}

func (e *endpoints) close() {
	for _, ln := range []net.Listener{e.shell, e.control, e.stdin, e.iopub, e.hb} {
		if ln != nil {
			ln.Close()
		}
	}
}

// dataDir is Jupyter's data folder for this user.
func dataDir() (string, error) {
	if d := os.Getenv("JUPYTER_DATA_DIR"); d != "" {
		return d, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("failed to find Jupyter's data folder: %w", err)
	}
	return userDataDir(home), nil
}

// historyPath is where history is kept, empty for memory only.
func historyPath(opts Options) string {
	switch opts.HistoryFile {
	case "none":
		return ""
	case "":
		dir, err := dataDir()
		if err != nil {
			return ""
		}
		return filepath.Join(dir, "trafficgpt", "history.db")
	}
	return opts.HistoryFile
}

var errShutdown = errors.New("the kernel is shutting down")
