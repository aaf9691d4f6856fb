package eval

import (
	"bytes"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// CheckError says that a check of a test program found a difference.
type CheckError struct {
	Check string // such as "check.expect_close"
	Count int    // elements that differ
	Index []int  // the first of them
	Msg   string // how it differs
}

// Error names the check and the first difference.
func (e *CheckError) Error() string {
	return fmt.Sprintf("%s: %d elements differ, first at %v: %s", e.Check, e.Count, e.Index, e.Msg)
}

// checkCall runs the checks that test programs of the specification use, as operations of the check dialect or as
// custom calls: got and want, or got and a constant.
func (r *runner) checkCall(op *stablehlo.Op, a *stablehlo.CustomCallAttr, in []Value) ([]Value, error) {
	ts, err := tensors(in)
	if err != nil {
		return nil, err
	}
	find := func(name string) (stablehlo.Extra, bool) {
		if x, ok := stablehlo.Find(a.BackendConfig, name); ok {
			return x, true
		}
		return stablehlo.Find(op.Extra, name)
	}
	if len(ts) == 0 {
		return nil, fmt.Errorf("has no operand")
	}
	got := ts[0]
	var want *Tensor
	switch {
	case len(ts) > 1:
		want = ts[1]
	default:
		x, ok := find("value")
		if !ok {
			break
		}
		l, ok := x.Tensor()
		if !ok {
			return nil, fmt.Errorf("value is not a tensor")
		}
		want = &Tensor{Type: l.Type, Data: l.Data}
		if l.Splat {
			n, err := byteSize(l.Type)
			if err != nil {
				return nil, err
			}
			want.Data = make([]byte, n)
			fillBytes(want.Data, l.Data)
		}
	}
	if a.Target == "check.expect_serialized_eq" {
		id := ""
		if x, ok := find("probe_id"); ok {
			id, _ = x.Text()
		}
		iter := 0
		for _, name := range []string{"iter", "iteration"} {
			if x, ok := find(name); ok {
				n, _ := x.Int()
				iter = int(n)
			}
		}
		r.grid.mu.Lock()
		if seen := r.grid.probes[id]; iter >= 0 && iter < len(seen) {
			want = seen[iter]
		}
		r.grid.mu.Unlock()
	}
	if want == nil {
		return nil, fmt.Errorf("%s has nothing to compare with", a.Target)
	}
	if got.Type.Elem != want.Type.Elem || got.Len() != want.Len() {
		return nil, &CheckError{Check: a.Target, Count: got.Len(), Msg: fmt.Sprintf("%v, want %v", got.Type, want.Type)}
	}
	number := func(name string, def int64) int64 {
		if x, ok := find(name); ok {
			if n, ok := x.Int(); ok {
				return n
			}
		}
		return def
	}
	c := &comparison{name: a.Target, got: got, want: want}
	switch a.Target {
	case "check.eq":
		c.each(func(x, y *lane, k int) string { return almost(x, y, k, 1e-4) })
	case "check.expect_eq", "check.expect_eq_const", "check.expect_serialized_eq":
		c.each(func(x, y *lane, k int) string { return differ(x, y, k) })
	case "check.expect_almost_eq", "check.expect_almost_eq_const":
		tolerance := 1e-4
		if x, ok := find("tolerance"); ok {
			if v, ok := x.Float(); ok {
				tolerance = v
			}
		} else if a.APIVersion < 4 {
			tolerance = 1e-3 // what the reference interpreter allows for the custom call
		}
		c.each(func(x, y *lane, k int) string { return almost(x, y, k, tolerance) })
	case "check.expect_close":
		lo, hi := uint64(number("min_ulp_difference", 0)), uint64(number("max_ulp_difference", 3))
		if !got.Type.Elem.IsFloat() && !got.Type.Elem.IsComplex() {
			return nil, fmt.Errorf("expect_close of %v: %w", got.Type, ErrUnsupported)
		}
		c.ulps(lo, hi)
	default:
		return nil, fmt.Errorf("check %q: %w", a.Target, ErrUnsupported)
	}
	if c.err != nil {
		return nil, c.err
	}
	outs := make([]Value, len(op.Results))
	for i := range outs {
		out, err := r.out(op, i, op.Results[i].Type.Dims)
		if err != nil {
			return nil, err
		}
		if out.Type.Elem == dtype.I1 {
			for k := range out.Data {
				out.Data[k] = 1
			}
		}
		outs[i] = out
	}
	return outs, nil
}

type comparison struct {
	name      string
	got, want *Tensor
	err       error
}

func (c *comparison) fail(p int, msg string) {
	if e, ok := c.err.(*CheckError); ok {
		e.Count++
		return
	}
	idx := make([]int, c.got.Type.Rank())
	unravel(idx, p, c.got.Type.Dims)
	c.err = &CheckError{Check: c.name, Count: 1, Index: idx, Msg: msg}
}

func (c *comparison) each(differs func(x, y *lane, k int) string) {
	x, y := newLane(c.got.Type.Elem, laneLen), newLane(c.want.Type.Elem, laneLen)
	total := c.got.Len()
	for at := 0; at < total; at += laneLen {
		n := min(laneLen, total-at)
		x.load(c.got.Data, at, n)
		y.load(c.want.Data, at, n)
		for k := range n {
			if msg := differs(x, y, k); msg != "" {
				c.fail(at+k, msg)
			}
		}
	}
}

func differ(x, y *lane, k int) string {
	switch {
	case x.f != nil && x.f[k] != y.f[k]:
		return fmt.Sprintf("%v, want %v", x.f[k], y.f[k])
	case x.c != nil && x.c[k] != y.c[k]:
		return fmt.Sprintf("%v, want %v", x.c[k], y.c[k])
	case x.i != nil && x.i[k] != y.i[k]:
		return fmt.Sprintf("%v, want %v", x.i[k], y.i[k])
	}
	return ""
}

func almost(x, y *lane, k int, tolerance float64) string {
	near := func(a, b float64) bool {
		switch {
		case a == b || (a != a && b != b):
			return true
		case math.IsInf(a, 0) || math.IsInf(b, 0):
			return false
		}
		return math.Abs(a-b) <= tolerance
	}
	switch {
	case x.f != nil && !near(x.f[k], y.f[k]):
		return fmt.Sprintf("%v, want %v within %v", x.f[k], y.f[k], tolerance)
	case x.c != nil && (!near(real(x.c[k]), real(y.c[k])) || !near(imag(x.c[k]), imag(y.c[k]))):
		return fmt.Sprintf("%v, want %v within %v", x.c[k], y.c[k], tolerance)
	case x.i != nil && x.i[k] != y.i[k]:
		return fmt.Sprintf("%v, want %v", x.i[k], y.i[k])
	}
	return ""
}

// ulps compares bit patterns: how many numbers of the type lie between.
func (c *comparison) ulps(lo, hi uint64) {
	part := c.got.Type.Elem.Real()
	got := &Tensor{Type: stablehlo.TensorOf(part, int64(len(c.got.Data)/part.Size())), Data: c.got.Data}
	want := &Tensor{Type: got.Type, Data: c.want.Data}
	per := c.got.Type.Elem.Size() / part.Size()
	if lo == 0 && bytes.Equal(got.Data, want.Data) {
		return
	}
	worst := make([]uint64, c.got.Len())
	for k := range got.Len() {
		worst[k/per] = max(worst[k/per], ulpDistance(bitsAt(got, k), bitsAt(want, k), part))
	}
	for p, d := range worst {
		if d > hi || d < lo {
			x, y := newLane(c.got.Type.Elem, 1), newLane(c.got.Type.Elem, 1)
			x.loadOne(0, c.got.Data, p)
			y.loadOne(0, c.want.Data, p)
			msg := differ(x, y, 0)
			c.fail(p, fmt.Sprintf("%s: %d units in the last place, limit %d", msg, d, hi))
		}
	}
}

func ulpDistance(f, g uint64, t dtype.Type) uint64 {
	if f == g {
		return 0
	}
	x, y := dtype.ToFloat64(t, f), dtype.ToFloat64(t, g)
	if x != x && y != y {
		return 0
	}
	if x != x || y != y || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return math.MaxUint64
	}
	sign := uint64(1) << (t.Bits() - 1)
	a, b := f&^sign, g&^sign
	switch {
	case f&sign != g&sign:
		return a + b
	case a > b:
		return a - b
	}
	return b - a
}
