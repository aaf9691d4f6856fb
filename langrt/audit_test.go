package langrt_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

// audit is one of the audit's tests: in a scope of its own, at whose end nothing may be left.
type audit struct {
	*testing.T
	s   *langrt.Scope
	ctx context.Context
}

type auditTest struct {
	name string
	run  func(a audit)
}

// audited are the audit's tests by area, as cmd/libisthmus has them in C.
var audited = map[string][]auditTest{
	"arrays": arrays, "tuples": tuples, "strings": texts, "dicts": dicts, "objects": objects, "closures": closures, "enums": enums,
	"uniques": uniques, "files": files,
}

// TestAudit runs the audit's tests through Go's API. R01 R02 R03 R04 R05 R06 R07 R08 R09 R10 R11 R12 R13
func TestAudit(t *testing.T) {
	all := maps.Clone(audited)
	maps.Copy(all, plane)
	for area, tests := range all {
		t.Run(area, func(t *testing.T) {
			for _, x := range tests {
				t.Run(x.name, func(t *testing.T) {
					nothingLeft(t)
					within(t, func(s *langrt.Scope) error {
						x.run(audit{t, s, t.Context()})
						return nil
					})
				})
			}
		})
	}
}

// is fails the test when a result is not the one that is wanted, or comes with an error.
func (a audit) is(want any) func(got any, err error) {
	return func(got any, err error) {
		a.Helper()
		if err != nil || got != want {
			a.Errorf("%v, %v, want %v", got, err, want)
		}
	}
}

func (a audit) ok(errs ...error) {
	a.Helper()
	if err := errors.Join(errs...); err != nil {
		a.Error(err)
	}
}

func (a audit) text(x string) langrt.Value {
	a.Helper()
	return must[langrt.String](a)(langrt.NewString(a.s, x)).Value
}

func (a audit) array(elems ...langrt.Value) langrt.Array {
	a.Helper()
	return must[langrt.Array](a)(langrt.ArrayOf(a.s, elems...))
}

func (a audit) dict() langrt.Dict {
	a.Helper()
	return must[langrt.Dict](a)(langrt.NewDict(a.s, 0))
}

func (a audit) object(class uint32, n int) langrt.Object {
	a.Helper()
	return must[langrt.Object](a)(langrt.NewObject(a.s, class, n))
}

func (a audit) closure(n int) langrt.Closure {
	a.Helper()
	return must[langrt.Closure](a)(langrt.NewClosure(a.s, langrt.Func{}, n))
}

// refused takes what an operation returned, and wants an error.
func (a audit) refused(want error) func(_ any, err error) {
	return func(_ any, err error) {
		a.Helper()
		wants(a, err, want)
	}
}

// gone is an object of that view that was let go. The thread that ran it lets go too, in a moment.
func gone[T interface{ Live() bool }](a audit, x T, v langrt.Value) T {
	a.Helper()
	a.ok(a.s.Keep(v), langrt.Release(v))
	for limit := time.Now().Add(time.Minute); x.Live(); runtime.Gosched() {
		if time.Now().After(limit) {
			a.Fatal("it lives after its last release")
		}
	}
	return x
}

var n = langrt.Int

