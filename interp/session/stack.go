package session

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp"
)

// The stack of a panic costs nothing until there is one: the executor tells
// only through which functions it went, and where it began. Where each of them
// made its call is found in their SSA: the calls that can reach the next one.
// A function that makes such calls on several lines is shown with all of them,
// but for a cell's own statements, which record what they call.

// stack names the functions that a panic has left, with their lines, and says
// where it began.
func (s *Session) stack(way passage) (out []interp.StackFrame, began token.Pos) {
	began = token.Pos(way.pos())
	var inner *ssa.Function // the frame before
	for i := 0; i < len(way.steps); {
		g := activation(way.steps[i:])
		at := token.Pos(way.steps[i].pos)
		i += g.steps
		fn := s.lowerer.FuncOf(g.base)
		if fn == nil || isWrapper(fn) {
			continue // a wrapper
		}
		if g.whole { // the function itself and its frame are no literals
			own := 1
			if s.lowerer.Framed(fn) {
				own++
			}
			g.literal = g.steps > own
		}
		f, lines := s.inmost(fn, inner, g.literal, at)
		if f == fn && inner != nil && g.literal && !g.whole {
			continue // what makes a value of a function, not one of the source
		}
		if len(lines) == 0 && !strings.HasPrefix(f.Name(), "cell·") {
			// It cannot have called the one before: that was another panic,
			// which compiled code has recovered, as fmt does.
			out, began = nil, at
			f, lines = s.inmost(fn, nil, g.literal, at)
		}
		for {
			if frame, ok := s.frame(f, lines, way); ok {
				out = append(out, frame)
			}
			inner = f
			if f == fn || !g.whole || f.Parent() == nil {
				break
			}
			if lines = s.callLines(f.Parent(), f); len(lines) == 0 {
				break
			}
			f = f.Parent()
		}
	}
	return out, began
}

// group is the steps of one activation: function literals and frames printed
// in place carry the name of the function they are printed in.
type group struct {
	base    string
	steps   int
	literal bool // it begins in a literal
	whole   bool // it ends in the function itself
}

func activation(steps []left) group {
	base, _, _ := strings.Cut(steps[0].name, ".")
	g := group{base: base, literal: steps[0].name != base}
	for _, st := range steps {
		if b, _, _ := strings.Cut(st.name, "."); b != base || g.whole {
			break
		}
		g.steps++
		g.whole = st.name == base
	}
	return g
}

// inmost finds which function of the family of fn, itself and the literals in
// it, the panic came through first, and the lines of the calls that it can
// have been at. Without an inner function it is where the panic began.
func (s *Session) inmost(fn, inner *ssa.Function, literal bool, pos token.Pos) (*ssa.Function, []token.Pos) {
	family := literals(fn, nil)
	if inner == nil {
		best := fn
		for _, f := range family {
			if n := f.Syntax(); n != nil && n.Pos() <= pos && pos < n.End() {
				best = f // the innermost comes last
			}
		}
		return best, []token.Pos{pos}
	}
	if literal {
		for _, f := range slices.Backward(family[1:]) {
			if lines := s.callLines(f, inner); len(lines) > 0 {
				return f, lines
			}
		}
	}
	return fn, s.callLines(fn, inner)
}

// literals lists a function and the literals in it, outer ones first.
func literals(fn *ssa.Function, list []*ssa.Function) []*ssa.Function {
	list = append(list, fn)
	for _, f := range fn.AnonFuncs {
		list = literals(f, list)
	}
	return list
}

// callLines lists the calls in f that can have reached inner: those that name
// it or are given it, else those of values and methods that it can be.
func (s *Session) callLines(f, inner *ssa.Function) []token.Pos {
	var direct, indirect []token.Pos
	for _, b := range f.Blocks {
		for _, in := range b.Instrs {
			c, ok := in.(ssa.CallInstruction)
			if _, isGo := in.(*ssa.Go); !ok || isGo {
				continue
			}
			pos := callPos(c)
			if !pos.IsValid() {
				continue
			}
			callee := c.Common().StaticCallee()
			lowered := callee != nil && callee.Blocks != nil && !isWrapper(callee)
			switch {
			case lowered && callee != inner:
			case lowered, handles(c, inner):
				direct = append(direct, pos)
			case canReach(c.Common(), inner):
				indirect = append(indirect, pos)
			}
		}
	}
	if len(direct) > 0 {
		return direct
	}
	return indirect
}

