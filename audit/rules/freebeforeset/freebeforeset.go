// Package freebeforeset holds the rule free-before-set. Its page is docs/checks/audit/free-before-set.md.
package freebeforeset

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports a free whose argument is read before it is set, so that nil is freed.
var Analyzer = native.Rule("free-before-set", run)

func run(p *native.Pass) {
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok {
			return
		}
		name, n := p.FreesArg(call)
		if n < 0 {
			return
		}
		arg := native.Root(call.Common().Args[n])
		if _, deferred := i.(*ssa.Defer); deferred {
			if c, ok := arg.(*ssa.Const); ok && c.IsNil() || unset(arg) {
				deferred := at(p, call)
				if deferred == nil {
					return
				}
				p.ReportPath(native.Error, call.Pos(), nil, wrap(p, deferred), "%s is given its argument now, while that is nil; what is set later is not freed", name)
			}
			return
		}
		load, ok := arg.(*ssa.UnOp)
		if !ok || load.Op != token.MUL {
			return
		}
		if store := cleared(load); store != nil {
			p.ReportPath(native.Error, call.Pos(), []analysis.RelatedInformation{{Pos: store.Pos(), Message: "set to nil here"}}, nil,
				"%s is given a field that has just been set to nil; what it held is not freed", name)
		}
	})
}

// unset reports whether v is read from a variable that only later is set, perhaps by a function that gets its address.
func unset(v ssa.Value) bool {
	load, ok := v.(*ssa.UnOp)
	if !ok || load.Op != token.MUL {
		return false
	}
	a, ok := load.X.(*ssa.Alloc)
	if !ok {
		return false
	}
	later := false
	for _, r := range *a.Referrers() {
		switch r.(type) {
		case *ssa.UnOp, *ssa.DebugRef:
			continue
		}
		if native.Reaches(r, load, nil) {
			return false
		}
		later = true
	}
	return later
}

// cleared finds a store of nil to the field that is loaded, after which the load always sees it.
func cleared(load *ssa.UnOp) *ssa.Store {
	field, ok := load.X.(*ssa.FieldAddr)
	if !ok {
		return nil
	}
	var last *ssa.Store
	var others []ssa.Instruction // that may set it
	for _, b := range load.Parent().Blocks {
		for _, i := range b.Instrs {
			switch i := i.(type) {
			case *ssa.Store:
				if !native.Same(i.Addr, load.X) {
					continue
				}
				if c, ok := native.Root(i.Val).(*ssa.Const); ok && c.IsNil() && native.Dominates(i, load) {
					last = i
				} else {
					others = append(others, i)
				}
			case ssa.CallInstruction:
				for _, a := range i.Common().Args {
					if native.Same(a, field.X) || native.Same(a, load.X) {
						others = append(others, i)
					}
				}
			}
		}
	}
	if last == nil {
		return nil
	}
	for _, o := range others {
		if native.Reaches(last, o, nil) && native.Reaches(o, load, nil) {
			return nil
		}
	}
	return last
}

// at finds the defer statement of a call, if what it frees is a variable: a literal nil is meant.
func at(p *native.Pass, call ssa.CallInstruction) *ast.DeferStmt {
	var out *ast.DeferStmt
	p.Inspect(func(n ast.Node, _ []ast.Node) {
		d, ok := n.(*ast.DeferStmt)
		if !ok || d.Defer != call.Pos() && d.Call.Lparen != call.Pos() || len(d.Call.Args) == 0 {
			return
		}
		ast.Inspect(d.Call.Args[0], func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name != "nil" && id.Name != "unsafe" && id.Name != "Pointer" {
				out = d
			}
			return true
		})
	})
	return out
}

func wrap(p *native.Pass, d *ast.DeferStmt) []analysis.SuggestedFix {
	return []analysis.SuggestedFix{{
		Message: "read the variable when the function returns",
		TextEdits: []analysis.TextEdit{
			{Pos: d.Call.Pos(), End: d.Call.Pos(), NewText: []byte("func() { ")},
			{Pos: d.Call.End(), End: d.Call.End(), NewText: []byte(" }()")},
		},
	}}
}
