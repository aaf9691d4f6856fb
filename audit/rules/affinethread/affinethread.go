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
				if body == nil || body.Blocks == nil || locks(body) {
					continue
				}
				if call, name := drives(p, body, 0); call != nil {
					p.Report(native.Warning, call.Pos(), "C.%s wants to be called on one thread, and this goroutine is not locked to one: call runtime.LockOSThread first", name)
				}
			}
		}
	}
}

func drives(p *native.Pass, fn *ssa.Function, depth int) (ssa.CallInstruction, string) {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(*ssa.Call)
			if !ok {
				continue
			}
			if name := native.CName(call); name != "" && p.Book.Affine(name) {
				return call, name
			}
			if callee := call.Call.StaticCallee(); callee != nil && callee.Pkg == fn.Pkg && callee.Blocks != nil && depth < 2 && !locks(callee) {
				if in, name := drives(p, callee, depth+1); in != nil {
					return call, name
				}
			}
		}
	}
	return nil, ""
}

func locks(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if call, ok := i.(ssa.CallInstruction); ok && native.GoName(call) == "runtime.LockOSThread" {
				return true
			}
		}
	}
	return false
}
