// Package structcopy holds the rule struct-copy. Its page is docs/checks/audit/struct-copy.md.
package structcopy

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports fields that are set in a copy of a C struct and read by nobody.
var Analyzer = native.Rule("struct-copy", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		v, ok := i.(*ssa.Alloc)
		if !ok {
			return
		}
		t := v.Type().Underlying().(*types.Pointer).Elem()
		if name, stars := native.CType(t); name == "" || stars > 0 {
			return
		}
		if _, ok := t.Underlying().(*types.Struct); !ok {
			return
		}
		var copied, set *ssa.Store
		for _, r := range *v.Referrers() {
			switch r := r.(type) {
			case *ssa.DebugRef:
			case *ssa.Store:
				if r.Addr != v || copied != nil {
					return
				}
				copied = r
			case *ssa.FieldAddr:
				for _, rr := range *r.Referrers() {
					s, ok := rr.(*ssa.Store)
					if !ok {
						if _, debug := rr.(*ssa.DebugRef); debug {
							continue
						}
						return // it is read, or its address is taken
					}
					if s.Addr != r {
						return
					}
					set = s
				}
			default:
				return
			}
		}
		if copied == nil || set == nil || !native.Reaches(copied, set, nil) {
			return
		}
		load, ok := copied.Val.(*ssa.UnOp)
		if !ok || load.Op != token.MUL {
			return
		}
		p.Report(native.Warning, set.Pos(), "this sets a field of a copy, which nobody reads; what C has is as it was")
	})
}
