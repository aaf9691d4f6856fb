package kernel

import "math"

// powerBlock is how many elements the power loop takes at a time.
const powerBlock = 256

// bindPower makes float32 power from the float64 logarithm and exponential: exp(b*log(a)) in float64 is right to far
// beyond the last place of a float32. Arguments outside of that formula go through the plain loop.
func bindPower(t *Table) {
	exact := t.F64.VV[Pow]
	block := func(x, y []float64) {
		l := t.pool64.get(len(x))
		t.F64.Unary[Abs](*l, x)
		t.F64.Unary[Log](*l, *l)
		t.F64.VV[Mul](*l, *l, y)
		t.F64.Unary[Exp](*l, *l)
		for i, a := range x {
			if a < 0 && a >= -math.MaxFloat64 && math.Abs(y[i]) < 1<<52 {
				// exp(b*log|a|) with the sign of an odd power; no other real power of a negative number
				switch whole := math.Trunc(y[i]); {
				case whole != y[i]:
					(*l)[i] = math.NaN()
				case int64(whole)&1 != 0:
					(*l)[i] = -(*l)[i]
				}
			} else if !(a > 0 && a <= math.MaxFloat64) || y[i]-y[i] != 0 {
				exact((*l)[i:i+1], x[i:i+1], y[i:i+1])
			}
		}
		copy(x, *l)
		t.pool64.put(l)
	}
	run := func(n int, load func(x, y []float64, at int), dst []float32) {
		buf := t.pool64.get(2 * powerBlock)
		for at := 0; at < n; at += powerBlock {
			m := min(powerBlock, n-at)
			x, y := (*buf)[:m], (*buf)[powerBlock:powerBlock+m]
			load(x, y, at)
			block(x, y)
			t.Convert.F64F32(dst[at:at+m], x)
		}
		t.pool64.put(buf)
	}
	t.F32.VV[Pow] = func(dst, a, b []float32) {
		run(len(dst), func(x, y []float64, at int) {
			t.Convert.F32F64(x, a[at:])
			t.Convert.F32F64(y, b[at:])
		}, dst)
	}
	t.F32.VS[Pow] = func(dst, a []float32, b float32) {
		if b == 2 { // the square is exact in float64, so this is the same
			t.F32.VV[Mul](dst, a, a)
			return
		}
		run(len(dst), func(x, y []float64, at int) {
			t.Convert.F32F64(x, a[at:])
			t.F64.Fill(y, float64(b))
		}, dst)
	}
	t.F32.SV[Pow] = func(dst []float32, a float32, b []float32) {
		run(len(dst), func(x, y []float64, at int) {
			t.F64.Fill(x, float64(a))
			t.Convert.F32F64(y, b[at:])
		}, dst)
	}
}
