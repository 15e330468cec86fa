package rt

import "go/types"

// Parts lists the types that values of t are directly made of.
func Parts(t types.Type) []types.Type {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return []types.Type{u.Elem()}
	case *types.Slice:
		return []types.Type{u.Elem()}
	case *types.Array:
		return []types.Type{u.Elem()}
	case *types.Map:
		return []types.Type{u.Key(), u.Elem()}
	case *types.Struct:
		out := make([]types.Type, u.NumFields())
		for i := range out {
			out[i] = u.Field(i).Type()
		}
		return out
	}
	return nil
}
