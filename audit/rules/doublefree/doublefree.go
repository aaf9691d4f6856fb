// Package doublefree holds the rule double-free. Its page is docs/checks/audit/double-free.md.
package doublefree

import (
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that is freed twice on one way.
var Analyzer = native.Rule("double-free", run)

type free struct {
	at   ssa.CallInstruction
	name string
	arg  ssa.Value // without conversions
}

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		var frees []free
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				call, ok := i.(ssa.CallInstruction)
				if !ok {
					continue
				}
				if name, arg := freed(p, call); arg != nil {
					if _, isNil := native.Root(arg).(*ssa.Const); !isNil {
						frees = append(frees, free{call, name, native.Root(arg)})
					}
				}
			}
		}
		pairs(p, frees)
	}
	for _, o := range p.Objects() {
		taken(p, o)
	}
}

// taken reports an object that is freed beside a C function that takes it: one that passes it on together with free.
func taken(p *native.Pass, o native.Object) {
	for _, e := range o.Flow.Escapes {
		if e.Kind != native.Given {
			continue
		}
		for _, f := range o.Flow.Frees {
			_, deferred := f.(*ssa.Defer)
			if by := e.At.(ssa.CallInstruction); native.Reaches(e.At, f, nil) || deferred && native.Reaches(f, e.At, nil) {
				p.ReportPath(native.Error, f.Pos(), []analysis.RelatedInformation{{Pos: e.At.Pos(), Message: "taken here"}}, nil,
					"this frees what %s takes and frees itself", native.Show(p.Callee(by)))
				return
			}
		}
	}
}

// freed is what a call frees: C.free(p), or a function of another package that is known to.
func freed(p *native.Pass, call ssa.CallInstruction) (string, ssa.Value) {
	if name, n := p.Released(call); n >= 0 && !native.Counted(native.CName(call)) {
		return name, call.Common().Args[n]
	}
	return "", nil
}

func pairs(p *native.Pass, frees []free) {
	told := map[ssa.Instruction]bool{}
	for i, a := range frees {
		for j, b := range frees {
			if i == j || told[b.at] || told[a.at] || a.name != b.name || !native.Same(a.arg, b.arg) {
				continue
			}
			_, aDefers := a.at.(*ssa.Defer)
			_, bDefers := b.at.(*ssa.Defer)
			if aDefers && !bDefers {
				continue // the other order comes too
			}
			between := func(i ssa.Instruction) bool { return renews(i, a.arg) || renews(i, b.arg) && i != a.at }
			var twice bool
			switch {
			case !bDefers:
				twice = native.Reaches(a.at, b.at, between)
			case loaded(a.arg): // what a deferred call was given stays, whatever the variable holds later
				twice = native.Reaches(b.at, a.at, between)
			default:
				twice = native.Reaches(b.at, a.at, between) || native.Reaches(a.at, b.at, between)
			}
			if twice {
				told[a.at], told[b.at] = true, true
				related := []analysis.RelatedInformation{{Pos: b.at.Pos(), Message: "and here"}}
				p.ReportPath(native.Error, a.at.Pos(), related, nil, "%s frees here what line %d frees too", a.name, p.Position(b.at.Pos()).Line)
			}
		}
	}
}

func loaded(v ssa.Value) bool {
	u, ok := v.(*ssa.UnOp)
	return ok && u.Op == token.MUL
}

// renews reports whether i gives the variable or expression v another value.
func renews(i ssa.Instruction, v ssa.Value) bool {
	if val, ok := i.(ssa.Value); ok && val == v && !loaded(v) {
		return true
	}
	load, ok := v.(*ssa.UnOp)
	if !ok {
		return false
	}
	switch i := i.(type) {
	case *ssa.Store:
		return native.Same(i.Addr, load.X) || inside(i.Addr, load.X)
	case *ssa.Call:
		// A method of the same object may set it.
		if native.CName(i) != "" {
			return false
		}
		for _, a := range i.Call.Args {
			if f, ok := load.X.(*ssa.FieldAddr); ok && native.Same(a, f.X) {
				return true
			}
		}
	case *ssa.UnOp:
		// An element of a slice or a variable that the loop sets is loaded anew.
		_, ok := load.X.(*ssa.IndexAddr)
		return ok && i == load
	}
	return false
}

// inside reports whether an address of an object is that of one around it.
func inside(outer, inner ssa.Value) bool {
	f, ok := inner.(*ssa.FieldAddr)
	return ok && (native.Same(outer, f.X) || inside(outer, f.X))
}
