// Package leakonpath holds the rule leak-on-path. Its page is docs/checks/audit/leak-on-path.md.
package leakonpath

import (
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports C memory that is freed on one way through a function and not on another.
var Analyzer = native.Rule("leak-on-path", run)

func run(p *native.Pass) {
	for _, o := range p.Objects() {
		call, name, flow, severity := o.Call, native.Show(o.Name), o.Flow, native.Error
		if o.Free == "" {
			severity = native.Warning
			if slices.ContainsFunc(flow.Frees, counted) {
				continue
			}
		}
		if len(flow.Frees) == 0 || slices.ContainsFunc(flow.Frees, func(i ssa.Instruction) bool { return always(i, call) }) {
			continue
		}
		stop := func(i ssa.Instruction) bool {
			return slices.Contains(flow.Frees, i) || slices.ContainsFunc(flow.Escapes, func(e native.Escape) bool { return e.At == i })
		}
		leak := p.Unfreed(call, flow, stop)
		if leak == nil {
			continue
		}
		related := []analysis.RelatedInformation{{Pos: flow.Frees[0].Pos(), Message: "freed here"}}
		if leak.Loop {
			p.ReportPath(severity, call.Pos(), related, nil, "what %s gives is not freed on a way on which the loop goes on", name)
			continue
		}
		if leak.At.Pos().IsValid() {
			related = append(related, analysis.RelatedInformation{Pos: leak.At.Pos(), Message: "returns without freeing"})
			p.ReportPath(severity, call.Pos(), related, nil, "what %s gives is not freed on the way to the return at line %d", name, p.Position(leak.At.Pos()).Line)
			continue
		}
		p.ReportPath(severity, call.Pos(), related, nil, "what %s gives is not freed on every way to the end of the function", name)
	}
}

// counted reports whether a free gives back one of several references, or happens in another function, which may have its own
// reasons.
func counted(free ssa.Instruction) bool {
	call, ok := free.(ssa.CallInstruction)
	if !ok || native.CName(call) == "" {
		return true
	}
	words := native.Words(native.CName(call))
	return slices.Contains([]string{"unref", "release"}, words[len(words)-1])
}

// always reports whether a free is one that was deferred before the allocation, and so sees what the variable holds at last.
func always(free, alloc ssa.Instruction) bool {
	_, deferred := free.(*ssa.Defer)
	if free.Parent() != alloc.Parent() {
		return true // in another function, where ways are not followed
	}
	return deferred && native.Dominates(free, alloc)
}
