// Package freegomemory holds the rule free-go-memory. Its page is docs/checks/audit/free-go-memory.md.
package freegomemory

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go memory that C is told to free.
var Analyzer = native.Rule("free-go-memory", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		if name != "free" && name != "realloc" || len(call.Common().Args) == 0 {
			continue
		}
		arg := call.Common().Args[0]
		if native.GoMemory(arg) && !loaded(arg) {
			p.Report(native.Error, call.Pos(), "C.%s is given memory of Go's, which C's allocator did not make", name)
		}
	}
}

// loaded reports whether the pointer was read out of memory, and is not its address.
func loaded(v ssa.Value) bool {
	_, ok := native.Root(v).(*ssa.UnOp)
	return ok
}
