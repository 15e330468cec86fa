package progen

// jsonType is a type that encoding/json writes and reads back.
func (g *gen) jsonType(depth int) *typ {
	for {
		t := g.showType(depth)
		if g.encodes(t) {
			return t
		}
	}
}

func (g *gen) encodes(t *typ) bool {
	switch t.kind {
	case complexKind, funcKind, chanKind, ifaceKind, floatKind:
		return false
	case arrayKind, sliceKind:
		return g.encodes(t.elem)
	case mapKind:
		return g.encodes(t.elem) && (t.key.kind == stringKind || t.key.kind == intKind || t.key.kind == uintKind)
	case structKind:
		for _, f := range t.fields {
			if !g.encodes(f.t) {
				return false
			}
		}
	}
	return true
}

func (g *gen) jsonTrip() string {
	return g.fill(`
type NAMEdoc struct {
	A    $T
	B    []$T          `+"`json:\"bb,omitempty\"`"+`
	C    map[string]$T `+"`json:\",omitempty\"`"+`
	D    *$T
	E    any
	hide $T
	NAMEin
}

type NAMEin struct {
	X int `+"`json:\"x,string\"`"+`
	Y string
}

func NAME() {
	burn()
	d := NAMEdoc{A: $V, B: []$T{$L}, C: map[string]$T{"k": $L}, E: $I, NAMEin: NAMEin{$I, $S}}
	b, err := json.Marshal(d)
	fmt.Println(string(b), err)
	var back NAMEdoc
	err = json.Unmarshal(b, &back)
	fmt.Println(err)
	b, err = json.MarshalIndent([]any{back, $V, map[string]any{"t": $L}}, "", " ")
	fmt.Println(string(b), err)
	var loose any
	fmt.Println(json.Unmarshal(b, &loose), loose != nil)
	fmt.Println(json.Unmarshal([]byte("{\"A\": {\"x\": [}"), &back))
}
`, g.jsonType(1))
}

func (g *gen) sorting() string {
	return g.fill(`
type NAMErow struct {
	k int
	v $T
}

type NAMErows []NAMErow

func (r NAMErows) Len() int           { return len(r) }
func (r NAMErows) Less(i, j int) bool { return r[i].k < r[j].k }
func (r NAMErows) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

func NAME() {
	burn()
	rows := NAMErows{{3, $V}, {1, $L}, {2, $L}, {$N + 4, $V}}
	sort.Sort(sort.Reverse(rows))
	fmt.Println(rows[0].k, rows[3].k)
	slices.SortFunc(rows, func(a, b NAMErow) int { return cmp.Compare(a.k, b.k) })
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].k%2 < rows[j].k%2 })
	for _, r := range rows {
		fmt.Printf("%d $%\n", r.k, r.v)
	}
	i := slices.IndexFunc(rows, func(r NAMErow) bool { return r.k == 2 })
	rows = slices.Insert(rows, i, NAMErow{9, $L})
	rows = slices.Delete(rows, 0, 1)
	slices.Reverse(rows)
	groups := map[bool][]int{}
	for _, r := range rows {
		groups[r.k > 2] = append(groups[r.k > 2], r.k)
	}
	fmt.Println(groups, len(rows), slices.MaxFunc(rows, func(a, b NAMErow) int { return a.k - b.k }).k)
	xs := []float64{1, $N, -2, 0.5}
	slices.Sort(xs)
	at, found := slices.BinarySearch(xs, 1)
	fmt.Println(xs, at, found, slices.Compact([]int{1, 1, $N, $N, 1}), slices.Contains(xs, -2))
}
`, g.showType(1))
}

func (g *gen) wrapped() string {
	return g.fill(`
type NAMEerr struct {
	v   $T
	err error
}

func (e *NAMEerr) Error() string { return fmt.Sprintf("err<%T>", e.v) }
func (e *NAMEerr) Unwrap() error { return e.err }

type NAMEcode int

func (c NAMEcode) Error() string        { return fmt.Sprint("code ", int(c)) }
func (c NAMEcode) Is(target error) bool { return target == io.EOF && c > 2 }

func NAME() {
	burn()
	base := &NAMEerr{$V, NAMEcode($N)}
	errs := []error{base, fmt.Errorf("w: %w", base), errors.Join(io.EOF, base), fmt.Errorf("%w and %w", NAMEcode(3), base), NAMEcode(3), nil, (*NAMEerr)(nil)}
	for i, e := range errs {
		var p *NAMEerr
		var c NAMEcode
		if i < 6 {
			fmt.Println(i, errors.As(e, &p), errors.As(e, &c), c, errors.Is(e, io.EOF), errors.Is(e, NAMEcode(3)), errors.Is(e, base), errors.Unwrap(e) == nil)
		}
		fmt.Println(e == nil, e == error(base))
		switch x := e.(type) {
		case nil:
			fmt.Println("nil")
		case *NAMEerr:
			fmt.Println("ptr", x == nil)
		case NAMEcode:
			fmt.Println("code", x+1)
		default:
			fmt.Println(x)
		}
	}
}
`, g.showType(1))
}
