package native

import (
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
)

// CName is the C function that an instruction calls through cgo, or "".
func CName(call ssa.CallInstruction) string {
	fn := call.Common().StaticCallee()
	if fn == nil || fn.Blocks != nil {
		return ""
	}
	name := fn.Name()
	if strings.HasPrefix(name, "_Cfunc_") || strings.HasPrefix(name, "_C2func_") {
		return cgofile.Name(name)
	}
	return ""
}

// GoName is the Go function that an instruction calls, such as runtime.KeepAlive or (*runtime.Pinner).Pin; that of a
// builtin is its name. It is "" where that is not known.
func GoName(call ssa.CallInstruction) string {
	if b, ok := call.Common().Value.(*ssa.Builtin); ok {
		return b.Name()
	}
	if fn := call.Common().StaticCallee(); fn != nil && CName(call) == "" {
		if o := fn.Origin(); o != nil {
			fn = o
		}
		return fn.String()
	}
	return ""
}

// Callee is GoName, or the full name of the method of an interface.
func Callee(call ssa.CallInstruction) string {
	if m := call.Common().Method; m != nil {
		return m.FullName()
	}
	return GoName(call)
}

// Foreign reports whether the call leaves Go: through cgo, a system call or a library for calls without cgo.
func Foreign(call ssa.CallInstruction) bool {
	if name := CName(call); name != "" {
		return !helper[name]
	}
	return Crossing(GoName(call))
}

// helper are names of package C that are no calls, or that end before anything could go wrong.
var helper = map[string]bool{"CString": true, "CBytes": true, "GoString": true, "GoStringN": true, "GoBytes": true, "malloc": true, "free": true}

// Crossing reports whether a Go function with this name calls native code with the addresses in its arguments.
func Crossing(name string) bool {
	switch name {
	case "github.com/ebitengine/purego.SyscallN", "syscall.Syscall", "syscall.Syscall6", "syscall.SyscallN", "syscall.RawSyscall",
		"syscall.RawSyscall6", "golang.org/x/sys/unix.Syscall", "golang.org/x/sys/unix.Syscall6", "(*syscall.LazyProc).Call",
		"(*syscall.Proc).Call", "(*golang.org/x/sys/windows.LazyProc).Call", "golang.org/x/sys/windows.SyscallN":
		return true
	}
	return false
}

// EscapeKind says how a pointer leaves a function's sight.
type EscapeKind uint8

// The kinds.
const (
	Returned EscapeKind = iota + 1
	Stored              // in memory that others see
	Passed              // to Go code that is not known
	Given               // to C code that takes it
	Kept                // by C code that retains it
)

// Escape is a place where a pointer leaves.
type Escape struct {
	At   ssa.Instruction
	Kind EscapeKind
}

// CArg is an argument of a C call.
type CArg struct {
	At   ssa.CallInstruction
	Name string // as [Unit.Callee] gives it
	Arg  int
	Role ctext.Role
}

// Flow is what becomes of a pointer in a function and the closures in it.
type Flow struct {
	Frees   []ssa.Instruction
	Escapes []Escape
	CArgs   []CArg
	Uses    []ssa.Instruction // everything else that looks at it or at what it points to
	Tests   []*ssa.BinOp      // comparisons
	Values  map[ssa.Value]bool
	Alloc   map[*ssa.Alloc]bool // variables that hold it
}

// Track follows v.
func (u *Unit) Track(v ssa.Value) *Flow {
	if f, ok := u.flows[v]; ok {
		return f
	}
	t := u.tracker(0)
	t.value(v)
	t.follow()
	u.keep(v, t.f)
	return t.f
}

func (u *Unit) keep(v ssa.Value, f *Flow) {
	if u.flows == nil {
		u.flows = map[ssa.Value]*Flow{}
	}
	u.flows[v] = f
}

type tracker struct {
	u     *Unit
	f     *Flow
	queue []ssa.Value
	depth int
	out   bool // the variable is filled by C, and what is in its fields belongs to it
}

