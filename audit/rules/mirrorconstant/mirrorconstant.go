// Package mirrorconstant holds the rule mirror-constant. Its page is docs/checks/audit/mirror-constant.md.
package mirrorconstant

import (
	"github.com/isthmus-ffi/isthmus/audit/internal/mirror"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go constants that have another value than the C constants that they are written after.
var Analyzer = native.Rule("mirror-constant", run)

func run(p *native.Pass) {
	for _, r := range mirror.Compare(p.Unit) {
		switch {
		case !r.Constant:
		case r.Problem != "" && r.Counted:
			p.Report(native.Note, r.Pos, "%s %s", r.Go, r.Problem)
		case r.Problem != "" && r.Cast:
			p.Report(native.Warning, r.Pos, "%s %s", r.Go, r.Problem)
		case r.Problem != "":
			p.Report(native.Error, r.Pos, "%s %s", r.Go, r.Problem)
		case r.Unchecked != "":
			p.Report(native.Note, r.Pos, "the constants were not compared with %s: %s", r.C, r.Unchecked)
		}
	}
}
