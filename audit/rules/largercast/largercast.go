// Package largercast holds the rule larger-cast. Its page is docs/checks/audit/larger-cast.md.
package largercast

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports variables whose address is taken for that of a larger type, so that what is behind them is read or written.
var Analyzer = native.Rule("larger-cast", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		conv, ok := i.(*ssa.Convert)
		if !ok {
			return
		}
		to, ok := conv.Type().Underlying().(*types.Pointer)
		if !ok {
			return
		}
		from, ok := conv.X.(*ssa.Convert)
		if !ok {
			return
		}
		a, ok := from.X.(*ssa.Alloc)
		if !ok {
			return
		}
		have := a.Type().Underlying().(*types.Pointer).Elem()
		if _, slice := have.Underlying().(*types.Slice); slice && native.Crosses(conv) {
			return // header-passed tells
		}
		if opaque(to.Elem()) || generic(have) || generic(to.Elem()) {
			return
		}
		if small, large := p.Sizes.Sizeof(have), p.Sizes.Sizeof(to.Elem()); large > small {
			p.Report(native.Error, conv.Pos(), "a variable of %d bytes is taken for %s, which has %d", small, types.TypeString(to.Elem(), short), large)
		}
	})
}

func short(*types.Package) string { return "" }

func generic(t types.Type) bool {
	_, ok := t.(*types.TypeParam)
	return ok
}

// opaque reports whether a type's size means nothing: the arrays that stood for any length before unsafe.Slice.
func opaque(t types.Type) bool {
	a, ok := t.Underlying().(*types.Array)
	return ok && a.Len() > 1<<16
}
