package lower

import (
	"go/token"
	"go/types"
	"reflect"

	"golang.org/x/tools/go/ssa"
)

// sliceRange is a loop over the indexes of a slice, printed as such: yaegi
// steps and tests in one go.
type sliceRange struct {
	index *ssa.Alloc // the hidden index
	next  *ssa.BinOp // its successor, computed in the header
	slice string     // what is ranged over, a name
	label string     // of the end of the body
	again bool       // whether something jumps there
}

// findRanges recognises the loops over slices.
func (g *gen) findRanges(blocks []*ssa.BasicBlock) {
	for _, h := range blocks {
		r, length := g.sliceRangeAt(h)
		if r == nil {
			continue
		}
		r.label = g.name("L")
		g.ranges[h] = r
		g.rangeOf[length] = r
		for _, u := range *r.index.Referrers() {
			if st, ok := u.(*ssa.Store); ok {
				g.skip[st] = true
			}
		}
		g.skip[r.index] = true
	}
}

// sliceRangeAt is the loop whose header is h and the call of len before it.
func (g *gen) sliceRangeAt(h *ssa.BasicBlock) (*sliceRange, *ssa.Call) {
	var ins []ssa.Instruction
	for _, in := range h.Instrs {
		if _, ok := in.(*ssa.DebugRef); !ok {
			ins = append(ins, in)
		}
	}
	if len(ins) != 5 {
		return nil, nil
	}
	ld, ok1 := ins[0].(*ssa.UnOp)
	add, ok2 := ins[1].(*ssa.BinOp)
	st, ok3 := ins[2].(*ssa.Store)
	cmp, ok4 := ins[3].(*ssa.BinOp)
	br, ok5 := ins[4].(*ssa.If)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || ld.Op != token.MUL || rangeIndex(add) != cmp || br.Cond != ssa.Value(cmp) {
		return nil, nil
	}
	index, ok := ld.X.(*ssa.Alloc)
	if !ok || index.Comment != "rangeindex" || localRoot(index) == nil || st.Addr != ssa.Value(index) || st.Val != ssa.Value(add) {
		return nil, nil
	}
	length, ok := cmp.Y.(*ssa.Call)
	if !ok || !isBuiltin(&length.Call, "len") || len(uses(length)) != 1 || len(uses(cmp)) != 1 || len(uses(ld)) != 1 {
		return nil, nil
	}
	x := length.Call.Args[0]
	if _, ok := x.Type().Underlying().(*types.Slice); !ok {
		return nil, nil
	}
	if rep := g.rep(x.Type()); rep.Kind() != reflect.Slice || rep.Elem() == rep {
		return nil, nil
	}
	body := h.Succs[0]
	before := length.Block()
	if len(body.Preds) != 1 || len(before.Succs) != 1 || before.Succs[0] != h || before != h.Idom() {
		return nil, nil
	}
	for _, u := range *index.Referrers() {
		switch u := u.(type) {
		case *ssa.DebugRef:
		case *ssa.Store:
			if u != st && u.Block() != before {
				return nil, nil
			}
		case *ssa.UnOp:
			if u != ld && !body.Dominates(u.Block()) {
				return nil, nil
			}
		default:
			return nil, nil
		}
	}
	for _, u := range uses(add) {
		if u != ssa.Instruction(st) && u != ssa.Instruction(cmp) && !body.Dominates(u.Block()) {
			return nil, nil
		}
	}
	// Every other way into the header is one from the body.
	for _, p := range h.Preds {
		if p != before && !body.Dominates(p) {
			return nil, nil
		}
	}
	return &sliceRange{index: index, next: add}, length
}

// sliceLoop prints the loop whose header is h.
func (g *gen) sliceLoop(h *ssa.BasicBlock, r *sliceRange, first *ssa.BasicBlock, position map[*ssa.BasicBlock]int, depth int) {
	n := g.name("v")
	g.place[r.index] = n
	g.private[n] = true
	g.set(r.next, n)
	g.facts[h] = g.checked
	g.emit("for %s := range %s {", n, r.slice)
	g.inRange = append(g.inRange, h)
	g.tree(h.Succs[0], h, position, depth+1)
	g.inRange = g.inRange[:len(g.inRange)-1]
	g.body.WriteString(labelMark + r.label + "\n")
	g.emit("}")
	g.phis(h, h.Succs[1])
	g.jump(h.Succs[1], first)
}

// continued reports whether a label is that of the end of a loop's body and
// something jumps to it.
func (g *gen) continued(label string) bool {
	for _, r := range g.ranges {
		if r.label == label {
			return r.again
		}
	}
	return false
}
