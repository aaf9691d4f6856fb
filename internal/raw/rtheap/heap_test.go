package rtheap_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

func small(t testing.TB) *rtheap.Heap {
	t.Helper()
	h, err := rtheap.New(rtheap.Limits{Data: 256 << 20, Slots: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func must[T any](t testing.TB) func(v T, code rtheap.Code) T {
	return func(v T, code rtheap.Code) T {
		t.Helper()
		if code != rtheap.OK {
			t.Fatal(code)
		}
		return v
	}
}

func TestFlonum(t *testing.T) {
	h := small(t)
	for _, f := range []float64{0, 1, -1, 0.1, 1e-70, 1e70, math.Copysign(0, -1), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1.72723371101889e-77} {
		v := must[rtheap.Value](t)(h.NewFloat(f))
		if got := must[float64](t)(h.AsFloat(v)); math.Float64bits(got) != math.Float64bits(f) {
			t.Errorf("%v came back as %v", f, got)
		}
	}
	nan := must[rtheap.Value](t)(h.NewFloat(math.NaN()))
	if got, _ := h.AsFloat(nan); !math.IsNaN(got) {
		t.Errorf("NaN came back as %v", got)
	}
}

func TestDictGrows(t *testing.T) {
	h := small(t)
	v := must[rtheap.Value](t)
	d := v(h.NewDict(0))
	for i := range 1000 {
		k := v(h.NewString(fmt.Append(nil, "key ", i)))
		n, _ := rtheap.Int(int64(i))
		if c := h.DictSet(d, k, n); c != rtheap.OK {
			t.Fatal(c)
		}
		h.Release(k)
	}
	for i := range 1000 {
		k := v(h.NewString(fmt.Append(nil, "key ", i)))
		got := v(h.DictGet(d, k))
		if n, _ := got.AsInt(); n != int64(i) {
			t.Fatalf("key %d: %d", i, n)
		}
		if i%2 == 0 {
			if c := h.DictRemove(d, k); c != rtheap.OK {
				t.Fatal(c)
			}
		}
		h.Release(k)
	}
	var cursor uint64
	n := 0
	for {
		var code rtheap.Code
		if cursor, _, _, code = h.DictNext(d, cursor); code != rtheap.OK {
			if code != rtheap.NotFound {
				t.Fatal(code)
			}
			break
		}
		n++
	}
	if n != 500 {
		t.Errorf("%d entries walked, want 500", n)
	}
	if !h.Release(d) || h.Release(d) {
		t.Error("the second release must be refused")
	}
}

// Objects that only hold each other are freed; what the program counts, and what that leads to, is not.
func TestR16Collect(t *testing.T) {
	h := small(t)
	v := must[rtheap.Value](t)
	ring := func(n int) []rtheap.Value {
		var all []rtheap.Value
		for range n {
			all = append(all, v(h.NewArray(1)))
		}
		for i, a := range all {
			h.ArrayPush(a, all[(i+1)%n])
		}
		return all
	}
	kept := ring(5)
	held := v(h.NewString([]byte("held by a ring")))
	lost := ring(1000)
	d := v(h.NewDict(1))
	h.DictSet(d, held, lost[0])
	h.ArrayPush(lost[7], d)
	h.ArrayPush(kept[3], held)
	for _, r := range append(append(lost, kept[1:]...), d, held) {
		h.Release(r)
	}
	if n := h.Objects(); n != 1000+5+1+1 {
		t.Fatalf("%d live objects before", n)
	}
	if n := h.Collect(); n != 1001 {
		t.Errorf("%d collected, want 1001", n)
	}
	if n := h.Objects(); n != 6 {
		t.Errorf("%d live objects, want 6: %v", n, h.Census())
	}
	if b, c := h.StringBytes(held); string(b) != "held by a ring" {
		t.Errorf("what the kept ring holds: %q, %v", b, c)
	}
	h.Release(kept[0])
	if n := h.Collect(); n != 6 {
		t.Errorf("%d collected, want 6", n)
	}
	if n := h.Objects(); n != 0 {
		t.Errorf("%d live objects at the end: %v", n, h.Census())
	}
}

// An object takes a slot of 32 bytes, and the power of two that its block needs; the figures of bench/langrt are these.
func TestR16Overhead(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(h *rtheap.Heap) (rtheap.Value, rtheap.Code)
		bytes int64
	}{
		"string of 15":    {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewString(make([]byte, 15)) }, 16},
		"string of 16":    {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewString(make([]byte, 16)) }, 32},
		"object of 2":     {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewObject(1, 2) }, 16},
		"tuple of 8":      {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewTuple(8) }, 64},
		"empty array":     {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewArray(0) }, 0},
		"empty dict":      {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewDict(0) }, 0},
		"dict of 6":       {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewDict(6) }, 128},
		"dict of 100,000": {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewDict(100_000) }, 4 << 20},
		"boxed float":     {func(h *rtheap.Heap) (rtheap.Value, rtheap.Code) { return h.NewFloat(1e300) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := small(t)
			must[rtheap.Value](t)(c.make(h))
			if all := h.Census(); len(all) != 1 || all[0].Bytes != c.bytes {
				t.Errorf("census %+v, want one object with %d bytes", all, c.bytes)
			}
		})
	}
}

// What is let go is used again: far more is made than there is room for at once.
func TestR16Reuse(t *testing.T) {
	h, err := rtheap.New(rtheap.Limits{Data: 64 << 20, Slots: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 4000)
	for range 100_000 {
		if v := must[rtheap.Value](t)(h.NewString(text)); !h.Release(v) {
			t.Fatal("it was not there to let go")
		}
	}
	if n := h.Objects(); n != 0 {
		t.Errorf("%d objects are left", n)
	}
}

// A frozen structure refuses every write, at every depth, also where it leads back to itself.
func TestFreeze(t *testing.T) {
	h := small(t)
	v := must[rtheap.Value](t)
	outer, inner := v(h.NewTuple(1)), v(h.NewArray(0))
	h.ArrayPush(inner, outer)
	h.TupleSet(outer, 0, inner)
	if c := h.Freeze(outer); c != rtheap.OK {
		t.Fatal(c)
	}
	for name, c := range map[string]rtheap.Code{
		"set":   h.TupleSet(outer, 0, rtheap.Nil),
		"push":  h.ArrayPush(inner, rtheap.Nil),
		"clear": h.ArrayClear(inner),
		"pop":   func() rtheap.Code { _, c := h.ArrayPop(inner); return c }(),
	} {
		if c != rtheap.IsFrozen {
			t.Errorf("%s: %v", name, c)
		}
	}
}
