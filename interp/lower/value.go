package lower

import (
	"go/constant"
	"go/token"
	"go/types"
	"reflect"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// v is an expression for a value.
func (g *gen) v(x ssa.Value) string {
	switch x := x.(type) {
	case *ssa.Const:
		return g.constant(x)
	case *ssa.Global:
		p := g.l.global(x)
		if s, ok := strings.CutPrefix(p, "(*"); ok {
			return strings.TrimSuffix(s, ")")
		}
		return "&" + p
	case *ssa.Function:
		if x.Blocks != nil && g.l.function(x).recover {
			// yaegi keeps a call of the helper only in a variable of its own
			t := g.temp(g.l.text(g.l.valueType(x)))
			g.emit("%s = %s", t, g.l.funcValue(x))
			return t
		}
		return g.l.funcValue(x)
	case *ssa.Phi:
		return g.phi(x)
	}
	if s, ok := g.val[x]; ok {
		return s
	}
	if p, ok := g.place[x]; ok {
		if s, ok := strings.CutPrefix(p, "(*"); ok && strings.HasSuffix(s, ")") && isName(s[:len(s)-1]) {
			return s[:len(s)-1]
		}
		return "&" + p
	}
	refuse(x.Pos(), "internal: no value for %s in %s", x, g.fn)
	return ""
}

func isName(s string) bool {
	for _, c := range s {
		if c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != ""
}

// atom is v as a name or constant, evaluated now.
func (g *gen) atom(x ssa.Value) string {
	s := g.v(x)
	if _, ok := x.(*ssa.Const); ok || isName(s) {
		return s
	}
	return g.hold(x, s)
}

// variable is v as a variable whose address may be taken.
func (g *gen) variable(x ssa.Value) string {
	if s := g.v(x); isName(s) && !strings.Contains(s, ".") && g.isVar(s) {
		return s
	}
	t := g.temp(g.l.typ(x.Type()))
	g.emit("%s = %s", t, g.v(x))
	return t
}

func (g *gen) isVar(s string) bool {
	return s != "true" && s != "false" && s != "nil" && (s[0] < '0' || s[0] > '9')
}

// hold evaluates s, the expression of x, into a variable that from now on
// stands for x. Not so the address of a place: its first use need not come
// before the others, so each takes it anew.
func (g *gen) hold(x ssa.Value, s string) string {
	t := g.temp(g.l.typ(x.Type()))
	g.emit("%s = %s", t, s)
	if _, ok := g.val[x]; !ok && g.place[x] != "" {
		return t
	}
	if _, ok := x.(*ssa.Function); !ok {
		if _, ok := x.(*ssa.Global); !ok {
			g.set(x, t)
			delete(g.reads, x)
		}
	}
	return t
}

// constant is the text of a constant of its exact type.
func (g *gen) constant(c *ssa.Const) string {
	rep := g.rep(c.Type())
	if c.Value == nil {
		return g.zero(g.l.text(rep))
	}
	plain := rep.PkgPath() == "" && rep.Name() != ""
	switch c.Value.Kind() {
	case constant.Bool:
		if plain {
			return c.Value.String()
		}
	case constant.String:
		if s := constant.StringVal(c.Value); plain && len(s) < 200 {
			return strconv.Quote(s)
		}
	case constant.Int:
		if i, ok := constant.Int64Val(c.Value); ok && rep == intRep {
			if i < 0 {
				return "(" + strconv.FormatInt(i, 10) + ")"
			}
			return strconv.FormatInt(i, 10)
		}
	}
	return g.l.constant(c, rep)
}

// constant names a compiled constant.
func (l *Lowerer) constant(c *ssa.Const, rep reflect.Type) string {
	v := constValue(c, rep)
	key := [3]any{"const", rep, c.Value.ExactString()}
	return l.sym("C", key, func() reflect.Value { return v })
}

func constValue(c *ssa.Const, rep reflect.Type) reflect.Value {
	v := reflect.New(rep).Elem()
	val := c.Value
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(constant.BoolVal(val))
	case v.Kind() == reflect.String:
		if val.Kind() == constant.Int {
			r, ok := constant.Int64Val(val)
			if !ok || r < 0 || r > 0x10ffff {
				r = 0xfffd
			}
			v.SetString(string(rune(r)))
			break
		}
		v.SetString(constant.StringVal(val))
	case v.CanInt():
		v.SetInt(c.Int64())
	case v.CanUint():
		v.SetUint(c.Uint64())
	case v.CanFloat():
		f, _ := constant.Float64Val(constant.ToFloat(val))
		if v.Kind() == reflect.Float32 {
			f32, _ := constant.Float32Val(constant.ToFloat(val))
			f = float64(f32)
		}
		v.SetFloat(f)
	case v.CanComplex():
		cv := constant.ToComplex(val)
		re, _ := constant.Float64Val(constant.Real(cv))
		im, _ := constant.Float64Val(constant.Imag(cv))
		if v.Kind() == reflect.Complex64 {
			r32, _ := constant.Float32Val(constant.Real(cv))
			i32, _ := constant.Float32Val(constant.Imag(cv))
			re, im = float64(r32), float64(i32)
		}
		v.SetComplex(complex(re, im))
	case v.Kind() == reflect.Interface:
		v.Set(reflect.ValueOf(constant.Val(val)))
	default:
		refuse(c.Pos(), "constant %s of type %s", c, rep)
	}
	return v.Convert(rep)
}

// readsOf is what evaluating the pending expression of x reads.
func (g *gen) readsOf(x ssa.Value) readSet {
	if x == nil {
		return readSet{}
	}
	return g.reads[x]
}

// define makes text stand for v: in place of its only use if nothing between
// can change what it reads, in a variable otherwise.
func (g *gen) define(v ssa.Value, text string, rs readSet) {
	in := v.(ssa.Instruction)
	for _, op := range in.Operands(nil) {
		if *op != nil {
			rs.add(g.readsOf(*op))
		}
	}
	refs := uses(v)
	if len(refs) == 0 {
		if rs.mem || rs.locals != nil {
			t := g.temp(g.l.typ(v.Type()))
			g.emit("%s = %s", t, text)
		}
		return
	}
	if isName(text) && g.repeatable(in, refs, rs) {
		g.val[v] = text
		g.reads[v] = rs
		return
	}
	if len(refs) == 1 && g.inlineable(v, refs[0], rs) {
		g.val[v] = text
		if isBinary(text) {
			g.val[v] = "(" + text + ")"
		}
		g.reads[v] = rs
		return
	}
	g.hold(v, text)
}

// isBinary reports whether a text is an expression with a binary operator that
// is not within brackets.
func isBinary(text string) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case '"', '\'':
			return true
		case ' ':
			if depth == 0 {
				return true
			}
		}
	}
	return false
}

