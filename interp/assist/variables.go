package assist

import (
	"go/types"
	"slices"
	"strings"
)

// Variable is a name that a cell declared.
type Variable struct {
	Name, Kind, Type string
	Value            string // short, of variables and constants
}

// List lists the names, with the values that valueOf gives for variables.
func (n Names) List(valueOf func(name string) string) []Variable {
	var list []Variable
	for name, obj := range n.Objects {
		v := Variable{Name: name, Kind: objectKind(obj), Type: n.signature(obj)}
		switch obj := obj.(type) {
		case *types.Var:
			v.Value = valueOf(name)
		case *types.Const:
			v.Type, v.Value = types.TypeString(obj.Type(), shortNames), obj.Val().String()
		}
		list = append(list, v)
	}
	for name, path := range n.Imports {
		list = append(list, Variable{Name: name, Kind: "package", Type: path})
	}
	slices.SortFunc(list, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return list
}
