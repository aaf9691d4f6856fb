package main

import (
	"context"
	"fmt"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// attention is of one head of n queries and n keys, of width columns. The others make all scores, then weigh the values.
func (s *setup) attention(ctx context.Context, n, width int, openblas *numpy) (bench, error) {
	c := bench{name: fmt.Sprintf("attention %d", n), flops: 4 * float64(n) * float64(n) * float64(width)}
	v := numbers(n * width)
	x, err := s.matrix(n, width, v)
	if err != nil {
		return c, err
	}
	z, err := s.dev.NewMatrix(n, width, dtype.F32)
	if err != nil {
		return c, err
	}
	s.closes = append(s.closes, z.Close)
	c.peers = append(c.peers, timed("mps", func() error {
		return s.dev.Do(ctx, func(b *mps.Batch) error { b.Attention(z, x, x, x, mps.AttentionOptions{}); return nil })
	}))
	if openblas != nil {
		c.peers = append(c.peers, peer{"numpy", func() (time.Duration, error) { return openblas.once("attention", n, width) }})
	}
	general := func(rows, columns int, v []float32) blas32.General {
		return blas32.General{Rows: rows, Cols: columns, Stride: columns, Data: v}
	}
	m, scores, out := general(n, width, v), general(n, n, make([]float32, n*n)), general(n, width, make([]float32, n*width))
	c.peers = append(c.peers, timed("gonum", func() error {
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, m, m, 0, scores)
		softmax(scores.Data, scores.Data, n)
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, scores, m, 0, out)
		return nil
	}))
	return c, nil
}
