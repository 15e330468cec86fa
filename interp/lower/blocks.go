package lower

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// maxNesting bounds how deep the branches of a function are nested.
const maxNesting = 40

// blocks prints the blocks as the dominator tree nests them: a branch holds
// what only it leads to, joins follow in the scope of the block that dominates
// them. The label of a block is then in a scope around every jump to it.
func (g *gen) blocks() {
	order := reversePostorder(g.fn)
	byLabel := map[string]*ssa.BasicBlock{}
	position := map[*ssa.BasicBlock]int{}
	for i, b := range order {
		g.labels[b] = g.name("L")
		byLabel[g.labels[b]] = b
		position[b] = i
	}
	if g.trail == nil { // whose headers would say nothing
		g.findRanges(order)
	}
	g.tree(order[0], nil, position, 0)
	g.placeLabels(byLabel)
}

// placeLabels keeps the labels that are targets of jumps.
func (g *gen) placeLabels(byLabel map[string]*ssa.BasicBlock) {
	text := g.body.String()
	g.body.Reset()
	var pending string
	for _, line := range strings.SplitAfter(text, "\n") {
		if name, ok := strings.CutPrefix(line, labelMark); ok {
			name = strings.TrimSpace(name)
			b := byLabel[name]
			if b == nil && g.continued(name) || b != nil && g.targeted[b] {
				g.body.WriteString(pending + name + ":\n")
				// yaegi loses its way when a label is followed by a jump at once.
				pending = "_ = 0\n"
			}
			continue
		}
		if pending != "" && jumpsAtOnce(line) {
			g.body.WriteString(pending)
		}
		pending = ""
		g.body.WriteString(line)
	}
}

func jumpsAtOnce(line string) bool {
	for _, p := range []string{"return", "goto", "continue", "}"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return line == ""
}

const labelMark = "\x00label "

// tree prints b and the blocks it dominates; next is the block whose text
// follows theirs.
func (g *gen) tree(b, next *ssa.BasicBlock, position map[*ssa.BasicBlock]int, depth int) {
	g.body.WriteString(labelMark + g.labels[b] + "\n")
	rest := slices.Clone(b.Dominees())
	slices.SortFunc(rest, func(x, y *ssa.BasicBlock) int { return position[x] - position[y] })
	r := g.ranges[b]
	var arm *ssa.BasicBlock
	if br, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If); ok {
		yes, no := b.Succs[0], b.Succs[1]
		_, known := br.Cond.(*ssa.Const)
		if len(yes.Preds) == 1 && yes != no && !known && (depth < maxNesting || r != nil) {
			arm = yes
			rest = slices.DeleteFunc(rest, func(x *ssa.BasicBlock) bool { return x == yes })
		}
		if i := slices.Index(rest, no); i > 0 && len(no.Preds) == 1 {
			rest = slices.Insert(slices.Delete(rest, i, i+1), 0, no)
		}
	}
	first := next
	if len(rest) > 0 {
		first = rest[0]
	}
	g.known(b)
	if r != nil {
		g.sliceLoop(b, r, first, position, depth)
	} else {
		g.instrs(b)
		g.leave(b, arm, first, position, depth)
	}
	for i, k := range rest {
		after := next
		if i+1 < len(rest) {
			after = rest[i+1]
		}
		g.tree(k, after, position, depth)
	}
}

// leave prints how control leaves b; arm is the branch that is nested in it.
func (g *gen) leave(b, arm, first *ssa.BasicBlock, position map[*ssa.BasicBlock]int, depth int) {
	switch in := b.Instrs[len(b.Instrs)-1].(type) {
	case *ssa.Jump:
		g.settle("")
		g.phis(b, b.Succs[0])
		g.facts[b] = g.checked
		g.jump(b.Succs[0], first)
	case *ssa.If:
		if arm == nil {
			g.branch(b, in, first)
			g.facts[b] = g.checked
			return
		}
		no := b.Succs[1]
		g.emit("if %s {", g.cond(in))
		g.facts[b] = g.checked
		after := first
		if no != first || hasPhis(no) {
			after = nil
		}
		g.phis(b, arm)
		g.tree(arm, after, position, depth+1)
		g.emit("}")
		g.phis(b, no)
		g.jump(no, first)
	}
	if g.facts[b] == nil {
		g.facts[b] = g.checked
	}
}

// block prints a block that stands alone.
func (g *gen) block(b *ssa.BasicBlock) {
	g.known(b)
	g.instrs(b)
}

// maxFacts bounds what is carried from block to block.
const maxFacts = 64

// known finds what is known at the start of a block: what was known at the end
// of its dominator, without what concerns variables that may have been
// assigned on the way.
func (g *gen) known(b *ssa.BasicBlock) {
	g.checked = map[string]bool{}
	d := b.Idom()
	if d == nil || len(g.facts[d]) > maxFacts {
		return
	}
	if facts := g.facts[d]; facts != nil {
		g.checked = maps.Clone(facts)
	}
	if len(b.Preds) == 1 {
		return
	}
	seen := map[*ssa.BasicBlock]bool{d: true}
	way := slices.Clone(b.Preds)
	for len(way) > 0 && len(g.checked) > 0 {
		k := way[len(way)-1]
		way = way[:len(way)-1]
		if seen[k] {
			continue
		}
		seen[k] = true
		way = append(way, k.Preds...)
		for _, in := range k.Instrs {
			switch in := in.(type) {
			case *ssa.Store:
				if a, ok := in.Addr.(*ssa.Alloc); ok {
					g.forgetAlloc(a)
				}
			case *ssa.Alloc:
				g.forgetAlloc(in)
			}
		}
	}
}

// instrs prints the instructions of a block but for its branch or jump.
func (g *gen) instrs(b *ssa.BasicBlock) {
	g.prepareVarargs(b)
	g.debugBlock(b)
	for i, in := range b.Instrs {
		g.debugInstr(b, i, in)
		if g.skip[in] {
			continue
		}
		switch in := in.(type) {
		case *ssa.Jump, *ssa.If:
		default:
			g.instr(b, i, in)
		}
	}
}

func (g *gen) jump(to, next *ssa.BasicBlock) {
	if to == next {
		return
	}
	if n := len(g.inRange); n > 0 && g.inRange[n-1] == to {
		g.emit("continue")
		return
	}
	if slices.Contains(g.inRange, to) {
		g.ranges[to].again = true
		g.emit("goto %s", g.ranges[to].label)
		return
	}
	g.targeted[to] = true
	g.emit("goto %s", g.labels[to])
}

// cond is the condition of a branch.
func (g *gen) cond(in *ssa.If) string {
	cond := g.v(in.Cond)
	if s := strings.TrimSuffix(strings.TrimPrefix(cond, "("), ")"); balanced(s) {
		return s
	}
	return cond
}

// branch prints a branch whose targets stand elsewhere.
func (g *gen) branch(b *ssa.BasicBlock, in *ssa.If, next *ssa.BasicBlock) {
	yes, no := b.Succs[0], b.Succs[1]
	if c, ok := in.Cond.(*ssa.Const); ok {
		to := no
		if c.Value.String() == "true" {
			to = yes
		}
		g.phis(b, to)
		g.jump(to, next)
		return
	}
	g.emit("if %s {", g.cond(in))
	g.phis(b, yes)
	g.jump(yes, nil)
	g.emit("}")
	g.phis(b, no)
	g.jump(no, next)
}
