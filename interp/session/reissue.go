package session

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"strings"

	"golang.org/x/tools/go/ssa"

	"trafficgpt/interp/assist"
)

// A declaration that depends on a name which a later cell declares anew is
// checked and compiled again with that cell, so that earlier code follows.

// decl is a live declaration and the names it mentions.
type decl struct {
	node  ast.Decl
	names []string // what it declares; a method is "Type.Method"
	deps  map[string]bool
}

func newDecl(d ast.Decl) *decl {
	e := &decl{node: d, deps: map[string]bool{}}
	switch d := d.(type) {
	case *ast.FuncDecl:
		e.names = []string{d.Name.Name}
		if base := assist.Receiver(d); base != nil {
			e.names = []string{base.Name + "." + d.Name.Name}
		}
	case *ast.GenDecl:
		for _, sp := range d.Specs {
			switch sp := sp.(type) {
			case *ast.TypeSpec:
				e.names = append(e.names, sp.Name.Name)
			case *ast.ValueSpec:
				for _, n := range sp.Names {
					e.names = append(e.names, n.Name)
				}
			}
		}
	}
	ast.Inspect(d, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			e.deps[id.Name] = true
		}
		return true
	})
	return e
}

// reissue adds to a cell the earlier declarations that must follow it.
func (c *checker) reissue() {
	own := map[string]bool{}
	changed := maps.Clone(c.changed)
	for _, d := range c.pc.decls.Decls {
		for _, n := range newDecl(d).names {
			own[n] = true
			base, _, method := strings.Cut(n, ".")
			if e := c.s.live[base]; e != nil && base != "_" {
				if _, isType := e.obj.(*types.TypeName); isType || !method {
					changed[base] = true
				}
			}
		}
	}
	if len(changed) == 0 {
		return
	}
	chosen := map[*decl]bool{}
	for again := true; again; {
		again = false
		for _, e := range c.s.decls {
			if chosen[e] || c.dropped[e] || !e.follows(own, changed) {
				continue
			}
			chosen[e] = true
			again = true
			for _, n := range e.names {
				base, _, _ := strings.Cut(n, ".")
				changed[base] = true
			}
		}
	}
	for _, e := range c.s.decls {
		if chosen[e] {
			c.reissued = append(c.reissued, e)
			c.pc.decls.Decls = append(c.pc.decls.Decls, e.node)
		}
	}
}

// follows reports whether a declaration, not itself replaced, declares or
// mentions a changed name.
func (e *decl) follows(own, changed map[string]bool) bool {
	for _, n := range e.names {
		if own[n] {
			return false
		}
	}
	for _, n := range e.names {
		base, _, _ := strings.Cut(n, ".")
		if changed[base] {
			return true
		}
	}
	for d := range e.deps {
		if changed[d] {
			return true
		}
	}
	return false
}

// retract takes out the earlier declarations that do not check any more; they
// stay as they were. It reports whether there was one.
func (c *checker) retract(errs []types.Error) bool {
	found := false
	for _, er := range errs {
		for _, e := range c.reissued {
			if e.node.Pos() <= er.Pos && er.Pos < e.node.End() {
				c.dropped[e] = true
				found = true
			}
		}
	}
	if !found {
		return false
	}
	keep := c.pc.decls.Decls[:0:0]
	for _, d := range c.pc.decls.Decls {
		mine := true
		for _, e := range c.reissued {
			mine = mine && e.node != d
		}
		if mine {
			keep = append(keep, d)
		}
	}
	c.pc.decls.Decls, c.reissued = keep, nil
	c.reissue()
	return true
}

// remember makes the declarations of a compiled cell those of the session.
func (s *Session) remember(p *plan) {
	fresh := map[string]bool{}
	var add []*decl
	for _, d := range p.parsed.decls.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		e := newDecl(d)
		add = append(add, e)
		for _, n := range e.names {
			fresh[n] = true
		}
	}
	var keep []*decl
	for _, e := range s.decls {
		replaced := false
		for _, n := range e.names {
			replaced = replaced || fresh[n]
		}
		if !replaced {
			keep = append(keep, e)
		}
	}
	s.decls = append(keep, add...)
}

