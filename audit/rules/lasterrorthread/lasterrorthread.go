// Package lasterrorthread holds the rule last-error-thread. Its page is docs/checks/audit/last-error-thread.md.
package lasterrorthread

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports questions for the last error of the thread in functions that do not stay on one thread.
var Analyzer = native.Rule("last-error-thread", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if !p.Book.LastError[name] || locked(call.Parent()) || !after(call) {
			continue
		}
		p.Report(native.Warning, call.Pos(), "C.%s tells of the last call on this thread, and the goroutine may have moved since: ask in the same C function, or between runtime.LockOSThread and UnlockOSThread", name)
	}
}

func locked(fn *ssa.Function) bool {
	for ; fn != nil; fn = fn.Parent() {
		if native.Locks(fn) {
			return true
		}
	}
	return false
}

// after reports whether another C call comes before, whose error is asked for.
func after(call ssa.CallInstruction) bool {
	for _, b := range call.Parent().Blocks {
		for _, i := range b.Instrs {
			if other, ok := i.(*ssa.Call); ok && ssa.CallInstruction(other) != call && native.Foreign(other) && native.CName(other) != native.CName(call) && native.Reaches(other, call, nil) {
				return true
			}
		}
	}
	return false
}
