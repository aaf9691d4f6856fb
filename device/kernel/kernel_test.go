package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// guard is how many places before and after a destination are checked to be untouched.
const guard = 70

// lengths are every length up to 100, around the block sizes, and some large ones.
func lengths() []int {
	var n []int
	for i := range 101 {
		n = append(n, i)
	}
	return append(n, 127, 128, 129, 255, 256, 257, 1000, 1023, 1025, 4099)
}

// specials are values that loops get wrong.
func specials[T kernel.Number]() []T {
	var s []T
	var zero T
	one := zero + 1
	if f := any(&s); one/2 != 0 {
		for _, x := range []float64{
			0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 0.49999997, -0.49999997, math.Inf(1), math.Inf(-1),
			math.NaN(), 1e-40, -1e-40, 1e-45, 3e38, -3e38, 2147483648, -2147483648, 2147483520, 4294967296, 8388609, -8388609.5,
			1 << 40, -(1 << 40), 88.8, -88.8, -100, 1e-10, -1e-10, 1e4, -1e4,
		} {
			s = append(s, T(x))
		}
		if d, ok := f.(*[]float64); ok {
			*d = append(*d, 5e-324, -5e-324, 1e-310, math.MaxFloat64, -math.MaxFloat64, 4503599627370497.5, 1<<53, -(1 << 62))
		}
		return s
	}
	for i := range 10 {
		s = append(s, T(i), zero-1-T(i))
	}
	for p := zero + 8; p != 0; p *= 16 { // and so the sign bit
		s = append(s, p, p-1, zero-1-p)
	}
	return s
}

// values are random numbers mixed with specials.
func values[T kernel.Number](r *rand.Rand, n int) []T {
	special := specials[T]()
	var zero T
	isFloat := (zero+1)/2 != 0
	s := make([]T, n)
	for i := range s {
		switch {
		case r.IntN(3) == 0:
			s[i] = special[r.IntN(len(special))]
		case isFloat:
			s[i] = T(r.NormFloat64() * math.Exp(4*r.NormFloat64()))
		case r.IntN(2) == 0:
			s[i] = T(r.Uint64())
		default:
			s[i] = T(r.IntN(70))
		}
	}
	return s
}

// guarded returns n places inside a larger slice of recognisable values, and a check that the rest is unchanged.
func guarded[T comparable](n int, mark T) (dst []T, check func(t *testing.T, what string)) {
	all := make([]T, n+2*guard)
	for i := range all {
		all[i] = mark
	}
	return all[guard : guard+n : guard+n], func(t *testing.T, what string) {
		t.Helper()
		for i, v := range all {
			if (i < guard || i >= guard+n) && v != mark {
				t.Fatalf("%s: place %d of a slice of %d was written", what, i-guard, n)
			}
		}
	}
}

func same[T kernel.Number](a, b T) bool {
	return a == b && bits(a) == bits(b) || a != a && b != b
}

// bits tells -0 from +0.
func bits[T kernel.Number](x T) uint64 {
	switch v := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(v))
	case float64:
		return math.Float64bits(v)
	}
	return 0
}

func compareSlices[T kernel.Number](t *testing.T, what string, got, want []T, args func(i int) string) {
	t.Helper()
	for i := range want {
		if !same(got[i], want[i]) {
			t.Fatalf("%s: element %d of %d, %s: got %v, want %v", what, i, len(want), args(i), got[i], want[i])
		}
	}
}

// approximate names the functions that may differ from the plain ones in the last places; functions_test.go measures
// them.
var approximate = []kernel.Unary{
	kernel.Exp, kernel.Expm1, kernel.Log, kernel.Log1p, kernel.Tanh, kernel.Logistic, kernel.Sin, kernel.Cos, kernel.Erf,
}

