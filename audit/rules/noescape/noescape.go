// Package noescape holds the rule noescape. Its page is docs/checks/audit/noescape.md.
package noescape

import (
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports "#cgo noescape" for C functions that keep what they are given, and "#cgo nocallback" for those that call Go.
var Analyzer = native.Rule("noescape", run)

func run(p *native.Pass) {
	for _, d := range p.Directives {
		f := strings.Fields(d)
		if len(f) != 3 || f[1] != "noescape" && f[1] != "nocallback" {
			continue
		}
		fn := p.C.Funcs[f[2]]
		if fn == nil || fn.Body == nil {
			continue
		}
		at := p.Import()
		if f[1] == "noescape" {
			for i, param := range fn.Params {
				if !strings.Contains(param.Type, "*") {
					continue // a number may be kept
				}
				if r := p.Role(f[2], i); r == ctext.Retains || r == ctext.Takes {
					p.Report(native.Error, at, "#cgo noescape %s: the function keeps its argument %d, which may then lie on a stack that moves", f[2], i+1)
				}
			}
			continue
		}
		for i, w := range fn.Body {
			if _, ok := p.Exported[w]; ok && i+1 < len(fn.Body) && fn.Body[i+1] == "(" {
				p.Report(native.Error, at, "#cgo nocallback %s: the function calls %s, which is Go; the program ends when it does", f[2], w)
			}
		}
	}
}
