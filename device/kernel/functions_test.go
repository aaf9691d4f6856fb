package kernel_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// function is a function of one value with its definition in float64 and the most it may be off, in units in the last
// place of the result (of the least subnormal where the result is subnormal).
type function struct {
	op     kernel.Unary
	name   string
	exact  func(float64) float64
	ulps32 float64
	ulps64 float64
}

var functions = []function{
	{kernel.Exp, "exp", exp, 1.0, 2},
	{kernel.Expm1, "expm1", math.Expm1, 1.5, 2},
	{kernel.Log, "log", log, 1.0, 2},
	{kernel.Log1p, "log1p", math.Log1p, 1.5, 2},
	{kernel.Tanh, "tanh", math.Tanh, 2, 4},
	{kernel.Logistic, "logistic", logistic, 2, 4},
	{kernel.Sin, "sin", math.Sin, 2, 4},
	{kernel.Cos, "cos", math.Cos, 2, 4},
	{kernel.Erf, "erf", math.Erf, 2, 4},
}

// exp and log go around two faults of math on amd64: Exp overflows from 709.44 on, Log takes subnormals for normal.
func exp(x float64) float64 {
	if x > 709 {
		return math.Exp(709) * math.Exp(x-709)
	}
	return math.Exp(x)
}

func log(x float64) float64 {
	if x > 0 && x < 0x1p-1022 {
		return math.Log(x*0x1p54) - 54*math.Ln2
	}
	return math.Log(x)
}

func logistic(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// ulp32 is the size of a unit in the last place at x.
func ulp32(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-24, -149))
}

func ulp64(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e-53, -1074))
}

// off32 is the error of got in units; infinite when a special value is wrong.
func off32(got float32, want float64) float64 {
	w := float32(want)
	switch {
	case want != want || math.IsInf(float64(w), 0) || math.IsInf(float64(got), 0) || got != got:
		if got != got && want != want || got == w {
			return 0
		}
		// the largest finite value against infinity is a question of rounding
		if math.Abs(float64(got)) == math.MaxFloat32 && math.IsInf(float64(w), 0) {
			return math.Abs(want-float64(got)) / ulp32(math.MaxFloat32)
		}
		return math.Inf(1)
	case w == 0 && math.Signbit(float64(got)) != math.Signbit(want):
		return math.Inf(1)
	}
	return math.Abs(float64(got)-want) / ulp32(want)
}

// samples32 steps through all float32 bit patterns, with every special region dense.
func samples32(step uint32) []float32 {
	var s []float32
	for b := uint64(0); b < 1<<32; b += uint64(step) {
		s = append(s, math.Float32frombits(uint32(b)))
	}
	for _, x := range specials[float32]() {
		for d := -300; d <= 300; d++ {
			s = append(s, math.Float32frombits(uint32(int64(math.Float32bits(x))+int64(d))))
		}
	}
	for k := range 200 { // multiples of pi/4, overflow and underflow of exp, cuts of the methods
		for _, x := range []float64{float64(k) * math.Pi / 4, float64(k) * 1000 * math.Pi / 2, 88 + float64(k)/100, 103 + float64(k)/100, 87 + float64(k)/100, float64(k) * math.Ln2 / 2, float64(k) / 100, 99000 + 10*float64(k)} {
			for d := -20; d <= 20; d++ {
				v := math.Float32frombits(uint32(int(math.Float32bits(float32(x))) + d))
				s = append(s, v, -v)
			}
		}
	}
	return s
}

func TestFunctions32(t *testing.T) {
	step := uint32(1999)
	if testing.Short() {
		step = 100003
	}
	x := samples32(step)
	got := make([]float32, len(x))
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, f := range functions {
			k.F32.Unary[f.op](got, x)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				if off := off32(got[i], f.exact(float64(v))); off > worst {
					worst, at = off, v
				}
			}
			t.Logf("%-8s f32: at most %.3f ulp, at %g", f.name, worst, at)
			if worst > f.ulps32 {
				out := []float32{0}
				k.F32.Unary[f.op](out, []float32{at})
				t.Errorf("%s of %g (%#x) is %g, want %g: off by %.3g ulp, allowed %g", f.name, at, math.Float32bits(at), out[0],
					f.exact(float64(at)), worst, f.ulps32)
			}
		}
	})
}