func (u *Unit) tracker(depth int) *tracker {
	return &tracker{u: u, f: &Flow{Values: map[ssa.Value]bool{}, Alloc: map[*ssa.Alloc]bool{}}, depth: depth}
}

// follow looks at all uses of the values, and of those that they become.
func (t *tracker) follow() {
	for len(t.queue) > 0 {
		v := t.queue[0]
		t.queue = t.queue[1:]
		if refs := v.Referrers(); refs != nil {
			for _, i := range *refs {
				t.use(i, v)
			}
		}
	}
}

func (t *tracker) value(v ssa.Value) {
	if !t.f.Values[v] {
		t.f.Values[v] = true
		t.queue = append(t.queue, v)
	}
}

func (t *tracker) escape(i ssa.Instruction, k EscapeKind) {
	t.f.Escapes = append(t.f.Escapes, Escape{i, k})
}

func (t *tracker) use(i ssa.Instruction, v ssa.Value) {
	switch i := i.(type) {
	case *ssa.ChangeType, *ssa.Convert, *ssa.Phi, *ssa.MakeInterface, *ssa.ChangeInterface, *ssa.TypeAssert:
		t.value(i.(ssa.Value))
	case *ssa.Extract:
		if i.Type() != nil && pointerish(i.Type()) {
			t.value(i)
		}
	case *ssa.BinOp:
		switch i.Op {
		case token.EQL, token.NEQ:
			t.f.Tests = append(t.f.Tests, i)
		case token.ADD, token.SUB:
			t.f.Uses = append(t.f.Uses, i)
		}
	case *ssa.UnOp, *ssa.FieldAddr, *ssa.IndexAddr, *ssa.Slice, *ssa.Field, *ssa.SliceToArrayPointer, *ssa.MultiConvert:
		t.f.Uses = append(t.f.Uses, i)
	case *ssa.DebugRef, *ssa.If:
	case *ssa.Store:
		if i.Val == v {
			t.store(i)
		} else {
			t.f.Uses = append(t.f.Uses, i)
		}
	case *ssa.Return:
		t.escape(i, Returned)
	case *ssa.MakeClosure:
		t.closure(i, v, false)
	case ssa.CallInstruction:
		t.call(i, v)
	default: // MapUpdate, Send, Select, Panic, MakeSlice...
		t.escape(i, Stored)
	}
}

func pointerish(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Pointer, *types.Interface:
		return true
	case *types.Basic:
		return t.Kind() == types.UnsafePointer || t.Kind() == types.Uintptr
	case *types.Struct:
		return true
	}
	return false
}

// store follows v into a variable of the function, and gives up where it goes elsewhere.
func (t *tracker) store(i *ssa.Store) {
	switch a := i.Addr.(type) {
	case *ssa.Alloc:
		t.variable(a)
	default:
		t.escape(i, Stored)
	}
}

func (t *tracker) variable(a *ssa.Alloc) {
	if t.f.Alloc[a] {
		return
	}
	t.f.Alloc[a] = true
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.Store:
			if r.Val == a {
				t.escape(r, Stored)
			}
		case *ssa.UnOp:
			t.value(r)
		case *ssa.MakeClosure:
			t.closure(r, a, true)
		case *ssa.DebugRef:
		case *ssa.FieldAddr, *ssa.IndexAddr:
			t.f.Uses = append(t.f.Uses, r)
			if t.out {
				for _, rr := range *r.(ssa.Value).Referrers() {
					if load, ok := rr.(*ssa.UnOp); ok && pointerish(load.Type()) {
						t.value(load)
					}
				}
			}
		default:
			t.address(r, a)
		}
	}
}

