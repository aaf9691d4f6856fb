// Package mirrorlayout holds the rule mirror-layout. Its page is docs/checks/audit/mirror-layout.md.
package mirrorlayout

import (
	"github.com/isthmus-ffi/isthmus/audit/internal/mirror"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go structs that do not lie in memory as the C structs that they are written after.
var Analyzer = native.Rule("mirror-layout", run)

func run(p *native.Pass) {
	for _, r := range mirror.Compare(p.Unit) {
		switch {
		case r.Constant:
		case r.Padded:
			p.Report(native.Warning, r.Pos, "%s is not laid out as %s, for which it is taken: %s, and what C leaves in the padding behind it is read as part of it", r.Go, r.C, r.Problem)
		case r.Problem != "" && r.Cast:
			p.Report(native.Error, r.Pos, "%s is not laid out as %s, for which it is taken: %s", r.Go, r.C, r.Problem)
		case r.Problem != "":
			p.Report(native.Error, r.Pos, "%s is not laid out as %s: %s", r.Go, r.C, r.Problem)
		case r.Unchecked != "" && !r.Cast:
			p.Report(native.Note, r.Pos, "%s was not compared with %s: %s", r.Go, r.C, r.Unchecked)
		}
	}
}