func TestFunctions64(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	x := specials[float64]()
	for range 200000 {
		x = append(x, math.Float64frombits(r.Uint64()), 800*(2*r.Float64()-1), r.NormFloat64(), math.Exp(r.NormFloat64()),
			1+r.NormFloat64()*1e-3)
	}
	got := make([]float64, len(x))
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, f := range functions {
			k.F64.Unary[f.op](got, x)
			worst, at := 0.0, 0.0
			for i, v := range x {
				want := f.exact(v)
				off := 0.0
				switch {
				case want != want || math.IsInf(want, 0) || math.IsInf(got[i], 0) || got[i] != got[i]:
					if got[i] != want && (want == want || got[i] == got[i]) {
						off = math.Inf(1)
					}
				default:
					off = math.Abs(got[i]-want) / ulp64(want)
				}
				if off > worst {
					worst, at = off, v
				}
			}
			t.Logf("%-8s f64: at most %.3f ulp from Go's math, at %g", f.name, worst, at)
			if worst > f.ulps64 {
				t.Errorf("%s of %g: off by %.3g ulp, allowed %g", f.name, at, worst, f.ulps64)
			}
		}
	})
}

func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	special := specials[float32]()
	var a, b []float32
	for _, x := range special {
		for _, y := range append(special, 2, 3, -2, -3, 1001, -1001, 0.25) {
			a, b = append(a, x), append(b, y)
		}
	}
	for range 400000 {
		x := float32(math.Exp(20 * r.NormFloat64()))
		y := float32(80 / math.Log(float64(x)) * (2*r.Float64() - 1))
		a, b = append(a, x, float32(math.Abs(r.NormFloat64()))), append(b, y, float32(10*r.NormFloat64()))
	}
	got := make([]float32, len(a))
	levels(t, func(t *testing.T, k *kernel.Table) {
		check := func(form string, x, y func(i int) float32) {
			worst, at := 0.0, ""
			for i, g := range got {
				want := math.Pow(float64(x(i)), float64(y(i)))
				if off := off32(g, want); off > worst {
					worst, at = off, fmt.Sprintf("%g to the power %g is %g, want %g", x(i), y(i), g, want)
				}
			}
			t.Logf("pow %s f32: at most %.3f ulp", form, worst)
			if worst > 1 {
				t.Errorf("pow %s: off by %.3g ulp: %s", form, worst, at)
			}
		}
		all := func(s []float32) func(int) float32 { return func(i int) float32 { return s[i] } }
		k.F32.VV[kernel.Pow](got, a, b)
		check("VV", all(a), all(b))
		for _, s := range []float32{2.5, -3, 0, float32(math.NaN())} {
			one := func(int) float32 { return s }
			k.F32.VS[kernel.Pow](got, a, s)
			check("VS", all(a), one)
			k.F32.SV[kernel.Pow](got, s, b)
			check("SV", one, all(b))
		}
	})
}

