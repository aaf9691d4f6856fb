// Package cleanupcaptures holds the rule cleanup-captures. Its page is docs/checks/audit/cleanup-captures.md.
package cleanupcaptures

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports cleanups and finalizers that hold the object they wait for, so that it is never collected.
var Analyzer = native.Rule("cleanup-captures", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok {
			return
		}
		name := native.GoName(call)
		args := call.Common().Args
		if name != "runtime.SetFinalizer" && name != "runtime.AddCleanup" || len(args) < 2 {
			return
		}
		obj := native.Root(args[0])
		if mk, ok := native.Root(args[1]).(*ssa.MakeClosure); ok {
			for _, b := range mk.Bindings {
				if holds(b, obj) {
					p.Report(native.Error, call.Pos(), "the function given to %s captures the object, which is so never collected; take what it needs as its argument", name)
					return
				}
			}
		}
		if name == "runtime.AddCleanup" && len(args) > 2 && native.Root(args[2]) == obj {
			p.Report(native.Error, call.Pos(), "the argument of the cleanup is the object itself, which is so never collected")
		}
	})
}

// holds reports whether a captured value is the object, or a variable that holds it.
func holds(b, obj ssa.Value) bool {
	if native.Root(b) == obj {
		return true
	}
	if load, ok := obj.(*ssa.UnOp); ok && load.X == b {
		return true
	}
	a, ok := b.(*ssa.Alloc)
	if !ok {
		return false
	}
	for _, r := range *a.Referrers() {
		if s, ok := r.(*ssa.Store); ok && s.Addr == a && s.Val == obj {
			return true
		}
	}
	return false
}