func checkOps[T kernel.Number](t *testing.T, name string, got, want *kernel.Ops[T]) {
	r := rand.New(rand.NewPCG(5, 6))
	var mark T = 77
	for _, n := range lengths() {
		a, b := values[T](r, n), values[T](r, n)
		args := func(i int) string { return fmt.Sprintf("of %v and %v", a[i], b[i]) }
		for op := range want.VV {
			if want.VV[op] == nil {
				continue
			}
			ref := make([]T, n)
			run := func(what string, f, g func(dst []T)) {
				what = fmt.Sprintf("%s %s %d", name, what, op)
				dst, check := guarded(n, mark)
				f(dst)
				g(ref)
				check(t, what)
				if kernel.Binary(op) != kernel.Pow { // measured in functions_test.go
					compareSlices(t, what, dst, ref, args)
				}
			}
			run("VV", func(d []T) { got.VV[op](d, a, b) }, func(d []T) { want.VV[op](d, a, b) })
			run("in place", func(d []T) { copy(d, a); got.VV[op](d, d, b) }, func(d []T) { want.VV[op](d, a, b) })
			if n == 0 {
				continue
			}
			s := b[n/2]
			args = func(i int) string { return fmt.Sprintf("of %v and scalar %v", a[i], s) }
			run("VS", func(d []T) { got.VS[op](d, a, s) }, func(d []T) { want.VS[op](d, a, s) })
			run("SV", func(d []T) { got.SV[op](d, s, a) }, func(d []T) { want.SV[op](d, s, a) })
		}
		for op := range want.Unary {
			if want.Unary[op] == nil {
				continue
			}
			what := fmt.Sprintf("%s unary %d", name, op)
			dst, check := guarded(n, mark)
			ref := make([]T, n)
			got.Unary[op](dst, a)
			check(t, what)
			if slices.Contains(approximate, kernel.Unary(op)) {
				continue
			}
			want.Unary[op](ref, a)
			compareSlices(t, what, dst, ref, func(i int) string { return fmt.Sprint("of ", a[i]) })
		}
		checkMasks(t, name, got, want, a, b, mark)
		for op := range want.Reduce {
			if want.Reduce[op] != nil {
				compareSlices(t, fmt.Sprintf("%s reduce %d of %d", name, op, n), []T{got.Reduce[op](a)}, []T{want.Reduce[op](a)},
					func(int) string { return fmt.Sprint(a) })
			}
		}
		if g, w := got.ArgMax(a), want.ArgMax(a); g != w {
			t.Fatalf("%s ArgMax of %v: got %d, want %d", name, a, g, w)
		}
		if g, w := got.ArgMin(a), want.ArgMin(a); g != w {
			t.Fatalf("%s ArgMin of %v: got %d, want %d", name, a, g, w)
		}
		dst, check := guarded(n, mark)
		ref := make([]T, n)
		got.Fill(dst, 5)
		check(t, name+" Fill")
		want.Fill(ref, 5)
		compareSlices(t, name+" Fill", dst, ref, args)
		got.Iota(dst, 3)
		check(t, name+" Iota")
		want.Iota(ref, 3)
		compareSlices(t, name+" Iota", dst, ref, args)
	}
	checkTranspose(t, r, name, got)
}

func checkMasks[T kernel.Number](t *testing.T, name string, got, want *kernel.Ops[T], a, b []T, mark T) {
	t.Helper()
	n := len(a)
	m := make([]byte, n)
	args := func(i int) string { return fmt.Sprintf("of %v and %v", a[i], b[i]) }
	for d := range want.CompareVV {
		if want.CompareVV[d] == nil {
			continue
		}
		what := fmt.Sprintf("%s compare %d", name, d)
		dst, check := guarded(n, byte(9))
		got.CompareVV[d](dst, a, b)
		check(t, what)
		want.CompareVV[d](m, a, b)
		compareSlices(t, what, dst, m, args)
		if n > 0 {
			got.CompareVS[d](dst, a, b[0])
			check(t, what+" with a scalar")
			want.CompareVS[d](m, a, b[0])
			compareSlices(t, what+" with a scalar", dst, m, func(i int) string { return fmt.Sprintf("of %v and %v", a[i], b[0]) })
		}
	}
	for i := range m {
		m[i] *= byte(i*37) | 1 // anything but 0 means yes
	}
	dst, check := guarded(n, mark)
	ref := make([]T, n)
	got.SelectVV(dst, m, a, b)
	want.SelectVV(ref, m, a, b)
	compareSlices(t, name+" SelectVV", dst, ref, args)
	got.SelectVS(dst, m, a, 5)
	want.SelectVS(ref, m, a, 5)
	compareSlices(t, name+" SelectVS", dst, ref, args)
	got.SelectSV(dst, m, 5, b)
	want.SelectSV(ref, m, 5, b)
	compareSlices(t, name+" SelectSV", dst, ref, args)
	check(t, name+" select")
}