// callPos is where a call is written; the call that a range over a function
// makes has no place but its statement's.
func callPos(c ssa.CallInstruction) token.Pos {
	if c.Pos().IsValid() {
		return c.Pos()
	}
	for _, a := range c.Common().Args {
		if mc, ok := a.(*ssa.MakeClosure); ok && mc.Fn.(*ssa.Function).Syntax() != nil {
			return mc.Fn.(*ssa.Function).Syntax().Pos()
		}
	}
	return token.NoPos
}

// handles reports whether a call is one of fn, or hands fn to someone.
func handles(c ssa.CallInstruction, fn *ssa.Function) bool {
	for _, op := range c.Operands(nil) {
		v := *op
		for {
			switch x := v.(type) {
			case *ssa.MakeInterface:
				v = x.X
				continue
			case *ssa.ChangeType:
				v = x.X
				continue
			case *ssa.MakeClosure:
				v = x.Fn
				continue
			}
			break
		}
		if g, ok := v.(*ssa.Function); ok && (g == fn || g.Origin() != nil && g.Origin() == fn) {
			return true
		}
	}
	return false
}

// canReach reports whether a call of a value, of a method or of compiled code
// may come to fn.
func canReach(c *ssa.CallCommon, fn *ssa.Function) bool {
	if c.IsInvoke() {
		return c.Method.Name() == fn.Name()
	}
	callee := c.StaticCallee()
	if callee == nil {
		if _, builtin := c.Value.(*ssa.Builtin); builtin {
			return false
		}
		return types.Identical(c.Signature().Params(), fn.Signature.Params()) && types.Identical(c.Signature().Results(), fn.Signature.Results())
	}
	if callee.Blocks != nil {
		return isWrapper(callee) && (callee.Name() == fn.Name() || strings.HasPrefix(callee.Name(), fn.Name()+"$"))
	}
	for _, a := range c.Args {
		switch a.Type().Underlying().(type) {
		case *types.Signature, *types.Interface, *types.Slice:
			return true
		case *types.Pointer, *types.Struct:
			return true // a value that holds a function, as a sync.Pool does
		}
	}
	return false
}

// isWrapper reports whether go/ssa made a function that no one has written.
func isWrapper(f *ssa.Function) bool { return f.Synthetic != "" && f.Origin() == nil }

// frame shows one function; ok is false for what no one has written.
func (s *Session) frame(f *ssa.Function, at []token.Pos, way passage) (frame interp.StackFrame, ok bool) {
	if strings.Contains(f.Name(), "must·") || f.Syntax() == nil {
		return frame, false
	}
	frame.Func = s.world.FuncName(f.Name(), f.Signature)
	if strings.HasPrefix(f.Name(), "cell·") {
		_, literal, isLiteral := strings.Cut(f.Name(), "$")
		if frame.Func = "the cell"; isLiteral {
			frame.Func = "func literal " + literal
		}
	}
	if cell := token.Pos(way.cell); len(at) > 1 && slices.Contains(at, cell) {
		at = []token.Pos{cell}
	}
	if len(at) == 0 {
		at = []token.Pos{f.Pos()}
		if n, ok := f.Syntax().(*ast.FuncDecl); ok {
			at[0] = n.Pos()
		}
	}
	for _, pos := range at {
		p := s.fset.Position(s.startOf(pos))
		frame.File = p.Filename
		if !slices.Contains(frame.Lines, p.Line) {
			frame.Lines = append(frame.Lines, p.Line)
		}
	}
	slices.Sort(frame.Lines)
	if _, known := s.cells[frame.File]; !known {
		return frame, false // of the library
	}
	return frame, true
}
