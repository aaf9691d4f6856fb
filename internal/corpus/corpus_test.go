package corpus_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/corpus"
	"github.com/isthmus-ffi/isthmus/npy"
)

func load(t *testing.T) []corpus.Case {
	t.Helper()
	c, err := corpus.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Cases) != 72 || c.Version != "1.17.0" {
		t.Fatalf("%d cases of version %s, want 72 of 1.17.0", len(c.Cases), c.Version)
	}
	return append(c.Cases, c.Examples...)
}

func TestEveryCaseIsComplete(t *testing.T) {
	for _, c := range load(t) {
		text, err := c.Text()
		if err != nil || !bytes.HasPrefix(text, []byte("module @")) {
			t.Errorf("%s: text %.20q, %v", c.Name, text, err)
		}
		code, err := c.Bytecode()
		if err != nil || !bytes.HasPrefix(code, []byte("ML\xefR")) {
			t.Errorf("%s: artifact %.20q, %v", c.Name, code, err)
		}
		if lapack := bytes.Contains(text, []byte("custom_call @lapack_")); lapack != (len(c.CustomCalls) > 0) {
			t.Errorf("%s: custom calls %v, LAPACK in the text: %v", c.Name, c.CustomCalls, lapack)
		}
		inputs, want, err := c.Arrays()
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for i, a := range inputs {
			same(t, c.Name, c.Inputs[i], a)
		}
		for i, a := range want {
			same(t, c.Name, c.Outputs[i], a)
		}
		if err := c.Compare(want, want); err != nil {
			t.Errorf("results differ from themselves: %v", err)
		}
	}
}

func same(t *testing.T, name string, s corpus.Spec, a npy.Array) {
	t.Helper()
	if a.DType != s.DType || !slices.Equal(a.Shape, s.Shape) && len(a.Shape)+len(s.Shape) > 0 {
		t.Errorf("%s: array of %s %v, the manifest says %s %v", name, a.DType, a.Shape, s.DType, s.Shape)
	}
}

func find(t *testing.T, name string) (corpus.Case, []npy.Array) {
	t.Helper()
	for _, c := range load(t) {
		if c.Name == name {
			_, want, err := c.Arrays()
			if err != nil {
				t.Fatal(err)
			}
			return c, want
		}
	}
	t.Fatalf("no case %s", name)
	panic("unreachable")
}

// edit returns outputs in which one f32 has been changed.
func edit(outs []npy.Array, output, element int, change func(float32) float32) []npy.Array {
	outs = slices.Clone(outs)
	a := outs[output]
	a.Data = bytes.Clone(a.Data)
	v, err := npy.Values[float32](a)
	if err != nil {
		panic(err)
	}
	v[element] = change(v[element])
	outs[output], err = npy.FromSlice(v, a.Shape...)
	if err != nil {
		panic(err)
	}
	return outs
}

func TestCompare(t *testing.T) {
	nan := func(float32) float32 { return float32(math.NaN()) }
	negate := func(v float32) float32 { return -v }
	scaled := func(by float32) func(float32) float32 { return func(v float32) float32 { return v * by } }
	for _, c := range []struct {
		name, of        string
		output, element int
		change          func(float32) float32
		says            string // empty: passes
	}{
		{"a rounding", "softmax", 0, 1, scaled(1 + 1e-6), ""},
		{"far off", "softmax", 0, 1, func(v float32) float32 { return v + 1e-3 }, "output 0: value 1"},
		{"NaN", "softmax", 0, 7, nan, "value 7"},
		{"exact class takes no rounding", "sort", 0, 3, scaled(1 + 1e-6), "value 3"},
		{"exact class tells zeros apart", "one_hot", 0, 0, negate, "value 0"},
		{"second output", "kv_cache", 1, 0, negate, "output 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			test, want := find(t, c.of)
			err := test.Compare(edit(want, c.output, c.element, c.change), want)
			switch {
			case c.says == "" && err != nil:
				t.Error(err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestCompareShapesAndIntegers(t *testing.T) {
	c, want := find(t, "argsort")
	if err := c.Compare(nil, want); err == nil {
		t.Error("no outputs pass")
	}
	reshaped := slices.Clone(want)
	reshaped[0].Shape = []int64{10, 10}
	if err := c.Compare(reshaped, want); err == nil {
		t.Error("another shape passes")
	}
	other := slices.Clone(want)
	other[0].DType = dtype.U32
	if err := c.Compare(other, want); err == nil {
		t.Error("another type passes")
	}
	off := slices.Clone(want)
	off[0].Data = bytes.Clone(off[0].Data)
	off[0].Data[4*5]++
	if err := c.Compare(off, want); err == nil || !strings.Contains(err.Error(), "element 5") {
		t.Errorf("error %v, want one about element 5", err)
	}
}

// The vectors of a decomposition may have the other sign, but only as a whole and with their partners.
func TestCompareSigns(t *testing.T) {
	negate := func(v float32) float32 { return -v }
	c, want := find(t, "svd")
	got := want
	for i := range 8 {
		got = edit(got, 0, i*8+2, negate)
	}
	if err := c.Compare(got, want); err == nil {
		t.Error("left vector negated without the right one passes")
	}
	for j := range 8 {
		got = edit(got, 2, 2*8+j, negate)
	}
	if err := c.Compare(got, want); err != nil {
		t.Errorf("both negated: %v", err)
	}
	c, want = find(t, "eigh")
	got = want
	for i := range 8 {
		got = edit(got, 1, i*8+3, negate)
	}
	if err := c.Compare(got, want); err != nil {
		t.Errorf("eigenvector negated: %v", err)
	}
	if err := c.Compare(edit(want, 1, 3, negate), want); err == nil {
		t.Error("one element negated passes")
	}
}
