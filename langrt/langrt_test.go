package langrt_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/langrt"
)

func TestNil(t *testing.T) {
	code := langrt.Empty
	kind := langrt.TypeArray
	niltest.Methods(t, &langrt.Value{}, &kind, &code, &langrt.Error{}, &langrt.Scope{}, &langrt.Ref{}, &langrt.Func{},
		&langrt.String{}, &langrt.Array{}, &langrt.Tuple{}, &langrt.Dict{}, &langrt.Object{}, &langrt.Closure{}, &langrt.Enum{}, &langrt.Unique{}, &langrt.File{}, &langrt.Future{}, &langrt.Channel{}, &langrt.Actor{}, &langrt.Generator{})
}

func wants(t fataler, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

// nothingLeft fails when the test leaves objects behind.
func nothingLeft(t *testing.T) {
	t.Helper()
	before := langrt.Objects()
	t.Cleanup(func() {
		for end := time.Now().Add(time.Minute); langrt.Objects() > before; runtime.Gosched() { // what others are at ends in a moment
			if time.Now().After(end) {
				t.Errorf("%d objects are left: %v", langrt.Objects()-before, langrt.Census())
				return
			}
		}
	})
}

// within runs f in a scope and fails the test when it says an error.
func within(t *testing.T, f func(s *langrt.Scope) error) {
	t.Helper()
	if err := langrt.Do(f); err != nil {
		t.Error(err)
	}
}

func TestWords(t *testing.T) {
	nothingLeft(t)
	var zero langrt.Value
	if !zero.IsNil() || zero != langrt.Nil() || zero.Word() != 3 {
		t.Errorf("the zero value is %v, the word %d", zero, zero.Word())
	}
	for _, c := range []struct {
		v    langrt.Value
		kind langrt.Type
		text string
	}{
		{langrt.Nil(), langrt.TypeNil, "nil"},
		{langrt.Int(-7), langrt.TypeInt, "-7"},
		{langrt.Int(langrt.MaxInt), langrt.TypeInt, "1152921504606846975"},
		{langrt.Int(langrt.MinInt), langrt.TypeInt, "-1152921504606846976"},
		{langrt.Int(langrt.MaxInt + 1), langrt.TypeInvalid, "0x7 (no value)"},
		{langrt.Bool(true), langrt.TypeBool, "true"},
		{langrt.Bool(false), langrt.TypeBool, "false"},
		{langrt.Symbol(5), langrt.TypeSymbol, "symbol 5"},
		{must[langrt.Value](t)(langrt.Float(nil, 0.1)), langrt.TypeFloat, "0.1"},
		{langrt.FromWord(0xdeadbeef00000001), langrt.TypeInvalid, "0xdeadbeef00000001 (no value)"},
	} {
		if c.v.Type() != c.kind || c.v.String() != c.text {
			t.Errorf("%#x is %v %q, want %v %q", c.v.Word(), c.v.Type(), c.v, c.kind, c.text)
		}
		if langrt.FromWord(c.v.Word()) != c.v {
			t.Errorf("%v is another value after it was a word", c.v)
		}
	}
}

func TestOfAndAs(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		roundTrip(t, s, true)
		roundTrip(t, s, int8(-8))
		roundTrip(t, s, uint16(65535))
		roundTrip(t, s, int64(langrt.MinInt))
		roundTrip(t, s, uint64(langrt.MaxInt))
		roundTrip(t, s, "text")
		roundTrip(t, s, "")
		roundTrip(t, s, float32(0.1))
		for _, f := range []float64{0, math.Copysign(0, -1), 1e308, 5e-324, math.Inf(-1)} {
			roundTrip(t, s, f)
		}
		a := must[langrt.Array](t)(langrt.NewArray(s, 0))
		if got, err := langrt.As[langrt.Array](a.Value); err != nil || got != a {
			t.Errorf("as array: %v, %v", got, err)
		}
		_, err := langrt.As[langrt.Dict](a.Value)
		wants(t, err, isthmus.ErrInvalid)
		wants(t, err, langrt.WrongType)
		_, err = langrt.As[int8](langrt.Int(128))
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.As[uint64](langrt.Int(-1))
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.As[float64](langrt.Int(1))
		wants(t, err, langrt.WrongType)
		_, err = langrt.As[bool](langrt.Nil())
		wants(t, err, langrt.WrongType)
		_, err = langrt.Of(s, int64(langrt.MaxInt+1))
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.Of(s, uint64(math.MaxUint64))
		wants(t, err, isthmus.ErrBounds)
		return nil
	})
}

