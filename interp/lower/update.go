package lower

import (
	"go/token"
	"reflect"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// update prints an assignment of x op y to x as x op= y, which yaegi does in
// one step.
func (g *gen) update(lhs, rhs string, val ssa.Value) bool {
	bin, ok := val.(*ssa.BinOp)
	if !ok {
		return false
	}
	operands, ok := g.operators[bin]
	if !ok || operands[0] != lhs || rhs != "("+lhs+" "+bin.Op.String()+" "+operands[1]+")" {
		return false
	}
	kind := g.rep(bin.Type()).Kind()
	if g.rep(bin.Type()).PkgPath() != "" || kind == reflect.Complex64 || kind == reflect.Complex128 {
		return false
	}
	switch bin.Op {
	case token.ADD, token.SUB, token.MUL, token.AND, token.OR, token.XOR, token.AND_NOT:
	default:
		return false
	}
	if operands[1] == "1" && kind == reflect.Int && bin.Op == token.ADD {
		g.emit("%s++", lhs)
		return true
	}
	g.emit("%s %s= %s", lhs, bin.Op, unparen(operands[1]))
	return true
}

// forgetAlloc drops what is known of a variable.
func (g *gen) forgetAlloc(a *ssa.Alloc) {
	if n := g.place[a]; n != "" && len(g.checked) > 0 {
		g.forgetName(n)
	}
}

// forgetName drops what is known of a name.
func (g *gen) forgetName(name string) {
	for f := range g.checked {
		if mentions(f, name) {
			delete(g.checked, f)
		}
	}
}

// mentions reports whether a text has a name in it.
func mentions(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		end := i + len(name)
		if (i == 0 || !isName(rest[i-1:i])) && (end == len(rest) || !isName(rest[end:end+1])) {
			return true
		}
		rest = rest[end:]
	}
}

// becomes lets the variable that a value is stored to at once stand for the
// value where it is used again, as in i++ followed by a test of i.
func (g *gen) becomes(in *ssa.BinOp, left, right string) bool {
	refs := uses(in)
	b := in.Block()
	if len(refs) < 2 || g.index[in]+1 >= len(b.Instrs) {
		return false
	}
	st, ok := b.Instrs[g.index[in]+1].(*ssa.Store)
	if !ok || st.Val != ssa.Value(in) || g.skip[st] {
		return false
	}
	a, ok := st.Addr.(*ssa.Alloc)
	if !ok || localRoot(a) == nil || !isName(g.place[a]) {
		return false
	}
	var rs readSet
	rs.local(a)
	others := make([]ssa.Instruction, 0, len(refs))
	for _, u := range refs {
		if u != ssa.Instruction(st) {
			others = append(others, u)
		}
	}
	if !g.repeatable(st, others, rs) {
		return false
	}
	n := g.place[a]
	text := "(" + left + " " + in.Op.String() + " " + right + ")"
	if !g.update(n, text, in) {
		g.emit("%s = %s", n, unparen(text))
	}
	g.forgetAlloc(a)
	g.skip[st] = true
	g.val[in] = n
	g.reads[in] = rs
	return true
}
