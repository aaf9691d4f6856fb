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
		name := native.CName(call)
		args := call.Common().Args
		if name == "" || len(args) == 0 || !p.Frees(name) {
			return
		}
		arg := native.Root(args[0])
		if _, deferred := i.(*ssa.Defer); deferred {
			if c, ok := arg.(*ssa.Const); ok && c.IsNil() {
				deferred := at(p, call)
				if deferred == nil {
					return
				}
				p.ReportPath(native.Error, call.Pos(), nil, wrap(p, deferred), "C.%s is given its argument now, while that is nil; what is set later is not freed", name)
			}
			return
		}
		load, ok := arg.(*ssa.UnOp)
		if !ok || load.Op != token.MUL {
			return
		}
		if store := cleared(load); store != nil {
			p.ReportPath(native.Error, call.Pos(), []analysis.RelatedInformation{{Pos: store.Pos(), Message: "set to nil here"}}, nil,
				"C.%s is given a field that has just been set to nil; what it held is not freed", name)
		}
	})
}

// cleared finds the last store to what is loaded, before it in its block, if that is nil.
func cleared(load *ssa.UnOp) *ssa.Store {
	var last *ssa.Store
	for _, i := range load.Block().Instrs {
		if i == load {
			break
		}
		switch i := i.(type) {
		case *ssa.Store:
			if native.Same(i.Addr, load.X) {
				last = i
			}
		case ssa.CallInstruction:
			last = nil // it may set it
		}
	}
	if last == nil {
		return nil
	}
	if _, field := last.Addr.(*ssa.FieldAddr); !field {
		return nil
	}
	if c, ok := native.Root(last.Val).(*ssa.Const); ok && c.IsNil() {
		return last
	}
	return nil
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
