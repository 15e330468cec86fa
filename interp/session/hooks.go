package session

import (
	"go/types"
	"reflect"

	"golang.org/x/tools/go/ssa"
)

// hooks is a session as its Lowerer sees it.
type hooks struct{ s *Session }

func (h hooks) Native(obj types.Object) reflect.Value                { return h.s.native(obj) }
func (h hooks) Method(m *types.Func) reflect.Value                   { return h.s.method(m) }
func (h hooks) Refuse(fn *ssa.Function, call ssa.Instruction) string { return h.s.refuse(fn, call) }
func (h hooks) Followed(fn *ssa.Function) bool                       { return h.s.followed(fn) }
func (h hooks) Silent(pkg *ssa.Package) bool                         { return pkg == h.s.silent }
