// Package useafterfree holds the rule use-after-free. Its page is docs/checks/audit/use-after-free.md.
package useafterfree

import (
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that is used after it was freed, or returned while it is freed.
var Analyzer = native.Rule("use-after-free", run)

func run(p *native.Pass) {
	done := map[ssa.Value]bool{}
	p.Instrs(func(fn *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || len(call.Common().Args) == 0 {
			return
		}
		name, n := p.Released(call)
		if n < 0 || name == "C.realloc" {
			return
		}
		root := native.Root(call.Common().Args[n])
		if done[root] {
			return
		}
		switch root.(type) {
		case *ssa.Call, *ssa.Parameter, *ssa.Extract:
		default:
			return // variables are followed only where they have one value
		}
		flow := p.Track(root)
		if len(flow.Alloc) > 0 {
			return
		}
		done[root] = true
		if d, ok := i.(*ssa.Defer); ok {
			returned(p, d, flow, name)
			return
		}
		if _, ok := i.(*ssa.Call); !ok {
			return
		}
		define, _ := root.(ssa.Instruction)
		stop := func(s ssa.Instruction) bool { return s == define }
		for _, use := range flow.Uses {
			if use == i || !native.Reaches(i, use, stop) || through(flow, use) {
				continue
			}
			related := []analysis.RelatedInformation{{Pos: call.Pos(), Message: "freed here"}}
			p.ReportPath(native.Error, place(use, call), related, nil, "used after %s freed it at line %d", name, p.Position(call.Pos()).Line)
			return
		}
	})
}

// through reports whether a use is of a value that merges with others, so that it may not be the one that was freed.
func through(flow *native.Flow, use ssa.Instruction) bool {
	for _, op := range use.Operands(nil) {
		if phi, ok := native.Root(*op).(*ssa.Phi); ok && flow.Values[phi] {
			return true
		}
	}
	return false
}

func place(i, or ssa.Instruction) token.Pos {
	if i.Pos().IsValid() {
		return i.Pos()
	}
	if v, ok := i.(ssa.Value); ok && v.Referrers() != nil {
		for _, r := range *v.Referrers() {
			if r.Pos().IsValid() {
				return r.Pos()
			}
		}
	}
	return or.Pos()
}

// returned reports a slice or string over memory that a deferred call frees.
func returned(p *native.Pass, d *ssa.Defer, flow *native.Flow, name string) {
	for _, use := range flow.Uses {
		view, ok := use.(*ssa.Call)
		if !ok {
			continue
		}
		if n := native.GoName(view); n != "Slice" && n != "String" {
			continue
		}
		for _, e := range p.Track(view).Escapes {
			if e.Kind == native.Returned && e.At.Pos().IsValid() { // the other return is that of a panic
				p.ReportPath(native.Error, e.At.Pos(), []analysis.RelatedInformation{{Pos: d.Pos(), Message: "freed when the function returns"}}, nil,
					"returns a view of memory that %s frees when the function returns", name)
			}
		}
	}
}
