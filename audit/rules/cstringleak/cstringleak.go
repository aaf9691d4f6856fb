// Package cstringleak holds the rule cstring-leak. Its page is docs/checks/audit/cstring-leak.md.
package cstringleak

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that nothing frees.
var Analyzer = native.Rule("cstring-leak", run)

func run(p *native.Pass) {
	for _, o := range p.Objects() {
		if len(o.Flow.Frees) > 0 {
			continue
		}
		args := o.Flow.CArgs
		if len(o.Flow.Escapes) > 0 {
			var only bool
			if args, only = elements(p, o.Flow); !only {
				continue
			}
		}
		if o.Free == "" {
			p.Report(native.Warning, o.Call.Pos(), "what %s gives is not freed here, and is where else it is got", native.Show(o.Name))
			continue
		}
		if i := slices.IndexFunc(args, func(a native.CArg) bool { return !p.Known(a.Name, a.Arg) }); i >= 0 {
			p.Report(native.Note, o.Call.Pos(), "what %s gives is not freed here; that is right only if %s takes it", native.Show(o.Name), native.Show(args[i].Name))
			continue
		}
		if once(o.Call.Parent()) {
			p.Report(native.Note, o.Call.Pos(), "what %s gives is never freed; this runs once", native.Show(o.Name))
			continue
		}
		p.ReportPath(native.Error, o.Call.Pos(), nil, fix(p, o.Call, o.Free), "what %s gives is never freed; it wants %s", native.Show(o.Name), o.Wants())
	}
}

// once reports whether a function runs once at most: before main, or for a sync.Once.
func once(fn *ssa.Function) bool {
	if fn.Parent() == nil {
		return fn.Name() == "init" || strings.HasPrefix(fn.Name(), "init#")
	}
	for _, b := range fn.Parent().Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(*ssa.Call)
			if !ok || len(call.Call.Args) == 0 {
				continue
			}
			last := native.Root(call.Call.Args[len(call.Call.Args)-1])
			if mk, ok := last.(*ssa.MakeClosure); ok {
				last = mk.Fn
			}
			if last != fn {
				continue
			}
			switch native.GoName(call) {
			case "(*sync.Once).Do", "sync.OnceFunc", "sync.OnceValue", "sync.OnceValues":
				return true
			}
		}
	}
	return false
}

// elements reports whether an object goes nowhere but into elements of slices of the function that are never read, and to
// which C functions these slices are given.
func elements(p *native.Pass, flow *native.Flow) (args []native.CArg, only bool) {
	for _, e := range flow.Escapes {
		store, ok := e.At.(*ssa.Store)
		if !ok || e.Kind != native.Stored {
			return nil, false
		}
		at, ok := store.Addr.(*ssa.IndexAddr)
		if !ok {
			return nil, false
		}
		list, ok := at.X.(*ssa.MakeSlice)
		if !ok {
			return nil, false
		}
		for _, r := range *list.Referrers() {
			switch r := r.(type) {
			case *ssa.DebugRef:
				continue
			case *ssa.IndexAddr:
			case *ssa.Call:
				switch native.GoName(r) {
				case "len", "cap":
					continue
				case "SliceData":
				default:
					return nil, false
				}
			default:
				return nil, false
			}
			f := p.Track(r.(ssa.Value))
			if len(f.Frees) > 0 || len(f.Escapes) > 0 || slices.ContainsFunc(f.Uses, loads) {
				return nil, false
			}
			args = append(args, f.CArgs...)
		}
	}
	return append(args, flow.CArgs...), true
}

func loads(i ssa.Instruction) bool {
	_, load := i.(*ssa.UnOp)
	return load
}

// fix puts a defer after the statement, where that is at the top of a function: in a loop it would run too late.
func fix(p *native.Pass, call ssa.CallInstruction, free string) []analysis.SuggestedFix {
	var out []analysis.SuggestedFix
	p.Inspect(func(n ast.Node, stack []ast.Node) {
		s, ok := n.(*ast.AssignStmt)
		if !ok || len(s.Lhs) != 1 || len(s.Rhs) != 1 || s.Tok != token.DEFINE || len(stack) < 2 {
			return
		}
		e, ok := ast.Unparen(s.Rhs[0]).(*ast.CallExpr)
		if !ok || e.Lparen != call.Pos() {
			return
		}
		_, body := stack[len(stack)-1].(*ast.BlockStmt)
		_, fn := stack[len(stack)-2].(*ast.FuncDecl)
		if id, ok := s.Lhs[0].(*ast.Ident); ok && body && fn && free == "free" && native.CName(call) != "" {
			out = []analysis.SuggestedFix{{
				Message:   "free it when the function returns",
				TextEdits: []analysis.TextEdit{{Pos: s.End(), End: s.End(), NewText: []byte("\n\tdefer C.free(unsafe.Pointer(" + id.Name + "))")}},
			}}
		}
	})
	return out
}
