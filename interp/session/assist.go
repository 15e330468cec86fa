package session

import (
	"context"
	"go/types"
	"maps"
	"unicode/utf8"

	"trafficgpt/interp"
	"trafficgpt/interp/assist"
	"trafficgpt/interp/command"
)

// Complete lists what may stand at pos. It answers while a cell runs.
func (s *Session) Complete(_ context.Context, code string, pos int) (interp.Completion, error) {
	return complete(code, pos, s.known()), nil
}

func complete(code string, pos int, known assist.Names) interp.Completion {
	pos = runeStart(code, pos)
	if c, ok := command.Complete(code, pos); ok {
		return c
	}
	return assist.Complete(command.GoBefore(code[:pos]), code[pos:], pos, known)
}

func inspect(code string, pos, detail int, known assist.Names) interp.Inspection {
	pos = runeStart(code, pos)
	if in := command.Inspect(code, pos); in.Found {
		return in
	}
	return assist.Inspect(command.GoBefore(code[:pos]), code[pos:], detail, known)
}

// runeStart is pos, or the start of the letter that it lies in.
func runeStart(code string, pos int) int {
	pos = min(max(pos, 0), len(code))
	for pos > 0 && pos < len(code) && !utf8.RuneStart(code[pos]) {
		pos--
	}
	return pos
}

// Inspect describes the name at pos: detail 0 its declaration and comment,
// detail 1 its source too. It answers while a cell runs.
func (s *Session) Inspect(_ context.Context, code string, pos, detail int) (interp.Inspection, error) {
	defer s.debug.begin(true)()
	return inspect(code, pos, detail, s.known()), nil
}

// IsComplete says whether code wants more lines.
func (s *Session) IsComplete(_ context.Context, code string) (interp.Completeness, error) {
	return assist.IsComplete(code), nil
}

// known is a snapshot of the session's names.
func (s *Session) known() assist.Names {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := assist.Names{Objects: make(map[string]types.Object, len(s.live)), Imports: maps.Clone(s.imports)}
	for name, e := range s.live {
		n.Objects[name] = e.obj
	}
	packages := map[string]*types.Package{}
	for _, p := range s.importer.local {
		packages[p.path] = p.pkg
	}
	n.Own = func(path string) *types.Package { return packages[path] }
	n.Dir, n.Stale = s.base, s.world.Stale
	cells := maps.Clone(s.cells)
	fset := s.fset
	n.Source = func(obj types.Object) (text, place string) {
		place = fset.Position(obj.Pos()).Filename
		return cells[place], place
	}
	return n
}
