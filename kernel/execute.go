package kernel

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"trafficgpt/display"
	"trafficgpt/interp"
)

type executeRequest struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    *bool             `json:"store_history"`
	UserExpressions map[string]string `json:"user_expressions"`
	AllowStdin      *bool             `json:"allow_stdin"`
	StopOnError     *bool             `json:"stop_on_error"`
}

func orTrue(b *bool) bool { return b == nil || *b }

func (s *server) execute(r *request) any {
	var req executeRequest
	if err := r.msg.Decode(&req); err != nil {
		return s.withCount(errorReply("BadRequest", err.Error()))
	}
	// One cell at a time, also across subshells: the engine's rule.
	select {
	case s.engineTurn <- struct{}{}:
		defer func() { <-s.engineTurn }()
	case <-s.ctx.Done():
		return s.withCount(errorReply("Interrupted", errShutdown.Error()))
	}
	store := orTrue(req.StoreHistory) && !req.Silent
	number := int(s.count.Load()) + 1
	if store {
		s.count.Store(int64(number))
	}
	cell := interp.Cell{ID: cellID(r.msg.Metadata), Number: number, Code: req.Code}
	out := newCellSink(s, r, req.Silent, orTrue(req.AllowStdin))
	ctx, cancel := s.begin(r)
	defer cancel()
	if !req.Silent {
		s.publish(r, "execute_input", map[string]any{"code": req.Code, "execution_count": number})
	}
	res := s.engine.Eval(ctx, cell, out)
	out.endCell()
	if store {
		s.history.add(number, req.Code, text(res.Value))
	}
	reply := map[string]any{"execution_count": number, "payload": payloads(res.Payloads), "user_expressions": map[string]any{}}
	if res.Err != nil {
		failure := errorContent(res.Err)
		if !req.Silent {
			s.publish(r, "error", failure)
		}
		maps.Copy(reply, failure)
		reply["status"] = "error"
		if orTrue(req.StopOnError) {
			r.aborts = r.lane.fail(r)
		}
		return reply
	}
	if res.Value != nil && !req.Silent {
		s.publish(r, "execute_result", map[string]any{"execution_count": number,
			"data": bundle(res.Value), "metadata": map[string]any{}})
	}
	reply["status"] = "ok"
	reply["user_expressions"] = s.evaluate(ctx, r, number, req.UserExpressions)
	return reply
}

// begin notes that r is the running cell; idle takes that back.
func (s *server) begin(r *request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.running.Lock()
	defer s.running.Unlock()
	s.running.request, s.running.cancel = r, cancel
	return ctx, cancel
}

// evaluate answers user_expressions, each on its own.
func (s *server) evaluate(ctx context.Context, r *request, number int, expressions map[string]string) map[string]any {
	results := make(map[string]any, len(expressions))
	for _, name := range slices.Sorted(maps.Keys(expressions)) {
		quiet := newCellSink(s, r, true, false)
		res := s.engine.Eval(ctx, interp.Cell{Number: number, Code: expressions[name]}, quiet)
		quiet.endCell()
		if res.Err != nil {
			failure := errorContent(res.Err)
			failure["status"] = "error"
			results[name] = failure
			continue
		}
		results[name] = map[string]any{"status": "ok", "data": bundle(res.Value), "metadata": map[string]any{}}
	}
	return results
}

// turnDown answers a request that was sent before a failed cell was known. The status
// "aborted" is deprecated, so it is an error; without a count, because front
// ends write that beside the cell as if it had run.
func (s *server) turnDown(r *request) {
	s.running.Lock()
	s.publish(r, "status", busy)
	s.running.Unlock()
	s.reply(r, errorReply("Aborted", "not run, because a cell before it failed"))
	s.idle(r)
}

// withCount adds what every execute_reply carries.
func (s *server) withCount(reply map[string]any) map[string]any {
	reply["execution_count"] = s.count.Load()
	reply["payload"] = []any{}
	reply["user_expressions"] = map[string]any{}
	return reply
}

func errorContent(e *interp.Error) map[string]any {
	traceback := e.Traceback
	if len(traceback) == 0 {
		traceback = []string{e.Error()}
	}
	return map[string]any{"ename": e.Name, "evalue": e.Message, "traceback": traceback}
}

func payloads(list []interp.Payload) []map[string]any {
	out := make([]map[string]any, len(list))
	for i, p := range list {
		out[i] = map[string]any{"source": p.Kind}
		switch p.Kind {
		case interp.PayloadPage:
			out[i]["data"], out[i]["start"] = p.Page, 0
		case interp.PayloadNextInput:
			out[i]["text"], out[i]["replace"] = p.Text, p.Replace
		}
	}
	return out
}

// cellID is what JupyterLab calls the cell.
func cellID(metadata json.RawMessage) string {
	var m struct {
		CellID string `json:"cellId"`
	}
	// Metadata of another shape has no cell id.
	_ = json.Unmarshal(metadata, &m)
	return m.CellID
}

// bundle makes of a display.Bundle what goes into JSON: binary types become
// base64 by being []byte, all others stay.
func bundle(b display.Bundle) map[string]any {
	out := make(map[string]any, len(b))
	for mime, data := range b {
		if raw, ok := data.([]byte); ok && isText(mime) {
			data = string(raw)
		}
		out[mime] = data
	}
	return out
}

func isText(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == display.SVG || mime == "application/javascript"
}

func text(b display.Bundle) string {
	s, _ := b[display.Text].(string)
	return s
}

// interrupt stops the running cell, if there is one.
func (s *server) interrupt() {
	s.running.Lock()
	cancel, cell := s.running.cancel, s.running.request
	s.running.Unlock()
	if cell == nil {
		return
	}
	s.inputs.cancel()
	if err := s.engine.Interrupt(); err != nil {
		s.log.Error("interrupt failed", "error", err)
		cancel()
	}
}
