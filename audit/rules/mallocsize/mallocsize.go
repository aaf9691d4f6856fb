// Package mallocsize holds the rule malloc-size. Its page is docs/checks/audit/malloc-size.md.
package mallocsize

import (
	"go/constant"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that is smaller than what it is used for.
var Analyzer = native.Rule("malloc-size", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if name != "malloc" || call.Value() == nil {
			continue
		}
		arg := call.Common().Args[0]
		for _, r := range *call.Value().Referrers() {
			conv, ok := r.(*ssa.Convert)
			if !ok {
				continue
			}
			ptr, ok := conv.Type().Underlying().(*types.Pointer)
			if !ok {
				continue
			}
			if a, ok := ptr.Elem().Underlying().(*types.Array); ok && a.Len() > 1<<16 {
				continue // stands for any length
			}
			size := p.Sizes.Sizeof(ptr.Elem())
			if c, ok := arg.(*ssa.Const); ok && c.Value != nil {
				if n, exact := constant.Int64Val(constant.ToInt(c.Value)); exact && n < size {
					p.Report(native.Error, call.Pos(), "%d bytes are used as %s, which has %d", n, types.TypeString(ptr.Elem(), short), size)
				}
				continue
			}
			if of, ok := native.IsLen(root(arg)); ok && size > 1 {
				if s, ok := of.Type().Underlying().(*types.Slice); ok && p.Sizes.Sizeof(s.Elem()) >= size {
					p.Report(native.Error, call.Pos(), "as many bytes as there are elements, and each has %d: multiply by it", size)
				}
			}
		}
	}
}

func root(v ssa.Value) ssa.Value {
	for {
		c, ok := v.(*ssa.Convert)
		if !ok {
			return v
		}
		v = c.X
	}
}

func short(*types.Package) string { return "" }
