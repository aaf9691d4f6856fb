// Package exportgopointer holds the rule export-go-pointer. Its page is docs/checks/audit/export-go-pointer.md.
package exportgopointer

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports functions for C that return pointers to Go memory.
var Analyzer = native.Rule("export-go-pointer", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		if _, ok := p.Exported[fn.Name()]; !ok || fn.Signature.Recv() != nil {
			continue
		}
		results := fn.Signature.Results()
		for n := range results.Len() {
			switch results.At(n).Type().Underlying().(type) {
			case *types.Slice, *types.Map, *types.Chan, *types.Interface, *types.Signature:
				p.Report(native.Error, fn.Pos(), "C gets a %s from %s, which holds Go pointers; the call ends the program", results.At(n).Type(), fn.Name())
				continue
			}
			if basic, ok := results.At(n).Type().Underlying().(*types.Basic); ok && basic.Kind() == types.String {
				p.Report(native.Error, fn.Pos(), "C gets a Go string from %s; return C.CString of it", fn.Name())
			}
		}
		for _, b := range fn.Blocks {
			ret, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return)
			if !ok {
				continue
			}
			for _, v := range ret.Results {
				if _, ptr := v.Type().Underlying().(*types.Pointer); !ptr {
					if k, ok := v.Type().Underlying().(*types.Basic); !ok || k.Kind() != types.UnsafePointer {
						continue
					}
				}
				if a, ok := native.Root(v).(*ssa.UnOp); ok {
					if _, ok := a.X.(*ssa.Alloc); ok {
						continue // a result variable
					}
				}
				if native.GoMemory(v) && !pinned(fn, native.Base(v)) {
					p.Report(native.Error, ret.Pos(), "%s returns a pointer to Go memory to C, where the collector does not see it", fn.Name())
				}
			}
		}
	}
}

// pinned reports whether fn pins an object, which C may then be given.
func pinned(fn *ssa.Function, object ssa.Value) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(ssa.CallInstruction)
			if ok && native.GoName(call) == "(*runtime.Pinner).Pin" && native.Base(call.Common().Args[1]) == object {
				return true
			}
		}
	}
	return false
}