var arrays = []auditTest{
	{"test_array_new", func(a audit) { a.is(0)(a.array().Len()) }},
	{"test_array_new_refuses_sizes", func(a audit) {
		for _, size := range []int{-1, 1 << 31, 1 << 61} {
			a.refused(isthmus.ErrBounds)(langrt.NewArray(a.s, size))
		}
	}},
	{"test_array_push_and_get", func(a audit) {
		x := a.array()
		a.ok(x.Push(n(1)), x.Push(n(2)))
		a.is(n(1))(x.Get(0))
		a.is(n(2))(x.Get(1))
		a.refused(isthmus.ErrBounds)(x.Get(2))
	}},
	{"test_array_negative_index", func(a audit) {
		x := a.array(n(1), n(2), n(3))
		a.is(n(3))(x.Get(-1))
		a.is(n(1))(x.Get(-3))
		a.refused(isthmus.ErrBounds)(x.Get(-4))
	}},
	{"test_array_set", func(a audit) {
		x := a.array(n(1), n(2))
		a.ok(x.Set(0, n(7)), x.Set(-1, n(8)))
		a.is(n(7))(x.Get(0))
		a.is(n(8))(x.Get(1))
		wants(a, x.Set(2, n(0)), isthmus.ErrBounds)
	}},
	{"test_array_pop", func(a audit) {
		x := a.array(n(1), n(2))
		a.is(n(2))(x.Pop(a.s))
		a.is(n(1))(x.Pop(a.s))
		a.refused(langrt.Empty)(x.Pop(a.s))
	}},
	{"test_array_clear", func(a audit) {
		x := a.array(a.text("held"), n(2))
		a.ok(x.Clear())
		a.is(0)(x.Len())
	}},
	{"test_array_growth", func(a audit) {
		x := a.array()
		for i := range int64(10_000) {
			a.ok(x.Push(n(i)))
		}
		a.is(10_000)(x.Len())
		for i, v := range x.All() {
			if v != n(int64(i)) {
				a.Fatalf("element %d is %v", i, v)
			}
		}
	}},
	{"test_array_holds_what_it_counts", func(a audit) {
		v := a.text("held")
		x := a.array(v)
		a.ok(a.s.Keep(v), langrt.Release(v))
		a.is("held")(langrt.As[string](v))
		a.ok(x.Set(0, langrt.Nil()))
		a.refused(isthmus.ErrClosed)(langrt.As[string](v))
	}},
	{"test_array_invalid", func(a audit) {
		x := a.array()
		wants(a, gone(a, x, x.Value).Push(n(1)), isthmus.ErrClosed)
		wants(a, langrt.Array{Value: a.text("no array")}.Push(n(1)), isthmus.ErrInvalid)
	}},
	{"test_array_nested", func(a audit) {
		x := a.array(a.array(n(5)).Value)
		inner := must[langrt.Array](a)(langrt.As[langrt.Array](must[langrt.Value](a)(x.Get(0))))
		a.is(n(5))(inner.Get(0))
	}},
}

var tuples = []auditTest{
	{"test_tuple_new", func(a audit) { a.is(3)(must[langrt.Tuple](a)(langrt.NewTuple(a.s, 3)).Len()) }},
	{"test_tuple_initialisation", func(a audit) {
		for _, v := range must[langrt.Tuple](a)(langrt.NewTuple(a.s, 100)).All() {
			if !v.IsNil() {
				a.Errorf("%v, want nil", v)
			}
		}
	}},
	{"test_tuple_get_set", func(a audit) {
		x := must[langrt.Tuple](a)(langrt.TupleOf(a.s, n(1), n(2)))
		a.ok(x.Set(1, a.text("two")))
		a.is(n(1))(x.Get(0))
		a.is("two")(langrt.As[string](must[langrt.Value](a)(x.Get(1))))
	}},
	{"test_tuple_out_of_range", func(a audit) {
		x := must[langrt.Tuple](a)(langrt.NewTuple(a.s, 2))
		a.refused(isthmus.ErrBounds)(x.Get(2))
		a.refused(isthmus.ErrBounds)(x.Get(-1))
		wants(a, x.Set(2, n(1)), isthmus.ErrBounds)
	}},
	{"test_tuple_frozen", func(a audit) {
		x := must[langrt.Tuple](a)(langrt.TupleOf(a.s, n(1)))
		a.ok(langrt.Freeze(x.Value))
		wants(a, x.Set(0, n(2)), langrt.Frozen)
		a.is(n(1))(x.Get(0))
	}},
}

