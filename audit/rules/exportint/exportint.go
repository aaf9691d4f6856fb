// Package exportint holds the rule export-int. Its page is docs/checks/audit/export-int.md.
package exportint

import (
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports functions for C whose parameters have another width in Go than in C's declaration of them.
var Analyzer = native.Rule("export-int", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		if _, ok := p.Exported[fn.Name()]; !ok || fn.Signature.Recv() != nil || fn.Parent() != nil {
			continue
		}
		decl := p.C.Funcs[fn.Name()]
		if decl == nil {
			continue
		}
		params := fn.Signature.Params()
		if params.Len() != len(decl.Params) {
			p.Report(native.Error, fn.Pos(), "%s has %d parameters in Go and %d in C", fn.Name(), params.Len(), len(decl.Params))
			continue
		}
		for i := range params.Len() {
			compare(p, fn, "parameter "+params.At(i).Name(), params.At(i).Type(), decl.Params[i].Type)
		}
		if r := fn.Signature.Results(); r.Len() == 1 {
			compare(p, fn, result, r.At(0).Type(), decl.Result)
		}
	}
}

// widths are those of C's types with one width on every platform that Go runs C on.
var widths = map[string]int64{
	"int": 4, "unsigned int": 4, "unsigned": 4, "int32_t": 4, "uint32_t": 4, "float": 4, "short": 2, "unsigned short": 2, "int16_t": 2,
	"uint16_t": 2, "char": 1, "unsigned char": 1, "signed char": 1, "int8_t": 1, "uint8_t": 1, "int64_t": 8, "uint64_t": 8, "double": 8,
	"long long": 8, "unsigned long long": 8,
}

const result = "the result"

func compare(p *native.Pass, fn *ssa.Function, what string, t types.Type, c string) {
	b, ok := t.Underlying().(*types.Basic)
	if !ok || b.Info()&types.IsNumeric == 0 {
		return
	}
	want, size := widths[c], p.Sizes.Sizeof(t)
	switch {
	case want == 0 || want == size:
	case what == result && size > want && b.Info()&types.IsInteger != 0:
		p.Report(native.Warning, fn.Pos(), "the result of %s has %d bytes as Go's %s, of which C's %s takes the lower %d", fn.Name(), size, types.TypeString(t, short), c, want)
	default:
		p.Report(native.Error, fn.Pos(), "%s of %s has %d bytes as Go's %s, and %d as C's %s: what C does not set is garbage", what, fn.Name(), size, types.TypeString(t, short), want, c)
	}
}

func short(*types.Package) string { return "" }
