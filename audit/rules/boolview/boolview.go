// Package boolview holds the rule bool-view. Its page is docs/checks/audit/bool-view.md.
package boolview

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports a Go bool made of memory that C wrote as another type: any value but 0 and 1 is neither true nor false.
var Analyzer = native.Rule("bool-view", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		conv, ok := i.(*ssa.Convert)
		if !ok {
			return
		}
		to, ok := conv.Type().Underlying().(*types.Pointer)
		if !ok || !truth(to.Elem()) {
			return
		}
		from := native.Root(conv.X).Type().Underlying()
		ptr, ok := from.(*types.Pointer)
		if !ok || truth(ptr.Elem()) {
			return
		}
		b, ok := ptr.Elem().Underlying().(*types.Basic)
		if !ok || b.Info()&types.IsInteger == 0 || !reads(conv) {
			return
		}
		p.Report(native.Warning, conv.Pos(), "a number is read as a Go bool, which may be 0 or 1 only; compare it with 0")
	})
}

func truth(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Bool
}

func reads(v ssa.Value) bool {
	for _, r := range *v.Referrers() {
		if _, ok := r.(*ssa.UnOp); ok {
			return true
		}
	}
	return false
}
