// Package missingkeepalive holds the rule missing-keepalive. Its page is docs/checks/audit/missing-keepalive.md.
package missingkeepalive

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports methods that give C a field of an object whose finalizer frees that field, without keeping the object
// alive until the call has returned.
var Analyzer = native.Rule("missing-keepalive", run)

// owner is a type whose objects are cleaned up by the collector.
type owner struct {
	registered token.Pos
	calls      []ssa.CallInstruction // during which it may be
}

func run(p *native.Pass) {
	owners := map[*types.Named]*owner{}
	finalizers := map[types.Object]bool{} // a method's value is a function of its own
	var order []*types.Named
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || len(call.Common().Args) < 2 {
			return
		}
		switch name := native.GoName(call); name {
		case "runtime.SetFinalizer", "runtime.AddCleanup":
			if c, ok := call.Common().Args[1].(*ssa.Const); ok && c.IsNil() {
				return
			}
			if mk, ok := call.Common().Args[1].(*ssa.MakeInterface); ok {
				if c, ok := mk.X.(*ssa.Const); ok && c.IsNil() {
					return
				}
			}
			if f, ok := native.Root(call.Common().Args[1]).(*ssa.Function); ok && f.Object() != nil {
				finalizers[f.Object()] = true
			}
			if n := pointee(native.Root(call.Common().Args[0]).Type()); n != nil && n.Obj().Pkg() == p.Unit.Pkg && owners[n] == nil && cleans(call.Common().Args[1], 0) {
				owners[n] = &owner{registered: call.Pos()}
				order = append(order, n)
			}
		}
	})
	if len(order) == 0 {
		return
	}
	for _, fn := range p.Funcs {
		if len(fn.Params) == 0 || fn.Signature.Recv() == nil {
			continue
		}
		recv := fn.Params[0]
		if n, ok := types.Unalias(recv.Type()).(*types.Named); ok && owners[n.Origin()] != nil {
			if call := copied(p, fn, recv); call != nil {
				p.ReportPath(native.Warning, call.Pos(), []analysis.RelatedInformation{{Pos: owners[n.Origin()].registered, Message: "cleaned up by the collector from here on"}}, nil,
					"%s has a copy of its %s, and nothing keeps the object itself alive while %s runs: take a pointer", fn.Name(), n.Obj().Name(), called(call))
			}
			continue
		}
		o := owners[pointee(recv.Type())]
		if o == nil || closing(fn.Name()) || finalizers[fn.Object()] {
			continue
		}
		if call := unprotected(p, fn, recv); call != nil {
			o.calls = append(o.calls, call)
		}
	}
	for _, n := range order {
		o := owners[n]
		if len(o.calls) == 0 {
			continue
		}
		related := []analysis.RelatedInformation{{Pos: o.registered, Message: "cleaned up by the collector from here on"}}
		for _, c := range o.calls[1:] {
			related = append(related, analysis.RelatedInformation{Pos: c.Pos(), Message: "the same"})
		}
		p.ReportPath(native.Warning, o.calls[0].Pos(), related, nil, "%s may be cleaned up while %s runs, in %d of its methods: call runtime.KeepAlive after it", n.Obj().Name(), called(o.calls[0]), len(o.calls))
	}
}

func called(c ssa.CallInstruction) string {
	if n := native.CName(c); n != "" {
		return "C." + n
	}
	if fn := c.Common().StaticCallee(); fn != nil && fn.Blocks != nil {
		return fn.Name()
	}
	return "the native call"
}

// copied finds a C call in a method with a value receiver that gets a pointer out of the receiver.
func copied(p *native.Pass, fn *ssa.Function, recv *ssa.Parameter) ssa.CallInstruction {
	for _, r := range *recv.Referrers() {
		store, ok := r.(*ssa.Store)
		if !ok || store.Val != recv {
			continue
		}
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				if call, ok := i.(*ssa.Call); ok && given(p, call, store.Addr) {
					return call
				}
			}
		}
	}
	return nil
}

// closing reports whether a method ends the object: after it nothing is left to be cleaned up early.
func closing(name string) bool {
	switch name {
	case "Close", "Free", "Destroy", "Release", "Delete", "Dispose", "finalize", "close", "free", "destroy", "release", "delete", "Finalize":
		return true
	}
	return false
}

func pointee(t types.Type) *types.Named {
	if ptr, ok := t.(*types.Pointer); ok {
		if n, ok := types.Unalias(ptr.Elem()).(*types.Named); ok {
			return n.Origin()
		}
	}
	return nil
}

// unprotected finds a C call in fn that gets a pointer out of the receiver, after which the receiver is not mentioned.
func unprotected(p *native.Pass, fn *ssa.Function, recv *ssa.Parameter) ssa.CallInstruction {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(*ssa.Call)
			if !ok || !given(p, call, recv) {
				continue
			}
			if !mentioned(fn, recv, call) && !keptByCallers(p, fn) {
				return call
			}
		}
	}
	return nil
}

// given reports whether a call gives C an argument that was loaded from a field of recv and may be a native pointer: itself, or
// as a function of the package.
func given(p *native.Pass, call *ssa.Call, recv ssa.Value) bool {
	for n, a := range call.Call.Args {
		load, ok := native.Root(a).(*ssa.UnOp)
		if !ok || load.Op != token.MUL || !address(load.Type()) || !crosses(p, call, n) {
			continue
		}
		for x := load.X; ; {
			f, ok := x.(*ssa.FieldAddr)
			if !ok {
				break
			}
			if f.X == recv {
				return !cleared(f, call)
			}
			x = f.X
		}
	}
	return false
}

