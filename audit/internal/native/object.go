package native

import (
	"cmp"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
)

// Object is what a C call gives and somebody has to free.
type Object struct {
	Call ssa.CallInstruction
	Name string // of the C function, or of the Go function of another package
	Free string // what a spec file or a fact says frees it, or "" where other calls of the package tell that something does
	By   string // the Go function of another package that does that, or ""
	Flow *Flow
}

// Wants is the name of what frees the object, as users write it.
func (o Object) Wants() string { return Show(cmp.Or(o.By, o.Free)) }

// Objects are the objects that the C calls of the unit give: those that a spec file names, and results that the package
// frees somewhere.
func (u *Unit) Objects() []Object {
	if u.objects != nil {
		return u.objects
	}
	u.objects = []Object{}
	freed, kept := map[any]int{}, map[any]int{}
	var guessed []Object
	for call, name := range u.Natives() {
		if fn, ok := u.Imported[name]; ok {
			u.owned(call, name, fn)
			continue
		}
		if free := u.Book.New[name]; free != "" && call.Value() != nil {
			u.objects = append(u.objects, Object{Call: call, Name: name, Free: free, Flow: u.Track(call.Value())})
			continue
		}
		if out, ok := u.Book.Out[name]; ok && out.Arg < len(call.Common().Args) {
			if a, ok := Root(call.Common().Args[out.Arg]).(*ssa.Alloc); ok {
				u.objects = append(u.objects, Object{Call: call, Name: name, Free: out.Free, Flow: u.trackOut(a)})
			}
			continue
		}
		v := call.Value()
		if v == nil || !result(v.Type()) || u.lent(name) {
			continue
		}
		f := u.Track(v)
		if slices.ContainsFunc(f.CArgs, func(a CArg) bool { return a.Role != ctext.Frees && !u.Known(a.Name, a.Arg) }) {
			continue // that function may take it
		}
		guessed = append(guessed, Object{Call: call, Name: name, Flow: f})
		if k := kind(name, v.Type()); len(f.Frees) > 0 {
			freed[k]++
		} else if len(f.Escapes) == 0 {
			kept[k]++
		}
	}
	for _, o := range guessed {
		if k := kind(o.Name, o.Call.Value().Type()); freed[k] > 0 && freed[k] >= kept[k] {
			u.objects = append(u.objects, o)
		}
	}
	return u.objects
}

// owned adds what a Go function of another package gives.
func (u *Unit) owned(call ssa.CallInstruction, name string, fn Func) {
	v := call.Value()
	if v == nil {
		return
	}
	for _, o := range fn.Owned {
		if _, tuple := v.Type().(*types.Tuple); !tuple {
			u.objects = append(u.objects, Object{call, name, o.Free, o.By, u.Track(v)})
			continue
		}
		flow := &Flow{}
		for _, r := range *v.Referrers() {
			if e, ok := r.(*ssa.Extract); ok && e.Index == o.Result {
				flow = u.Track(e)
			}
		}
		u.objects = append(u.objects, Object{call, name, o.Free, o.By, flow})
	}
}

// lent reports whether a C function's text or name says that what it gives belongs to somebody else.
func (u *Unit) lent(name string) bool {
	if fn := u.C.Funcs[name]; fn != nil && (ctext.Param{Type: fn.Result}).Const() {
		return true
	}
	words := Words(name)
	last := words[len(words)-1]
	return last == "error" || last == "exception" || slices.Contains(words, "get")
}

// kind is what objects of the same owner share: their type where that is a struct of C, by value, or an error of a library, and
// else the function.
func kind(name string, t types.Type) any {
	c, stars := CType(t)
	if _, isStruct := t.Underlying().(*types.Struct); isStruct && stars == 0 {
		return "type " + c
	}
	for _, w := range Words(c) {
		if w == "error" || w == "exception" {
			return "type " + c
		}
	}
	return name
}

// result reports whether a result may be an object: a pointer to a type of C's, or a struct of C's.
func result(t types.Type) bool {
	name, stars := CType(t)
	if name == "" {
		return false
	}
	_, isStruct := t.Underlying().(*types.Struct)
	_, isPointer := t.Underlying().(*types.Pointer)
	return isStruct || isPointer && (stars == 1 && name != "char" || stars == 0)
}

// trackOut follows what C writes into a variable.
func (u *Unit) trackOut(a *ssa.Alloc) *Flow {
	t := u.tracker(0)
	t.out = true
	t.variable(a)
	t.follow()
	return t.f
}

// FreesArg is which argument of a call is freed by it, and the name of what does: a C function, or a function of the package
// that does so. It is -1 where none is.
func (u *Unit) FreesArg(call ssa.CallInstruction) (name string, arg int) {
	args := call.Common().Args
	if u.Callee(call) != "" {
		return u.Released(call)
	}
	fn := call.Common().StaticCallee()
	if fn == nil || fn.Blocks == nil || fn.Signature.Recv() != nil {
		return "", -1
	}
	for n, p := range fn.Params {
		if n < len(args) && pointerish(p.Type()) && len(u.param(fn, n, 1).Frees) > 0 {
			return fn.Name(), n
		}
	}
	return "", -1
}