// address follows the address of a variable: into a C function that fills it or frees what it holds.
func (t *tracker) address(r ssa.Instruction, v ssa.Value) {
	switch r := r.(type) {
	case *ssa.ChangeType, *ssa.Convert:
		if t.out {
			for _, rr := range *r.(ssa.Value).Referrers() {
				t.address(rr, r.(ssa.Value))
			}
			return
		}
	case ssa.CallInstruction:
		name := CName(r)
		if name == "" {
			break
		}
		for n, a := range r.Common().Args {
			if a != v {
				continue
			}
			out, fills := t.u.Book.Out[name]
			switch {
			case fills && out.Arg == n:
				t.f.Uses = append(t.f.Uses, r)
			case t.u.Role(name, n) == ctext.Frees:
				t.f.Frees = append(t.f.Frees, r)
			default:
				t.escape(r, Passed)
			}
		}
		return
	case *ssa.DebugRef:
		return
	}
	t.escape(r, Passed)
}

// closure follows v into a closure that captures it; by says that the closure sees the variable, not the value.
func (t *tracker) closure(mk *ssa.MakeClosure, v ssa.Value, by bool) {
	fn := mk.Fn.(*ssa.Function) // always
	for n, b := range mk.Bindings {
		if b == v {
			t.captured(mk, fn.FreeVars[n], by)
		}
	}
}

func (t *tracker) captured(mk *ssa.MakeClosure, free *ssa.FreeVar, by bool) {
	if t.depth > 6 {
		t.escape(mk, Passed)
		return
	}
	inner := t.u.tracker(t.depth + 1)
	if by {
		for _, r := range *free.Referrers() {
			switch r := r.(type) {
			case *ssa.UnOp:
				inner.value(r)
			case *ssa.Store:
				if r.Val == free {
					inner.escape(r, Stored)
				}
			case *ssa.DebugRef:
			case *ssa.MakeClosure:
				inner.closure(r, free, true)
			default:
				inner.f.Uses = append(inner.f.Uses, r)
			}
		}
	} else {
		inner.value(free)
	}
	inner.follow()
	// Where is the closure run?
	elsewhere := false
	for _, r := range *mk.Referrers() {
		switch r := r.(type) {
		case ssa.CallInstruction:
			if r.Common().Value == mk {
				t.inside(r, inner.f)
			} else {
				elsewhere = true
			}
		case *ssa.DebugRef:
		default:
			elsewhere = true
		}
	}
	t.f.CArgs = append(t.f.CArgs, inner.f.CArgs...)
	if elsewhere {
		if len(inner.f.Frees) > 0 || len(inner.f.Escapes) > 0 {
			t.escape(mk, Passed)
		} else {
			t.f.Uses = append(t.f.Uses, mk)
		}
	}
}

func (t *tracker) inside(at ssa.Instruction, inner *Flow) {
	switch {
	case len(inner.Frees) > 0:
		t.f.Frees = append(t.f.Frees, at)
	case len(inner.Escapes) > 0:
		t.escape(at, inner.Escapes[0].Kind)
	default:
		t.f.Uses = append(t.f.Uses, at)
	}
}

