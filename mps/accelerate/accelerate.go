// Package accelerate lets the embedded device compute its large matrix products and softmaxes, and on request norms, by package mps,
// on the GPU of a Mac:
//
//	dev, err := mps.Open(ctx, mps.Options{})
//	plugin, err := embedded.Plugin(device.Options{Accelerator: accelerate.New(dev, accelerate.Options{})})
//
// The device's memory is not the GPU's, so operands are copied: that is worth it where a product multiplies each element many times.
package accelerate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// Options are what to take. The zero value is the default.
type Options struct {
	// Least is the least number of multiplications of one product; 0 is 2^26, a product of 406 x 406 matrices.
	Least int
	// LeastRows is the least number of elements of a softmax or norm; 0 is 2^20 of a softmax, and leaves norms to the workers. They are
	// copied to the device and back, which takes 2 ns an element with the pages that are new to it. A worker takes 12 to 17 ns for a
	// softmax and 3 to 4 for a norm in plain Go, less than 1 in assembly: measured on an AMD EPYC; no Mac was there to measure.
	LeastRows int
}

// Products is the accelerator: give it to device.Options. It is safe for concurrent use. It owns nothing; the caller closes the mps
// device after the embedded one.
type Products struct {
	dev       *mps.Device
	opt       Options
	leastNorm int
	taken     atomic.Int64
	takenRows atomic.Int64
}

// New makes an accelerator of a device.
func New(dev *mps.Device, opt Options) *Products {
	if opt.Least <= 0 {
		opt.Least = 1 << 26
	}
	p := &Products{dev: dev, opt: opt, leastNorm: opt.LeastRows}
	if opt.LeastRows <= 0 {
		p.opt.LeastRows, p.leastNorm = 1<<20, math.MaxInt
	}
	return p
}

// Taken is how many products it has computed.
func (p *Products) Taken() int64 {
	if p == nil {
		return 0
	}
	return p.taken.Load()
}

// side is the matrices of one operand as package mps wants them: rows of elements next to each other.
type side struct {
	data             []float32
	count, rows, by  int // matrices, their rows, and from row to row
	columns, between int // their columns, and from matrix to matrix
	transpose        bool
}

// sideOf reads a view of rows x columns as that, or as its transpose. It is not ok where neither has elements next to each other.
func sideOf(v kernel.View[float32], rows, columns, count, between int) (side, bool) {
	s := side{data: v.Data, count: count, rows: rows, columns: columns, by: v.RowStride, between: between}
	if v.ColStride != 1 && columns > 1 {
		if v.RowStride != 1 && rows > 1 {
			return s, false
		}
		s.transpose, s.rows, s.columns, s.by = true, columns, rows, v.ColStride
	}
	if count > 1 && between == 0 {
		s.count = 1
	}
	return s, s.by >= s.columns || s.rows == 1
}

// Gemm32 computes a product; see device/plan.Accelerator. A product that is too small, or whose operands lie otherwise than matrices do,
// is left to the workers, and so is everything once the mps device is suspect or full: the run then goes on without it.
func (p *Products) Gemm32(ctx context.Context, g *kernel.Gemm[float32]) (bool, error) {
	if p == nil || g == nil || g.Accumulate || g.Packed != nil || g.ColBias != nil || g.RowBias != nil || g.ReLU {
		return false, nil
	}
	count := max(g.Batch, 1)
	if size := float64(g.M) * float64(g.N) * float64(g.K) * float64(count); size < float64(p.opt.Least) || g.K == 0 {
		return false, nil
	}
	a, okA := sideOf(g.A, g.M, g.K, count, g.BatchA)
	b, okB := sideOf(g.B, g.K, g.N, count, g.BatchB)
	c, okC := sideOf(g.C, g.M, g.N, count, g.BatchC)
	if !okA || !okB || !okC || c.transpose || c.count != count {
		return false, nil
	}
	done, err := ended(ctx, p.product(ctx, a, b, c), &p.taken)
	if err != nil {
		err = fmt.Errorf("accelerate: product of %d x %d x %d: %w", g.M, g.K, g.N, err)
	}
	return done, err
}

// ended counts what was computed; of an error it says whether the workers should do it, since nothing was written.
func ended(ctx context.Context, err error, count *atomic.Int64) (bool, error) {
	switch {
	case err == nil:
		count.Add(1)
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.Is(err, isthmus.ErrLimit), errors.Is(err, isthmus.ErrException), errors.Is(err, isthmus.ErrClosed), errors.Is(err, isthmus.ErrUnsupported):
		return false, nil
	}
	return false, err
}

// product copies the operands to the device, multiplies, and copies the result back. When ctx ends first the run keeps the device's memory
// until it is done, and then it is freed; g's memory is not touched any more.
func (p *Products) product(ctx context.Context, a, b, c side) error {
	x, err := p.upload(a)
	if err != nil {
		return err
	}
	y, err := p.upload(b)
	if err != nil {
		return errors.Join(err, x.Close())
	}
	z, err := p.dev.NewMatrices(mps.Layout{Type: dtype.F32, Count: c.count, Rows: c.rows, Columns: c.columns})
	if err != nil {
		return errors.Join(err, x.Close(), y.Close())
	}
	closed := func() error { return errors.Join(x.Close(), y.Close(), z.Close()) }
	return p.compute(ctx, closed, func() error { return c.download(z) }, func(batch *mps.Batch) {
		batch.MatMul(z, x, y, mps.MatMulOptions{TransposeLeft: a.transpose, TransposeRight: b.transpose})
	})
}

// compute runs a batch, fetches what it made, and closes what it used.
func (p *Products) compute(ctx context.Context, closed, fetch func() error, record func(*mps.Batch)) error {
	run, err := p.dev.Start(ctx, func(b *mps.Batch) error { record(b); return nil })
	if err != nil {
		return errors.Join(err, closed())
	}
	if err := run.Wait(ctx); err != nil {
		select {
		case <-run.Done():
			return errors.Join(err, closed())
		default:
			go func() {
				<-run.Done()
				_ = closed() // nobody is left to tell; a leak is reported
			}()
			return err
		}
	}
	return errors.Join(fetch(), closed())
}

func (p *Products) upload(s side) (*mps.Matrix, error) {
	m, err := p.dev.NewMatrices(mps.Layout{Type: dtype.F32, Count: s.count, Rows: s.rows, Columns: s.columns})
	if err != nil {
		return nil, err
	}
	err = s.each(m, func(v *mps.Matrix, part []float32) error { return v.Write(part) })
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (s side) download(m *mps.Matrix) error {
	return s.each(m, func(v *mps.Matrix, part []float32) error { return v.Read(part) })
}

// each pairs the parts of s that are dense with those of m: all, a matrix, or a row.
func (s side) each(m *mps.Matrix, f func(*mps.Matrix, []float32) error) error {
	dense := s.by == s.columns || s.rows == 1
	one := s.rows * s.columns
	if dense && (s.count == 1 || s.between == one) {
		return f(m, s.data[:s.count*one])
	}
	for i := range s.count {
		v, err := m.Matrices(i, 1)
		if err != nil {
			return err
		}
		at := s.data[i*s.between:]
		if dense {
			if err := f(v, at[:one]); err != nil {
				return err
			}
			continue
		}
		for r := range s.rows {
			row, err := v.View(r, 0, 1, s.columns)
			if err != nil {
				return err
			}
			if err := f(row, at[r*s.by:r*s.by+s.columns]); err != nil {
				return err
			}
		}
	}
	return nil
}
