// Package callbackpercall holds the rule callback-per-call. Its page is docs/checks/audit/callback-per-call.md.
package callbackpercall

import (
	"go/ast"
	"go/types"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C callbacks that are made on each call of a function. They are never freed, and there are 2,000.
var Analyzer = native.Rule("callback-per-call", run)

func run(p *native.Pass) {
	p.Inspect(func(n ast.Node, stack []ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return
		}
		fn, ok := p.Unit.Info.Uses[sel.Sel].(*types.Func)
		if !ok {
			return
		}
		switch fn.FullName() {
		case "github.com/ebitengine/purego.NewCallback", "syscall.NewCallback", "syscall.NewCallbackCDecl", "golang.org/x/sys/windows.NewCallback":
		default:
			return
		}
		where, literal, loop := "", false, false
		for _, s := range stack {
			switch s := s.(type) {
			case *ast.FuncDecl:
				where = s.Name.Name
			case *ast.FuncLit:
				literal = true // often for sync.Once
			case *ast.ForStmt, *ast.RangeStmt:
				loop = true
			case *ast.IfStmt:
				if guarded(s) {
					return
				}
			}
		}
		if where == "" || where == "init" || where == "main" || literal || exit(stack) {
			return
		}
		captured := false
		if len(call.Args) == 1 {
			_, captured = ast.Unparen(call.Args[0]).(*ast.FuncLit)
		}
		lower := strings.ToLower(where)
		if !loop && !captured && (strings.HasPrefix(lower, "init") || strings.HasPrefix(lower, "load") || strings.HasPrefix(lower, "register") || strings.HasPrefix(lower, "setup")) {
			return
		}
		p.Report(native.Warning, call.Pos(), "%s makes a callback each time it is called; callbacks are never freed and there are few (2,000): make one, and tell calls apart by their argument", where)
	})
}

// exit reports whether the call ends what only the first caller reaches: it follows an if that returns what was made before.
func exit(stack []ast.Node) bool {
	for i := len(stack) - 1; i >= 0; i-- {
		block, ok := stack[i].(*ast.BlockStmt)
		if !ok {
			continue
		}
		for _, s := range block.List {
			if cond, ok := s.(*ast.IfStmt); ok && cond.Else == nil && len(cond.Body.List) > 0 {
				if _, returns := cond.Body.List[len(cond.Body.List)-1].(*ast.ReturnStmt); returns && (guarded(cond) || cond.Init != nil) {
					return true
				}
			}
		}
	}
	return false
}

// guarded reports whether a condition asks whether something is made already.
func guarded(s *ast.IfStmt) bool {
	found := false
	ast.Inspect(s.Cond, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			found = found || n.Name == "nil" || n.Name == "ok"
		case *ast.BasicLit:
			found = found || n.Value == "0"
		}
		return true
	})
	return found
}
