// Package bytealignment holds the rule byte-alignment. Its page is docs/checks/audit/byte-alignment.md.
package bytealignment

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports bytes that are looked at as larger numbers without a check of their alignment.
var Analyzer = native.Rule("byte-alignment", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		conv, ok := i.(*ssa.Convert)
		if !ok {
			return
		}
		to, ok := conv.Type().Underlying().(*types.Pointer)
		if !ok || !number(to.Elem()) || p.Sizes.Alignof(to.Elem()) < 2 {
			return
		}
		from, ok := conv.X.(*ssa.Convert)
		if !ok {
			return
		}
		param, ok := native.Base(from.X).(*ssa.Parameter)
		if !ok {
			return
		}
		s, ok := param.Type().Underlying().(*types.Slice)
		if !ok || p.Sizes.Sizeof(s.Elem()) != 1 || !viewed(conv) || aligns(fn) {
			return
		}
		p.Report(native.Warning, conv.Pos(), "the bytes of %s may lie at any address; as %s they must be aligned to %d: check, or copy", param.Name(), to.Elem(), p.Sizes.Alignof(to.Elem()))
	})
}

func number(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsNumeric != 0
}

// viewed reports whether a slice is made of the pointer, that others read from.
func viewed(conv *ssa.Convert) bool {
	for _, r := range *conv.Referrers() {
		if call, ok := r.(*ssa.Call); ok && native.GoName(call) == "Slice" {
			return true
		}
	}
	return false
}

// aligns reports whether the function looks at an address as a number: then it most likely looks at its alignment.
func aligns(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if c, ok := i.(*ssa.Convert); ok {
				if k, ok := c.Type().Underlying().(*types.Basic); ok && k.Kind() == types.Uintptr {
					return true
				}
			}
		}
	}
	return false
}
