// Package textcut holds the rule text-cut. Its page is docs/checks/audit/text-cut.md.
package textcut

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports binary data that goes to C as text without its length, or comes back as text: it ends at the first NUL byte.
var Analyzer = native.Rule("text-cut", run)

func run(p *native.Pass) {
	for call, name := range p.Calls() {
		switch name {
		case "CString":
			given(p, call)
		case "GoString":
			got(p, call)
		}
	}
}

// given reports C.CString(string(data)), where nothing looks for a NUL byte in the data.
func given(p *native.Pass, call ssa.CallInstruction) {
	text, ok := call.Common().Args[0].(*ssa.Convert)
	if !ok || !raw(text.X.Type()) {
		return
	}
	data, ok := text.X.(*ssa.Parameter)
	if !ok || call.Value() == nil {
		return
	}
	for _, r := range *data.Referrers() { // a length beside it, bytes.IndexByte, or another check
		if r != ssa.Instruction(text) {
			if _, debug := r.(*ssa.DebugRef); !debug {
				return
			}
		}
	}
	p.Report(native.Warning, call.Pos(), "C sees these bytes up to the first NUL only; pass their length beside C.CBytes, or make sure that there is none")
}

// got reports []byte(C.GoString(p)): what is bytes for Go has an end that is not a NUL.
func got(p *native.Pass, call ssa.CallInstruction) {
	v := call.Value()
	if v == nil {
		return
	}
	for _, r := range *v.Referrers() {
		if conv, ok := r.(*ssa.Convert); ok && raw(conv.Type()) && sized(call) {
			p.Report(native.Warning, call.Pos(), "these bytes end at the first NUL, though their length is known; use C.GoBytes")
		}
	}
}

// sized reports whether the C function that gave the text gave a length too, through the address of a variable.
func sized(call ssa.CallInstruction) bool {
	from, ok := native.Root(call.Common().Args[0]).(*ssa.Call)
	if !ok || native.CName(from) == "" {
		return false
	}
	for _, a := range from.Call.Args {
		v, ok := native.Root(a).(*ssa.Alloc)
		if !ok {
			continue
		}
		switch name, _ := native.CType(v.Type().Underlying().(*types.Pointer).Elem()); name {
		case "size_t", "int", "uint", "long", "ulong", "uint32_t", "uint64_t", "int32_t", "int64_t":
			return true
		}
	}
	return false
}

func raw(t types.Type) bool {
	s, ok := t.Underlying().(*types.Slice)
	if !ok {
		return false
	}
	b, ok := s.Elem().Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8
}
