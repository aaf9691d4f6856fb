package puregosignature

import (
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

const purego = "github.com/ebitengine/purego."

// registered is a Go function variable that purego fills.
type registered struct {
	pos  token.Pos
	name string // of the C function, or "" where it is not known
	typ  types.Type
}

// find lists what the package registers: by calls of purego's functions, by calls of its own functions that hand their
// parameters on to these, and by tables of pointers and names.
func find(p *native.Pass) []registered {
	var out []registered
	tables := false
	for _, fn := range p.Funcs {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				call, ok := i.(ssa.CallInstruction)
				if !ok || !registers(call) {
					continue
				}
				args := call.Common().Args
				ptr, name := args[0], text(args[len(args)-1])
				switch v := native.Root(ptr).(type) {
				case *ssa.Parameter:
					out = append(out, callers(p, v, args[len(args)-1])...)
				case *ssa.UnOp, *ssa.Extract, *ssa.Field:
					if _, made := ptr.(*ssa.MakeInterface); !made {
						tables = true
						continue
					}
					out = append(out, registered{call.Pos(), name, v.Type()})
				default:
					out = append(out, registered{call.Pos(), name, v.Type()})
				}
			}
		}
	}
	if tables {
		out = append(out, rows(p)...)
	}
	return out
}

func registers(call ssa.CallInstruction) bool {
	name := native.GoName(call)
	return name == purego+"RegisterLibFunc" || name == purego+"RegisterFunc"
}

// text is the string that v is: a constant, or the name that a symbol was looked up by.
func text(v ssa.Value) string {
	v = native.Root(v)
	if e, ok := v.(*ssa.Extract); ok {
		if call, ok := e.Tuple.(*ssa.Call); ok && native.GoName(call) == purego+"Dlsym" && len(call.Call.Args) == 2 {
			v = call.Call.Args[1]
		}
	}
	if c, ok := v.(*ssa.Const); ok && c.Value != nil && c.Value.Kind() == constant.String {
		return constant.StringVal(c.Value)
	}
	return ""
}

// callers are the calls of the function whose parameter ptr is registered.
func callers(p *native.Pass, ptr *ssa.Parameter, name ssa.Value) []registered {
	fn := ptr.Parent()
	at, named := -1, -1
	for n, param := range fn.Params {
		switch param {
		case ptr:
			at = n
		case native.Root(name):
			named = n
		}
	}
	var out []registered
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		call, ok := i.(ssa.CallInstruction)
		if !ok || call.Common().StaticCallee() != fn || at < 0 {
			return
		}
		r := registered{pos: call.Pos(), typ: native.Root(call.Common().Args[at]).Type()}
		if named >= 0 {
			r.name = text(call.Common().Args[named])
		}
		out = append(out, r)
	})
	return out
}

// rows are the pointers to functions that stand in structs beside a name.
func rows(p *native.Pass) []registered {
	var out []registered
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		store, ok := i.(*ssa.Store)
		if !ok {
			return
		}
		made, ok := store.Val.(*ssa.MakeInterface)
		field, inStruct := store.Addr.(*ssa.FieldAddr)
		if !ok || !inStruct || signature(made.X.Type()) == nil {
			return
		}
		r := registered{pos: made.Pos(), typ: made.X.Type()}
		if !r.pos.IsValid() {
			r.pos = store.Pos()
		}
		for _, other := range *field.X.Referrers() {
			f, ok := other.(*ssa.FieldAddr)
			if !ok {
				continue
			}
			for _, s := range *f.Referrers() {
				if s, ok := s.(*ssa.Store); ok && s.Addr == f && r.name == "" {
					r.name = text(s.Val)
				}
			}
		}
		out = append(out, r)
	})
	return out
}

// signature is that of a pointer to a function variable, or nil.
func signature(t types.Type) *types.Signature {
	ptr, ok := t.Underlying().(*types.Pointer)
	if !ok {
		return nil
	}
	sig, _ := ptr.Elem().Underlying().(*types.Signature)
	return sig
}

// cdecl reports whether a type is purego's marker of a calling convention.
func cdecl(t types.Type) bool { return strings.HasSuffix(t.String(), "purego.CDecl") }
