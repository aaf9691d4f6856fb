package plan

import (
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// minImageDepth is the depth of the products from which a convolution in place is faster than gathering windows: a row
// of taps times the channels.
const minImageDepth = 32

// imageConv schedules a two-dimensional convolution whose channels are innermost, without gathering windows; nil where
// its layout, groups or depth ask for something else.
func (s *scheduler) imageConv(i *inst, iv, kv view) *unit {
	a := i.attr.(*stablehlo.ConvAttr)
	in, kern, out := i.in[0].typ.Dims, i.in[1].typ.Dims, i.out[0].typ.Dims
	switch {
	case a.FeatureGroupCount > 1 || a.BatchGroupCount > 1 || len(in) != 4,
		a.InputBatch != 0 || a.InputFeature != 3 || !slices.Equal(a.InputSpatial, []int64{1, 2}),
		a.OutputBatch != 0 || a.OutputFeature != 3 || !slices.Equal(a.OutputSpatial, []int64{1, 2}),
		a.KernelInputFeature != 2 || a.KernelOutputFeature != 3 || !slices.Equal(a.KernelSpatial, []int64{0, 1}),
		slices.Contains(a.WindowReversal, true) || slices.ContainsFunc(a.LHSDilation, func(d int64) bool { return d != 1 }),
		a.Padding[0][0] < 0 || a.Padding[1][0] < 0 || kern[1]*kern[2] < minImageDepth:
		return nil
	}
	c := imageShape{
		batch: int(in[0]), h: int(in[1]), w: int(in[2]), c: int(in[3]), outH: int(out[1]), outW: int(out[2]), o: int(out[3]),
		kh: int(kern[0]), kw: int(kern[1]), a: a,
	}
	u := &unit{out: i.out, reads: []*value{iv.base, kv.base}}
	if i.out[0].typ.Elem == dtype.F32 {
		u.step = imageStep(c, iv, kv, i.out[0], s.kernels.PackFilter32, s.kernels.Conv32)
	} else {
		u.step = imageStep(c, iv, kv, i.out[0], s.kernels.PackFilter64, s.kernels.Conv64)
	}
	return u
}

type imageShape struct {
	batch, h, w, c, outH, outW, o, kh, kw int
	a                                     *stablehlo.ConvAttr
}

func imageStep[T kernel.Float](c imageShape, iv, kv view, out *value, pack func(filter []T, kh, kw, c, o int) *kernel.Filter[T], conv func(*kernel.Conv[T], kernel.Par)) step {
	filter := func(r *run) *kernel.Filter[T] {
		return pack(as[T](r.bytes(kv.base))[kv.off:], c.kh, c.kw, c.c, c.o)
	}
	if kv.base.lit != nil { // weights that the program holds are prepared once
		var once sync.Once
		var packed *kernel.Filter[T]
		prepare := filter
		filter = func(r *run) *kernel.Filter[T] {
			once.Do(func() { packed = prepare(r) })
			return packed
		}
	}
	return func(r *run) error {
		conv(&kernel.Conv[T]{
			Batch: c.batch, H: c.h, W: c.w, C: c.c, OutH: c.outH, OutW: c.outW,
			StrideH: int(c.a.WindowStrides[0]), StrideW: int(c.a.WindowStrides[1]),
			DilateH: int(c.a.RHSDilation[0]), DilateW: int(c.a.RHSDilation[1]),
			PadTop: int(c.a.Padding[0][0]), PadLeft: int(c.a.Padding[1][0]),
			Input: as[T](r.bytes(iv.base))[iv.off:], Output: as[T](r.bytes(out)), Filter: filter(r),
		}, r.watch)
		return r.err()
	}
}