func checkTranspose[T kernel.Number](t *testing.T, r *rand.Rand, name string, got *kernel.Ops[T]) {
	t.Helper()
	for range 60 {
		rows, cols := r.IntN(80), r.IntN(150)
		ss, ds := cols+r.IntN(3), rows+r.IntN(3)
		src := values[T](r, rows*ss)
		dst, check := guarded[T](cols*ds, 77)
		got.Transpose(dst, ds, src, ss, rows, cols)
		check(t, name+" Transpose")
		for j := range cols {
			for i := range ds {
				want := T(77)
				if i < rows {
					want = src[i*ss+j]
				}
				if g := dst[j*ds+i]; !same(g, want) {
					t.Fatalf("%s Transpose of %dx%d: [%d,%d] is %v, want %v", name, rows, cols, i, j, g, want)
				}
			}
		}
	}
}

func TestLevelsAgree(t *testing.T) {
	plain, _ := kernel.ForLevel(kernel.LevelGo)
	levels(t, func(t *testing.T, k *kernel.Table) {
		checkOps(t, "f32", &k.F32, &plain.F32)
		checkOps(t, "f64", &k.F64, &plain.F64)
		checkOps(t, "i8", &k.I8, &plain.I8)
		checkOps(t, "i16", &k.I16, &plain.I16)
		checkOps(t, "i32", &k.I32, &plain.I32)
		checkOps(t, "i64", &k.I64, &plain.I64)
		checkOps(t, "u8", &k.U8, &plain.U8)
		checkOps(t, "u16", &k.U16, &plain.U16)
		checkOps(t, "u32", &k.U32, &plain.U32)
		checkOps(t, "u64", &k.U64, &plain.U64)
	})
}

func checkConversion[D, S kernel.Number](t *testing.T, name string, got, want func([]D, []S), values func(n int) []S) {
	t.Helper()
	for _, n := range lengths() {
		a := values(n)
		dst, check := guarded[D](n, 77)
		ref := make([]D, n)
		got(dst, a)
		check(t, name)
		want(ref, a)
		compareSlices(t, name, dst, ref, func(i int) string { return fmt.Sprint("of ", a[i]) })
	}
}

func TestConversionsAgree(t *testing.T) {
	plain, _ := kernel.ForLevel(kernel.LevelGo)
	w := &plain.Convert
	levels(t, func(t *testing.T, k *kernel.Table) {
		r := rand.New(rand.NewPCG(7, 8))
		c := &k.Convert
		f32 := func(n int) []float32 { return values[float32](r, n) }
		f64 := func(n int) []float64 { return values[float64](r, n) }
		i32 := func(n int) []int32 { return values[int32](r, n) }
		i64 := func(n int) []int64 { return values[int64](r, n) }
		u8 := func(n int) []uint8 { return values[uint8](r, n) }
		checkConversion(t, "F32F64", c.F32F64, w.F32F64, f32)
		checkConversion(t, "F64F32", c.F64F32, w.F64F32, f64)
		checkConversion(t, "F32I32", c.F32I32, w.F32I32, f32)
		checkConversion(t, "I32F32", c.I32F32, w.I32F32, i32)
		checkConversion(t, "F32BF16", c.F32BF16, w.F32BF16, f32)
		checkConversion(t, "F32F16", c.F32F16, w.F32F16, f32)
		checkConversion(t, "U8F32", c.U8F32, w.U8F32, u8)
		checkConversion(t, "I8F32", c.I8F32, w.I8F32, func(n int) []int8 { return values[int8](r, n) })
		checkConversion(t, "I64I32", c.I64I32, w.I64I32, i64)
		checkConversion(t, "I32I64", c.I32I64, w.I32I64, i32)
		checkConversion(t, "U8I32", c.U8I32, w.U8I32, u8)
		checkConversion(t, "F32Bool", c.F32Bool, w.F32Bool, f32)
		checkConversion(t, "I32Bool", c.I32Bool, w.I32Bool, i32)
		all := func(n int) []uint16 { return values[uint16](r, n) }
		checkConversion(t, "BF16F32", c.BF16F32, w.BF16F32, all)
		checkConversion(t, "F16F32", c.F16F32, w.F16F32, all)
	})
}

