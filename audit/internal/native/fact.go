package native

import (
	"cmp"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
)

// Facts are what callers in other packages need to know of the functions of a package: what those do with native memory.
// The keys are as in SSA form: path/pkg.F and (*path/pkg.T).M.
type Facts struct{ Funcs map[string]Func }

// AFact makes it one that drivers of go/analysis carry from package to package.
func (*Facts) AFact() {}

// String says how many there are.
func (f *Facts) String() string {
	return "facts of " + strings.Join(slices.Sorted(maps.Keys(f.Funcs)), ", ")
}

// Func is what is known of a Go function.
type Func struct {
	Params []Param // the receiver first
	Owned  []Owned // results that the caller has to free
	Status string  // the C function whose status is its last result
	Affine string  // the C function below it that wants one thread
}

// Param is what a function does with a parameter.
type Param struct {
	Role ctext.Role
	Back bool // it is the result too
}

// Owned is a result that has to be freed.
type Owned struct {
	Result int
	Free   string // by which C function
	By     string // the Go function that does that, or ""
}

// Show is the name of a C function or of a Go function with facts as users write it: C.free, pkg.Free, (*pkg.T).Close.
func Show(name string) string {
	if !strings.Contains(name, ".") {
		return "C." + name
	}
	head := ""
	if rest, ok := strings.CutPrefix(name, "(*"); ok {
		head, name = "(*", rest
	} else if rest, ok := strings.CutPrefix(name, "("); ok {
		head, name = "(", rest
	}
	return head + path.Base(name)
}

// Callee is the C function that an instruction calls, or the function of another package that facts are known of, or "".
func (u *Unit) Callee(call ssa.CallInstruction) string {
	if name := CName(call); name != "" || len(u.Imported) == 0 {
		return name
	}
	if name := elsewhere(call); u.knows(name) {
		return name
	}
	return ""
}

// elsewhere is the name of the function of another package that an instruction calls, or "".
func elsewhere(call ssa.CallInstruction) string {
	fn := call.Common().StaticCallee()
	if fn == nil || fn.Blocks != nil || fn.Synthetic != "" && fn.Pkg == nil {
		return ""
	}
	return fn.String()
}

func (u *Unit) knows(name string) bool { _, ok := u.Imported[name]; return ok }

// Released is the name of what frees an argument of a call, as users write it, and which argument that is: a C function, or a
// function of another package that is known to. It is -1 where none is.
func (u *Unit) Released(call ssa.CallInstruction) (name string, arg int) {
	name = u.Callee(call)
	if f, ok := u.Imported[name]; ok {
		arg = slices.IndexFunc(f.Params, func(p Param) bool { return p.Role == ctext.Frees })
	} else if name == "" || !u.Frees(name) {
		return "", -1
	}
	if arg >= len(call.Common().Args) {
		return "", -1
	}
	return Show(name), arg
}

// Natives are the calls of C functions and of functions of other packages that facts are known of.
func (u *Unit) Natives() func(yield func(ssa.CallInstruction, string) bool) {
	return func(yield func(ssa.CallInstruction, string) bool) {
		for _, fn := range u.Funcs {
			for call, name := range u.nativesIn(fn) {
				if !yield(call, name) {
					return
				}
			}
		}
	}
}

func (u *Unit) nativesIn(fn *ssa.Function) func(yield func(ssa.CallInstruction, string) bool) {
	return func(yield func(ssa.CallInstruction, string) bool) {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				if call, ok := i.(ssa.CallInstruction); ok {
					if name := u.Callee(call); name != "" && !yield(call, name) {
						return
					}
				}
			}
		}
	}
}

// StatusOf is the C function whose status name gives, which is a C function itself or a Go function that facts are known of.
func (u *Unit) StatusOf(name string) string {
	if fn, ok := u.Imported[name]; ok {
		return fn.Status
	}
	if u.Book.Status[name] {
		return name
	}
	return ""
}

// role is what the function of another package does with argument i.
func (f Func) role(i int) Param {
	if i < len(f.Params) {
		return f.Params[i]
	}
	return Param{}
}

