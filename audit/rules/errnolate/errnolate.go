// Package errnolate holds the rule errno-late. Its page is docs/checks/audit/errno-late.md.
package errnolate

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports errno that is asked for by a call of its own, when it may be another thread's, or that of the runtime.
var Analyzer = native.Rule("errno-late", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if !reads(p, name) {
			continue
		}
		if before(call) {
			p.Report(native.Error, call.Pos(), "C.%s reads errno after the call it belongs to has returned to Go, and maybe on another thread; use the second result of that call: r, err := C.f()", name)
		}
	}
}

// reads reports whether a C function only gives errno.
func reads(p *native.Pass, name string) bool {
	fn := p.C.Funcs[name]
	if fn == nil || fn.Body == nil || len(fn.Params) > 0 {
		return false
	}
	b := fn.Body
	return len(b) == 5 && b[1] == "return" && b[2] == "errno"
}

// before reports whether another C call comes before this one in its function.
func before(call ssa.CallInstruction) bool {
	for _, b := range call.Parent().Blocks {
		for _, i := range b.Instrs {
			other, ok := i.(*ssa.Call)
			if ok && ssa.CallInstruction(other) != call && native.CName(other) != "" && native.Reaches(other, call, nil) {
				return true
			}
		}
	}
	return false
}