var texts = []auditTest{
	{"test_string_new", func(a audit) { a.is("hello")(langrt.As[string](a.text("hello"))) }},
	{"test_string_empty", func(a audit) {
		a.is(0)(langrt.String{Value: a.text("")}.Len())
		a.is("")(langrt.As[string](a.text("")))
	}},
	{"test_string_bytes", func(a audit) {
		b := []byte{0, 255, 'x', 0}
		x := must[langrt.String](a)(langrt.NewBytes(a.s, b))
		if got, err := x.Bytes(); err != nil || !slices.Equal(got, b) {
			a.Errorf("%v, %v", got, err)
		}
	}},
	{"test_string_concat", func(a audit) {
		x, y := langrt.String{Value: a.text("con")}, langrt.String{Value: a.text("cat")}
		a.is("concat")(must[langrt.String](a)(x.Concat(a.s, y)).Text())
		a.is("concon")(must[langrt.String](a)(x.Concat(a.s, x)).Text())
	}},
	{"test_string_long", func(a audit) {
		long := strings.Repeat("0123456789", 100_000)
		a.is(long)(langrt.As[string](a.text(long)))
	}},
	{"test_string_invalid", func(a audit) {
		x := langrt.String{Value: a.text("x")}
		a.refused(isthmus.ErrInvalid)(langrt.String{Value: a.array().Value}.Len())
		a.refused(isthmus.ErrInvalid)(x.Concat(a.s, langrt.String{Value: a.array().Value}))
		a.refused(isthmus.ErrClosed)(gone(a, x, x.Value).Text())
	}},
}

var dicts = []auditTest{
	{"test_dict_new", func(a audit) { a.is(0)(a.dict().Len()) }},
	{"test_dict_set_and_get", func(a audit) {
		d := a.dict()
		a.ok(d.Set(n(1), n(10)), d.Set(langrt.Bool(true), n(20)))
		a.is(n(10))(d.Get(n(1)))
		a.is(n(20))(d.Get(langrt.Bool(true)))
	}},
	{"test_dict_overwrite", func(a audit) {
		d := a.dict()
		a.ok(d.Set(n(1), a.text("old")), d.Set(n(1), n(2)))
		a.is(n(2))(d.Get(n(1)))
		a.is(1)(d.Len())
	}},
	{"test_dict_string_keys", func(a audit) {
		d := a.dict()
		a.ok(d.Set(a.text("key"), n(1)))
		a.is(n(1))(d.Get(a.text("key"))) // by content
		a.is(n(1))(d.GetText("key"))
		a.refused(isthmus.ErrNotFound)(d.GetText("kex"))
	}},
	{"test_dict_growth", func(a audit) {
		d := a.dict()
		for i := range int64(5000) {
			a.ok(d.SetText(fmt.Sprint(i), n(i)))
		}
		a.is(5000)(d.Len())
		for i := range int64(5000) {
			a.is(n(i))(d.GetText(fmt.Sprint(i)))
		}
	}},
	{"test_dict_clear", func(a audit) {
		d := a.dict()
		a.ok(d.Set(n(1), a.text("held")), d.Clear())
		a.is(0)(d.Len())
		a.is(false)(d.Has(n(1)))
	}},
	{"test_dict_missing_and_nil", func(a audit) {
		d := a.dict()
		a.ok(d.Set(n(1), langrt.Nil()))
		a.is(langrt.Nil())(d.Get(n(1)))
		a.is(true)(d.Has(n(1)))
		a.refused(isthmus.ErrNotFound)(d.Get(n(2)))
		wants(a, d.Set(langrt.Nil(), n(1)), langrt.NoKey)
	}},
	{"test_dict_remove_and_walk", func(a audit) {
		d := a.dict()
		for i := range int64(10) {
			a.ok(d.Set(n(i), n(i*i)))
		}
		a.ok(d.Remove(n(3)), d.Remove(n(7)))
		wants(a, d.Remove(n(3)), isthmus.ErrNotFound)
		var keys []int64
		for k := range d.All() {
			i, _ := k.Int()
			keys = append(keys, i)
		}
		if !slices.Equal(keys, []int64{0, 1, 2, 4, 5, 6, 8, 9}) {
			a.Error(keys)
		}
	}},
	{"test_dict_float_keys", func(a audit) {
		d := a.dict()
		big := must[langrt.Value](a)(langrt.Float(a.s, 1e300))
		again := must[langrt.Value](a)(langrt.Float(a.s, 1e300))
		a.ok(d.Set(big, n(1)))
		a.is(n(1))(d.Get(again)) // by value
	}},
	{"test_dict_invalid", func(a audit) {
		d := a.dict()
		wants(a, d.Set(langrt.FromWord(5), n(1)), isthmus.ErrInvalid)
		wants(a, langrt.Dict{Value: a.array().Value}.Clear(), isthmus.ErrInvalid)
		wants(a, gone(a, d, d.Value).Set(n(1), n(1)), isthmus.ErrClosed)
	}},
}