func uses(v ssa.Value) []ssa.Instruction {
	var out []ssa.Instruction
	for _, r := range *v.Referrers() {
		if _, ok := r.(*ssa.DebugRef); ok {
			continue
		}
		out = append(out, r)
	}
	return out
}

// repeatable reports whether a name that means a value from def on may stand
// for it at all of its uses.
func (g *gen) repeatable(def ssa.Instruction, refs []ssa.Instruction, rs readSet) bool {
	if rs.mem {
		return false
	}
	last := def
	for _, u := range refs {
		switch u.(type) {
		case *ssa.Phi, *ssa.MakeClosure, *ssa.Go, *ssa.Defer, *ssa.Select, *ssa.Extract:
			return false
		}
		if u.Block() != def.Block() {
			return false
		}
		if g.index[u] > g.index[last] {
			last = u
		}
	}
	return g.undisturbed(def, last, rs)
}

func (g *gen) inlineable(v ssa.Value, use ssa.Instruction, rs readSet) bool {
	def := v.(ssa.Instruction)
	if use.Block() != def.Block() {
		return false
	}
	switch use.(type) {
	case *ssa.Phi, *ssa.MakeClosure, *ssa.Go, *ssa.Defer, *ssa.MakeInterface, *ssa.Select, *ssa.Extract, *ssa.Alloc:
		return false
	}
	if n := operandCount(use, v); n != 1 {
		return false
	}
	return g.undisturbed(def, use, rs)
}

func operandCount(use ssa.Instruction, v ssa.Value) int {
	n := 0
	for _, op := range use.Operands(nil) {
		if *op == v {
			n++
		}
	}
	return n
}

// undisturbed reports whether no instruction between two of one block writes
// what rs reads.
func (g *gen) undisturbed(from, to ssa.Instruction, rs readSet) bool {
	b := from.Block()
	for i := g.index[from] + 1; i < g.index[to]; i++ {
		if _, ok := b.Instrs[i].(*ssa.RunDefers); ok && g.frame == "" && g.one == nil {
			continue // there are none
		}
		if writes(b.Instrs[i], rs) {
			return false
		}
	}
	return true
}

func writes(in ssa.Instruction, rs readSet) bool {
	switch in := in.(type) {
	case *ssa.Store:
		if a := localRoot(in.Addr); a != nil {
			return rs.locals[a]
		}
		return rs.mem
	case *ssa.Alloc:
		return rs.locals[in]
	case *ssa.Call, *ssa.Go, *ssa.Defer, *ssa.Send, *ssa.MapUpdate, *ssa.RunDefers, *ssa.Select, *ssa.Panic, *ssa.Next:
		return rs.mem
	case *ssa.UnOp:
		return in.Op == token.ARROW && rs.mem
	}
	return false
}

func isPointer(t types.Type) bool {
	_, ok := t.Underlying().(*types.Pointer)
	return ok
}

// isFloat reports whether a type holds floating-point numbers.
func isFloat(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsFloat|types.IsComplex) != 0
}
