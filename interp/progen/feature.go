package progen

func (g *gen) feature(name string) { g.p("\nfunc %s() {\nburn()\n}\n", name) }
