// Package affinethread holds the rule affine-thread. Its page is docs/checks/audit/affine-thread.md.
package affinethread

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports goroutines that drive a library which wants one thread, without locking themselves to theirs.
var Analyzer = native.Rule("affine-thread", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				start, ok := i.(*ssa.Go)
				if !ok {
					continue
				}
				body := start.Call.StaticCallee()
				if body == nil || body.Blocks == nil || native.Locks(body) {
					continue
				}
				if call, name := p.Drives(body); call != nil {
					p.Report(native.Warning, call.Pos(), "C.%s wants to be called on one thread, and this goroutine is not locked to one: call runtime.LockOSThread first", name)
				}
			}
		}
	}
}
