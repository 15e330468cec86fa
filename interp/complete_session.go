package interp

import (
	"context"
	"go/types"
	"maps"
)

// Complete lists what may stand at pos. It answers while a cell runs.
func (s *Session) Complete(_ context.Context, code string, pos int) (Completion, error) {
	return complete(code, pos, s.known()), nil
}

// Inspect describes the name at pos: detail 0 its declaration and comment,
// detail 1 its source too. It answers while a cell runs.
func (s *Session) Inspect(_ context.Context, code string, pos, detail int) (Inspection, error) {
	defer s.debug.begin(true)()
	return inspect(code, pos, detail, s.known()), nil
}

// IsComplete says whether code wants more lines.
func (s *Session) IsComplete(_ context.Context, code string) (Completeness, error) {
	return IsComplete(code), nil
}

// known is a snapshot of the session's names.
func (s *Session) known() names {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := names{objects: make(map[string]types.Object, len(s.live)), imports: maps.Clone(s.imports)}
	for name, e := range s.live {
		n.objects[name] = e.obj
	}
	packages := map[string]*types.Package{}
	for _, p := range s.importer.local {
		packages[p.path] = p.pkg
	}
	n.own = func(path string) *types.Package { return packages[path] }
	n.dir = s.base
	cells := maps.Clone(s.cells)
	fset := s.fset
	n.source = func(obj types.Object) (text, place string) {
		place = fset.Position(obj.Pos()).Filename
		return cells[place], place
	}
	return n
}
