package kernel

import (
	"encoding/json"

	"trafficgpt/interp"
)

// What a debugger asks while something is stopped.

func (s *server) dapThreads(*dapRequest) (any, error) {
	reply, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugThreads})
	if err != nil {
		return nil, err
	}
	threads := []map[string]any{}
	for _, t := range reply.Threads {
		threads = append(threads, map[string]any{"id": t.ID, "name": t.Name})
	}
	return map[string]any{"threads": threads}, nil
}

func (s *server) dapStack(r *dapRequest) (any, error) {
	var args struct {
		Thread int `json:"threadId"`
		Start  int `json:"startFrame"`
		Levels int `json:"levels"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	reply, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugFrames, Thread: args.Thread})
	if err != nil {
		return nil, err
	}
	all := reply.Frames
	start := min(max(args.Start, 0), len(all))
	end := len(all)
	if args.Levels > 0 {
		end = min(end, start+args.Levels)
	}
	frames := []map[string]any{}
	for _, f := range all[start:end] {
		frames = append(frames, map[string]any{"id": f.ID, "name": f.Name, "line": f.Line, "column": f.Column,
			"source": map[string]any{"path": s.sourcePath(f.Code), "sourceReference": 0}})
	}
	return map[string]any{"stackFrames": frames, "totalFrames": len(all)}, nil
}

// References to whole scopes lie above those that the engine gives out.
const (
	scopeBase  = 1 << 30
	globalsRef = scopeBase - 1
)

func (s *server) dapScopes(r *dapRequest) (any, error) {
	var args struct {
		Frame int `json:"frameId"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	return map[string]any{"scopes": []map[string]any{
		{"name": "Locals", "presentationHint": "locals", "variablesReference": scopeBase + args.Frame, "expensive": false},
		{"name": "Globals", "variablesReference": globalsRef, "expensive": false},
	}}, nil
}

func (s *server) dapVariables(r *dapRequest) (any, error) {
	var args struct {
		Ref   int `json:"variablesReference"`
		Start int `json:"start"`
		Count int `json:"count"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	req := interp.DebugRequest{Do: interp.DebugChildren, Ref: args.Ref, Start: args.Start, Count: args.Count}
	switch {
	case args.Ref == globalsRef:
		req = interp.DebugRequest{Do: interp.DebugGlobals}
	case args.Ref >= scopeBase:
		req = interp.DebugRequest{Do: interp.DebugLocals, Frame: args.Ref - scopeBase}
	}
	return s.variables(req)
}

func (s *server) variables(req interp.DebugRequest) (any, error) {
	reply, err := s.engineDebug(req)
	if err != nil {
		return nil, err
	}
	s.debugger.mu.Lock()
	client := s.debugger.client
	s.debugger.mu.Unlock()
	vars := []map[string]any{}
	for _, v := range reply.Variables {
		item := variable(v)
		// JupyterLab shows the type instead of the value where it does not know
		// the type from Python.
		if client == "jupyterlab" && v.Ref == 0 && v.Type != "int" && v.Type != "bool" {
			delete(item, "type")
		}
		vars = append(vars, item)
	}
	return map[string]any{"variables": vars}, nil
}

func variable(v interp.DebugVariable) map[string]any {
	return map[string]any{"name": v.Name, "evaluateName": v.Name, "value": v.Value, "type": v.Type,
		"variablesReference": v.Ref, "namedVariables": v.Named, "indexedVariables": v.Indexed}
}

func (s *server) dapInspect(*dapRequest) (any, error) {
	return s.variables(interp.DebugRequest{Do: interp.DebugGlobals})
}

func (s *server) dapRich(r *dapRequest) (any, error) {
	var args struct {
		Name  string `json:"variableName"`
		Frame int    `json:"frameId"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	reply, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugEvaluate, Frame: args.Frame, Code: args.Name})
	if err != nil {
		return nil, err
	}
	return map[string]any{"data": map[string]any{"text/plain": reply.Value.Type + "\n" + reply.Value.Value}, "metadata": map[string]any{}}, nil
}

func (s *server) dapCopy(r *dapRequest) (any, error) {
	var args struct {
		Name   string `json:"srcVariableName"`
		Target string `json:"dstVariableName"`
		Frame  int    `json:"srcFrameId"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	_, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugCopy, Frame: args.Frame, Name: args.Name, Target: args.Target})
	return map[string]any{}, err
}

func (s *server) dapEvaluate(r *dapRequest) (any, error) {
	var args struct {
		Expression string `json:"expression"`
		Frame      int    `json:"frameId"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	reply, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugEvaluate, Frame: args.Frame, Code: args.Expression})
	if err != nil {
		return nil, err
	}
	v := reply.Value
	return map[string]any{"result": v.Value, "type": v.Type, "variablesReference": v.Ref, "namedVariables": v.Named, "indexedVariables": v.Indexed}, nil
}

var resumes = map[string]interp.DebugAction{"continue": interp.DebugContinue, "next": interp.DebugNext, "stepIn": interp.DebugStepIn, "stepOut": interp.DebugStepOut}

func (s *server) dapResume(r *dapRequest) (any, error) {
	var args struct {
		Thread int `json:"threadId"`
	}
	if err := json.Unmarshal(r.Arguments, &args); err != nil {
		return nil, err
	}
	if _, err := s.engineDebug(interp.DebugRequest{Do: resumes[r.Command], Thread: args.Thread}); err != nil {
		return nil, err
	}
	if r.Command == "continue" {
		return map[string]any{"allThreadsContinued": true}, nil
	}
	return map[string]any{}, nil
}

func (s *server) dapPause(*dapRequest) (any, error) {
	_, err := s.engineDebug(interp.DebugRequest{Do: interp.DebugPause})
	return map[string]any{}, err
}

// dapModules: cells are all the code that a debugger sees.
func (s *server) dapModules(*dapRequest) (any, error) {
	return map[string]any{"modules": []any{}, "totalModules": 0}, nil
}