func (t *tracker) call(i ssa.CallInstruction, v ssa.Value) {
	c := i.Common()
	if c.Value == v && !c.IsInvoke() {
		t.f.Uses = append(t.f.Uses, i)
		return
	}
	if c.IsInvoke() {
		t.escape(i, Passed)
		return
	}
	name := t.u.Callee(i)
	for n, a := range c.Args {
		if a != v {
			continue
		}
		if fn, ok := t.u.Imported[name]; ok {
			switch p := fn.role(n); {
			case p.Back && i.Value() != nil:
				t.value(i.Value())
				continue
			case p.Role == ctext.Unknown:
				t.escape(i, Passed)
				continue
			}
		}
		if name != "" {
			role := t.u.Role(name, n)
			if (role == ctext.Unknown || role == ctext.Borrows) && t.u.destroyed(c.Args) == n {
				role = ctext.Takes
			}
			t.f.CArgs = append(t.f.CArgs, CArg{i, name, n, role})
			switch role {
			case ctext.Frees:
				t.f.Frees = append(t.f.Frees, i)
			case ctext.Takes:
				t.escape(i, Given)
			case ctext.Retains:
				t.escape(i, Kept)
			default:
				t.f.Uses = append(t.f.Uses, i)
			}
			continue
		}
		switch b := c.Value.(type) {
		case *ssa.Builtin:
			if b.Name() == "append" {
				t.escape(i, Stored)
			} else {
				t.f.Uses = append(t.f.Uses, i)
			}
			continue
		}
		fn := c.StaticCallee()
		if fn == nil {
			t.escape(i, Passed)
			continue
		}
		switch {
		case fn.Blocks != nil && t.depth < 4 && n < len(fn.Params):
			// A function of the same package: what does it do with the parameter?
			inner := t.u.param(fn, n, t.depth+1)
			t.f.CArgs = append(t.f.CArgs, inner.CArgs...)
			if len(inner.Frees) == 0 && len(inner.Escapes) == 1 && inner.Escapes[0].Kind == Returned && i.Value() != nil {
				t.value(i.Value()) // it gives back what it got
				continue
			}
			t.inside(i, inner)
		case borrowing(fn):
			t.f.Uses = append(t.f.Uses, i)
		default:
			t.escape(i, Passed)
		}
	}
}

// destroyed is the argument of a C call that the library frees by a C function given behind it, or -1: the nearest pointer
// before that function.
func (u *Unit) destroyed(args []ssa.Value) int {
	for d, a := range args {
		edges := []ssa.Value{Root(a)}
		if phi, ok := edges[0].(*ssa.Phi); ok {
			edges = phi.Edges
		}
		if !slices.ContainsFunc(edges, u.freeing) {
			continue
		}
		for n := d - 1; n >= 0; n-- {
			if pointerish(args[n].Type()) {
				return n
			}
		}
	}
	return -1
}

// freeing reports whether a value is the address of a C function that frees.
func (u *Unit) freeing(v ssa.Value) bool {
	load, ok := Root(v).(*ssa.UnOp)
	if !ok {
		return false
	}
	g, ok := load.X.(*ssa.Global)
	if !ok {
		return false
	}
	name, ok := strings.CutPrefix(g.Name(), "_Cfpvar_fp_")
	return ok && (name == "free" || u.Frees(name))
}

// borrowing reports whether a Go function of another package only looks at its arguments.
func borrowing(fn *ssa.Function) bool {
	if fn.Pkg == nil {
		return false
	}
	switch fn.Pkg.Pkg.Path() {
	case "fmt", "log", "errors", "strings", "bytes", "unsafe", "strconv", "log/slog":
		return true
	case "runtime":
		return fn.Name() == "KeepAlive" || fn.Name() == "Pin"
	}
	return Crossing(fn.String())
}

// param is the flow of parameter n of fn.
func (u *Unit) param(fn *ssa.Function, n, depth int) *Flow {
	p := fn.Params[n]
	if f, ok := u.flows[p]; ok {
		return f
	}
	t := u.tracker(depth)
	u.keep(p, t.f) // recursion finds nothing
	t.value(p)
	t.follow()
	return t.f
}

// Role says what C function name does with its argument i: as a spec file says, as its body shows, as its type says, or
// as the callers here treat it.
func (u *Unit) Role(name string, i int) ctext.Role {
	if fn, ok := u.Imported[name]; ok {
		return fn.role(i).Role
	}
	if r := u.Book.Role(name, i); r != ctext.Unknown {
		return r
	}
	if r := u.C.Role(name, i, u.Book.Role); r != ctext.Unknown {
		return r
	}
	if p := u.Params[name]; i < len(p) && (ctext.Param{Type: p[i]}).Const() {
		return ctext.Borrows
	}
	if fn := u.C.Funcs[name]; fn != nil && i < len(fn.Params) && fn.Params[i].Const() {
		return ctext.Borrows
	}
	if i == 0 && u.Frees(name) {
		return ctext.Frees
	}
	return ctext.Unknown
}

