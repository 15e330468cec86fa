package lower

import (
	"go/token"

	"golang.org/x/tools/go/ssa"
)

// forward removes variables whose every load follows a store in the same
// block, such as the results of a function: the load becomes the value stored.
func forward(fn *ssa.Function) {
	for _, a := range fn.Locals {
		if localRoot(a) != nil {
			forwardAlloc(a)
		}
	}
}

func forwardAlloc(a *ssa.Alloc) {
	loads := map[*ssa.UnOp]*ssa.Store{}
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.Store:
		case *ssa.UnOp:
			st := storeBefore(r, a)
			if st == nil {
				return
			}
			loads[r] = st
		case *ssa.DebugRef:
		default:
			return
		}
	}
	dead := map[ssa.Instruction]bool{a: true}
	for ld, st := range loads {
		dead[ld] = true
		for _, u := range *ld.Referrers() {
			for _, op := range u.Operands(nil) {
				if *op == ssa.Value(ld) {
					*op = st.Val
					if refs := st.Val.Referrers(); refs != nil {
						*refs = append(*refs, u)
					}
				}
			}
		}
	}
	for _, r := range *a.Referrers() {
		if st, ok := r.(*ssa.Store); ok {
			dead[st] = true
			drop(st.Val, st)
		}
	}
	for _, b := range a.Parent().Blocks {
		n := 0
		for _, in := range b.Instrs {
			if !dead[in] {
				b.Instrs[n] = in
				n++
			}
		}
		b.Instrs = b.Instrs[:n]
	}
}

func drop(v ssa.Value, in ssa.Instruction) {
	refs := v.Referrers()
	if refs == nil {
		return
	}
	for i, r := range *refs {
		if r == in {
			*refs = append((*refs)[:i:i], (*refs)[i+1:]...)
			return
		}
	}
}

// storeBefore returns the store that gives a load its value, if it is the last
// instruction before it in its block to touch the variable.
func storeBefore(ld *ssa.UnOp, a *ssa.Alloc) *ssa.Store {
	if ld.Op != token.MUL {
		return nil
	}
	var last *ssa.Store
	for _, in := range ld.Block().Instrs {
		if in == ssa.Instruction(ld) {
			break
		}
		if st, ok := in.(*ssa.Store); ok && st.Addr == ssa.Value(a) {
			last = st
		}
		if in == ssa.Instruction(a) {
			last = nil
		}
	}
	if last == nil {
		return nil
	}
	// A chain of removed variables would leave values without a definition.
	if l, ok := last.Val.(*ssa.UnOp); ok && l.Op == token.MUL && l.Block() != last.Block() {
		return nil
	}
	return last
}