// TestPower64 compares with exact powers: whole exponents by multiplication of long numbers, quarters by roots of those.
func TestPower64(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	long := func(x float64) *big.Float { return new(big.Float).SetPrec(300).SetFloat64(x) }
	var x, y, want []float64
	for i := range 3000 {
		n := 1 + r.IntN(1<<(1+r.IntN(20)))
		a := math.Exp(700 / float64(n) * (2*r.Float64() - 1))
		if i%4 == 0 {
			a = 1 + r.NormFloat64()*1e-3
		}
		p, sq := long(1), long(a)
		for k := n; k > 0; k >>= 1 {
			if k&1 != 0 {
				p.Mul(p, sq)
			}
			sq.Mul(sq, sq)
		}
		b, roots := float64(n), r.IntN(3)
		for range roots {
			p.Sqrt(p)
			b /= 2
		}
		if i%2 == 0 {
			p.Quo(long(1), p)
			b = -b
		}
		w, _ := p.Float64()
		if roots == 0 && i%5 == 0 { // negative base
			a = -a
			if n%2 == 1 {
				w = -w
			}
		}
		if math.Abs(w) > 1e-300 && !math.IsInf(w, 0) {
			x, y, want = append(x, a), append(y, b), append(want, w)
		}
	}
	got := make([]float64, len(x))
	levels(t, func(t *testing.T, k *kernel.Table) {
		k.F64.VV[kernel.Pow](got, x, y)
		worst := 0.0
		for i, w := range want {
			off := math.Abs(got[i]-w) / ulp64(w)
			worst = max(worst, off)
			if !(off <= 2) {
				t.Fatalf("%g to the power %g is %g, want %g: off by %.3g ulp", x[i], y[i], got[i], w, off)
			}
		}
		t.Logf("pow f64: at most %.3f ulp", worst)
		special := append(specials[float64](), 2, 3, -2, 0.5, 1e300, 1e17, 1<<53+1)
		for _, a := range special {
			for _, b := range special {
				w := math.Pow(a, b)
				if a != 0 && math.Abs(a) < 0x1p-1022 && b != math.Trunc(b) { // wrong in math on amd64, as Log is
					if w = math.NaN(); a > 0 {
						w = math.Exp(b*math.Log(a*0x1p200) - b*200*math.Ln2)
					}
				}
				k.F64.VV[kernel.Pow](got[:1], []float64{a}, []float64{b})
				g := got[0]
				plain := w-w == 0 && w != 0
				if plain && math.Abs(g-w) > 1e-9*math.Abs(w) || !plain && !same(g, w) {
					t.Errorf("%g to the power %g is %g, want %g", a, b, g, w)
				}
			}
		}
	})
}

func TestTanSmall(t *testing.T) {
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, x := range []float64{1e-9, -3e-8, 9.9e-8, 1e-5, 9e-5, 1.1e-4, math.Copysign(0, -1)} {
			z := new(big.Float).SetPrec(200).SetFloat64(x)
			q := new(big.Float).Mul(z, z)
			// x + x^3/3 + 2x^5/15 + 17x^7/315, far beyond a float64 for these
			s := new(big.Float).SetPrec(200).Quo(big.NewFloat(17), big.NewFloat(315).SetPrec(200))
			for _, c := range [][2]float64{{2, 15}, {1, 3}, {1, 1}} {
				s.Mul(s, q)
				s.Add(s, new(big.Float).SetPrec(200).Quo(big.NewFloat(c[0]).SetPrec(200), big.NewFloat(c[1])))
			}
			want, _ := s.Mul(s, z).Float64()
			got := []float64{0}
			k.F64.Unary[kernel.Tan](got, []float64{x})
			if math.Abs(got[0]-want) > 2*ulp64(want) || math.Signbit(got[0]) != math.Signbit(want) {
				t.Errorf("tan of %g is %g, want %g", x, got[0], want)
			}
		}
	})
}

func TestExpSub(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	levels(t, func(t *testing.T, k *kernel.Table) {
		for _, n := range []int{0, 1, 17, 1024, 5000} {
			a := normal[float32](r, n)
			dst, check := guarded[float32](n, 77)
			sum := k.F32.ExpSub(dst, a, 1.5)
			check(t, "ExpSub")
			total := 0.0
			for i, v := range a {
				total += float64(dst[i])
				if off := off32(dst[i], math.Exp(float64(v-1.5))); off > 2 {
					t.Fatalf("exp(%v-1.5) is %v: off by %.3g ulp", v, dst[i], off)
				}
			}
			if math.Abs(float64(sum)-total) > 1e-6*total {
				t.Errorf("sum of %d terms is %v, want %v", n, sum, total)
			}
		}
	})
}