func roundTrip[T interface {
	comparable
	langrt.Scalar
}](t *testing.T, s *langrt.Scope, x T) {
	t.Helper()
	v, err := langrt.Of(s, x)
	if err != nil {
		t.Error(err)
	}
	if got, err := langrt.As[T](v); err != nil || got != x {
		t.Errorf("%v came back as %v, %v", x, got, err)
	}
}

func TestStructures(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		x := map[any]any{"list": []any{int64(1), 2.5, nil, "three", []any{}}, int64(7): true}
		v := must[langrt.Value](t)(langrt.From(s, x))
		got, err := v.Go()
		if diff := cmp.Diff(x, got); diff != "" || err != nil {
			t.Errorf("(-want +got) %v\n%s", err, diff)
		}
		for name, x := range map[string]any{
			"func": func() {}, "chan": make(chan int), "struct": struct{ x int }{1}, "inside": []any{1, struct{}{}}, "nil pointer": (*int)(nil),
			"large": []uint64{math.MaxUint64}, "as a key": map[any]int{[1]any{struct{}{}}: 1},
		} {
			if v, err := langrt.From(s, x); err == nil {
				t.Errorf("%s: %v, want an error", name, v)
			}
		}
		// A container on two ways is one; one that leads back to itself is an error, however often.
		a, b := must[langrt.Array](t)(langrt.NewArray(s, 0)), must[langrt.Array](t)(langrt.NewArray(s, 0))
		for range 2 {
			if err := errors.Join(a.Push(b.Value), b.Push(langrt.Int(1))); err != nil {
				return err
			}
		}
		got, err = a.Value.Go()
		if diff := cmp.Diff([]any{[]any{int64(1), int64(1)}, []any{int64(1), int64(1)}}, got); diff != "" || err != nil {
			t.Errorf("(-want +got) %v\n%s", err, diff)
		}
		if err := b.Push(a.Value); err != nil {
			return err
		}
		_, err = a.Value.Go()
		wants(t, err, isthmus.ErrInvalid)
		deep := langrt.Nil()
		for range 5000 {
			deep = must[langrt.Array](t)(langrt.ArrayOf(s, deep)).Value
		}
		_, err = deep.Go()
		wants(t, err, isthmus.ErrInvalid)
		return b.Clear()
	})
}

