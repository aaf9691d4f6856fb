// Package safetycomment holds the rule safety-comment. Its page is docs/checks/audit/safety-comment.md.
package safetycomment

import (
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
	"github.com/isthmus-ffi/isthmus/audit/internal/sites"
)

// Analyzer reports functions that use package unsafe and do not say why that is right.
var Analyzer = native.Rule("safety-comment", run)

func run(p *native.Pass) {
	if p.Policy == nil {
		return
	}
	missing := map[string]int{}
	for _, s := range sites.Find(p.Unit) {
		name := p.Position(s.Pos).Filename
		folder, ok := p.Policy.Folder(name)
		if !ok || !policy.Under(folder, p.Policy.Safety) || len(s.Safety) > 0 {
			continue
		}
		if missing[folder]++; missing[folder] <= p.Policy.Budget[folder] {
			continue
		}
		p.Report(native.Policy, s.Pos, "%s uses unsafe and has no // SAFETY: comment that says who owns the memory, for how long, and why the access is in bounds", s.Func)
	}
}
