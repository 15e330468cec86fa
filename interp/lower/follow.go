package lower

import (
	"fmt"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// Function values and closures outlive the cell that made them (a control's
// function, a goroutine). When a later cell declares a function anew that they
// stand for or call, they follow: they reach it through a variable.

// via is the name by which closures call fn: that of a variable if a later
// cell may declare fn anew.
func (l *Lowerer) via(fn *ssa.Function) string {
	f := l.function(fn)
	if fn.Parent() != nil || fn.Origin() != nil || fn.Signature.Recv() != nil || fn.Object() == nil || !l.hooks.Followed(fn) {
		return f.name
	}
	if v, ok := l.vars[fn]; ok {
		return v
	}
	v := l.fresh("R")
	l.vars[fn] = v
	l.undo = append(l.undo, func() { delete(l.vars, fn) })
	fmt.Fprintf(&l.c.out, "var %s func(%s)%s\n", v, strings.Join(l.params(fn), ", "), l.results(fn.Signature))
	l.inits = append(l.inits, v+" = "+f.name)
	return v
}

// params are the parameters of fn's lowered form, by type.
func (l *Lowerer) params(fn *ssa.Function) []string {
	f := l.function(fn)
	var types []string
	if f.recover {
		types = append(types, "*x.Frame")
	}
	for i, p := range fn.Params {
		star := ""
		if f.byAddr[i] {
			star = "*"
		}
		types = append(types, star+l.typ(p.Type()))
	}
	return types
}

// Follow has what stands for old stand for its successor from the next Lower
// on. Their signatures are identical.
func (l *Lowerer) Follow(old, successor *ssa.Function) {
	l.successors = append(l.successors, [2]*ssa.Function{old, successor})
}

// follow turns the variables of replaced functions to their successors.
func (l *Lowerer) follow() {
	for _, pair := range l.successors {
		v, ok := l.vars[pair[0]]
		if !ok {
			continue
		}
		if f := l.function(pair[1]); f.recover == l.function(pair[0]).recover {
			l.inits = append(l.inits, v+" = "+f.name)
			l.vars[pair[1]] = v
			l.replaced[pair[0]] = true
			l.undo = append(l.undo, func() { delete(l.vars, pair[1]) })
		}
	}
	l.successors = nil
}
