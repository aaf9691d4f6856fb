// Package freegomemory holds the rule free-go-memory. Its page is docs/checks/audit/free-go-memory.md.
package freegomemory

import (
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go memory that C is told to free.
var Analyzer = native.Rule("free-go-memory", run)

func run(p *native.Pass) {
	freed := map[*ssa.Parameter]bool{} // by functions of the package
	for call, name := range p.Calls() {
		if name != "free" && name != "realloc" || len(call.Common().Args) == 0 {
			continue
		}
		arg := call.Common().Args[0]
		if from := parameter(arg); from != nil {
			freed[from] = true
		}
		if native.GoMemory(arg) && !loaded(arg) {
			p.Report(native.Error, call.Pos(), "C.%s is given memory of Go's, which C's allocator did not make", name)
		}
	}
	if len(freed) == 0 {
		return
	}
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok {
			return
		}
		fn := call.Common().StaticCallee()
		for n, arg := range call.Common().Args {
			if fn != nil && n < len(fn.Params) && freed[fn.Params[n]] && native.GoMemory(arg) && !loaded(arg) {
				p.Report(native.Error, call.Pos(), "%s frees the memory that it is given, which is Go's", fn.Name())
			}
		}
	})
}

// parameter is the parameter that a pointer is, of the function or of one around it, or nil.
func parameter(v ssa.Value) *ssa.Parameter {
	v = native.Root(v)
	if p, ok := v.(*ssa.Parameter); ok {
		return p
	}
	load, ok := v.(*ssa.UnOp)
	if !ok {
		return nil
	}
	at := load.X
	for free, ok := at.(*ssa.FreeVar); ok; free, ok = at.(*ssa.FreeVar) {
		at = binding(free)
	}
	variable, ok := at.(*ssa.Alloc)
	if !ok {
		return nil
	}
	var from *ssa.Parameter
	for _, r := range *variable.Referrers() {
		if s, ok := r.(*ssa.Store); ok && s.Addr == variable {
			p, ok := s.Val.(*ssa.Parameter)
			if !ok {
				return nil // it is set to something else too
			}
			from = p
		}
	}
	return from
}

// binding is what a closure has for a variable of the function around it.
func binding(free *ssa.FreeVar) ssa.Value {
	fn := free.Parent()
	if fn.Referrers() == nil {
		return nil
	}
	for _, r := range *fn.Referrers() {
		mk, ok := r.(*ssa.MakeClosure)
		if !ok {
			continue
		}
		for n, f := range fn.FreeVars {
			if f == free {
				return mk.Bindings[n]
			}
		}
	}
	return nil
}

// loaded reports whether the pointer was read out of memory, and is not its address.
func loaded(v ssa.Value) bool {
	_, ok := native.Root(v).(*ssa.UnOp)
	return ok
}
