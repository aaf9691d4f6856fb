// Package gopointerstored holds the rule go-pointer-stored. Its page is docs/checks/audit/go-pointer-stored.md.
package gopointerstored

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go pointers that are written into C memory, which the rules of cgo forbid.
var Analyzer = native.Rule("go-pointer-stored", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		store, ok := i.(*ssa.Store)
		if !ok || !native.GoMemory(store.Val) || !pointer(store.Val.Type()) {
			return
		}
		if _, ok := native.Root(store.Val).(*ssa.UnOp); ok {
			return
		}
		call, ok := native.Base(store.Addr).(*ssa.Call)
		if !ok || p.Book.New[native.CName(call)] == "" || native.Pins(fn) {
			return
		}
		p.Report(native.Error, store.Pos(), "a Go pointer is written into memory of C.%s, where the collector does not see it; pin it or copy to C memory", native.CName(call))
	})
}

func pointer(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan:
		return true
	case *types.Basic:
		return t.Kind() == types.UnsafePointer || t.Kind() == types.String
	}
	return false
}