var objects = []auditTest{
	{"test_object_new", func(a audit) {
		a.is(uint32(7))(a.object(7, 3).Class())
		a.is(3)(a.object(7, 3).Len())
	}},
	{"test_object_fields_begin_as_nil", func(a audit) {
		o := a.object(1, 50)
		for i := range 50 {
			a.is(langrt.Nil())(o.Get(i))
		}
	}},
	{"test_object_field_set_get", func(a audit) {
		o := a.object(1, 2)
		a.ok(o.Set(0, n(5)), o.Set(1, a.text("field")))
		a.is(n(5))(o.Get(0))
		a.is("field")(langrt.As[string](must[langrt.Value](a)(o.Get(1))))
	}},
	{"test_object_field_out_of_range", func(a audit) {
		o := a.object(1, 2)
		a.refused(isthmus.ErrBounds)(o.Get(2))
		a.refused(isthmus.ErrBounds)(o.Get(-1))
		wants(a, o.Set(2, n(1)), isthmus.ErrBounds)
	}},
	{"test_object_class_ids", func(a audit) {
		for _, class := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
			a.is(class)(a.object(class, 0).Class())
		}
	}},
	{"test_object_nested", func(a audit) {
		inner, outer := a.object(2, 1), a.object(1, 1)
		a.ok(inner.Set(0, n(9)), outer.Set(0, inner.Value))
		got := must[langrt.Object](a)(langrt.As[langrt.Object](must[langrt.Value](a)(outer.Get(0))))
		a.is(n(9))(got.Get(0))
	}},
	{"test_object_cycle", func(a audit) {
		x, y := must[langrt.Object](a)(langrt.NewObject(nil, 1, 1)), must[langrt.Object](a)(langrt.NewObject(nil, 1, 1))
		a.ok(x.Set(0, y.Value), y.Set(0, x.Value), langrt.Release(x.Value), langrt.Release(y.Value))
		if !x.Live() {
			a.Error("a circle died by itself")
		}
		if langrt.Collect(); x.Live() || y.Live() {
			a.Error("a circle that nobody has lives")
		}
	}},
	{"test_object_invalid", func(a audit) {
		o := a.object(1, 1)
		a.refused(isthmus.ErrInvalid)(langrt.Object{Value: a.closure(1).Value}.Class())
		a.refused(isthmus.ErrClosed)(gone(a, o, o.Value).Len())
	}},
}

var closures = []auditTest{
	{"test_closure_new", func(a audit) { a.is(2)(a.closure(2).Len()) }},
	{"test_closure_func_ptr", func(a audit) {
		f := must[langrt.Func](a)(a.closure(0).Func())
		if !f.IsNil() {
			a.Error("a function out of nothing")
		}
		a.is(f)(must[langrt.Closure](a)(langrt.NewClosure(a.s, f, 1)).Func())
	}},
	{"test_closure_captures", func(a audit) {
		c := a.closure(2)
		v := a.text("captured")
		a.ok(c.Set(0, v), c.Set(1, n(2)), a.s.Keep(v), langrt.Release(v))
		a.is("captured")(langrt.As[string](must[langrt.Value](a)(c.Get(0))))
		a.is(n(2))(c.Get(1))
	}},
	{"test_closure_capture_out_of_range", func(a audit) {
		c := a.closure(1)
		a.refused(isthmus.ErrBounds)(c.Get(1))
		wants(a, c.Set(1<<32, n(1)), isthmus.ErrBounds)
	}},
	{"test_closure_captures_begin_as_nil", func(a audit) { a.is(langrt.Nil())(a.closure(3).Get(2)) }},
	{"test_closure_invalid", func(a audit) {
		c := a.closure(1)
		a.refused(isthmus.ErrInvalid)(langrt.Closure{Value: a.text("x")}.Func())
		a.refused(isthmus.ErrClosed)(gone(a, c, c.Value).Get(0))
	}},
}

