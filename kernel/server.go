package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"trafficgpt/interp"
	"trafficgpt/kernel/wire"
)

// server is a running kernel.
type server struct {
	file    *wire.ConnectionFile
	codec   *wire.Codec
	engine  interp.Engine
	log     *slog.Logger
	version string
	session string

	shell, control, stdin, hb *wire.RouterSocket
	iopub                     *wire.XPubSocket

	main       *lane // execute and whatever must keep its order with it
	beside     *lane // what can be answered while a cell runs
	controls   *lane
	subshells  subshells
	comms      comms
	debugger   debugAdapter
	debugs     *lane // requests of debuggers, which may wait for code to run
	history    *history
	inputs     inputs
	usage      usageMeter
	count      atomic.Int64  // of executed cells
	engineTurn chan struct{} // holds one token: one cell at a time

	running struct {
		sync.Mutex          // also keeps status messages in order
		request    *request // the cell that runs, nil between cells
		started    time.Time
		cancel     context.CancelFunc // ends what the kernel itself does for the cell
	}

	ctx      context.Context // ends with the kernel
	end      context.CancelFunc
	quit     chan struct{}
	quitOnce sync.Once
}

func newServer(file *wire.ConnectionFile, codec *wire.Codec, engine interp.Engine, opts Options, log *slog.Logger) *server {
	s := &server{file: file, codec: codec, engine: engine, log: log, version: opts.Version,
		session: wire.NewID(), engineTurn: make(chan struct{}, 1), quit: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.history = openHistory(historyPath(opts), log)
	s.main, s.beside, s.controls, s.debugs = newLane(s), newLane(s), newLane(s), newLane(s)
	if d, ok := engine.(interp.Debugger); ok {
		d.OnDebug(s.onDebug)
	}
	return s
}

// open starts serving. IOPub comes first so that nothing published is missed
// for want of a socket.
func (s *server) open(e *endpoints) {
	s.iopub = wire.NewXPub(e.iopub, s.log, s.welcome)
	s.stdin = wire.NewRouter(e.stdin, s.log, s.receiveStdin)
	s.shell = wire.NewRouter(e.shell, s.log, s.receiveShell)
	s.control = wire.NewRouter(e.control, s.log, s.receiveControl)
	s.hb = wire.NewHeartbeat(e.hb, s.log)
	s.publish(nil, "status", map[string]any{"execution_state": "starting"})
}

// shutdown lets Run return.
func (s *server) shutdown() { s.quitOnce.Do(func() { close(s.quit) }) }

// close ends everything in an order that loses no message: first what makes
// output, then the sockets, drained.
func (s *server) close() {
	s.end()
	s.interrupt()
	for _, l := range []*lane{s.main, s.beside, s.controls, s.debugs} {
		l.close()
	}
	s.subshells.closeAll()
	for _, l := range []*lane{s.controls, s.debugs, s.beside, s.main} {
		l.wait(drainTime)
	}
	s.history.close()
	var wg sync.WaitGroup
	for _, r := range []*wire.RouterSocket{s.shell, s.control, s.stdin, s.hb} {
		wg.Go(func() { r.Close(drainTime) })
	}
	wg.Go(func() { s.iopub.Close(drainTime) })
	wg.Wait()
}

// welcome greets a subscription (JEP 65).
func (s *server) welcome(topic string) [][]byte {
	m, err := wire.NewMessage(s.session, "iopub_welcome", nil, map[string]any{"subscription": topic})
	if err != nil {
		return [][]byte{[]byte(topic)} // cannot be: the content is one string
	}
	m.Identities = [][]byte{[]byte(topic)}
	return s.codec.Encode(m)
}

// extras are a message's optional parts.
type extras struct {
	metadata map[string]any
	buffers  [][]byte
}

// publish sends an IOPub message with a request as parent, nil for none.
func (s *server) publish(r *request, msgType string, content any, more ...extras) {
	var parent json.RawMessage
	if r != nil {
		parent = r.msg.RawHeader
	}
	m, err := wire.NewMessage(s.session, msgType, parent, content)
	if err != nil {
		s.log.Error("output dropped", "error", err)
		return
	}
	for _, e := range more {
		if len(e.metadata) > 0 {
			if raw, err := wire.EncodeJSON(e.metadata); err == nil {
				m.Metadata = raw
			}
		}
		m.Buffers = e.buffers
	}
	m.Identities = [][]byte{[]byte("kernel." + s.session + "." + msgType)}
	s.iopub.Publish(s.codec.Encode(m))
}

// request is a message that is to be answered.
type request struct {
	msg      *wire.Message
	socket   *wire.RouterSocket
	conn     *wire.Conn
	lane     *lane
	subshell string
	arrived  time.Time
	aborts   []*request // what waits behind a failed cell, to be turned down after it
}

// reply answers r; replies of other types than NAME_reply do not exist.
func (s *server) reply(r *request, content any) {
	msgType := strings.TrimSuffix(r.msg.Header.MsgType, "_request") + "_reply"
	m, err := wire.NewMessage(s.session, msgType, r.msg.RawHeader, content)
	if err != nil {
		s.log.Error("reply replaced", "error", err)
		m, _ = wire.NewMessage(s.session, msgType, r.msg.RawHeader, errorReply("EncodingError", err.Error()))
	}
	m.Identities = r.msg.Identities
	if err := r.socket.Reply(r.conn, s.codec.Encode(m)); err != nil {
		s.log.Info("nobody there for the reply", "type", msgType, "error", err)
	}
}

// errorReply is the content of a reply that says why not.
func errorReply(name, value string) map[string]any {
	return map[string]any{"status": "error", "ename": name, "evalue": value,
		"traceback": []string{name + ": " + value}}
}

func (s *server) receiveShell(c *wire.Conn, frames [][]byte) {
	msg, err := s.codec.Decode(frames)
	if err != nil {
		s.log.Warn("message on shell dropped", "error", err)
		return
	}
	r := &request{msg: msg, socket: s.shell, conn: c, subshell: msg.Header.SubshellID, arrived: time.Now()}
	if r.subshell == "" {
		s.main.push(r)
		return
	}
	if l := s.subshells.lane(r.subshell); l == nil || !l.push(r) {
		s.beside.push(r) // answers that there is no such subshell
	}
}

func (s *server) receiveControl(c *wire.Conn, frames [][]byte) {
	msg, err := s.codec.Decode(frames)
	if err != nil {
		s.log.Warn("message on control dropped", "error", err)
		return
	}
	r := &request{msg: msg, socket: s.control, conn: c, arrived: time.Now()}
	if msg.Header.MsgType == "debug_request" {
		s.debugs.push(r) // an interrupt must not wait for it
		return
	}
	s.controls.push(r)
}

// handle answers one request, whatever happens in it.
func (s *server) handle(r *request) {
	s.running.Lock()
	s.publish(r, "status", busy)
	s.running.Unlock()
	content := s.answer(r)
	if content != nil {
		s.reply(r, content)
	}
	s.idle(r)
	for _, waiting := range r.aborts {
		s.turnDown(waiting)
	}
	if r.msg.Header.MsgType == "shutdown_request" {
		s.shutdown()
	}
}

var (
	busy = map[string]any{"execution_state": "busy"}
	idle = map[string]any{"execution_state": "idle"}
)

// idle ends r's status. Front ends show the latest status, so when a cell
// still runs it is said again that the kernel is busy with it.
func (s *server) idle(r *request) {
	s.running.Lock()
	defer s.running.Unlock()
	if s.running.request == r {
		s.running.request = nil
	}
	s.publish(r, "status", idle)
	if s.running.request != nil {
		s.publish(s.running.request, "status", busy)
	}
}

// answer calls the handler and makes an error reply of a panic.
func (s *server) answer(r *request) (content any) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("handler panicked", "type", r.msg.Header.MsgType, "panic", p, "stack", string(debug.Stack()))
			content = errorReply("KernelPanic", fmt.Sprint(p))
		}
	}()
	if r.subshell != "" && s.subshells.lane(r.subshell) == nil {
		return errorReply("UnknownSubshell", "there is no subshell "+r.subshell)
	}
	handler := handlers[r.msg.Header.MsgType]
	if handler == nil {
		s.log.Info("unknown message type", "type", r.msg.Header.MsgType)
		if !strings.HasSuffix(r.msg.Header.MsgType, "_request") {
			return nil
		}
		return errorReply("UnknownRequest", "this kernel does not know "+r.msg.Header.MsgType)
	}
	return handler(s, r)
}
