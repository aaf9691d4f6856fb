// Package missingnul holds the rule missing-nul. Its page is docs/checks/audit/missing-nul.md.
package missingnul

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go text given to C functions that read until a NUL byte: Go's has none.
var Analyzer = native.Rule("missing-nul", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		for n, a := range call.Common().Args {
			if !p.Book.Text(name, n) {
				continue
			}
			base := native.Base(a)
			if call, ok := native.Root(a).(*ssa.Call); ok {
				if g := native.GoName(call); g == "StringData" || g == "SliceData" {
					base = call.Call.Args[0]
				}
			}
			if text(base) && !terminated(base) {
				p.Report(native.Error, call.Pos(), "C.%s reads its argument %d up to a NUL byte, and Go's text has none; use C.CString, or append a 0", name, n+1)
				break
			}
		}
	}
}

// text reports whether a value is a string or bytes that come from elsewhere.
func text(v ssa.Value) bool {
	switch t := v.Type().Underlying().(type) {
	case *types.Basic:
		return t.Info()&types.IsString != 0
	case *types.Slice:
		b, ok := t.Elem().Underlying().(*types.Basic)
		if !ok || b.Kind() != types.Byte {
			return false
		}
		_, param := v.(*ssa.Parameter)
		conv, ok := v.(*ssa.Convert)
		return param || ok && text(conv.X)
	}
	return false
}

// terminated reports whether the last byte is a 0 that somebody appended.
func terminated(v ssa.Value) bool {
	if c, ok := v.(*ssa.Convert); ok {
		v = c.X
	}
	switch x := v.(type) {
	case *ssa.BinOp: // s + "\x00"
		c, ok := x.Y.(*ssa.Const)
		return ok && c.Value != nil && nul(c.Value.ExactString())
	case *ssa.Const:
		return x.Value != nil && nul(x.Value.ExactString())
	}
	return false
}

func nul(quoted string) bool {
	const end = `\x00"`
	return len(quoted) >= len(end) && quoted[len(quoted)-len(end):] == end
}
