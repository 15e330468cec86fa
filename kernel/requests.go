package kernel

import (
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"trafficgpt/interp"
	"trafficgpt/kernel/wire"
)

// handlers answer requests, on shell and control alike. Filled by init
// because shutdown and the like refer back to the server.
var handlers map[string]func(*server, *request) any

func init() {
	handlers = map[string]func(*server, *request) any{
		"execute_request":         (*server).execute,
		"kernel_info_request":     (*server).kernelInfo,
		"complete_request":        (*server).complete,
		"inspect_request":         (*server).inspect,
		"is_complete_request":     (*server).isComplete,
		"history_request":         (*server).historyRequest,
		"connect_request":         (*server).connect,
		"comm_info_request":       (*server).commInfo,
		"comm_open":               (*server).commOpen,
		"comm_msg":                (*server).commMsg,
		"comm_close":              (*server).commClose,
		"interrupt_request":       (*server).interruptRequest,
		"shutdown_request":        (*server).shutdownRequest,
		"create_subshell_request": (*server).createSubshell,
		"delete_subshell_request": (*server).deleteSubshell,
		"list_subshell_request":   (*server).listSubshell,
		"usage_request":           (*server).usageRequest,
		"debug_request":           (*server).debugRequest,
	}
}

// canRunBeside are the shell requests that need not wait for a running cell.
var canRunBeside = map[string]bool{
	"kernel_info_request": true,
	"complete_request":    true,
	"inspect_request":     true,
	"is_complete_request": true,
	"history_request":     true,
	"connect_request":     true,
	"comm_info_request":   true,
}

func (s *server) kernelInfo(*request) any {
	features := []string{"kernel subshells"}
	_, debugs := s.engine.(interp.Debugger)
	if debugs {
		features = append(features, "debugger")
	}
	return map[string]any{
		"status":                 "ok",
		"protocol_version":       wire.ProtocolVersion,
		"implementation":         "trafficgpt",
		"implementation_version": s.version,
		"language_info":          interp.Language(),
		"banner":                 fmt.Sprintf("TrafficGPT %s: network traffic as tokens, in Go %s", s.version, strings.TrimPrefix(runtime.Version(), "go")),
		"debugger":               debugs,
		"supported_features":     features,
		"help_links": []map[string]string{
			{"text": "The Go Language", "url": "https://go.dev/ref/spec"},
			{"text": "Go Standard Library", "url": "https://pkg.go.dev/std"},
			{"text": "Gonum", "url": "https://pkg.go.dev/gonum.org/v1/gonum"},
			{"text": "Gonum Plot", "url": "https://pkg.go.dev/gonum.org/v1/plot"},
		},
	}
}

type codeRequest struct {
	Code        string `json:"code"`
	CursorPos   *int   `json:"cursor_pos"`
	DetailLevel int    `json:"detail_level"`
}

// offset is the byte offset of the cursor, which Jupyter counts in code
// points; without one it is the end.
func (c *codeRequest) offset() int {
	if c.CursorPos == nil {
		return len(c.Code)
	}
	return byteOffset(c.Code, *c.CursorPos)
}

// byteOffset is the offset of code point n, held within the text.
func byteOffset(code string, n int) int {
	for at := range code {
		if n <= 0 {
			return at
		}
		n--
	}
	return len(code)
}

// codePoints is the number of code points before a byte offset, held within
// the text.
func codePoints(code string, offset int) int {
	return utf8.RuneCountInString(code[:max(0, min(offset, len(code)))])
}

func (s *server) complete(r *request) any {
	var req codeRequest
	if err := r.msg.Decode(&req); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	at := req.offset()
	found, err := s.engine.Complete(s.ctx, req.Code, at)
	if err != nil {
		return errorReply("CompletionError", err.Error())
	}
	start, end := codePoints(req.Code, found.Start), codePoints(req.Code, found.End)
	if len(found.Items) == 0 {
		start, end = codePoints(req.Code, at), codePoints(req.Code, at)
	}
	matches := make([]string, len(found.Items))
	types := make([]map[string]any, len(found.Items))
	for i, item := range found.Items {
		matches[i] = item.Text
		types[i] = map[string]any{"start": start, "end": end, "text": item.Text, "type": item.Kind, "signature": item.Signature}
	}
	return map[string]any{"status": "ok", "matches": matches, "cursor_start": start, "cursor_end": end,
		"metadata": map[string]any{"_jupyter_types_experimental": types}}
}

func (s *server) inspect(r *request) any {
	var req codeRequest
	if err := r.msg.Decode(&req); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	found, err := s.engine.Inspect(s.ctx, req.Code, req.offset(), req.DetailLevel)
	if err != nil {
		return errorReply("InspectionError", err.Error())
	}
	return map[string]any{"status": "ok", "found": found.Found, "data": bundle(found.Data), "metadata": map[string]any{}}
}

func (s *server) isComplete(r *request) any {
	var req codeRequest
	if err := r.msg.Decode(&req); err != nil {
		return map[string]any{"status": interp.Unknown}
	}
	found, err := s.engine.IsComplete(s.ctx, req.Code)
	if err != nil {
		return map[string]any{"status": interp.Unknown}
	}
	reply := map[string]any{"status": found.Status}
	if found.Status == interp.Incomplete {
		reply["indent"] = found.Indent
	}
	return reply
}

func (s *server) connect(*request) any {
	return map[string]any{"status": "ok", "shell_port": s.file.ShellPort, "iopub_port": s.file.IOPubPort,
		"stdin_port": s.file.StdinPort, "hb_port": s.file.HBPort, "control_port": s.file.ControlPort}
}

func (s *server) interruptRequest(*request) any {
	s.interrupt()
	return map[string]any{"status": "ok"}
}

// shutdownRequest answers; handle ends the kernel after the idle status. The
// reply goes out on IOPub too, so that every client knows.
func (s *server) shutdownRequest(r *request) any {
	var req struct {
		Restart bool `json:"restart"`
	}
	if err := r.msg.Decode(&req); err != nil {
		return errorReply("BadRequest", err.Error())
	}
	reply := map[string]any{"status": "ok", "restart": req.Restart}
	s.publish(r, "shutdown_reply", reply)
	return reply
}
