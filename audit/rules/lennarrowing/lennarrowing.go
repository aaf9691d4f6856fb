// Package lennarrowing holds the rule len-narrowing. Its page is docs/checks/audit/len-narrowing.md.
package lennarrowing

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports lengths that are cut to 32 bits or fewer on their way to C, without a look at how long they are.
var Analyzer = native.Rule("len-narrowing", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		conv, ok := i.(*ssa.Convert)
		if !ok {
			return
		}
		of, ok := native.IsLen(native.Root(conv.X))
		if !ok {
			return
		}
		b, ok := conv.Type().Underlying().(*types.Basic)
		if !ok || b.Info()&types.IsInteger == 0 || p.Sizes.Sizeof(b) > 4 || fixed(of) || !long(of.Type()) {
			return
		}
		if name, _ := native.CType(conv.Type()); name == "" && !native.Crosses(conv) {
			return
		}
		if native.Guarded(conv, func(v ssa.Value) bool {
			x, ok := native.IsLen(v)
			return ok && native.Same(x, of)
		}) {
			return
		}
		severity := native.Warning
		if b.Info()&types.IsUnsigned != 0 && p.Sizes.Sizeof(b) == 4 { // nobody has text of 4 GiB by chance, and less is no other number
			severity = native.Note
		}
		p.Report(severity, conv.Pos(), "the length may not fit %s, and C gets another one; check it first", conv.Type().String()[1+lastDot(conv.Type().String()):])
	})
}

func lastDot(s string) int {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '.' {
			return i
		}
	}
	return -1
}

// long reports whether values of a type get as long as that: text and bytes do, lists of larger things mostly cannot.
func long(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return true
	case *types.Slice:
		b, ok := t.Elem().Underlying().(*types.Basic)
		return ok && (b.Kind() == types.Uint8 || b.Kind() == types.Int8)
	}
	return false
}

// fixed reports whether the length is known to be small: that of a constant, or of an array.
func fixed(v ssa.Value) bool {
	switch x := v.(type) {
	case *ssa.Const:
		return true
	case *ssa.Slice:
		if ptr, ok := x.X.Type().Underlying().(*types.Pointer); ok {
			_, array := ptr.Elem().Underlying().(*types.Array)
			return array
		}
	}
	return false
}
