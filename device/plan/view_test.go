package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/device/plan"
)

// places lists where the elements of a view lie, in row-major order.
func places(dims, strides []int64, off int64) []int64 {
	out := []int64{off}
	for k, d := range dims {
		next := make([]int64, 0, int64(len(out))*d)
		for _, o := range out {
			for j := range d {
				next = append(next, o+j*strides[k])
			}
		}
		out = next
	}
	return out
}

func drawView(rt *rapid.T) (dims, strides []int64) {
	rank := rapid.IntRange(0, 5).Draw(rt, "rank")
	for range rank {
		dims = append(dims, rapid.SampledFrom([]int64{1, 2, 3, 4, 6}).Draw(rt, "dim"))
	}
	n := int64(1)
	strides = make([]int64, rank)
	for _, d := range rapid.Permutation(indices(rank)).Draw(rt, "order") {
		strides[d] = n * rapid.SampledFrom([]int64{1, 1, 1, 0, -1, 2}).Draw(rt, "by")
		n *= dims[d]
	}
	return dims, strides
}

// Strides that reshapeStrides finds read the same elements in the same order; and for dense memory it finds some.
func TestReshapeStrides(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dims, strides := drawView(rt)
		to := []int64{}
		n := int64(len(places(dims, strides, 0)))
		for n > 1 {
			p := int64(2)
			for n%p != 0 || rapid.IntRange(0, 1).Draw(rt, "larger") == 1 && p < n {
				p++
			}
			to = append(to, p)
			n /= p
		}
		to = append(to, 1)
		to = rapid.Permutation(to).Draw(rt, "to")
		got, ok := plan.ReshapeStrides(dims, strides, to)
		if !ok {
			dense := int64(1)
			for k := len(dims) - 1; k >= 0; k-- {
				if dims[k] != 1 && strides[k] != dense {
					return
				}
				dense *= dims[k]
			}
			rt.Fatalf("no strides for dense %v as %v", dims, to)
		}
		if d := cmp.Diff(places(dims, strides, 0), places(to, got, 0)); d != "" {
			rt.Fatalf("%v by %v as %v by %v (-want +got):\n%s", dims, strides, to, got, d)
		}
	})
}

// A walk from any element on visits what the view says.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dims, strides := drawView(rt)
		at := places(dims, strides, 0)
		off := -slices.Min(at)
		src := make([]uint32, off+slices.Max(at)+1)
		for i := range src {
			src[i] = uint32(i)
		}
		lo := rapid.IntRange(0, len(at)-1).Draw(rt, "lo")
		n := rapid.IntRange(0, len(at)-lo).Draw(rt, "n")
		got := plan.Walk(dims, strides, src, off, int64(lo), n)
		for i, x := range got {
			if int64(x) != at[lo+i]+off {
				rt.Fatalf("%v by %v from %d: element %d is %d, want %d", dims, strides, lo, i, x, at[lo+i]+off)
			}
		}
	})
}
