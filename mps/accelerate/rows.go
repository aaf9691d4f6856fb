package accelerate

import (
	"context"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// rowKinds are the operations on rows, by package mps's names.
var rowKinds = map[kernel.RowKind]mps.Kind{
	kernel.Softmax: mps.KindSoftmax, kernel.LogSoftmax: mps.KindLogSoftmax, kernel.RMSNorm: mps.KindRMSNorm, kernel.LayerNorm: mps.KindLayerNorm,
}

// TakenRows is how many softmaxes and norms it has computed.
func (p *Products) TakenRows() int64 {
	if p == nil {
		return 0
	}
	return p.takenRows.Load()
}

// TakesRows says whether an operation on rows is large enough; see device/plan.RowAccelerator.
func (p *Products) TakesRows(kind kernel.RowKind, rows, columns int) bool {
	k, ok := rowKinds[kind]
	if !ok || p == nil {
		return false
	}
	least := p.opt.LeastRows
	if kind == kernel.RMSNorm || kind == kernel.LayerNorm {
		least = p.leastNorm
	}
	return rows*columns >= least && p.dev.Supports(k, dtype.F32) == nil
}

// Rows32 computes an operation on rows; see device/plan.RowAccelerator. Once the mps device is suspect or full it leaves them to the workers.
func (p *Products) Rows32(ctx context.Context, o *kernel.Rows) (bool, error) {
	if p == nil || o == nil || len(o.Source) < o.Rows*o.Columns || len(o.Result) < o.Rows*o.Columns || !p.TakesRows(o.Kind, o.Rows, o.Columns) {
		return false, nil
	}
	done, err := ended(ctx, p.rows(ctx, o), &p.takenRows)
	if err != nil {
		err = fmt.Errorf("accelerate: %v of %d x %d: %w", o.Kind, o.Rows, o.Columns, err)
	}
	return done, err
}

// rows copies the operands to the device, computes in place, and copies the result back. When ctx ends first it is as in product.
func (p *Products) rows(ctx context.Context, o *kernel.Rows) error {
	var memory []interface{ Close() error }
	closed := func() error {
		var errs []error
		for _, m := range memory {
			errs = append(errs, m.Close())
		}
		return errors.Join(errs...)
	}
	x, err := p.upload(side{data: o.Source, count: 1, rows: o.Rows, columns: o.Columns, by: o.Columns})
	if err != nil {
		return err
	}
	memory = append(memory, x)
	var vectors [2]*mps.Vector // nil where there is none
	for i, data := range [][]float32{o.Weight, o.Bias} {
		if data == nil {
			continue
		}
		v, err := p.dev.NewVector(len(data), dtype.F32)
		if err != nil {
			return errors.Join(err, closed())
		}
		memory = append(memory, v)
		if err := v.Write(data); err != nil {
			return errors.Join(err, closed())
		}
		vectors[i] = v
	}
	fetch := func() error { return x.Read(o.Result[:o.Rows*o.Columns]) }
	return p.compute(ctx, closed, fetch, func(b *mps.Batch) {
		switch o.Kind {
		case kernel.Softmax:
			b.Softmax(x, x)
		case kernel.LogSoftmax:
			b.LogSoftmax(x, x)
		case kernel.RMSNorm:
			b.RMSNorm(x, x, vectors[0], float64(o.Epsilon))
		case kernel.LayerNorm:
			b.LayerNorm(x, x, vectors[0], vectors[1], float64(o.Epsilon))
		}
	})
}