// Every operation says what was wrong with a value that is gone, one of another type, and a word that is none.
func TestR14GoWrongValues(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		gone := must[langrt.Array](t)(langrt.NewArray(nil, 1)).Value
		if err := langrt.Release(gone); err != nil {
			return err
		}
		other := must[langrt.String](t)(langrt.NewString(s, "another")).Value
		if _, err := langrt.NewArray(s, 1); err != nil { // it may be in the slot of the one that is gone
			return err
		}
		forged := langrt.FromWord(gone.Word() + 5<<36)
		operations := func(v langrt.Value, f func(name string, err error)) {
			is := func(name string) func(any, error) {
				return func(_ any, err error) { f(name, err) }
			}
			a, u, d, o := langrt.Array{Value: v}, langrt.Tuple{Value: v}, langrt.Dict{Value: v}, langrt.Object{Value: v}
			c, e, q, x := langrt.Closure{Value: v}, langrt.Enum{Value: v}, langrt.Unique{Value: v}, langrt.String{Value: v}
			is("array len")(a.Len())
			is("array get")(a.Get(0))
			f("array set", a.Set(0, langrt.Nil()))
			f("array push", a.Push(langrt.Nil()))
			is("array pop")(a.Pop(s))
			f("array clear", a.Clear())
			is("tuple len")(u.Len())
			is("tuple get")(u.Get(0))
			f("tuple set", u.Set(0, langrt.Nil()))
			is("dict len")(d.Len())
			is("dict get")(d.Get(langrt.Int(1)))
			is("dict get text")(d.GetText("x"))
			is("dict has")(d.Has(langrt.Int(1)))
			f("dict set", d.Set(langrt.Int(1), langrt.Nil()))
			f("dict set text", d.SetText("x", langrt.Nil()))
			f("dict remove", d.Remove(langrt.Int(1)))
			f("dict clear", d.Clear())
			f("dict walk", d.Walk(func(_, _ langrt.Value) bool { return true }))
			is("object class")(o.Class())
			is("object len")(o.Len())
			is("object get")(o.Get(0))
			f("object set", o.Set(0, langrt.Nil()))
			is("closure func")(c.Func())
			is("closure len")(c.Len())
			is("closure get")(c.Get(0))
			f("closure set", c.Set(0, langrt.Nil()))
			is("enum id")(e.ID())
			is("enum discriminant")(e.Discriminant())
			is("enum payload")(e.Payload())
			is("unique get")(q.Get())
			f("unique set", q.Set(s, langrt.Nil()))
			for range a.All() {
				t.Errorf("%v has elements", v)
			}
			for range d.All() {
				t.Errorf("%v has entries", v)
			}
			if v != other {
				is("string len")(x.Len())
				is("string text")(x.Text())
				is("string bytes")(x.Bytes())
				is("string concat")(x.Concat(s, x))
			}
		}
		before := langrt.Misuses()
		calls := int64(0)
		for _, c := range []struct {
			v    langrt.Value
			want error
			code langrt.Code
		}{
			{gone, isthmus.ErrClosed, langrt.NoObject},
			{forged, isthmus.ErrClosed, langrt.NoObject},
			{langrt.Value{}, isthmus.ErrClosed, langrt.NoObject},
			{langrt.Int(9), isthmus.ErrClosed, langrt.NoObject},
			{langrt.FromWord(math.MaxUint64), isthmus.ErrClosed, langrt.NoObject},
			{other, isthmus.ErrInvalid, langrt.WrongType},
		} {
			operations(c.v, func(name string, err error) {
				calls++
				var e *langrt.Error
				if !errors.Is(err, c.want) || !errors.Is(err, c.code) || !errors.As(err, &e) || e.Value != c.v {
					t.Errorf("%s of %v: %v, want %v", name, c.v, err, c.code)
				}
			})
			if c.v != other {
				wants(t, langrt.Array{Value: must[langrt.Array](t)(langrt.NewArray(s, 0)).Value}.Push(gone), langrt.NoValue)
			}
		}
		if n := langrt.Misuses() - before; n < calls {
			t.Errorf("%d misuses counted of %d", n, calls)
		}
		for _, v := range []langrt.Value{gone, forged, langrt.FromWord(5)} {
			if err := langrt.Retain(v); err == nil {
				t.Errorf("retain %v", v)
			}
			if err := langrt.Release(v); err == nil {
				t.Errorf("release %v", v)
			}
			if err := langrt.Freeze(v); err == nil {
				t.Errorf("freeze %v", v)
			}
			if langrt.Counted(v) != 0 || v.Live() {
				t.Errorf("%v is alive", v)
			}
		}
		return nil
	})
}

func TestSizes(t *testing.T) {
	nothingLeft(t)
	for _, n := range []int{-1, 1 << 31, 1 << 61, math.MaxInt, math.MinInt} {
		_, err := langrt.NewArray(nil, n)
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.NewTuple(nil, n)
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.NewDict(nil, n)
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.NewObject(nil, 1, n)
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.NewClosure(nil, langrt.Func{}, n)
		wants(t, err, isthmus.ErrBounds)
	}
	within(t, func(s *langrt.Scope) error {
		u := must[langrt.Tuple](t)(langrt.TupleOf(s, langrt.Int(1), langrt.Int(2)))
		o := must[langrt.Object](t)(langrt.NewObject(s, 7, 2))
		c := must[langrt.Closure](t)(langrt.NewClosure(s, langrt.Func{}, 2))
		for _, i := range []int{-1, 2, 1 << 31, 1 << 32, 1<<32 + 1, math.MaxInt, math.MinInt} {
			for _, x := range []interface {
				Get(int) (langrt.Value, error)
				Set(int, langrt.Value) error
			}{u, o, c} {
				_, err := x.Get(i)
				wants(t, err, isthmus.ErrBounds)
				wants(t, x.Set(i, langrt.Int(3)), isthmus.ErrBounds)
				if text := fmt.Sprint(err); !strings.Contains(text, fmt.Sprint(i)) {
					t.Errorf("%s does not name %d", text, i)
				}
			}
		}
		return nil
	})
}

