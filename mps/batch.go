package mps

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// Batch records operations. It is given to the function of [Device.Do] and is of no use after that function returns. What an operation
// says wrong makes the batch fail as a whole, before anything is sent: the first error is that of Do, and of Err meanwhile. From its
// first mention on the batch holds a matrix: the host has it back when the run is over.
type Batch struct {
	dev *Device

	mu      sync.Mutex
	over    bool
	ops     []op.Op
	effects []effect
	needs   []need
	held    map[*storage]op.Storage
	err     error
}

// Err is the first error of what was recorded; what is recorded when the batch is over is [isthmus.ErrClosed].
func (b *Batch) Err() error {
	if b == nil || b.dev == nil {
		return failure("batch", isthmus.ErrInvalid, "no batch; use the one that Do gives")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// discard ends the batch and lets go of what it holds.
func (b *Batch) discard() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	b.release()
}

func (b *Batch) release() {
	for s := range b.held {
		s.release()
	}
	b.held = nil
}

// Do records a batch by f, sends it to the device, and waits until it is done. Batches run in the order in which they are sent, the
// operations of one in the order in which they were recorded. Where f fails, panics or ends its goroutine nothing is sent.
//
// When ctx ends first, Do returns its cause; what was sent runs on and holds its matrices until it is done. Errors: what f returned,
// [Error] for what the batch refused, [OpError] for what the numbers made, [ErrNumerics], the context's cause, the device's.
func (d *Device) Do(ctx context.Context, f func(*Batch) error) error {
	r, err := d.Start(ctx, f)
	if err != nil {
		return err
	}
	return r.Wait(ctx)
}

// Start is Do that does not wait for the batch to be done, only for room in the device's queue.
func (d *Device) Start(ctx context.Context, f func(*Batch) error) (*Run, error) {
	const what = "batch"
	if ctx == nil || f == nil {
		return nil, failure(what, isthmus.ErrInvalid, "no context or no function")
	}
	native, err := d.use(what)
	if err != nil {
		return nil, err
	}
	b := &Batch{dev: d, held: map[*storage]op.Storage{}}
	sent := false
	defer func() { // also when f panics or ends its goroutine
		if !sent {
			b.discard()
			d.owned.Done()
		}
	}()
	if err := f(b); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.over = true
	err = b.err
	b.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("mps: batch: %w", err)
	}
	r := &Run{}
	if len(b.ops) == 0 {
		r.event.Complete(nil)
		return r, nil
	}
	select {
	case d.room <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("mps: batch: waiting for room in a queue of %d: %w", cap(d.room), context.Cause(ctx))
	}
	under, err := b.send(ctx, native)
	if err != nil {
		d.note(err)
		<-d.room
		return nil, err
	}
	sent = true
	go r.finish(b, func() error {
		if d.check {
			return b.guarded(native, r)
		}
		return r.await(under)
	})
	return r, nil
}

// send gives the batch to the device, in one order with what is known of pivots. With Check the run does, piece by piece.
func (b *Batch) send(ctx context.Context, native op.Device) (under op.Run, err error) {
	b.dev.order.Lock()
	defer b.dev.order.Unlock()
	if err := b.sendable(); err != nil {
		return nil, err
	}
	if !b.dev.check {
		if under, err = native.Submit(ctx, b.ops); err != nil {
			return nil, fmt.Errorf("mps: batch: %w", err)
		}
	}
	b.commit()
	return under, nil
}

// Run is a batch that was sent. It need not be waited for. It is safe for concurrent use.
type Run struct {
	event      ffi.Event
	begin, end time.Duration
}

// await waits for one piece of the batch.
func (r *Run) await(under op.Run) error {
	<-under.Done()
	begin, end := under.Times()
	if r.end == 0 {
		r.begin = begin
	}
	r.end = end
	return under.Err()
}

// finish waits for the device, then gives everything back, then tells those who wait.
func (r *Run) finish(b *Batch, wait func() error) {
	err := wait()
	runtime.KeepAlive(b)
	b.dev.note(err)
	b.discard()
	<-b.dev.room
	b.dev.owned.Done()
	if err != nil {
		err = fmt.Errorf("mps: run: %w", err)
	}
	r.event.Complete(err)
}

// Wait waits for the run and returns its error, or the context's cause when that ends first: the run then goes on. It may be called any
// number of times.
func (r *Run) Wait(ctx context.Context) error {
	if r == nil {
		return failure("wait", isthmus.ErrInvalid, "no run")
	}
	return r.event.Wait(ctx)
}

// Done is closed when the run is over and its matrices are the host's again.
func (r *Run) Done() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.event.Done()
}

// Duration is how long the device worked, once the run is over.
func (r *Run) Duration() time.Duration {
	if r == nil || !r.event.Completed() {
		return 0
	}
	return r.end - r.begin
}
