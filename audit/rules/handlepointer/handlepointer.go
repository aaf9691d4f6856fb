// Package handlepointer holds the rule handle-pointer. Its page is docs/checks/audit/handle-pointer.md.
package handlepointer

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports cgo.Handles that are made pointers: they are small numbers, at which the collector stops the program.
var Analyzer = native.Rule("handle-pointer", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		switch i := i.(type) {
		case *ssa.Convert:
			if b, ok := i.Type().Underlying().(*types.Basic); ok && b.Kind() == types.UnsafePointer && handle(native.Root(i.X).Type()) {
				p.Report(native.Error, i.Pos(), "a cgo.Handle is a number, and as a pointer stops the program when the collector meets it; pass it as uintptr_t")
			}
		case ssa.CallInstruction:
			used(p, i)
			lent(p, i)
		}
	})
}

func handle(t types.Type) bool { return types.Unalias(t).String() == "runtime/cgo.Handle" }

// used reports a handle that is looked up after it was deleted.
func used(p *native.Pass, call ssa.CallInstruction) {
	if _, ok := call.(*ssa.Call); !ok || native.GoName(call) != "(runtime/cgo.Handle).Delete" {
		return
	}
	h := call.Common().Args[0]
	define, _ := h.(ssa.Instruction)
	if h.Referrers() == nil || define == nil {
		return
	}
	for _, r := range *h.Referrers() {
		other, ok := r.(*ssa.Call)
		if ok && other != call && native.GoName(other) == "(runtime/cgo.Handle).Value" && native.Reaches(call, other, func(i ssa.Instruction) bool { return i == define }) {
			p.Report(native.Error, other.Pos(), "this cgo.Handle was deleted at line %d; Value panics", p.Position(call.Pos()).Line)
		}
	}
}

// lent reports the address of a variable that holds a handle, given to a C function that keeps it: nothing else holds the
// variable when that has returned.
func lent(p *native.Pass, call ssa.CallInstruction) {
	name := native.CName(call)
	if name == "" || native.Pins(call.Parent()) {
		return
	}
	for n, a := range call.Common().Args {
		v, ok := native.Root(a).(*ssa.Alloc)
		if !ok || !handle(v.Type().Underlying().(*types.Pointer).Elem()) {
			continue
		}
		if role := p.Role(name, n); role == ctext.Retains || role == ctext.Unknown && native.Registers(name) {
			p.Report(native.Warning, call.Pos(), "C.%s keeps the address of a Go variable that holds a cgo.Handle, and nothing pins it; pass the handle as uintptr_t", name)
			return
		}
	}
}
