package rt

import (
	"cmp"
	"go/types"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// jsonField is a field of a cell struct as encoding/json sees it.
type jsonField struct {
	name      string
	index     []int // through embedded structs
	typ       types.Type
	tagged    bool
	omitEmpty bool
	omitZero  bool
	quoted    bool
}

// jsonStruct is an embedded struct still to be looked into.
type jsonStruct struct {
	typ   *types.Struct
	named types.Type
	index []int
}

// jsonFields lists the fields of a struct by the rules of encoding/json: a
// field hides those that lie deeper, a tag decides among equals, and what stays
// ambiguous is left out.
func jsonFields(t types.Type) []jsonField {
	var all []jsonField
	next := []jsonStruct{{t.Underlying().(*types.Struct), t, nil}}
	seen := map[types.Type]bool{}
	for len(next) > 0 {
		level := next
		next = nil
		count := map[types.Type]int{}
		for _, s := range level {
			count[s.named]++
		}
		for _, s := range level {
			if seen[s.named] {
				continue
			}
			seen[s.named] = true
			for i := range s.typ.NumFields() {
				f, sub := jsonFieldOf(s, i)
				if sub != nil {
					next = append(next, *sub)
				}
				if f == nil {
					continue
				}
				all = append(all, *f)
				if count[s.named] > 1 {
					all = append(all, *f) // twice at one level: ambiguous
				}
			}
		}
	}
	return dominant(all)
}

// jsonFieldOf reads field i of a struct: a field of its own, or an embedded
// struct whose fields count as those of the outer one.
func jsonFieldOf(s jsonStruct, i int) (*jsonField, *jsonStruct) {
	v := s.typ.Field(i)
	ft := types.Unalias(v.Type())
	base := ft
	if p, ok := ft.(*types.Pointer); ok {
		base = types.Unalias(p.Elem())
	}
	inner, isStruct := base.Underlying().(*types.Struct)
	if v.Embedded() {
		if !v.Exported() && !isStruct {
			return nil, nil
		}
	} else if !v.Exported() {
		return nil, nil
	}
	tag := reflect.StructTag(s.typ.Tag(i)).Get("json")
	if tag == "-" {
		return nil, nil
	}
	name, opts, _ := strings.Cut(tag, ",")
	if !validJSONName(name) {
		name = ""
	}
	index := append(slices.Clone(s.index), i)
	if name == "" && v.Embedded() && isStruct {
		return nil, &jsonStruct{inner, base, index}
	}
	f := &jsonField{name: name, index: index, typ: ft, tagged: name != ""}
	if name == "" {
		f.name = v.Name()
	}
	for o := range strings.SplitSeq(opts, ",") {
		switch o {
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		case "string":
			if b, ok := base.Underlying().(*types.Basic); ok && b.Info()&(types.IsBoolean|types.IsInteger|types.IsFloat|types.IsString) != 0 {
				f.quoted = true
			}
		}
	}
	return f, nil
}

func dominant(all []jsonField) []jsonField {
	slices.SortStableFunc(all, func(a, b jsonField) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		if c := cmp.Compare(len(a.index), len(b.index)); c != 0 {
			return c
		}
		if a.tagged != b.tagged {
			if a.tagged {
				return -1
			}
			return 1
		}
		return slices.Compare(a.index, b.index)
	})
	var out []jsonField
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j].name == all[i].name {
			j++
		}
		if j == i+1 || len(all[i].index) < len(all[i+1].index) || all[i].tagged && !all[i+1].tagged {
			out = append(out, all[i])
		}
		i = j
	}
	slices.SortFunc(out, func(a, b jsonField) int { return slices.Compare(a.index, b.index) })
	return out
}

func validJSONName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// JSONMethods are the methods that encoding a value may call through its
// address, though the value itself does not have them.
var JSONMethods = []string{"MarshalJSON", "UnmarshalJSON", "MarshalText", "UnmarshalText", "IsZero"}
