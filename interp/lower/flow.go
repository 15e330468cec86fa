package lower

import (
	"go/token"

	"golang.org/x/tools/go/ssa"
)

// reversePostorder lists the blocks reachable from the entry so that a block
// that dominates another comes first.
func reversePostorder(fn *ssa.Function) []*ssa.BasicBlock {
	seen := map[*ssa.BasicBlock]bool{}
	var out []*ssa.BasicBlock
	var visit func(b *ssa.BasicBlock)
	visit = func(b *ssa.BasicBlock) {
		seen[b] = true
		// The last successor first: a loop's body then precedes what follows it.
		for i := len(b.Succs) - 1; i >= 0; i-- {
			if s := b.Succs[i]; !seen[s] {
				visit(s)
			}
		}
		out = append(out, b)
	}
	visit(fn.Blocks[0])
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// loops returns the blocks that can reach themselves.
func loops(fn *ssa.Function) map[*ssa.BasicBlock]bool {
	in := map[*ssa.BasicBlock]bool{}
	index := map[*ssa.BasicBlock]int{}
	low := map[*ssa.BasicBlock]int{}
	on := map[*ssa.BasicBlock]bool{}
	var stack []*ssa.BasicBlock
	n := 0
	var visit func(b *ssa.BasicBlock)
	visit = func(b *ssa.BasicBlock) {
		n++
		index[b], low[b] = n, n
		stack = append(stack, b)
		on[b] = true
		for _, s := range b.Succs {
			if s == b {
				in[b] = true
			}
			if index[s] == 0 {
				visit(s)
				low[b] = min(low[b], low[s])
			} else if on[s] {
				low[b] = min(low[b], index[s])
			}
		}
		if low[b] == index[b] {
			size := 0
			for i := len(stack) - 1; ; i-- {
				size++
				if stack[i] == b {
					break
				}
			}
			for _, c := range stack[len(stack)-size:] {
				on[c] = false
				if size > 1 {
					in[c] = true
				}
			}
			stack = stack[:len(stack)-size]
		}
	}
	for _, b := range fn.Blocks {
		if index[b] == 0 {
			visit(b)
		}
	}
	return in
}

// localRoot returns the variable, never shared, that a pointer points into.
func localRoot(v ssa.Value) *ssa.Alloc {
	for {
		switch x := v.(type) {
		case *ssa.FieldAddr:
			v = x.X
		case *ssa.IndexAddr:
			if !isPointer(x.X.Type()) {
				return nil
			}
			v = x.X
		case *ssa.Alloc:
			if x.Heap || !private(x) {
				return nil
			}
			return x
		default:
			return nil
		}
	}
}

// private reports whether an alloc that does not escape is reached only
// through loads, stores and the addresses of its parts.
func private(v ssa.Value) bool {
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.UnOp, *ssa.DebugRef:
		case *ssa.Store:
			if r.Val == v {
				return false
			}
		case *ssa.FieldAddr:
			if !private(r) {
				return false
			}
		case *ssa.IndexAddr:
			if !private(r) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// notNil reports whether a value cannot be nil: it was just made, or it is read
// from a variable of this function that only ever holds such values.
func notNil(v ssa.Value) bool {
	if made(v) {
		return true
	}
	ld, ok := v.(*ssa.UnOp)
	if !ok || ld.Op != token.MUL {
		return false
	}
	a, ok := ld.X.(*ssa.Alloc)
	if !ok || localRoot(a) == nil {
		return false
	}
	for _, r := range *a.Referrers() {
		if st, ok := r.(*ssa.Store); ok && !made(st.Val) {
			return false
		}
	}
	for i, in := range a.Block().Instrs {
		if in == ssa.Instruction(a) {
			return assignedNext(a.Block(), i, a)
		}
	}
	return false
}

func made(v ssa.Value) bool {
	switch v.(type) {
	case *ssa.Alloc, *ssa.MakeClosure, *ssa.MakeMap, *ssa.Function:
		return true
	}
	return false
}
