// Package shortinput holds the rule short-input. Its page is docs/checks/audit/short-input.md.
package shortinput

import (
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports decoders that have an error to give and panic where the bytes are too few.
var Analyzer = native.Rule("short-input", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		if !decoder(fn) || fn.Recover != nil {
			continue
		}
		if i, param := short(fn); i != nil {
			p.Report(native.Warning, i.Pos(), "%s panics here where %s is too short, in place of its error; ask for len(%s) first", fn.Name(), param, param)
		}
	}
}

// decoder reports whether fn is for bytes of somebody else's, and has an error to give.
func decoder(fn *ssa.Function) bool {
	name, results := strings.ToLower(fn.Name()), fn.Signature.Results()
	if fn.Parent() != nil || !token.IsExported(fn.Name()) || results.Len() == 0 || !types.Identical(results.At(results.Len()-1).Type(), types.Universe.Lookup("error").Type()) {
		return false
	}
	return slices.ContainsFunc([]string{"unmarshal", "decode", "parse"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// short finds an access to fixed places of a parameter of bytes before any question about its length.
func short(fn *ssa.Function) (ssa.Instruction, string) {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			param := fixed(i)
			if param == nil || native.Guarded(i, func(v ssa.Value) bool { return asks(v, param) }) || !slices.Contains(fn.Params, param) {
				continue
			}
			return i, param.Name()
		}
	}
	return nil, ""
}

// fixed is the parameter of bytes that an instruction takes a fixed place of.
func fixed(i ssa.Instruction) *ssa.Parameter {
	switch i := i.(type) {
	case *ssa.IndexAddr:
		if _, ok := i.Index.(*ssa.Const); ok {
			return bytes(i.X)
		}
	case *ssa.Slice:
		for _, n := range []ssa.Value{i.Low, i.High} {
			if c, ok := n.(*ssa.Const); ok && c.Value != nil && c.Value.ExactString() != "0" {
				return bytes(i.X)
			}
		}
	case *ssa.Call:
		_, name, _ := strings.Cut(native.Callee(i), "encoding/binary.")
		if _, method, _ := strings.Cut(name, ")."); slices.Contains([]string{"Uint16", "Uint32", "Uint64"}, method) {
			return bytes(i.Call.Args[len(i.Call.Args)-1])
		}
	}
	return nil
}

func bytes(v ssa.Value) *ssa.Parameter {
	p, ok := v.(*ssa.Parameter)
	if !ok {
		return nil
	}
	s, ok := p.Type().Underlying().(*types.Slice)
	if !ok || !types.Identical(s.Elem(), types.Typ[types.Byte]) {
		return nil
	}
	return p
}

// asks reports whether v is the length of a parameter, or what a function says that was given the parameter or its length.
func asks(v ssa.Value, param *ssa.Parameter) bool {
	if of, ok := native.IsLen(v); ok {
		return native.Base(of) == ssa.Value(param)
	}
	call := native.CallOf(v)
	return call != nil && native.GoName(call) != "len" && slices.ContainsFunc(call.Call.Args, func(a ssa.Value) bool {
		of, isLen := native.IsLen(native.Root(a))
		return native.Root(a) == ssa.Value(param) || isLen && native.Base(of) == ssa.Value(param)
	})
}