func TestObjectsClosuresEnumsUniques(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		text := must[langrt.String](t)(langrt.NewString(s, "held"))
		o := must[langrt.Object](t)(langrt.NewObject(s, 4_000_000_000, 3))
		if class, err := o.Class(); err != nil || class != 4_000_000_000 {
			t.Errorf("class %d, %v", class, err)
		}
		if v, err := o.Get(2); err != nil || !v.IsNil() {
			t.Errorf("a new field: %v, %v", v, err)
		}
		if err := o.Set(2, text.Value); err != nil {
			return err
		}
		c := must[langrt.Closure](t)(langrt.NewClosure(s, langrt.Func{}, 1))
		if err := c.Set(0, o.Value); err != nil {
			return err
		}
		if f, err := c.Func(); err != nil || !f.IsNil() {
			t.Errorf("func %v, %v", f, err)
		}
		e := must[langrt.Enum](t)(langrt.NewEnum(s, 1<<31, math.MaxUint32, c.Value))
		id, _ := e.ID()
		d, err := e.Discriminant()
		if id != 1<<31 || d != math.MaxUint32 || err != nil {
			t.Errorf("enum %d, %d, %v", id, d, err)
		}
		if p, err := e.Payload(); err != nil || p != c.Value {
			t.Errorf("payload %v, %v", p, err)
		}
		if n := langrt.Counted(c.Value); n != 2 {
			t.Errorf("the closure is counted %d times, want 2: by the scope and the enum", n)
		}
		// A unique owner takes over the count that the scope had.
		u := must[langrt.Unique](t)(langrt.NewUnique(s, text.Value))
		if n := langrt.Counted(text.Value); n != 2 {
			t.Errorf("the text is counted %d times, want 2: by the object and its owner", n)
		}
		next := must[langrt.String](t)(langrt.NewString(s, "next"))
		if err := u.Set(s, next.Value); err != nil {
			return err
		}
		if got, err := u.Get(); err != nil || got != next.Value {
			t.Errorf("unique %v, %v", got, err)
		}
		if n := langrt.Counted(text.Value); n != 1 {
			t.Errorf("the text is counted %d times, want 1: by the object", n)
		}
		gone := langrt.FromWord(next.Word() + 1<<36)
		wants(t, u.Set(s, gone), isthmus.ErrInvalid)
		_, err = langrt.NewUnique(s, gone)
		wants(t, err, isthmus.ErrInvalid)
		return nil
	})
}

func TestScopes(t *testing.T) {
	nothingLeft(t)
	var kept, held, late langrt.Value
	outer := must[langrt.Array](t)(langrt.NewArray(nil, 0))
	var ended *langrt.Scope
	failed := errors.New("failed")
	err := langrt.Do(func(s *langrt.Scope) error {
		ended = s
		a := must[langrt.Array](t)(langrt.NewArray(s, 0))
		b := must[langrt.Array](t)(langrt.NewArray(s, 0))
		late = must[langrt.Array](t)(langrt.NewArray(s, 0)).Value
		kept, held = a.Value, b.Value
		if err := errors.Join(s.Keep(kept), outer.Push(held), s.Keep(langrt.Int(1))); err != nil {
			return err
		}
		wants(t, s.Keep(outer.Value), isthmus.ErrNotFound)
		wants(t, s.Take(langrt.FromWord(late.Word()+1<<36)), isthmus.ErrClosed)
		return failed
	})
	wants(t, err, failed)
	if !kept.Live() || !held.Live() || late.Live() {
		t.Errorf("kept %v, held %v, late %v", kept, held, late)
	}
	_, err = langrt.NewArray(ended, 0)
	wants(t, err, isthmus.ErrClosed)
	_, err = langrt.ArrayOf(ended, langrt.Int(1))
	wants(t, err, isthmus.ErrClosed)
	_, err = langrt.From(ended, []int{1})
	wants(t, err, isthmus.ErrClosed)
	wants(t, ended.Take(kept), isthmus.ErrClosed)
	wants(t, ended.Keep(kept), isthmus.ErrClosed)
	func() {
		defer func() { _ = recover() }()
		_ = langrt.Do(func(s *langrt.Scope) error {
			late = must[langrt.Array](t)(langrt.NewArray(s, 0)).Value
			panic("a panic")
		})
	}()
	if late.Live() {
		t.Error("a scope that panicked left something")
	}
	if err := errors.Join(langrt.Release(kept), langrt.Release(outer.Value)); err != nil {
		t.Error(err)
	}
}

