// Package closepanics holds the rule close-panics. Its page is docs/checks/audit/close-panics.md.
package closepanics

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports cleanups that panic: in Close while another panic unwinds, or on the collector's goroutine where nothing
// can recover.
var Analyzer = native.Rule("close-panics", run)

func run(p *native.Pass) {
	registered := map[*ssa.Function]string{}
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || len(call.Common().Args) < 2 {
			return
		}
		name := native.GoName(call)
		if name != "runtime.SetFinalizer" && name != "runtime.AddCleanup" {
			return
		}
		switch f := native.Root(call.Common().Args[1]).(type) {
		case *ssa.Function:
			registered[f] = name
		case *ssa.MakeClosure:
			if fn, ok := f.Fn.(*ssa.Function); ok {
				registered[fn] = name
			}
		}
	})
	for _, fn := range p.Funcs {
		by, ok := registered[fn]
		closes := fn.Signature.Recv() != nil && fn.Name() == "Close" && crosses(fn)
		if !ok && !closes {
			continue
		}
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				if pan, isPanic := i.(*ssa.Panic); isPanic && pan.Pos().IsValid() {
					if ok {
						p.Report(native.Warning, pan.Pos(), "this runs on the collector's goroutine (%s), where a panic ends the program; report it", by)
					} else {
						p.Report(native.Warning, pan.Pos(), "Close panics, often while another panic is on its way; return an error")
					}
				}
			}
		}
	}
}

// crosses reports whether fn frees something native.
func crosses(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if call, ok := i.(ssa.CallInstruction); ok && native.CName(call) != "" {
				return true
			}
		}
	}
	return false
}
