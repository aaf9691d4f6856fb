package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/backends/simplego"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/npy"
)

// gomlx is GoMLX's backend in plain Go.
type gomlx struct{ backend backends.Backend }

func newGomlx() (*gomlx, error) {
	b, err := simplego.New("")
	return &gomlx{b}, err
}

func (*gomlx) name() string { return "gomlx" }

func (g *gomlx) close() error {
	g.backend.Finalize()
	return nil
}

// must1 ends a graph at its first error; prepare recovers it.
func must1[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// graphs build the cases that GoMLX has a program for.
var graphs = map[string]func(b backends.Builder, in []backends.Op) backends.Op{
	"matmul_512": func(b backends.Builder, in []backends.Op) backends.Op {
		return must1(b.DotGeneral(in[0], []int{1}, nil, in[1], []int{0}, nil))
	},
	"exp_1m":    func(b backends.Builder, in []backends.Op) backends.Op { return must1(b.Exp(in[0])) },
	"reduce_4m": func(b backends.Builder, in []backends.Op) backends.Op { return must1(b.ReduceSum(in[0], 0)) },
	"chain_1m": func(b backends.Builder, in []backends.Op) backends.Op {
		s := must1(b.Add(in[0], in[1]))
		return must1(b.Max(must1(b.Sub(must1(b.Tanh(must1(b.Mul(s, in[0])))), in[1])), s))
	},
	"softmax_1024": func(b backends.Builder, in []backends.Op) backends.Op {
		shape := must1(b.OpShape(in[0]))
		rows := func(x backends.Op) backends.Op { return must1(b.BroadcastInDim(x, shape, []int{0})) }
		e := must1(b.Exp(must1(b.Sub(in[0], rows(must1(b.ReduceMax(in[0], 1)))))))
		return must1(b.Div(e, rows(must1(b.ReduceSum(e, 1)))))
	},
	"gather_64k": func(b backends.Builder, in []backends.Op) backends.Op {
		return must1(b.Gather(in[0], in[1], 1, []int{1}, []int{0}, []int{0}, []int{1, 64}, false))
	},
	"conv_8x64x64x32": func(b backends.Builder, in []backends.Op) backends.Op {
		return must1(b.ConvGeneral(in[0], in[1], backends.ConvolveAxesConfig{
			InputBatch: 0, InputSpatial: []int{1, 2}, InputChannels: 3,
			KernelSpatial: []int{0, 1}, KernelInputChannels: 2, KernelOutputChannels: 3,
			OutputBatch: 0, OutputSpatial: []int{1, 2}, OutputChannels: 3,
		}, []int{1, 1}, [][2]int{{1, 1}, {1, 1}}, nil, nil, 1, 1))
	},
}

func (g *gomlx) prepare(_ context.Context, c bench) (t *task, err error) {
	build := graphs[c.name]
	if build == nil {
		return nil, nil
	}
	defer func() {
		if p, ok := recover().(error); ok {
			err = p
		}
	}()
	start := time.Now()
	b := g.backend.Builder(c.name)
	var ops []backends.Op
	var in []backends.Buffer
	for i, a := range c.inputs {
		s := shapes.Shape{DType: dtypes.Float32}
		if a.DType == dtype.I32 {
			s.DType = dtypes.Int32
		}
		for _, d := range a.Shape {
			s.Dimensions = append(s.Dimensions, int(d))
		}
		ops = append(ops, must1(b.Parameter(string(rune('a'+i)), s, nil)))
		flat, err := flatten(a)
		if err != nil {
			return nil, err
		}
		in = append(in, must1(g.backend.BufferFromFlatData(0, flat, s)))
	}
	x := must1(b.Compile([]backends.Op{build(b, ops)}, nil))
	t = &task{compile: time.Since(start), close: x.Finalize}
	t.times = repeat(func() error {
		out, err := x.Execute(in, nil, 0)
		for _, o := range out {
			if err := g.backend.BufferFinalize(o); err != nil {
				return err
			}
		}
		return err
	})
	return t, nil
}

// flatten gives the elements of an array as a slice.
func flatten(a npy.Array) (any, error) {
	if a.DType == dtype.I32 {
		x := make([]int32, len(a.Data)/4)
		return x, binary.Read(bytes.NewReader(a.Data), binary.LittleEndian, x)
	}
	x := make([]float32, len(a.Data)/4)
	return x, binary.Read(bytes.NewReader(a.Data), binary.LittleEndian, x)
}
