// Package stringwrite holds the rule string-write. Its page is docs/checks/audit/string-write.md.
package stringwrite

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports writes into the bytes of a string.
var Analyzer = native.Rule("string-write", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		switch i := i.(type) {
		case *ssa.Store:
			if ofString(i.Addr) {
				p.Report(native.Error, i.Pos(), "this writes into the bytes of a string, which others share and which may lie in read-only memory")
			}
		case *ssa.Call:
			switch name := native.CName(i); name {
			case "memcpy", "memmove", "memset", "strcpy", "strncpy", "read", "fread", "snprintf", "fgets":
				dst := 0
				if name == "read" {
					dst = 1
				}
				if len(i.Call.Args) > dst && ofString(i.Call.Args[dst]) {
					p.Report(native.Error, i.Pos(), "C.%s writes into the bytes of a string, which others share and which may lie in read-only memory", name)
				}
			case "":
				if native.GoName(i) == "copy" && ofString(i.Call.Args[0]) {
					p.Report(native.Error, i.Pos(), "this copies into the bytes of a string, which others share and which may lie in read-only memory")
				}
			}
		}
	})
}

// ofString reports whether an address or slice is made of unsafe.StringData.
func ofString(v ssa.Value) bool {
	for range 16 {
		switch x := native.Root(v).(type) {
		case *ssa.IndexAddr:
			v = x.X
		case *ssa.Slice:
			v = x.X
		case *ssa.Call:
			switch native.GoName(x) {
			case "StringData":
				b, ok := x.Call.Args[0].Type().Underlying().(*types.Basic)
				return ok && b.Info()&types.IsString != 0
			case "Slice":
				v = x.Call.Args[0]
			default:
				return false
			}
		default:
			return false
		}
	}
	return false
}
