package metal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	gpu "github.com/isthmus-ffi/isthmus/internal/raw/metal"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// run is a command buffer, from its making until the GPU is done with it.
type run struct {
	d        *device
	command  *gpu.CommandBuffer
	encoder  *gpu.Encoder // of our kernels, while it is open
	temps    map[*temp]*storage
	statuses []*temp

	sent       chan struct{} // closed when commit has returned: the handler may come before
	done       chan struct{}
	err        error
	begin, end time.Duration
}

// Done is closed when the GPU is done with the batch.
func (r *run) Done() <-chan struct{} { return r.done }

// Err is why the batch failed.
func (r *run) Err() error { return r.err }

// Times are the GPU's.
func (r *run) Times() (begin, end time.Duration) { return r.begin, r.end }

// Submit encodes a batch into one command buffer, in one autorelease pool, and commits it.
func (d *device) Submit(ctx context.Context, ops []op.Op) (op.Run, error) {
	if err := d.usable("submit"); err != nil {
		return nil, err
	}
	p := planner{threads: d.threads, has: d.has}
	for _, o := range ops {
		if err := p.plan(o); err != nil {
			return nil, err
		}
	}
	select {
	case d.room <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	r := &run{d: d, temps: map[*temp]*storage{}, sent: make(chan struct{}), done: make(chan struct{})}
	committed := false
	err := d.system.Pool(func(pool *gpu.Pool) error {
		var err error
		committed, err = r.start(pool, p.steps)
		return err
	})
	if committed { // whatever else there is to say is in its Err
		if err != nil {
			r.err = errors.Join(r.err, d.note(fmt.Errorf("metal: submit: %w", err)))
		}
		close(r.sent)
		return r, nil
	}
	err = d.note(fmt.Errorf("metal: submit: %w", errors.Join(err, r.release())))
	<-d.room
	return nil, err
}

// has says whether a class can be used.
func (d *device) has(c class) bool { return d.system.Supports(c.String()) == nil }

// start encodes and commits. When it fails before the commit, nothing runs and the handler is never called.
func (r *run) start(p *gpu.Pool, steps []step) (committed bool, err error) {
	if r.command, err = r.d.queue.CommandBuffer(p); err != nil {
		return false, err
	}
	for _, s := range steps {
		if err = r.encode(p, s); err != nil {
			break
		}
	}
	if err = errors.Join(err, r.endEncoding(p)); err != nil {
		return false, err
	}
	if err := r.command.OnCompleted(p, func() { go r.finish() }); err != nil {
		return false, err
	}
	err = r.command.Commit(p)
	return r.command.Committed(), err // it may have thrown after: then the batch is over when the handler says so
}

// release gives back what the batch had.
func (r *run) release() error {
	errs := []error{closed(r.encoder), closed(r.command)}
	for _, s := range r.temps {
		errs = append(errs, s.Free())
	}
	return errors.Join(errs...)
}

// finish reads how the batch ended, on a goroutine of its own: the handler only says that it did.
func (r *run) finish() {
	<-r.sent
	err := r.d.system.Pool(r.read)
	r.err = r.d.note(errors.Join(r.err, err, r.release()))
	<-r.d.room
	close(r.done)
}

func (r *run) read(p *gpu.Pool) error {
	status, err := r.command.Status(p)
	if err != nil {
		return err
	}
	begin, end, err := r.command.Times(p)
	if err != nil {
		return err
	}
	r.begin, r.end = seconds(begin), seconds(end)
	if status != gpu.MTLCommandBufferStatusCompleted {
		e, err := r.command.NSError(p)
		if err != nil {
			return err
		}
		if e == nil {
			e = &objc.NSError{Code: status, Text: "the status, without an NSError"}
		}
		return gpuError(e.Domain, e.Code, e.Text)
	}
	for _, t := range r.statuses {
		if why := verdict(int32(binary.LittleEndian.Uint32(r.temps[t].bytes))); why != nil {
			return &op.OpError{Index: t.status.index, Kind: t.status.kind, Matrix: t.status.matrix, Why: why}
		}
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// verdict is what an MPSMatrixDecompositionStatus says.
func verdict(status int32) error {
	switch status {
	case gpu.MPSMatrixDecompositionStatusSuccess:
		return nil
	case gpu.MPSMatrixDecompositionStatusSingular:
		return op.ErrSingular
	case gpu.MPSMatrixDecompositionStatusNonPositiveDefinite:
		return op.ErrNotPositiveDefinite
	}
	return fmt.Errorf("the factorisation failed with status %d: %w", status, isthmus.ErrInvalid)
}
