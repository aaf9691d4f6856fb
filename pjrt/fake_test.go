package pjrt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var f32x4 = pjrtfake.Type{Type: pjrtc.BufferTypeF32, Dims: []int64{4}}

// programs are what the fake compiles.
func programs() map[string]*pjrtfake.Program {
	return map[string]*pjrtfake.Program{
		"add": {Params: []pjrtfake.Type{f32x4, f32x4}, Outputs: []pjrtfake.Type{f32x4}, Run: func(a [][]byte) [][]byte {
			out := bytes.Clone(a[0])
			for i := 0; i < len(out); i += 4 {
				x := math.Float32frombits(binary.LittleEndian.Uint32(a[0][i:])) + math.Float32frombits(binary.LittleEndian.Uint32(a[1][i:]))
				binary.LittleEndian.PutUint32(out[i:], math.Float32bits(x))
			}
			return [][]byte{out}
		}},
		"none":   {},
		"talk":   {Sends: map[int64][][]byte{1: {make([]byte, 8), make([]byte, 4)}}, Recvs: map[int64]int{2: 8}, Outputs: []pjrtfake.Type{f32x4}},
		"shown":  {Optimized: "a program"},
		"noouts": {Params: []pjrtfake.Type{f32x4}},
		"noargs": {Outputs: []pjrtfake.Type{f32x4}},
		"many": {Outputs: []pjrtfake.Type{
			{Type: pjrtc.BufferTypeF32, Dims: []int64{2, 3}},
			{Type: pjrtc.BufferTypeS32},
			{Type: pjrtc.BufferTypeF64, Dims: []int64{5}},
			{Type: pjrtc.BufferTypePRED, Dims: []int64{7, 0, 1}},
		}},
		"donate": {Params: []pjrtfake.Type{f32x4, f32x4}, Outputs: []pjrtfake.Type{f32x4}, Donated: []int{0}},
	}
}

// fake makes a fake plugin and, at the test's end, checks its books: nothing destroyed twice, used after its end, in
// the wrong order, or left.
func fake(t testing.TB, set func(*pjrtfake.Fake)) (*pjrt.Plugin, *pjrtfake.Fake) {
	t.Helper()
	f := pjrtfake.New()
	f.Programs = programs()
	if set != nil {
		set(f)
	}
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	p, err := pjrt.FromTable("fake", table)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { books(t, f) })
	return p, f
}

func books(t testing.TB, f *pjrtfake.Fake) {
	t.Helper()
	for _, v := range f.Violations() {
		t.Errorf("the plugin saw: %s", v)
	}
	for kind, n := range f.Alive() {
		t.Errorf("%d of kind %s were never destroyed", n, kind)
	}
	f.Close()
}

// fakeClient is a client of a fake that is closed before the books are checked.
func fakeClient(t testing.TB, set func(*pjrtfake.Fake)) (*pjrt.Client, *pjrtfake.Fake) {
	t.Helper()
	p, f := fake(t, set)
	c, err := p.NewClient(context.Background(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Release()
		closeClient(t, c)
	})
	return c, f
}

func TestFakeRunsAdd(t *testing.T) {
	c, _ := fakeClient(t, nil)
	x := compile(t, c, "add")
	a, b := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{10, 20, 30, 40}, 4)
	out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	got, err := pjrt.Get[float32](t.Context(), out[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := [4]float32{11, 22, 33, 44}; [4]float32(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