// Frees reports whether the name of a C function says that it frees its first argument, or a spec file does.
func (u *Unit) Frees(name string) bool {
	if fn, ok := u.Imported[name]; ok {
		return fn.role(0).Role == ctext.Frees
	}
	if u.Book.Free[name] {
		return true
	}
	if fn := u.C.Funcs[name]; fn != nil && fn.Body != nil {
		return u.C.Role(name, 0, u.Book.Role) == ctext.Frees
	}
	return releasing(name)
}

func releasing(name string) bool {
	words := Words(name)
	if len(words) == 0 {
		return false
	}
	return slices.Contains([]string{"free", "destroy", "delete", "release", "unref", "dispose", "cleanup", "close"}, words[len(words)-1])
}

// Registers reports whether the name of a C function says that it keeps what it is given for later.
func Registers(name string) bool {
	for _, w := range Words(name) {
		switch w {
		case "set", "register", "add", "new", "create", "init", "open", "start", "async", "submit", "subscribe", "on", "attach", "connect", "install", "enqueue", "bind":
			return true
		}
	}
	return false
}

// Words splits a C name, of either style, into words in lower case.
func Words(name string) []string {
	var out []string
	start := 0
	flush := func(end int) {
		if end > start {
			out = append(out, strings.ToLower(name[start:end]))
		}
		start = end
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '_':
			flush(i)
			start = i + 1
		case c >= 'A' && c <= 'Z' && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush(i)
		}
	}
	flush(len(name))
	return out
}

// Known reports whether it is known that C function name does no more than look at its argument i. Beside [Unit.Role] it
// takes for an answer that a caller of this package frees what it has given there.
func (u *Unit) Known(name string, i int) bool {
	if u.Role(name, i) == ctext.Borrows {
		return true
	}
	if u.evidence == nil {
		u.evidence = map[string]bool{}
		for call, alloc := range u.Calls() {
			if u.Book.New[alloc] == "" || call.Value() == nil {
				continue
			}
			if f := u.Track(call.Value()); len(f.Frees) > 0 && len(f.Escapes) == 0 {
				for _, a := range f.CArgs {
					u.evidence[fmt.Sprint(a.Name, a.Arg)] = true
				}
			}
		}
	}
	return u.evidence[fmt.Sprint(name, i)]
}

// Calls are the C calls of the unit.
func (u *Unit) Calls() func(yield func(ssa.CallInstruction, string) bool) {
	return func(yield func(ssa.CallInstruction, string) bool) {
		for _, fn := range u.Funcs {
			for _, b := range fn.Blocks {
				for _, i := range b.Instrs {
					if call, ok := i.(ssa.CallInstruction); ok {
						if name := CName(call); name != "" && !yield(call, name) {
							return
						}
					}
				}
			}
		}
	}
}

// Instrs calls f for each instruction of the unit.
func (u *Unit) Instrs(f func(fn *ssa.Function, i ssa.Instruction)) {
	for _, fn := range u.Funcs {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				f(fn, i)
			}
		}
	}
}

// Root follows conversions back to where a value comes from.
func Root(v ssa.Value) ssa.Value {
	for range 64 {
		switch x := v.(type) {
		case *ssa.ChangeType:
			v = x.X
		case *ssa.Convert:
			v = x.X
		case *ssa.MakeInterface:
			v = x.X
		case *ssa.ChangeInterface:
			v = x.X
		default:
			return v
		}
	}
	return v
}

// Base follows conversions, indexing and slicing back to the object that a pointer points into.
func Base(v ssa.Value) ssa.Value {
	for range 64 {
		switch x := Root(v).(type) {
		case *ssa.IndexAddr:
			v = x.X
		case *ssa.FieldAddr:
			v = x.X
		case *ssa.Slice:
			v = x.X
		case *ssa.Call:
			if n := GoName(x); (n == "SliceData" || n == "StringData") && len(x.Call.Args) == 1 {
				v = x.Call.Args[0]
				continue
			}
			return x
		default:
			return x
		}
	}
	return v
}
