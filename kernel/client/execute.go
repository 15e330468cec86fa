package client

import (
	"fmt"
	"strings"
	"time"

	"trafficgpt/kernel/wire"
)

// Execution is all that came of one request.
type Execution struct {
	ID      string
	Reply   *wire.Message
	Outputs []*wire.Message // IOPub messages with that parent, in order, statuses included
}

// ExecuteRequest is the content of an execute_request.
type ExecuteRequest struct {
	Code            string            `json:"code"`
	Silent          bool              `json:"silent"`
	StoreHistory    bool              `json:"store_history"`
	UserExpressions map[string]string `json:"user_expressions"`
	AllowStdin      bool              `json:"allow_stdin"`
	StopOnError     bool              `json:"stop_on_error"`
}

// Execute runs a cell and waits for its end.
func (c *Client) Execute(code string, limit time.Duration) (*Execution, error) {
	id, err := c.Request("execute_request", ExecuteRequest{Code: code, StoreHistory: true, StopOnError: true})
	if err != nil {
		return nil, err
	}
	return c.Finish(id, c.Shell, limit)
}

// Finish waits for the reply to a request on a channel and for the idle status
// on IOPub. Messages with other parents are dropped.
func (c *Client) Finish(id string, channel *Inbox, limit time.Duration) (*Execution, error) {
	e := &Execution{ID: id}
	deadline := time.Now().Add(limit)
	for e.Reply == nil {
		m, err := channel.Take(time.Until(deadline))
		if err != nil {
			return e, fmt.Errorf("no reply: %w", err)
		}
		if m.ParentHeader().MsgID == id {
			e.Reply = m
		}
	}
	for {
		m, err := c.IOPub.Take(time.Until(deadline))
		if err != nil {
			return e, fmt.Errorf("no idle status: %w", err)
		}
		if m.ParentHeader().MsgID != id {
			continue
		}
		e.Outputs = append(e.Outputs, m)
		if State(m) == "idle" {
			return e, nil
		}
	}
}

// Types are the types of the outputs, statuses as "status:busy".
func (e *Execution) Types() []string {
	var types []string
	for _, m := range e.Outputs {
		t := m.Header.MsgType
		if s := State(m); s != "" {
			t += ":" + s
		}
		types = append(types, t)
	}
	return types
}

// Stream is everything printed to a stream, "stdout" or "stderr".
func (e *Execution) Stream(name string) string {
	var b strings.Builder
	for _, m := range e.Outputs {
		var content struct{ Name, Text string }
		if m.Header.MsgType == "stream" && m.Decode(&content) == nil && content.Name == name {
			b.WriteString(content.Text)
		}
	}
	return b.String()
}

// Output is the content of the first output of a type, nil without one.
func (e *Execution) Output(msgType string) map[string]any {
	for _, m := range e.Outputs {
		if m.Header.MsgType == msgType {
			return Content(m)
		}
	}
	return nil
}

// Content is a message's content as plain JSON.
func Content(m *wire.Message) map[string]any {
	content := map[string]any{}
	if m.Decode(&content) != nil {
		return nil
	}
	return content
}

// State is the execution state of a status message, empty for others.
func State(m *wire.Message) string {
	var content struct {
		ExecutionState string `json:"execution_state"`
	}
	if m.Header.MsgType != "status" || m.Decode(&content) != nil {
		return ""
	}
	return content.ExecutionState
}
