// Package closetwice holds the rule close-twice. Its page is docs/checks/audit/close-twice.md.
package closetwice

import (
	"go/token"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Close methods that free a native object each time they are called.
var Analyzer = native.Rule("close-twice", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		if fn.Signature.Recv() == nil || len(fn.Params) == 0 || !token.IsExported(fn.Name()) {
			continue
		}
		switch fn.Name() {
		case "Close", "Free", "Destroy", "Dispose", "Delete", "Release":
		default:
			continue
		}
		recv := fn.Params[0]
		if recv.Type().String() == "" || len(fn.Params) > 1 {
			continue
		}
		var freed ssa.CallInstruction
		guarded := false
		var asks []ssa.Instruction
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				switch i := i.(type) {
				case *ssa.If:
					asks = append(asks, i) // something; what, is not judged
				case *ssa.Store:
					if f, ok := i.Addr.(*ssa.FieldAddr); ok && f.X == recv {
						guarded = true
					}
				case ssa.CallInstruction:
					name := native.CName(i)
					if name == "" {
						guarded = guarded || touches(i, recv)
						continue
					}
					if freed == nil && p.Frees(name) && len(i.Common().Args) > 0 && field(i.Common().Args[0], recv) {
						freed = i
					}
				}
			}
		}
		if freed != nil && !guarded && !slices.ContainsFunc(asks, func(i ssa.Instruction) bool { return native.Reaches(i, freed, nil) }) {
			p.Report(native.Warning, freed.Pos(), "calling %s twice frees twice: set the field to nil after C.%s, and return where it is nil", fn.Name(), native.CName(freed))
		}
	}
}

// touches reports whether a Go call is given the object or part of it, so that it may guard or clear it.
func touches(call ssa.CallInstruction, recv *ssa.Parameter) bool {
	for _, a := range call.Common().Args {
		switch native.GoName(call) {
		case "runtime.SetFinalizer", "runtime.KeepAlive":
			continue
		}
		if native.Base(a) == recv {
			return true
		}
	}
	return false
}

// field reports whether v was loaded from a field of recv.
func field(v ssa.Value, recv *ssa.Parameter) bool {
	load, ok := native.Root(v).(*ssa.UnOp)
	if !ok || load.Op != token.MUL {
		return false
	}
	f, ok := load.X.(*ssa.FieldAddr)
	return ok && f.X == recv
}
