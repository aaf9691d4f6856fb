// Package cpu is the device of package mps that every machine has: its processor, by the kernels of the embedded device. Open it by
//
//	dev, err := mps.Open(ctx, mps.Options{Backend: cpu.Options{}})
//
// which is also what mps.Open does where there is no Metal. Everything is computed in float32 or better, half-precision elements are
// widened first, and the result does not depend on the number of workers.
package cpu

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Options are how the device works. The zero value is the default.
type Options struct {
	Workers int // goroutines that compute at a time; 0 is GOMAXPROCS
}

// OpenDevice makes the device; mps.Open calls it.
func (o Options) OpenDevice(ctx context.Context) (op.Device, error) {
	if ctx == nil {
		return nil, fmt.Errorf("cpu: open: no context: %w; use mps.Open", isthmus.ErrInvalid)
	}
	if o.Workers < 0 || o.Workers > 1024 {
		return nil, fmt.Errorf("cpu: open: %d workers: %w; 0 for as many as there are processors, at most 1024", o.Workers, isthmus.ErrInvalid)
	}
	d := &device{
		table: kernel.Best(), pool: kernel.NewPool(o.Workers), work: make(chan *run), closed: make(chan struct{}), done: make(chan struct{}),
		start: time.Now(),
	}
	go d.serve()
	return d, nil
}

// device runs one batch after the other on a goroutine of its own, each operation on the pool.
type device struct {
	table *kernel.Table
	pool  *kernel.Pool
	work  chan *run
	start time.Time

	once   sync.Once
	closed chan struct{}
	done   chan struct{}
}

// Info describes the machine.
func (d *device) Info() op.Info {
	return op.Info{
		Backend: "cpu", Name: fmt.Sprintf("%s, %d workers, %v", runtime.GOARCH, d.pool.Size(), d.table.Level()), Unified: true, Limit: mem.MaxBytes,
	}
}

// Supports says yes: whatever package mps lets through is done.
func (d *device) Supports(op.Kind, dtype.Type) error { return nil }

// Alloc takes large storage from the system, which says so when there is none.
func (d *device) Alloc(n int) (op.Storage, error) {
	if n < 1<<16 {
		return &storage{bytes: mem.Bytes(make([]uint64, (n+7)/8))[:n:n]}, nil
	}
	b, err := mem.Alloc(n, 64)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return &storage{bytes: b.Bytes(), block: b}, nil
}

type storage struct {
	bytes []byte
	block *mem.Block
}

// Bytes is the memory.
func (s *storage) Bytes() []byte { return s.bytes }

// Free gives it back.
func (s *storage) Free() error {
	s.bytes = nil
	if s.block == nil {
		return nil
	}
	return s.block.Free()
}

// Submit waits for the batch before to be taken up.
func (d *device) Submit(ctx context.Context, ops []op.Op) (op.Run, error) {
	r := &run{ops: ops, done: make(chan struct{})}
	select {
	case <-d.closed:
		return nil, fmt.Errorf("cpu: submit: %w", isthmus.ErrClosed)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case d.work <- r:
		return r, nil
	}
}

// Close stops the worker.
func (d *device) Close() error {
	d.once.Do(func() { close(d.closed) })
	<-d.done
	return d.pool.Close()
}

func (d *device) serve() {
	defer close(d.done)
	for {
		select {
		case r := <-d.work:
			r.begin = time.Since(d.start)
			r.err = d.all(r.ops)
			r.end = time.Since(d.start)
			close(r.done)
		case <-d.closed:
			return
		}
	}
}

type run struct {
	ops        []op.Op
	done       chan struct{}
	err        error
	begin, end time.Duration
}

// Done is closed at the end.
func (r *run) Done() <-chan struct{} { return r.done }

// Err is the first failure.
func (r *run) Err() error { return r.err }

// Times are since the device was opened.
func (r *run) Times() (begin, end time.Duration) { return r.begin, r.end }

// all runs a batch. An operation that fails by its numbers does not keep the others from running: neither does it on a GPU.
func (d *device) all(ops []op.Op) (first error) {
	for i, o := range ops {
		at, why := d.one(o)
		if why != nil && first == nil {
			first = &op.OpError{Index: i, Kind: o.Kind(), Matrix: at, Why: why}
		}
	}
	return first
}

// one runs an operation and says which matrix of it failed, and why. A panic is our bug; it must not end the program of the caller.
func (d *device) one(o op.Op) (matrix int, why error) {
	defer func() {
		if v := recover(); v != nil {
			why = fmt.Errorf("cpu: %v: internal error: %v: %w", o.Kind(), v, isthmus.ErrPanic)
		}
	}()
	switch o := o.(type) {
	case op.MatMul:
		d.matmul(o)
	case op.MatVec:
		d.matvec(o)
	case op.Softmax:
		d.softmax(o)
	case op.RMSNorm:
		d.rmsNorm(o)
	case op.LayerNorm:
		d.layerNorm(o)
	case op.Neuron:
		d.neuron(o)
	case op.RoPE:
		d.rope(o)
	case op.Attention:
		d.attention(o)
	case op.Sum:
		d.sum(o)
	case op.TopK:
		d.topK(o)
	case op.Copy:
		d.copy(o)
	case op.Random:
		d.random(o)
	case op.Cholesky:
		return d.cholesky(o)
	case op.LU:
		return d.lu(o)
	case op.SolveTriangular:
		d.solveTriangular(o)
	case op.SolveCholesky:
		d.solveCholesky(o)
	case op.SolveLU:
		return d.solveLU(o)
	default:
		return 0, fmt.Errorf("cpu: %T: %w", o, isthmus.ErrUnsupported)
	}
	return 0, nil
}
