package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"trafficgpt/interp"
)

// The debugger of JEP 47: the Debug Adapter Protocol inside debug_request and
// debug_event, and some requests of Jupyter's own. The engine knows cells by
// their text, front ends by a path made of the text's hash.

// debugAdapter is what the kernel knows of a debugging session.
type debugAdapter struct {
	mu      sync.Mutex
	started bool
	client  string                      // the front end's name, as it says
	sources map[string]string           // path -> text of a cell
	breaks  map[string][]map[string]any // path -> breakpoints as they were set
	stopped int                         // the stopped thread, 0 if there is none
	reason  string                      // what it was stopped by, for exceptionInfo
	seq     int
	last    *request // the parent of events
}

// dapRequest is a request of the Debug Adapter Protocol.
type dapRequest struct {
	Seq       int             `json:"seq"`
	Command   string          `json:"command"`
	Arguments json.RawMessage `json:"arguments"`
}

// dapHandlers answer requests with the body of the response. Those in
// beforeStart need no attached debugger.
var (
	dapHandlers map[string]func(*server, *dapRequest) (any, error)
	beforeStart = map[string]bool{"initialize": true, "attach": true, "debugInfo": true, "dumpCell": true, "source": true, "disconnect": true}
)

func init() {
	dapHandlers = map[string]func(*server, *dapRequest) (any, error){
		"initialize": (*server).dapInitialize, "attach": (*server).dapAttach, "disconnect": (*server).dapDisconnect, "configurationDone": nothing,
		"debugInfo": (*server).dapInfo, "dumpCell": (*server).dapDumpCell, "source": (*server).dapSource,
		"setBreakpoints": (*server).dapBreakpoints, "setExceptionBreakpoints": (*server).dapExceptions, "exceptionInfo": (*server).dapExceptionInfo,
		"threads": (*server).dapThreads, "stackTrace": (*server).dapStack, "scopes": (*server).dapScopes, "variables": (*server).dapVariables,
		"inspectVariables": (*server).dapInspect, "richInspectVariables": (*server).dapRich, "copyToGlobals": (*server).dapCopy,
		"evaluate": (*server).dapEvaluate, "continue": (*server).dapResume, "next": (*server).dapResume, "stepIn": (*server).dapResume,
		"stepOut": (*server).dapResume, "pause": (*server).dapPause, "modules": (*server).dapModules,
	}
}

func nothing(*server, *dapRequest) (any, error) { return map[string]any{}, nil }

// debugRequest answers a request of a debugger in its own terms.
func (s *server) debugRequest(r *request) any {
	var req dapRequest
	if err := r.msg.Decode(&req); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	a := &s.debugger
	a.mu.Lock()
	a.last = r
	a.seq++
	reply := map[string]any{"type": "response", "seq": a.seq, "request_seq": req.Seq, "command": req.Command, "success": true}
	started := a.started
	a.mu.Unlock()
	var body any
	err := error(nil)
	switch handler := dapHandlers[req.Command]; {
	case handler == nil:
		err = fmt.Errorf("the debugger does not know %q", req.Command)
	case !started && !beforeStart[req.Command]:
		err = errors.New("the debugger is not started")
	default:
		body, err = handler(s, &req)
	}
	if err != nil {
		reply["success"], reply["message"] = false, err.Error()
		body = map[string]any{"error": map[string]any{"id": 1, "format": err.Error()}}
	}
	reply["body"] = body
	return reply
}

// event publishes an event of the debugger.
func (s *server) debugEvent(name string, body map[string]any) {
	a := &s.debugger
	a.mu.Lock()
	a.seq++
	seq, parent := a.seq, a.last
	a.mu.Unlock()
	s.publish(parent, "debug_event", map[string]any{"type": "event", "seq": seq, "event": name, "body": body})
}

