// Package structsize holds the rule struct-size. Its page is docs/checks/audit/struct-size.md.
package structsize

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C structs that tell their own size and are given to C without it.
var Analyzer = native.Rule("struct-size", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		a, ok := i.(*ssa.Alloc)
		if !ok {
			return
		}
		ptr, ok := a.Type().Underlying().(*types.Pointer)
		if !ok {
			return
		}
		if name, stars := native.CType(ptr.Elem()); name == "" || stars > 0 {
			return
		}
		s, ok := ptr.Elem().Underlying().(*types.Struct)
		if !ok || s.NumFields() < 2 {
			return
		}
		field := s.Field(0)
		switch field.Name() {
		case "struct_size", "cbSize", "dwSize", "structSize", "struct_sz":
		default:
			return
		}
		set, given := false, ssa.CallInstruction(nil)
		for _, r := range *a.Referrers() {
			switch r := r.(type) {
			case *ssa.FieldAddr:
				set = set || r.Field == 0
			case *ssa.Store:
				set = set || r.Addr == a && !unset(r.Val)
			case *ssa.Call:
				if native.CName(r) != "" && given == nil {
					given = r
				} else if native.CName(r) == "" {
					return // somebody else may set it
				}
			case *ssa.ChangeType, *ssa.Convert, *ssa.MakeClosure, *ssa.Phi:
				return
			}
		}
		if given != nil && !set {
			p.Report(native.Error, given.Pos(), "C.%s is given a %s whose %s is 0; set it to C.sizeof_%s", native.CName(given), show(ptr.Elem()), field.Name(), show(ptr.Elem()))
		}
	})
}

func show(t types.Type) string {
	name, _ := native.CType(t)
	return name
}

// unset reports whether a whole struct that is stored has no size: the zero value, or a literal without the field.
func unset(v ssa.Value) bool {
	switch v := v.(type) {
	case *ssa.Const:
		return true
	case *ssa.UnOp:
		a, ok := v.X.(*ssa.Alloc)
		if !ok || a.Comment != "complit" {
			return false
		}
		for _, r := range *a.Referrers() {
			if f, ok := r.(*ssa.FieldAddr); ok && f.Field == 0 {
				return false
			}
		}
		return true
	}
	return false
}
