package pjrttest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// plugin is the plugin under test as its checks see it: the table, and what is made once for all checks.
type plugin struct {
	table   *pjrtc.Table
	api     pjrtc.Ptr[pjrtc.Api]
	again   pjrtc.Ptr[pjrtc.Api] // what GetPjrtApi says the second time
	chain   []pjrtc.Link
	broken  error // of the chain
	options []value
	patient time.Duration // how long an event may take

	client     pjrtc.Ptr[pjrtc.Client]
	clientErr  error
	asked      bool
	executable map[string]loaded
}

// loaded is a program that is compiled once and shared by the checks that do not change it.
type loaded struct {
	exe pjrtc.Ptr[pjrtc.LoadedExecutable]
	err error
}

// value is a named value of a client's options: a string, int64, []int64, float32 or bool.
type value struct {
	name  string
	value any
}

// nativeError is an error that the plugin gave.
type nativeError struct {
	what string
	code pjrtc.ErrorCode
	msg  string
}

func (e *nativeError) Error() string { return fmt.Sprintf("%s: %v: %s", e.what, e.code, e.msg) }

// missing says that the plugin lacks a function or an extension.
type missing struct{ name string }

func (m *missing) Error() string { return "no " + m.name }

// ending stops a check with a result. It never leaves the package: the runner takes it.
type ending struct {
	result Result
	detail string
}

// probe is one check under way. Its methods are for one goroutine; [probe.fork] makes one for another.
type probe struct {
	*plugin
	frame   *call.Frame
	undo    []func()
	details []string
}

func newProbe(p *plugin) *probe { return &probe{plugin: p, frame: call.Get()} }

// end undoes what the check made, last first. Failures to undo are not the check's subject.
func (t *probe) end() {
	for len(t.undo) > 0 {
		last := t.undo[len(t.undo)-1]
		t.undo = t.undo[:len(t.undo)-1]
		last()
	}
	t.frame.Put()
}

// after has f called when the check ends.
func (t *probe) after(f func()) { t.undo = append(t.undo, f) }

// note adds to what the report says of the check.
func (t *probe) note(format string, a ...any) {
	t.details = append(t.details, fmt.Sprintf(format, a...))
}

func (t *probe) fail(format string, a ...any) { panic(ending{Fail, fmt.Sprintf(format, a...)}) }
func (t *probe) skip(format string, a ...any) { panic(ending{Skip, fmt.Sprintf(format, a...)}) }
func (t *probe) lacks(format string, a ...any) {
	panic(ending{Unsupported, fmt.Sprintf(format, a...)})
}

// want fails the check unless ok.
func (t *probe) want(ok bool, format string, a ...any) {
	if !ok {
		t.fail(format, a...)
	}
}

// args is the argument struct of a slot.
type args[A any] interface {
	*A
	pjrtc.Args
}

// place copies a struct to where C may keep looking at it until the check ends.
func place[A any](t *probe, v *A) *A {
	n, err := call.New[A](t.frame)
	if err != nil {
		t.fail("no memory for a call: %v", err)
	}
	*n = *v
	return n
}

// list copies a list likewise; an empty one has an address too.
func list[T any](t *probe, v ...T) pjrtc.Ptr[T] {
	s, err := call.Slice[T](t.frame, max(len(v), 1))
	if err != nil {
		t.fail("no memory for a list: %v", err)
	}
	copy(s, v)
	return pjrtc.ToSlice(s)
}

// text copies text likewise.
func text(t *probe, s string) pjrtc.Ptr[byte] {
	a, err := t.frame.Text(s)
	if err != nil {
		t.fail("no memory for a text: %v", err)
	}
	return pjrtc.Ptr[byte](a)
}

// try calls the function of a and returns its results and its error.
func try[A any, P args[A]](t *probe, a P) (P, error) {
	n := P(place(t, (*A)(a)))
	if !t.table.Has(n.Slot()) {
		return n, &missing{n.Slot().String()}
	}
	return n, t.take(n.Slot().String(), pjrtc.Call(t.table, t.frame, n))
}

// do is try that has to succeed: a missing or unimplemented function makes the check unsupported, another error makes
// it fail.
func do[A any, P args[A]](t *probe, a P) P {
	n, err := try[A](t, a)
	t.must(err)
	return n
}

// optional is do for functions that a plugin need not offer: any error says that it does not.
func optional[A any, P args[A]](t *probe, a P) P {
	n, err := try[A](t, a)
	if err != nil {
		t.lacks("%v", err)
	}
	return n
}

// refuse calls a function that has to give an error, with a text and a code.
func refuse[A any, P args[A]](t *probe, why string, a P) *nativeError {
	_, err := try[A](t, a)
	var m *missing
	if errors.As(err, &m) {
		t.lacks("%v", err)
	}
	var e *nativeError
	if !errors.As(err, &e) {
		t.fail("%v accepts %s", a.Slot(), why)
	}
	if e.code == pjrtc.ErrorCodeUNIMPLEMENTED {
		t.lacks("%v", err)
	}
	t.note("%s: %v", why, e.code)
	return e
}

// quiet calls a function and forgets what it says: for what is undone at the end.
func quiet[A any, P args[A]](t *probe, a P) { _, _ = try[A](t, a) }

// must ends the check unless err is nil.
func (t *probe) must(err error) {
	var m *missing
	var e *nativeError
	switch {
	case err == nil:
	case errors.As(err, &m), errors.As(err, &e) && e.code == pjrtc.ErrorCodeUNIMPLEMENTED:
		t.lacks("%v", err)
	default:
		t.fail("%v", err)
	}
}

