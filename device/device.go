package device

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/device/kernel"
	"github.com/isthmus-ffi/isthmus/device/plan"
)

// Version is part of the fingerprint of every executable: it changes when the same program may give other results.
const Version = "1"

// Options say what the device is like. The zero value is one device that uses every processor and as much memory
// as there is.
type Options struct {
	// MemoryLimit bounds the bytes of buffers and of the working memory of executions; 0 is what the machine or the
	// container has, where that is known.
	MemoryLimit int64
	// Workers is how many goroutines compute at a time; 0 is one for each processor that Go uses.
	Workers int
	// Devices is how many virtual devices there are, for programs that run on several; 0 is one. They share the memory
	// and the workers.
	Devices int
	// Evaluator runs every program by the plain evaluator: slow, and the oracle that the planned executor is tested
	// against.
	Evaluator bool
	// Peers are other processes of the operating system that run programs together with this one, such as those of
	// package mpi/mpicoll: each has one device, and Devices says nothing. All make and execute the same executables in
	// the same order. nil is this process alone. The caller closes them after the device.
	Peers eval.Peers
	// Accelerator computes matrix products, and operations on rows if it is a plan.RowAccelerator, that it has use for, such as on a
	// GPU: see package mps/accelerate. It must be comparable.
	// nil is none. The caller closes it after the device.
	Accelerator plan.Accelerator
}

// maxDevices bounds Options.Devices.
const maxDevices = 1024

// Device is an embedded device. It is safe for concurrent use. The caller closes it.
type Device struct {
	store   *store
	pool    *kernel.Pool
	devices int
	oracle  bool
	peers   eval.Peers       // nil: this process has all devices
	faster  plan.Accelerator // nil: none

	ctx    context.Context // done when the device closes
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup // executions and compilations
}

// errClosed is why work ends when its device is closed.
var errClosed = fmt.Errorf("device: closed: %w", isthmus.ErrClosed)

// New starts a device.
func New(o Options) (*Device, error) {
	if o.MemoryLimit < 0 || o.Workers < 0 || o.Devices < 0 || o.Devices > maxDevices {
		return nil, fmt.Errorf("device: new: memory limit %d, %d workers, %d devices: %w", o.MemoryLimit, o.Workers, o.Devices, isthmus.ErrInvalid)
	}
	if o.Peers != nil {
		if o.Devices = o.Peers.Processes(); o.Devices < 1 || o.Devices > maxDevices || o.Peers.Process() < 0 || o.Peers.Process() >= o.Devices {
			return nil, fmt.Errorf("device: new: process %d of %d: %w", o.Peers.Process(), o.Devices, isthmus.ErrInvalid)
		}
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = installed()
	}
	s, err := newStore(o.MemoryLimit)
	if err != nil {
		return nil, fmt.Errorf("device: new: %w", err)
	}
	d := &Device{store: s, pool: kernel.NewPool(o.Workers), devices: max(o.Devices, 1), oracle: o.Evaluator, peers: o.Peers, faster: o.Accelerator}
	d.ctx, d.cancel = context.WithCancelCause(context.Background())
	return d, nil
}

// Devices is how many virtual devices there are.
func (d *Device) Devices() int {
	if d == nil {
		return 0
	}
	return d.devices
}

// Process is the number of this process among the device's [Options.Peers], and of the one device that it has; 0 without.
func (d *Device) Process() int {
	if d == nil || d.peers == nil {
		return 0
	}
	return d.peers.Process()
}

// own is the one device of this process where others have the rest; -1 where it has all.
func (d *Device) own() int {
	if d.peers == nil {
		return -1
	}
	return d.peers.Process()
}

// here reports whether a device belongs to this process.
func (d *Device) here(device int) bool { return d.peers == nil || device == d.peers.Process() }

// Workers is how many goroutines compute at a time.
func (d *Device) Workers() int {
	if d == nil {
		return 0
	}
	return d.pool.Size()
}

// MemoryStats are figures about the memory of all virtual devices together.
func (d *Device) MemoryStats() MemoryStats {
	if d == nil || d.store == nil {
		return MemoryStats{}
	}
	return d.store.snapshot()
}

// ResetMemoryStats begins the peak, the count and the largest of [Device.MemoryStats] anew.
func (d *Device) ResetMemoryStats() {
	if d != nil && d.store != nil {
		d.store.resetPeak()
	}
}

// enter begins work on the device; the caller calls d.work.Done.
func (d *Device) enter() error {
	if d == nil || d.store == nil { // never started
		return errClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return errClosed
	}
	d.work.Add(1)
	return nil
}

// join is ctx that also ends when the device closes. stop frees what joins them.
func (d *Device) join(ctx context.Context) (joined context.Context, stop func()) {
	joined, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(d.ctx, func() { cancel(context.Cause(d.ctx)) })
	return joined, func() { unlink(); cancel(nil) }
}

// Close stops what runs, waits for that, and frees what the device keeps. Buffers that are alive keep their memory until
// they are deleted. Close is idempotent and nil-safe.
func (d *Device) Close() error {
	if d == nil || d.store == nil {
		return nil
	}
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.cancel(errClosed)
	d.work.Wait()
	d.store.close()
	return d.pool.Close()
}

// stopped turns the end of a context into the error of what it interrupted.
func stopped(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return fmt.Errorf("device: %s: %w", what, context.Cause(ctx))
	}
	return fmt.Errorf("device: %s: %w", what, err)
}