// onDebug hears the engine's debugger.
func (s *server) onDebug(e interp.DebugEvent) {
	a := &s.debugger
	switch e.Kind {
	case interp.DebugStopped:
		a.mu.Lock()
		a.stopped, a.reason = e.Thread, e.Text
		a.mu.Unlock()
		body := map[string]any{"reason": e.Reason, "threadId": e.Thread, "allThreadsStopped": false, "preserveFocusHint": false}
		if e.Text != "" {
			body["text"] = e.Text
		}
		s.debugEvent("stopped", body)
	case interp.DebugContinued:
		a.mu.Lock()
		a.stopped = 0
		a.mu.Unlock()
		s.debugEvent("continued", map[string]any{"threadId": e.Thread, "allThreadsContinued": true})
	case interp.DebugTerminated:
		s.debugEnded()
		s.debugEvent("terminated", map[string]any{})
	}
}

// debugEnded forgets a debugging session.
func (s *server) debugEnded() {
	a := &s.debugger
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started, a.stopped, a.breaks = false, 0, nil
}

func (s *server) engineDebug(r interp.DebugRequest) (interp.DebugReply, error) {
	d, ok := s.engine.(interp.Debugger)
	if !ok {
		return interp.DebugReply{}, errors.New("this engine has no debugger")
	}
	return d.Debug(s.ctx, r)
}