// cleared reports whether the field was set to nil before the call, so that a finalizer finds nothing in it.
func cleared(f *ssa.FieldAddr, call *ssa.Call) bool {
	for _, r := range *f.X.Referrers() {
		same, ok := r.(*ssa.FieldAddr)
		if !ok || same.Field != f.Field {
			continue
		}
		for _, s := range *same.Referrers() {
			store, ok := s.(*ssa.Store)
			if !ok || store.Addr != same {
				continue
			}
			if c, ok := store.Val.(*ssa.Const); ok && c.IsNil() && native.Dominates(store, call) {
				return true
			}
		}
	}
	return false
}

// cleans reports whether a finalizer may give C something. One that only says that Close was forgotten does not.
func cleans(v ssa.Value, depth int) bool {
	fn, ok := native.Root(v).(*ssa.Function)
	if mk, closure := native.Root(v).(*ssa.MakeClosure); closure {
		fn, ok = mk.Fn.(*ssa.Function)
	}
	if !ok || fn.Blocks == nil || depth > 3 {
		return true
	}
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(ssa.CallInstruction)
			if !ok {
				continue
			}
			if _, builtin := call.Common().Value.(*ssa.Builtin); builtin {
				continue
			}
			callee := call.Common().StaticCallee()
			switch {
			case callee == nil || native.CName(call) != "" || native.Foreign(call):
				return true
			case callee.Pkg == fn.Pkg && cleans(callee, depth+1):
				return true
			case callee.Pkg != fn.Pkg && !reports(callee):
				return true
			}
		}
	}
	return false
}

// reports reports whether a function belongs to what writes text.
func reports(fn *ssa.Function) bool {
	if fn.Pkg == nil {
		return false
	}
	switch fn.Pkg.Pkg.Path() {
	case "fmt", "log", "log/slog", "strconv", "strings", "errors", "runtime/debug":
		return true
	}
	return false
}

// keptByCallers reports whether fn is a method for this package only whose callers all keep the object until it returns.
func keptByCallers(p *native.Pass, fn *ssa.Function) bool {
	if token.IsExported(fn.Name()) {
		return false
	}
	calls, kept := 0, true
	p.Instrs(func(in *ssa.Function, i ssa.Instruction) {
		if ci, ok := i.(ssa.CallInstruction); !ok || ci.Common().StaticCallee() != fn {
			return
		}
		calls++
		call, ok := i.(*ssa.Call)
		if !ok || in == fn {
			kept = false
			return
		}
		recv, ok := call.Call.Args[0].(*ssa.Parameter)
		kept = kept && ok && mentioned(in, recv, call)
	})
	return kept && calls > 0
}

// crosses reports whether argument n of a call goes to C before the call returns, and is not freed there.
func crosses(p *native.Pass, call *ssa.Call, n int) bool {
	if native.Foreign(call) {
		return true
	}
	fn := call.Call.StaticCallee()
	if fn == nil || fn.Blocks == nil || n >= len(fn.Params) || fn.Signature.Recv() != nil {
		return false
	}
	flow := p.Track(fn.Params[n])
	return len(flow.CArgs) > 0 && len(flow.Frees) == 0 && len(flow.Escapes) == 0
}

func address(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Pointer:
		return true
	case *types.Basic:
		return t.Kind() == types.UnsafePointer || t.Kind() == types.Uintptr
	}
	return false
}

// mentioned reports whether recv is used after the call on every way, so that it lives until then, or is kept by a defer.
func mentioned(fn *ssa.Function, recv *ssa.Parameter, call *ssa.Call) bool {
	for _, r := range *recv.Referrers() {
		if _, ok := r.(*ssa.Defer); ok {
			return true // KeepAlive, Unlock
		}
		if r != ssa.Instruction(call) && native.Reaches(call, r, nil) {
			return true
		}
	}
	for _, b := range fn.Blocks { // defer func() { ... recv ... }(), defer recv.mu.Unlock()
		for _, i := range b.Instrs {
			d, ok := i.(*ssa.Defer)
			if !ok {
				continue
			}
			for _, op := range d.Operands(nil) {
				if derived(*op, recv, 0) {
					return true
				}
			}
		}
	}
	for _, r := range *recv.Referrers() { // an address in it that is used later, or an interface of it for KeepAlive
		v, ok := r.(ssa.Value)
		if !ok || r == ssa.Instruction(call) || v.Referrers() == nil {
			continue
		}
		if _, load := r.(*ssa.UnOp); load {
			continue
		}
		for _, rr := range *v.Referrers() {
			if native.Reaches(call, rr, nil) && rr != ssa.Instruction(call) {
				return true
			}
		}
	}
	return false
}

func derived(v ssa.Value, recv *ssa.Parameter, depth int) bool {
	if v == nil || depth > 5 {
		return false
	}
	if v == recv {
		return true
	}
	i, ok := v.(ssa.Instruction)
	if !ok {
		return false
	}
	if u, ok := v.(*ssa.UnOp); ok && u.Op == token.MUL {
		return false
	}
	for _, op := range i.Operands(nil) {
		if derived(*op, recv, depth+1) {
			return true
		}
	}
	if a, ok := v.(*ssa.Alloc); ok { // a variable that closures capture
		for _, r := range *a.Referrers() {
			if s, ok := r.(*ssa.Store); ok && s.Val == recv {
				return true
			}
		}
	}
	return false
}