func TestRef(t *testing.T) {
	nothingLeft(t)
	a := must[langrt.Array](t)(langrt.NewArray(nil, 0)).Value
	r := must[*langrt.Ref](t)(langrt.Hold(a))
	if err := langrt.Release(a); err != nil || r.Value() != a || !a.Live() {
		t.Errorf("held: %v, %v", r.Value(), err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if a.Live() || !r.Value().IsNil() {
		t.Error("it lives after Close")
	}
	_, err := langrt.Hold(a)
	wants(t, err, isthmus.ErrClosed)

	// One that is forgotten goes with its Ref.
	b := must[langrt.Array](t)(langrt.NewArray(nil, 0)).Value
	_ = must[*langrt.Ref](t)(langrt.Hold(b))
	if err := langrt.Release(b); err != nil {
		t.Error(err)
	}
	for b.Live() { // the test's time limit is the bound
		runtime.GC()
		runtime.Gosched()
	}
}

func TestFreezeAndCollect(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		v := must[langrt.Value](t)(langrt.From(s, map[string]any{"list": []int{1, 2}}))
		if err := langrt.Freeze(v); err != nil {
			return err
		}
		d := langrt.Dict{Value: v}
		wants(t, d.SetText("more", langrt.Nil()), langrt.Frozen)
		inner := langrt.Array{Value: must[langrt.Value](t)(d.GetText("list"))}
		wants(t, inner.Push(langrt.Nil()), langrt.Frozen)
		wants(t, inner.Push(langrt.Nil()), isthmus.ErrInvalid)
		return nil
	})
	langrt.Collect()
	before := langrt.Objects()
	a := must[langrt.Array](t)(langrt.NewArray(nil, 0))
	if err := errors.Join(a.Push(a.Value), langrt.Release(a.Value)); err != nil {
		t.Error(err)
	}
	if n := langrt.Objects() - before; n != 1 {
		t.Errorf("%d objects more, want the circle", n)
	}
	if n := langrt.Collect(); n != 1 || a.Live() {
		t.Errorf("%d collected, want 1", n)
	}
}

func TestWalkChanged(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		d := must[langrt.Dict](t)(langrt.NewDict(s, 4))
		for i := range int64(4) {
			if err := d.Set(langrt.Int(i), langrt.Int(i)); err != nil {
				return err
			}
		}
		n := int64(100)
		err := d.Walk(func(langrt.Value, langrt.Value) bool {
			n++
			return d.Set(langrt.Int(n), langrt.Nil()) == nil
		})
		wants(t, err, langrt.Changed)
		return nil
	})
}

func TestLimits(t *testing.T) {
	nothingLeft(t)
	used := langrt.Bytes()
	if err := langrt.Start(langrt.Options{MaxBytes: used + 64<<20}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := langrt.Start(langrt.Options{MaxBytes: 8 << 30}); err != nil {
			t.Error(err)
		}
	}()
	_, err := langrt.NewTuple(nil, 100<<20/8)
	wants(t, err, isthmus.ErrLimit)
	wants(t, err, langrt.NoMemory)
	within(t, func(s *langrt.Scope) error {
		_, err := langrt.NewTuple(s, 1<<20/8)
		return err
	})
}

// Goroutines that read, write, grow and free the same objects see values that were in them, and errors with names.
func TestR15GoHammer(t *testing.T) {
	nothingLeft(t)
	var shared [4]langrt.Array
	for i := range shared {
		shared[i] = must[langrt.Array](t)(langrt.NewArray(nil, 0))
	}
	d := must[langrt.Dict](t)(langrt.NewDict(nil, 0))
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range rounds {
				a := shared[(g+i)%len(shared)]
				key := langrt.Int(int64(i % 50))
				switch (g + i*7) % 6 {
				case 0, 1:
					text, err := langrt.NewString(nil, "a text that is shared")
					if err != nil {
						t.Error(err)
						return
					}
					_ = a.Push(text.Value)
					_ = d.Set(key, text.Value)
					_ = langrt.Release(text.Value)
				case 2:
					if v, err := a.Pop(nil); err == nil {
						if text, err := langrt.As[string](v); err != nil || text != "a text that is shared" {
							t.Errorf("popped %q, %v", text, err)
						}
						_ = langrt.Release(v)
					}
				case 3:
					v, err := a.Get(i % 10)
					if err == nil && langrt.Retain(v) == nil { // lent: it may be gone before it is counted
						if text, err := langrt.As[string](v); err != nil || text != "a text that is shared" {
							t.Errorf("got %q, %v", text, err)
						}
						_ = langrt.Release(v)
					}
				case 4:
					v, err := d.Get(key)
					if err == nil && langrt.Retain(v) == nil {
						if text, err := langrt.As[string](v); err != nil || text != "a text that is shared" {
							t.Errorf("got %q, %v", text, err)
						}
						_ = langrt.Release(v)
					}
				case 5:
					if i%100 == 0 {
						_ = a.Clear()
					}
					_ = d.Remove(key)
				}
			}
		})
	}
	wg.Wait()
	for _, a := range shared {
		_ = langrt.Release(a.Value)
	}
	_ = langrt.Release(d.Value)
}
