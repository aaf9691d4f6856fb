package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/isthmus-ffi/isthmus/device/linalg"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// factors are factorisations of an n x n matrix of float32. The others compute in float64, as mps does inside, and are given that.
func (s *setup) factors(ctx context.Context, n int) ([]bench, error) {
	v := numbers(n * n)
	for i := range n {
		for j := range i {
			v[j*n+i] = v[i*n+j]
		}
		v[i*n+i] += float32(n)
	}
	x, err := s.matrix(n, n, v)
	if err != nil {
		return nil, err
	}
	z, err := s.matrix(n, n, v)
	if err != nil {
		return nil, err
	}
	p, err := s.dev.NewMatrix(1, n, dtype.U32)
	if err != nil {
		return nil, err
	}
	s.closes = append(s.closes, p.Close)
	work, pivots := make([]float64, n*n), make([]int, n)
	fresh := func() []float64 {
		for i, f := range v {
			work[i] = float64(f)
		}
		return work
	}
	failed := errors.New("the factorisation failed")
	ok := func(b bool) error {
		if !b {
			return failed
		}
		return nil
	}
	triangle := blas64.Triangular{N: n, Stride: n, Uplo: blas.Lower, Diag: blas.NonUnit, Data: slices.Clone(fresh())}
	cube := float64(n) * float64(n) * float64(n)
	return []bench{
		{name: fmt.Sprintf("cholesky %d", n), flops: cube / 3, peers: []peer{
			timed("mps", func() error { return s.dev.Do(ctx, func(b *mps.Batch) error { b.Cholesky(z, x, true); return nil }) }),
			timed("gonum", func() error {
				_, done := lapack64.Potrf(blas64.Symmetric{N: n, Stride: n, Uplo: blas.Lower, Data: fresh()})
				return ok(done)
			}),
			timed("unblocked", func() error { return ok(linalg.Cholesky(fresh(), n, true) == 0) }),
		}},
		{name: fmt.Sprintf("lu %d", n), flops: 2 * cube / 3, peers: []peer{
			timed("mps", func() error { return s.dev.Do(ctx, func(b *mps.Batch) error { b.LU(z, p, x); return nil }) }),
			timed("gonum", func() error {
				return ok(lapack64.Getrf(blas64.General{Rows: n, Cols: n, Stride: n, Data: fresh()}, pivots))
			}),
			timed("unblocked", func() error { _, bad := linalg.LU(fresh(), n, n); return ok(bad == 0) }),
		}},
		{name: fmt.Sprintf("solve right %d", n), flops: cube, peers: []peer{
			timed("mps", func() error {
				return s.dev.Do(ctx, func(b *mps.Batch) error { b.SolveTriangular(z, x, x, mps.SolveOptions{OnRight: true}); return nil })
			}),
			timed("gonum", func() error {
				blas64.Trsm(blas.Right, blas.NoTrans, 1, triangle, blas64.General{Rows: n, Cols: n, Stride: n, Data: fresh()})
				return nil
			}),
		}},
	}, nil
}
