// Package handleleak holds the rule handle-leak. Its page is docs/checks/audit/handle-leak.md.
package handleleak

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports cgo.Handles that are never deleted.
var Analyzer = native.Rule("handle-leak", run)

func run(p *native.Pass) {
	var made []*ssa.Call
	deletes := false
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		for _, op := range i.Operands(nil) { // called, deferred or taken as a value
			if fn, ok := (*op).(*ssa.Function); ok && fn.String() == "(runtime/cgo.Handle).Delete" {
				deletes = true
			}
		}
		if call, ok := i.(*ssa.Call); ok && native.GoName(call) == "runtime/cgo.NewHandle" {
			made = append(made, call)
		}
	})
	for _, call := range made {
		switch {
		case !deletes:
			p.Report(native.Warning, call.Pos(), "nothing in this package deletes a cgo.Handle, so that what it holds is never collected")
		case local(call):
			p.Report(native.Error, call.Pos(), "this cgo.Handle is used in the function only and not deleted there; what it holds is never collected")
		}
	}
}

// local reports whether a handle goes nowhere but into C calls of its function, and is not deleted.
func local(call *ssa.Call) bool {
	queue, seen := []ssa.Value{call}, map[ssa.Value]bool{}
	crossed := false
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if seen[v] {
			continue
		}
		seen[v] = true
		for _, r := range *v.Referrers() {
			switch r := r.(type) {
			case *ssa.Convert:
				queue = append(queue, r)
			case *ssa.ChangeType:
				queue = append(queue, r)
			case *ssa.DebugRef, *ssa.BinOp:
			case ssa.CallInstruction:
				if native.CName(r) == "" {
					return false // Delete, or a function that may
				}
				crossed = crossed || !native.Registers(native.CName(r))
				if native.Registers(native.CName(r)) {
					return false
				}
			default:
				return false
			}
		}
	}
	return crossed
}
