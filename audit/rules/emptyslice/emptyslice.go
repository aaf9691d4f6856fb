// Package emptyslice holds the rule empty-slice. Its page is docs/checks/audit/empty-slice.md.
package emptyslice

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports the address of the first element of a slice that may be empty, on its way to native code: it panics.
var Analyzer = native.Rule("empty-slice", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || !native.Foreign(call) {
			return
		}
		for _, a := range call.Common().Args {
			at, ok := native.Root(a).(*ssa.IndexAddr)
			if !ok {
				continue
			}
			if c, ok := at.Index.(*ssa.Const); !ok || c.Value == nil || c.Value.ExactString() != "0" {
				continue
			}
			if _, slice := at.X.Type().Underlying().(*types.Slice); !slice || !open(at.X, 0) {
				continue
			}
			if native.Guarded(at, func(v ssa.Value) bool {
				of, ok := native.IsLen(v)
				return ok && (native.Same(of, at.X) || merged(of, at.X)) || known(v, at.X)
			}) || validated(at) {
				continue
			}
			p.Report(native.Warning, at.Pos(), "this panics where the slice is empty; unsafe.SliceData does not")
			return
		}
	})
}

// merged reports whether a slice may be another one: then a question about that one is about both.
func merged(one, slice ssa.Value) bool {
	phi, ok := slice.(*ssa.Phi)
	return ok && slices.Contains(phi.Edges, one)
}

// known reports whether v is the length that a slice was made with.
func known(v, slice ssa.Value) bool {
	m, ok := slice.(*ssa.MakeSlice)
	return ok && (native.Same(v, m.Len) || native.Same(v, native.Root(m.Len)))
}

// open reports whether a slice may be as short as a user likes: a parameter of an exported function, or one of a length or
// text that is such a parameter, or of a length that C gives.
// What a function keeps in fields or computes is its own, and mostly not empty.
func open(v ssa.Value, depth int) bool {
	switch x := v.(type) {
	case *ssa.Parameter:
		// A type with a name is an object of the package, which its constructor made.
		_, named := x.Type().(*types.Named)
		_, alias := x.Type().(*types.Alias)
		return !named && !alias && token.IsExported(x.Parent().Name())
	case *ssa.MakeSlice:
		switch n := native.Root(x.Len).(type) {
		case *ssa.Parameter:
			return token.IsExported(n.Parent().Name())
		case *ssa.UnOp:
			a, ok := n.X.(*ssa.Alloc)
			return ok && filled(a)
		}
	case *ssa.Convert: // []byte(text)
		s, param := x.X.(*ssa.Parameter)
		return param && token.IsExported(s.Parent().Name())
	case *ssa.Phi:
		for _, e := range x.Edges {
			if depth < 4 && e != v && open(e, depth+1) {
				return true
			}
		}
	}
	return false
}

// filled reports whether C writes into a variable, and nothing else does.
func filled(a *ssa.Alloc) bool {
	for _, r := range *a.Referrers() {
		if _, ok := r.(*ssa.Store); ok {
			return false
		}
	}
	return native.Crosses(a)
}

// validated reports whether a Go function that is given the slice comes first, and a branch looks at what it says.
func validated(at *ssa.IndexAddr) bool {
	return native.Guarded(at, func(v ssa.Value) bool {
		call := native.CallOf(v)
		if call == nil || native.CName(call) != "" {
			return false
		}
		for _, a := range call.Call.Args {
			if native.Same(native.Root(a), native.Root(at.X)) {
				return true
			}
		}
		return false
	})
}
