// Package noclose holds the rule no-close. Its page is docs/checks/audit/no-close.md.
package noclose

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports exported types that keep a native object which no function of the package frees.
var Analyzer = native.Rule("no-close", run)

func run(p *native.Pass) {
	type place struct {
		t     *types.Named
		field int
	}
	freed, cleaned := map[place]bool{}, map[*types.Named]bool{}
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok {
			return
		}
		args := call.Common().Args
		switch native.GoName(call) {
		case "runtime.SetFinalizer", "runtime.AddCleanup":
			if t := named(native.Root(args[0]).Type()); t != nil {
				cleaned[t] = true
			}
		}
		if native.CName(call) == "" && call.Common().StaticCallee() != nil && call.Common().StaticCallee().Blocks == nil {
			return
		}
		for _, a := range args { // freed, or given to who may free it
			if t, field, ok := loaded(a); ok && (native.CName(call) == "" || !p.Known(native.CName(call), index(args, a))) {
				freed[place{t, field}] = true
			}
		}
	})
	for _, o := range p.Objects() {
		if o.Free == "" || len(o.Flow.Frees) > 0 || len(o.Flow.Escapes) == 0 {
			continue
		}
		var at *types.Named
		for _, e := range o.Flow.Escapes {
			store, ok := e.At.(*ssa.Store)
			if !ok || e.Kind != native.Stored {
				at = nil
				break
			}
			f, ok := store.Addr.(*ssa.FieldAddr)
			if !ok {
				at = nil
				break
			}
			t := named(f.X.Type())
			if t == nil || !t.Obj().Exported() || t.Obj().Pkg() != p.Unit.Pkg || cleaned[t] || freed[place{t, f.Field}] || exposed(t, f.Field) {
				at = nil
				break
			}
			at = t
		}
		if at != nil {
			p.Report(native.Warning, o.Call.Pos(), "%s keeps what %s gives, and nothing in this package frees it: give it a Close that calls %s", at.Obj().Name(), native.Show(o.Name), o.Wants())
		}
	}
}

// loaded is the field that a value was read from.
func loaded(v ssa.Value) (*types.Named, int, bool) {
	load, ok := native.Root(v).(*ssa.UnOp)
	if !ok {
		return nil, 0, false
	}
	f, ok := load.X.(*ssa.FieldAddr)
	if !ok {
		return nil, 0, false
	}
	t := named(f.X.Type())
	return t, f.Field, t != nil
}

// exposed reports whether others can reach a field.
func exposed(t *types.Named, field int) bool {
	s, ok := t.Underlying().(*types.Struct)
	return !ok || field >= s.NumFields() || s.Field(field).Exported()
}

func named(t types.Type) *types.Named {
	if ptr, ok := t.Underlying().(*types.Pointer); ok {
		if n, ok := types.Unalias(ptr.Elem()).(*types.Named); ok {
			return n.Origin()
		}
	}
	return nil
}

func index(args []ssa.Value, v ssa.Value) int {
	for i, a := range args {
		if a == v {
			return i
		}
	}
	return -1
}