// Facts says what callers in other packages need to know. It is nil where the package has nothing native.
func (u *Unit) Facts() (out *Facts) {
	if u.Pkg == nil || !u.crosses() {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			u.skip(fmt.Sprintf("what its callers need to know: %v", r))
			out = nil
		}
	}()
	out = &Facts{Funcs: map[string]Func{}}
	released := map[string]string{} // type of a raw pointer -> function that frees it
	for _, fn := range u.Funcs {
		if fn.Parent() != nil || !token.IsExported(fn.Name()) || fn.TypeParams().Len() > 0 || fn.Signature.RecvTypeParams().Len() > 0 {
			continue
		}
		f := u.fact(fn)
		for i, p := range f.Params {
			if p.Role == ctext.Frees && fn.Signature.Recv() == nil {
				if t := fn.Params[i].Type().String(); released[t] == "" {
					released[t] = fn.String()
				}
			}
		}
		if f.says() {
			out.Funcs[fn.String()] = f
		}
	}
	for _, o := range u.Objects() {
		fn := o.Call.Parent()
		f, ok := out.Funcs[fn.String()]
		if fn.Parent() != nil || !token.IsExported(fn.Name()) || !ok && !u.Declares(fn) || o.Free == "" || len(o.Flow.Frees) > 0 || len(o.Flow.Escapes) == 0 {
			continue
		}
		n := -1
		for _, e := range o.Flow.Escapes {
			ret, ok := e.At.(*ssa.Return)
			if !ok || e.Kind != Returned {
				n = -1
				break
			}
			n = slices.IndexFunc(ret.Results, func(v ssa.Value) bool { return o.Flow.Values[v] })
			if n < 0 {
				break
			}
		}
		if n < 0 || slices.ContainsFunc(f.Owned, func(w Owned) bool { return w.Result == n }) {
			continue
		}
		f.Owned = append(f.Owned, Owned{n, o.Free, cmp.Or(released[fn.Signature.Results().At(n).Type().String()], o.By)})
		out.Funcs[fn.String()] = f
	}
	if len(out.Funcs) == 0 {
		return nil
	}
	return out
}

// Declares reports whether fn is a function of the unit that facts are kept of.
func (u *Unit) Declares(fn *ssa.Function) bool {
	return fn.Pkg != nil && fn.Pkg.Pkg == u.Pkg && fn.TypeParams().Len() == 0 && fn.Signature.RecvTypeParams().Len() == 0
}

// crosses reports whether the unit calls C, or packages with facts.
func (u *Unit) crosses() bool { return len(u.Preambles) > 0 || len(u.Imported) > 0 }

func (f Func) says() bool {
	return f.Status != "" || f.Affine != "" || slices.ContainsFunc(f.Params, func(p Param) bool { return p != Param{} })
}

func (u *Unit) fact(fn *ssa.Function) Func {
	f := Func{Params: make([]Param, len(fn.Params))}
	for i, p := range fn.Params {
		if raw(p.Type()) {
			f.Params[i] = u.passes(fn, i)
		}
	}
	for call, name := range u.nativesIn(fn) {
		for i, a := range call.Common().Args {
			p, ok := Base(a).(*ssa.Parameter)
			if !ok {
				continue
			}
			if n := slices.Index(fn.Params, p); n >= 0 && u.Role(name, i) == ctext.Retains && !Pins(fn) {
				f.Params[n].Role = ctext.Retains
			}
		}
	}
	f.Status = u.gives(fn)
	if call, name := u.Drives(fn); call != nil && !Locks(fn) {
		f.Affine = name
	}
	return f
}

// raw reports whether a type is an address and nothing else. What the fields of a Go struct hold is not followed.
func raw(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Kind() == types.UnsafePointer || t.Kind() == types.Uintptr
	case *types.Pointer:
		if name, _ := CType(t); name != "" {
			return true
		}
		_, basic := t.Elem().Underlying().(*types.Basic)
		return basic
	}
	return false
}

