// Package keepaliveearly holds the rule keepalive-early. Its page is docs/checks/audit/keepalive-early.md.
package keepaliveearly

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports runtime.KeepAlive before the call that it is for.
var Analyzer = native.Rule("keepalive-early", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		keep, ok := i.(*ssa.Call)
		if !ok || native.GoName(keep) != "runtime.KeepAlive" {
			return
		}
		object := native.Base(keep.Call.Args[0])
		define, _ := object.(ssa.Instruction)
		var late *ssa.Call
		for _, b := range fn.Blocks {
			for _, j := range b.Instrs {
				call, ok := j.(*ssa.Call)
				if !ok || call == keep {
					continue
				}
				again := native.GoName(call) == "runtime.KeepAlive" && native.Same(native.Base(call.Call.Args[0]), object)
				if again && native.Reaches(keep, call, nil) {
					return // there is a later one
				}
				if late == nil && native.Foreign(call) && uses(call, object) && native.Reaches(keep, call, func(i ssa.Instruction) bool { return i == define }) {
					late = call
				}
			}
		}
		if late != nil {
			p.Report(native.Warning, keep.Pos(), "this keeps the object alive until here; the call at line %d that uses it comes later", p.Position(late.Pos()).Line)
		}
	})
}

// uses reports whether an argument of a call is the object, or an address in it.
func uses(call *ssa.Call, object ssa.Value) bool {
	for _, a := range call.Call.Args {
		if base := native.Base(a); native.Same(base, object) {
			return true
		} else if load, ok := base.(*ssa.UnOp); ok && native.Same(native.Base(load.X), object) {
			return true
		}
	}
	return false
}