// TestHalfRoundTrip goes through every half-precision value and the middles between neighbours.
func TestHalfRoundTrip(t *testing.T) {
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, f := range []struct {
			name  string
			wide  func([]float32, []uint16)
			near  func([]uint16, []float32)
			isNaN func(h uint16) bool
			inf   uint16
		}{
			{"f16", k.Convert.F16F32, k.Convert.F32F16, func(h uint16) bool { return h&0x7fff > 0x7c00 }, 0x7c00},
			{"bf16", k.Convert.BF16F32, k.Convert.F32BF16, func(h uint16) bool { return h&0x7fff > 0x7f80 }, 0x7f80},
		} {
			h := make([]uint16, 1<<16)
			for i := range h {
				h[i] = uint16(i)
			}
			x, back := make([]float32, len(h)), make([]uint16, len(h))
			f.wide(x, h)
			f.near(back, x)
			for i := range h {
				if f.isNaN(h[i]) {
					if x[i] == x[i] || !f.isNaN(back[i]) {
						t.Fatalf("%s %#x: NaN became %v and then %#x", f.name, h[i], x[i], back[i])
					}
				} else if back[i] != h[i] {
					t.Fatalf("%s %#x: through %v came back as %#x", f.name, h[i], x[i], back[i])
				}
			}
			var mid []float32
			var want []uint16
			for i := range f.inf - 1 { // between positive neighbours: to even
				mid = append(mid, float32((float64(x[i])+float64(x[i+1]))/2))
				want = append(want, i+i&1)
			}
			got := make([]uint16, len(mid))
			f.near(got, mid)
			for i := range mid {
				if got[i] != want[i] {
					t.Fatalf("%s: %v rounds to %#x, want %#x", f.name, mid[i], got[i], want[i])
				}
			}
		}
	})
}

func TestThreefry(t *testing.T) {
	// known answers of the Random123 distribution for threefry2x32 with 20 rounds
	known := [][6]uint32{
		{0, 0, 0, 0, 0x6b200159, 0x99ba4efe},
		{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7},
		{0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3, 0xc4923a9c, 0x483df7a0},
	}
	plain, _ := kernel.ForLevel(kernel.LevelGo)
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, v := range known {
			x0, x1 := []uint32{v[2]}, []uint32{v[3]}
			k.Threefry(v[0], v[1], x0, x1)
			if x0[0] != v[4] || x1[0] != v[5] {
				t.Errorf("key %#x %#x: got %#x %#x, want %#x %#x", v[0], v[1], x0[0], x1[0], v[4], v[5])
			}
		}
		r := rand.New(rand.NewPCG(9, 10))
		for _, n := range lengths() {
			a0, a1 := values[uint32](r, n), values[uint32](r, n)
			g0, check0 := guarded[uint32](n, 7)
			g1, check1 := guarded[uint32](n, 7)
			copy(g0, a0)
			copy(g1, a1)
			plain.Threefry(1, 2, a0, a1)
			k.Threefry(1, 2, g0, g1)
			check0(t, "Threefry")
			check1(t, "Threefry")
			if !slices.Equal(a0, g0) || !slices.Equal(a1, g1) {
				t.Fatalf("length %d: differs from the plain loop", n)
			}
		}
	})
}

func TestShortOperandPanics(t *testing.T) {
	levels(t, func(t *testing.T, k *kernel.Table) {
		defer func() {
			if recover() == nil {
				t.Error("an operand shorter than dst was accepted")
			}
		}()
		short := make([]float32, 9)[:9:9]
		k.F32.VV[kernel.Add](make([]float32, 10), short, short)
	})
}