func (s *server) dapInitialize(r *dapRequest) (any, error) {
	var args struct {
		Client string `json:"clientID"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	s.debugger.mu.Lock()
	s.debugger.client = args.Client
	s.debugger.mu.Unlock()
	if _, ok := s.engine.(interp.Debugger); !ok {
		return nil, errors.New("this engine has no debugger")
	}
	return map[string]any{
		"supportsConfigurationDoneRequest": true, "supportsConditionalBreakpoints": true, "supportsHitConditionalBreakpoints": true,
		"supportsLogPoints": true, "supportsEvaluateForHovers": true, "supportsExceptionInfoRequest": true, "supportsModulesRequest": true,
		"exceptionBreakpointFilters": []map[string]any{
			{"filter": interp.DebugPanics, "label": "Uncaught panics", "description": "Stops where a panic began that nothing recovers from", "default": false},
			{"filter": interp.DebugErrors, "label": "Errors given to must", "description": "Stops where must was given an error", "default": false},
		},
	}, nil
}

func (s *server) dapAttach(*dapRequest) (any, error) {
	if _, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugAttach}); err != nil {
		return nil, err
	}
	s.debugger.mu.Lock()
	s.debugger.started = true
	s.debugger.mu.Unlock()
	s.debugEvent("initialized", map[string]any{})
	s.debugEvent("process", map[string]any{"name": interp.KernelTitle, "systemProcessId": os.Getpid(), "isLocalProcess": true, "startMethod": "attach"})
	s.debugEvent("thread", map[string]any{"reason": "started", "threadId": 1})
	return map[string]any{}, nil
}

func (s *server) dapDisconnect(*dapRequest) (any, error) {
	s.debugger.mu.Lock()
	started := s.debugger.started
	s.debugger.mu.Unlock()
	if started {
		if _, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugDetach}); err != nil && !errors.Is(err, interp.ErrNotAttached) {
			return nil, err
		}
		s.debugEnded()
		s.debugEvent("terminated", map[string]any{})
	}
	return map[string]any{}, nil
}

const (
	hashSeed     = 0xC70F6907
	sourceSuffix = ".go"
)

// sourcePrefix is where cells would lie if they were files; nothing is written
// there.
func sourcePrefix() string {
	return filepath.Join(os.TempDir(), "trafficgpt_"+strconv.Itoa(os.Getpid())) + string(filepath.Separator)
}

// sourcePath is the path by which front ends know a cell's text.
func (s *server) sourcePath(code string) string {
	path := sourcePrefix() + strconv.FormatUint(uint64(murmur2([]byte(code), hashSeed)), 10) + sourceSuffix
	a := &s.debugger
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sources == nil {
		a.sources = make(map[string]string)
	}
	a.sources[path] = code
	return path
}

// murmur2 is the 32-bit MurmurHash2.
func murmur2(data []byte, seed uint32) uint32 {
	const m = 0x5bd1e995
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	if len(data) > 0 {
		for i := len(data) - 1; i >= 0; i-- {
			h ^= uint32(data[i]) << (8 * i)
		}
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

func (s *server) dapInfo(*dapRequest) (any, error) {
	a := &s.debugger
	a.mu.Lock()
	defer a.mu.Unlock()
	breaks := []map[string]any{}
	for _, path := range slices.Sorted(maps.Keys(a.breaks)) {
		breaks = append(breaks, map[string]any{"source": path, "breakpoints": a.breaks[path]})
	}
	stopped := []int{}
	if a.stopped != 0 {
		stopped = append(stopped, a.stopped)
	}
	return map[string]any{
		"isStarted": a.started, "hashMethod": "Murmur2", "hashSeed": hashSeed, "tmpFilePrefix": sourcePrefix(), "tmpFileSuffix": sourceSuffix,
		"breakpoints": breaks, "stoppedThreads": stopped, "richRendering": true, "exceptionPaths": []string{}, "copyToGlobals": true,
	}, nil
}

func (s *server) dapDumpCell(r *dapRequest) (any, error) {
	var args struct {
		Code string `json:"code"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	return map[string]any{"sourcePath": s.sourcePath(args.Code)}, nil
}

type dapSource struct {
	Path string `json:"path"`
}

// text is the cell that a path stands for.
func (s *server) text(path string) (string, error) {
	s.debugger.mu.Lock()
	defer s.debugger.mu.Unlock()
	code, ok := s.debugger.sources[path]
	if !ok {
		return "", fmt.Errorf("no cell is known as %s", path)
	}
	return code, nil
}

func (s *server) dapSource(r *dapRequest) (any, error) {
	var args struct {
		Source dapSource `json:"source"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	code, err := s.text(args.Source.Path)
	if err != nil {
		return nil, err
	}
	return map[string]any{"content": code, "mimeType": "text/x-go"}, nil
}

// hits reads a hit condition: a number, perhaps after >= or ==.
func hits(condition string) (int, error) {
	text := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(condition), ">="))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("the hit condition %q is not a number", condition)
	}
	return n, nil
}

func (s *server) dapBreakpoints(r *dapRequest) (any, error) {
	var args struct {
		Source      dapSource `json:"source"`
		Breakpoints []struct {
			Line         int    `json:"line"`
			Condition    string `json:"condition"`
			HitCondition string `json:"hitCondition"`
			LogMessage   string `json:"logMessage"`
		} `json:"breakpoints"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	code, err := s.text(args.Source.Path)
	if err != nil {
		return nil, err
	}
	req := interp.DebugRequest{Do: interp.DebugBreakpoints, Code: code}
	for _, b := range args.Breakpoints {
		n, err := hits(b.HitCondition)
		if err != nil {
			return nil, err
		}
		req.Breakpoints = append(req.Breakpoints, interp.Breakpoint{Line: b.Line, Condition: b.Condition, Hits: n, Log: b.LogMessage})
	}
	reply, err := s.engineDebug(req)
	if err != nil {
		return nil, err
	}
	set, kept := []map[string]any{}, []map[string]any{}
	for i, b := range reply.Breakpoints {
		item := map[string]any{"id": i + 1, "verified": b.Why == "", "line": b.Line, "source": map[string]any{"path": args.Source.Path}}
		if b.Why != "" {
			item["message"] = b.Why
		} else {
			kept = append(kept, map[string]any{"line": b.Line, "verified": true})
		}
		set = append(set, item)
	}
	a := &s.debugger
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.breaks == nil {
		a.breaks = make(map[string][]map[string]any)
	}
	if a.breaks[args.Source.Path] = kept; len(kept) == 0 {
		delete(a.breaks, args.Source.Path)
	}
	return map[string]any{"breakpoints": set}, nil
}

func (s *server) dapExceptions(r *dapRequest) (any, error) {
	var args struct {
		Filters []string `json:"filters"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	_, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugExceptions, Filters: args.Filters})
	return map[string]any{}, err
}

func (s *server) dapExceptionInfo(*dapRequest) (any, error) {
	s.debugger.mu.Lock()
	defer s.debugger.mu.Unlock()
	if s.debugger.reason == "" {
		return nil, errors.New("nothing was stopped by a panic or an error")
	}
	return map[string]any{"exceptionId": "panic", "description": s.debugger.reason, "breakMode": "unhandled"}, nil
}