// passes says what fn does with its parameter n, an address. Nothing is said where it is not known.
func (u *Unit) passes(fn *ssa.Function, n int) Param {
	flow := u.param(fn, n, 1)
	if len(fn.Blocks) == 0 {
		return Param{}
	}
	freed := func(i ssa.Instruction) bool { return slices.Contains(flow.Frees, i) }
	all := func(k EscapeKind) bool {
		return len(flow.Escapes) > 0 && !slices.ContainsFunc(flow.Escapes, func(e Escape) bool { return e.Kind != k })
	}
	switch {
	case len(flow.Frees) > 0:
		if len(flow.Escapes) == 0 && !slices.ContainsFunc(flow.Frees, counted) && u.unfreed(fn.Blocks[0], 0, nil, flow, freed) == nil {
			return Param{Role: ctext.Frees}
		}
		return Param{}
	case all(Given):
		return Param{Role: ctext.Takes}
	case slices.ContainsFunc(flow.Uses, func(i ssa.Instruction) bool { return !looks(i) }):
		return Param{}
	case slices.ContainsFunc(flow.CArgs, func(a CArg) bool { return a.Role != ctext.Retains && !u.Known(a.Name, a.Arg) }):
		return Param{}
	case len(flow.Escapes) == 0:
		return Param{Role: ctext.Borrows}
	case all(Returned) && fn.Signature.Results().Len() == 1:
		return Param{Back: true}
	}
	return Param{}
}

// counted reports whether a free gives back one of several references.
func counted(i ssa.Instruction) bool {
	call, ok := i.(ssa.CallInstruction)
	return ok && Counted(CName(call))
}

// Counted reports whether a C function gives back one of several references, so that it may be called more than once.
func Counted(name string) bool {
	words := Words(name)
	return len(words) > 0 && (words[len(words)-1] == "unref" || words[len(words)-1] == "release") || name == "dlclose"
}

// looks reports whether a use of an address ends where it stands: addresses made of it are only read and written through.
func looks(i ssa.Instruction) bool {
	switch i := i.(type) {
	case *ssa.FieldAddr, *ssa.IndexAddr, *ssa.Slice, *ssa.SliceToArrayPointer:
		return !slices.ContainsFunc(*i.(ssa.Value).Referrers(), func(r ssa.Instruction) bool {
			switch r := r.(type) {
			case *ssa.UnOp, *ssa.DebugRef:
				return false
			case *ssa.Store:
				return r.Addr != i.(ssa.Value)
			}
			return true
		})
	case *ssa.BinOp:
		return false
	case *ssa.UnOp: // an address that is read through it is somebody's too
		return !pointerish(i.Type())
	case *ssa.Call:
		switch GoName(i) {
		case "Slice", "String", "Add": // views
			return false
		}
	}
	return true
}

// gives is the C function whose status fn's last result is, or is made of.
func (u *Unit) gives(fn *ssa.Function) string {
	last := fn.Signature.Results().Len() - 1
	if last < 0 {
		return ""
	}
	t := fn.Signature.Results().At(last).Type()
	number, isError := false, types.Identical(t, types.Universe.Lookup("error").Type())
	if b, ok := t.Underlying().(*types.Basic); ok {
		number = b.Info()&types.IsInteger != 0
	}
	if !number && !isError {
		return ""
	}
	for call, name := range u.nativesIn(fn) {
		of := u.StatusOf(name)
		c, ok := call.(*ssa.Call)
		if of == "" || !ok || u.Frees(name) {
			continue
		}
		for _, b := range fn.Blocks {
			ret, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return)
			if !ok || len(ret.Results) <= last {
				continue
			}
			if isError && len(*c.Referrers()) > 0 || CallOf(Root(ret.Results[last])) == c {
				return of
			}
		}
	}
	return ""
}

// Drives finds the call in fn, or in a function of the package that it calls, of a C function that wants one thread.
func (u *Unit) Drives(fn *ssa.Function) (ssa.CallInstruction, string) { return u.drives(fn, 0) }

func (u *Unit) drives(fn *ssa.Function, depth int) (ssa.CallInstruction, string) {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(*ssa.Call)
			if !ok {
				continue
			}
			name := u.Callee(call)
			if f, ok := u.Imported[name]; ok && f.Affine != "" {
				return call, f.Affine
			} else if !ok && name != "" && u.Book.Affine(name) {
				return call, name
			}
			if callee := call.Call.StaticCallee(); callee != nil && callee.Pkg == fn.Pkg && callee.Blocks != nil && depth < 2 && !Locks(callee) {
				if in, name := u.drives(callee, depth+1); in != nil {
					return call, name
				}
			}
		}
	}
	return nil, ""
}

// Locks reports whether fn keeps its goroutine on one thread.
func Locks(fn *ssa.Function) bool { return calls(fn, "runtime.LockOSThread") }