func (a audit) enum(id, d uint32, payload langrt.Value) langrt.Enum {
	a.Helper()
	return must[langrt.Enum](a)(langrt.NewEnum(a.s, id, d, payload))
}

var enums = []auditTest{
	{"test_enum_new", func(a audit) {
		e := a.enum(3, 1, n(7))
		a.is(uint32(3))(e.ID())
		a.is(n(7))(e.Payload())
	}},
	{"test_enum_discriminants", func(a audit) {
		for _, d := range []uint32{0, 1, 1 << 31, 1<<32 - 1} {
			a.is(d)(a.enum(1, d, langrt.Nil()).Discriminant())
		}
	}},
	{"test_enum_without_payload", func(a audit) { a.is(langrt.Nil())(a.enum(1, 0, langrt.Nil()).Payload()) }},
	{"test_enum_keeps_its_payload", func(a audit) {
		v := a.text("payload")
		e := a.enum(1, 2, v)
		a.ok(a.s.Keep(v), langrt.Release(v))
		a.is("payload")(langrt.As[string](must[langrt.Value](a)(e.Payload())))
	}},
	{"test_enum_invalid", func(a audit) {
		a.refused(isthmus.ErrInvalid)(langrt.Enum{Value: a.text("x")}.Payload())
		a.refused(isthmus.ErrInvalid)(langrt.NewEnum(a.s, 1, 1, langrt.FromWord(7)))
		e := a.enum(1, 1, n(1))
		a.refused(isthmus.ErrClosed)(gone(a, e, e.Value).Discriminant())
	}},
}

func (a audit) unique(v langrt.Value) langrt.Unique {
	a.Helper()
	return must[langrt.Unique](a)(langrt.NewUnique(a.s, v))
}

var uniques = []auditTest{
	{"test_unique_new", func(a audit) { a.is(n(42))(a.unique(n(42)).Get()) }},
	{"test_unique_set", func(a audit) {
		u := a.unique(n(1))
		a.ok(u.Set(a.s, n(2)))
		a.is(n(2))(u.Get())
	}},
	{"test_unique_takes_over", func(a audit) {
		v := a.text("owned")
		u := a.unique(v)
		if langrt.Counted(v) != 1 {
			a.Errorf("counted %d times", langrt.Counted(v))
		}
		gone(a, u, u.Value)
		a.refused(isthmus.ErrClosed)(langrt.As[string](v))
	}},
	{"test_unique_lets_the_old_go", func(a audit) {
		old, next := a.text("old"), a.text("new")
		u := a.unique(old)
		a.ok(u.Set(a.s, next))
		a.refused(isthmus.ErrClosed)(langrt.As[string](old))
		a.is(next)(u.Get())
	}},
	{"test_unique_nil", func(a audit) { a.is(langrt.Nil())(a.unique(langrt.Nil()).Get()) }},
	{"test_unique_invalid", func(a audit) {
		u, v := a.unique(n(1)), a.text("mine")
		wants(a, langrt.Unique{Value: a.array().Value}.Set(a.s, v), isthmus.ErrInvalid)
		if langrt.Counted(v) != 1 {
			a.Errorf("what was refused is counted %d times", langrt.Counted(v))
		}
		wants(a, gone(a, u, u.Value).Set(a.s, v), isthmus.ErrClosed)
	}},
}