// take reads an error of the plugin's and destroys it.
func (t *probe) take(what string, e pjrtc.Ptr[pjrtc.Error]) error {
	if x := t.frame.Thrown(); x != nil {
		return fmt.Errorf("%s: %w", what, x)
	}
	if e == 0 {
		return nil
	}
	out := &nativeError{what: what}
	f := call.Get()
	defer f.Put()
	if a, err := call.New[pjrtc.ErrorMessageArgs](f); err == nil && t.table.Has(a.Slot()) {
		a.Error = e
		pjrtc.Call(t.table, f, a)
		out.msg = mem.String(a.Message, a.MessageSize, 1<<16)
	}
	if a, err := call.New[pjrtc.ErrorGetCodeArgs](f); err == nil && t.table.Has(a.Slot()) {
		a.Error = e
		pjrtc.Call(t.table, f, a)
		out.code = a.Code
	}
	if a, err := call.New[pjrtc.ErrorDestroyArgs](f); err == nil && t.table.Has(a.Slot()) {
		a.Error = e
		pjrtc.Call(t.table, f, a)
	}
	return out
}

// extension finds a function of an extension.
func (t *probe) extension(e pjrtc.ExtFunc) (pjrtc.Func, error) {
	name := pjrtc.Extensions()[e.Type].Name
	for _, l := range t.chain {
		if l.Type == e.Type {
			if fn := l.Func(e.Offset); fn != 0 {
				return fn, nil
			}
			return 0, &missing{"function " + e.Name + " in extension " + name}
		}
	}
	return 0, &missing{"extension " + name}
}

// extArgs is the argument struct of an extension's function.
type extArgs[A any] interface {
	*A
	pjrtc.ExtArgs
}

// tryExt is try for a function of an extension.
func tryExt[A any, P extArgs[A]](t *probe, a P) (P, error) {
	n := place(t, (*A)(a))
	e := P(n).ExtFunc()
	fn, err := t.extension(e)
	if err != nil {
		return n, err
	}
	return n, t.take(e.Name, pjrtc.CallExt(fn, e, t.frame, n))
}

// doExt is do for a function of an extension.
func doExt[A any, P extArgs[A]](t *probe, a P) P {
	n, err := tryExt[A](t, a)
	t.must(err)
	return n
}

// str reads text of the plugin's, which must have an address if it has a length.
func (t *probe) str(what string, p pjrtc.Ptr[byte], n uint64) string {
	t.want(n == 0 || p != 0, "%s has %d bytes and no address", what, n)
	t.want(n < 1<<20, "%s has %d bytes", what, n)
	return mem.String(p, n, 1<<20)
}

// items reads an array of the plugin's.
func items[T any](t *probe, what string, p pjrtc.Ptr[T], n uint64) []T {
	t.want(n < 1<<20, "%s: %d of them", what, n)
	s, err := p.Slice(n)
	if err != nil {
		t.fail("%s: %v", what, err)
	}
	return append([]T(nil), s...)
}

// values reads named values of the plugin's into Go's.
func (t *probe) values(what string, p pjrtc.Ptr[pjrtc.NamedValue], n uint64) map[string]any {
	out := map[string]any{}
	for i, v := range items(t, what, p, n) {
		name := t.str(fmt.Sprintf("the name of %s %d", what, i), v.Name, v.NameSize)
		t.want(name != "", "%s %d has no name", what, i)
		_, twice := out[name]
		t.want(!twice, "%s: two are named %q", what, name)
		switch v.Type {
		case pjrtc.NamedValueKString:
			out[name] = t.str(name, pjrtc.Ptr[byte](v.Value), v.ValueSize)
		case pjrtc.NamedValueKInt64:
			out[name] = int64(v.Value)
		case pjrtc.NamedValueKInt64List:
			out[name] = items(t, name, pjrtc.Ptr[int64](v.Value), v.ValueSize)
		case pjrtc.NamedValueKFloat:
			out[name] = float32frombits(v.Value)
		case pjrtc.NamedValueKBool:
			out[name] = v.Value&0xff != 0
		default:
			t.fail("%s: %q is of the unknown kind %d", what, name, v.Type)
		}
	}
	return out
}

// named writes named values for the plugin.
func (t *probe) named(vs []value) (pjrtc.Ptr[pjrtc.NamedValue], uint64) {
	out := make([]pjrtc.NamedValue, len(vs))
	for i, v := range vs {
		o := &out[i]
		o.SetSize()
		o.Name, o.NameSize, o.ValueSize = text(t, v.name), uint64(len(v.name)), 1
		switch x := v.value.(type) {
		case string:
			o.Type, o.Value, o.ValueSize = pjrtc.NamedValueKString, uint64(text(t, x)), uint64(len(x))
		case int64:
			o.Type, o.Value = pjrtc.NamedValueKInt64, uint64(x)
		case []int64:
			o.Type, o.Value, o.ValueSize = pjrtc.NamedValueKInt64List, uint64(list(t, x...)), uint64(len(x))
		case float32:
			o.Type, o.Value = pjrtc.NamedValueKFloat, float32bits(x)
		case bool:
			o.Type = pjrtc.NamedValueKBool
			if x {
				o.Value = 1
			}
		}
	}
	return list(t, out...), uint64(len(vs))
}

// summary is what the check noted, in one line.
func (t *probe) summary() string { return short(strings.Join(t.details, "; ")) }

// short is the first line of s, cut to what a report has room for.
func short(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:197]) + "..."
	}
	return s
}
