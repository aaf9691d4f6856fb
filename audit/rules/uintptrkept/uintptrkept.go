// Package uintptrkept holds the rule uintptr-kept. Its page is docs/checks/audit/uintptr-kept.md.
package uintptrkept

import (
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports addresses of Go memory that are kept as numbers, which keep nothing alive.
var Analyzer = native.Rule("uintptr-kept", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		conv, ok := i.(*ssa.Convert)
		if !ok || !basic(conv.Type(), types.Uintptr) || !basic(conv.X.Type(), types.UnsafePointer) {
			return
		}
		object := native.Base(conv.X)
		if name := number(conv, conv.X); name != "" {
			p.Report(native.Error, conv.Pos(), "C.%s gets the address of Go memory as a number: the memory moves where it is on a stack, and is not kept alive; pass a pointer", name)
			return
		}
		if !native.GoMemory(conv.X) {
			return
		}
		if _, global := object.(*ssa.Global); global {
			return // package variables are neither moved nor freed
		}
		for _, r := range *conv.Referrers() {
			switch r := r.(type) {
			case *ssa.Store:
				switch r.Addr.(type) {
				case *ssa.FieldAddr, *ssa.Global, *ssa.IndexAddr:
					if r.Val == conv && !native.Pins(fn) && !arguments(r.Addr) && !header(r.Addr) {
						p.Report(native.Error, conv.Pos(), "the address of a Go object is kept in a uintptr, which does not keep the object alive; pin it, or keep an unsafe.Pointer")
						return
					}
				}
			case *ssa.Convert:
				if basic(r.Type(), types.UnsafePointer) && between(conv, r) && !keptAlive(fn, object, r) {
					related := []analysis.RelatedInformation{{Pos: r.Pos(), Message: "made a pointer again here"}}
					p.ReportPath(native.Error, conv.Pos(), related, nil, "between this and line %d only a uintptr holds the object; convert in one expression", p.Position(r.Pos()).Line)
					return
				}
			case ssa.CallInstruction:
				if !native.Crossing(native.GoName(r)) {
					continue
				}
				if separate(conv, r) && !keptAlive(fn, object, r) && !native.Pins(fn) {
					p.Report(native.Error, r.Pos(), "the uintptr made at line %d does not keep its object alive until this call; convert in the argument list, or call runtime.KeepAlive after it", p.Position(conv.Pos()).Line)
					return
				}
			}
		}
	})
}

// number is the C function that gets an address of Go memory as an integer. What is made of a C.uintptr_t there is a pointer
// that neither the compiler nor the collector knows.
func number(v ssa.Value, address ssa.Value) string {
	if i, ok := native.Root(address).(*ssa.IndexAddr); !ok {
		if _, local := native.Root(address).(*ssa.Alloc); !local {
			return ""
		}
	} else if _, ok := i.X.Type().Underlying().(*types.Slice); !ok {
		return ""
	}
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.ChangeType:
			if name := number(r, address); name != "" {
				return name
			}
		case *ssa.Convert:
			if b, ok := r.Type().Underlying().(*types.Basic); ok && b.Info()&types.IsInteger != 0 {
				if name := number(r, address); name != "" {
					return name
				}
			}
		case ssa.CallInstruction:
			if name := native.CName(r); name != "" && native.Foreign(r) {
				return name
			}
		}
	}
	return ""
}

func basic(t types.Type, k types.BasicKind) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == k
}

// between reports whether anything is called between two instructions: there the collector may run.
func between(a, b ssa.Instruction) bool {
	return native.Reaches(a, b, nil) && !native.Reaches(a, b, func(i ssa.Instruction) bool {
		call, ok := i.(*ssa.Call)
		if !ok {
			return false
		}
		_, builtin := call.Call.Value.(*ssa.Builtin)
		return !builtin
	})
}

// separate reports whether the conversion is not part of the call's own expression: something else is called or stored in
// between, or the call is in another block.
func separate(conv *ssa.Convert, call ssa.CallInstruction) bool {
	if conv.Block() != call.Block() {
		return true
	}
	return between(conv, call)
}

// keptAlive reports whether the object is used after an instruction.
func keptAlive(fn *ssa.Function, object ssa.Value, after ssa.Instruction) bool {
	if object.Referrers() == nil {
		return false
	}
	for _, r := range *object.Referrers() {
		if native.Reaches(after, r, nil) {
			return true
		}
		if v, ok := r.(ssa.Value); ok && v.Referrers() != nil {
			for _, rr := range *v.Referrers() {
				if native.Reaches(after, rr, nil) {
					return true
				}
			}
		}
		if _, ok := r.(*ssa.Defer); ok {
			return true
		}
	}
	return deferredKeep(fn)
}

func deferredKeep(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if d, ok := i.(*ssa.Defer); ok && native.GoName(d) == "runtime.KeepAlive" {
				return true
			}
		}
	}
	return false
}

// header reports whether an address is the data of a slice or string behind its reflect header: there the compiler and the
// collector know it for a pointer. A header that is a variable of its own is slice-header's.
func header(addr ssa.Value) bool {
	f, ok := addr.(*ssa.FieldAddr)
	if !ok {
		return false
	}
	conv, ok := f.X.(*ssa.Convert)
	if !ok || !basic(conv.X.Type(), types.UnsafePointer) {
		return false
	}
	p, ok := conv.Type().Underlying().(*types.Pointer)
	if !ok {
		return false
	}
	n, ok := types.Unalias(p.Elem()).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "reflect"
}

// arguments reports whether an address is an element of a local array of arguments for a call that follows, whose object
// outlives it.
func arguments(addr ssa.Value) bool {
	a, ok := native.Base(addr).(*ssa.Alloc)
	if !ok {
		return false
	}
	for _, r := range *a.Referrers() {
		if s, ok := r.(*ssa.Slice); ok && s.Referrers() != nil {
			for _, rr := range *s.Referrers() {
				if call, ok := rr.(ssa.CallInstruction); ok && native.Crossing(native.GoName(call)) {
					return true
				}
			}
		}
	}
	return false
}