// replacedType is a type and the one that was declared anew under its name.
type replacedType struct{ was, is *types.TypeName }

// retype gives variables whose type was declared anew, with the same contents,
// the new type; their storage stays.
func (s *Session) retype(old map[string]types.Object, replaced []replacedType) {
	sub := map[*types.TypeName]types.Type{}
	for _, r := range replaced {
		sub[r.was] = r.is.Type()
	}
	for name, o := range old {
		was, ok1 := o.(*types.TypeName)
		e := s.live[name]
		if !ok1 || e == nil {
			continue
		}
		if now, ok := e.obj.(*types.TypeName); ok && now != was {
			sub[was] = now.Type()
		}
	}
	if len(sub) == 0 {
		return
	}
	home := types.NewPackage("main", "vars")
	moved := map[*types.Var]*types.Var{}
	for name, e := range s.live {
		v, ok := e.obj.(*types.Var)
		if !ok {
			continue
		}
		t := substitute(v.Type(), sub)
		if t == v.Type() || !s.sameRep(t, v.Type()) {
			continue
		}
		n := types.NewVar(v.Pos(), home, name, t)
		home.Scope().Insert(n)
		moved[n] = v
	}
	if len(moved) == 0 {
		return
	}
	s.prog.CreatePackage(home, nil, nil, false)
	for n, v := range moved {
		s.lowerer.Alias(s.globalOf(n), s.globalOf(v))
		s.live[n.Name()] = &entity{n, s.live[n.Name()].cell}
	}
}

func (s *Session) sameRep(a, b types.Type) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return s.world.Type(a) == s.world.Type(b)
}

// substitute replaces declared types inside t; it returns t itself if there is
// none.
func substitute(t types.Type, sub map[*types.TypeName]types.Type) types.Type {
	in := func(t types.Type) types.Type { return substitute(t, sub) }
	switch u := t.(type) {
	case *types.Named:
		if n, ok := sub[u.Obj()]; ok && u.TypeArgs().Len() == 0 {
			return n
		}
	case *types.Pointer:
		if e := in(u.Elem()); e != u.Elem() {
			return types.NewPointer(e)
		}
	case *types.Slice:
		if e := in(u.Elem()); e != u.Elem() {
			return types.NewSlice(e)
		}
	case *types.Array:
		if e := in(u.Elem()); e != u.Elem() {
			return types.NewArray(e, u.Len())
		}
	case *types.Chan:
		if e := in(u.Elem()); e != u.Elem() {
			return types.NewChan(u.Dir(), e)
		}
	case *types.Map:
		if k, e := in(u.Key()), in(u.Elem()); k != u.Key() || e != u.Elem() {
			return types.NewMap(k, e)
		}
	}
	return t
}

// followed reports whether fn is a function that a cell declared.
func (s *Session) followed(fn *ssa.Function) bool {
	return fn.Pkg != nil && strings.HasPrefix(s.fset.Position(fn.Pos()).Filename, "cell ")
}

// follow has closures and function values of earlier cells follow the
// functions that a cell declares anew.
func (s *Session) follow(p *plan) {
	for _, o := range p.objects {
		fn, ok := o.(*types.Func)
		e := s.live[o.Name()]
		if !ok || e == nil || fn.Signature().TypeParams() != nil {
			continue
		}
		old, ok := e.obj.(*types.Func)
		if !ok || old.Signature().TypeParams() != nil || !types.Identical(old.Signature(), fn.Signature()) {
			continue
		}
		if a, b := s.prog.FuncValue(old), s.prog.FuncValue(fn); a != nil && b != nil {
			s.lowerer.Follow(a, b)
		}
	}
}
