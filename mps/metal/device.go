package metal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	gpu "github.com/isthmus-ffi/isthmus/internal/raw/metal"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal/kernels"
)

const (
	queueLimit = 64  // command buffers that a queue has open; commandBuffer blocks for the next
	underWay   = 32  // batches that we have open at most, so that it never does
	idle       = 8   // kernel objects of one configuration that are kept,
	most       = 256 // of so many configurations
)

// Options open the device of package mps on the system's default GPU.
type Options struct {
	// For tests: what takes the place of Apple's frameworks, and the most threads of a group.
	libraries []string
	threads   int
}

// OpenDevice makes the device; mps.Open calls it. Errors: [isthmus.ErrUnsupported] where there is no Metal, or the GPU has no Metal
// Performance Shaders.
func (o Options) OpenDevice(ctx context.Context) (op.Device, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	system, err := gpu.Open(o.libraries...)
	if err != nil {
		return nil, fmt.Errorf("metal: open: %w", err)
	}
	d := &device{system: system, room: make(chan struct{}, underWay), kept: map[config][]mpsKernel{}, pipelines: map[string]pipeline{}, threads: cmp.Or(o.threads, kernels.Threads)}
	if err := system.Pool(d.open); err != nil {
		return nil, fmt.Errorf("metal: open: %w", errors.Join(err, d.release()))
	}
	return d, nil
}

// device is a GPU, one queue of it, our kernels compiled, and the MPS kernel objects that are not in use.
type device struct {
	system    *gpu.System
	native    *gpu.Device
	queue     *gpu.Queue
	info      op.Info
	threads   int // most of a group, of all our kernels
	pipelines map[string]pipeline
	room      chan struct{} // holds a token for each batch under way
	suspect   atomic.Pointer[error]

	mu   sync.Mutex
	kept map[config][]mpsKernel
}

// pipeline is one of our kernels, compiled, or why not.
type pipeline struct {
	state *gpu.Pipeline
	err   error
}

func (d *device) open(p *gpu.Pool) (err error) {
	if d.native, err = d.system.DefaultDevice(p); err != nil {
		if errors.Is(err, objc.ErrNil) {
			err = fmt.Errorf("%w: there is no GPU: %w", err, isthmus.ErrUnsupported)
		}
		return err
	}
	d.info.Backend = "metal"
	if d.info.Name, err = d.native.Name(p); err != nil {
		return err
	}
	if d.info.Unified, err = d.native.Unified(p); err != nil {
		return err
	}
	limit, err := d.native.MaxBufferLength(p)
	if err != nil {
		return err
	}
	d.info.Limit = int(min(limit, math.MaxInt))
	if d.queue, err = d.native.NewQueue(p, queueLimit); err != nil {
		return err
	}
	return d.compile(p)
}

// compile makes our kernels. A system that does not compile them has a device without them, and Supports says why.
func (d *device) compile(p *gpu.Pool) error {
	library, failed := d.native.NewLibrary(p, kernels.Source())
	for _, name := range kernels.Names() {
		var state *gpu.Pipeline
		err := failed
		if err == nil {
			state, err = d.pipeline(p, library, name)
		}
		if errors.Is(err, isthmus.ErrException) {
			return errors.Join(err, closed(library))
		}
		if err != nil {
			err = fmt.Errorf("metal: our kernel %s: %w: %w", name, isthmus.ErrUnsupported, err)
		}
		d.pipelines[name] = pipeline{state, err}
	}
	return closed(library)
}

// pipeline makes one of our kernels, and notes how many threads it can have.
func (d *device) pipeline(p *gpu.Pool, library *gpu.Library, name string) (*gpu.Pipeline, error) {
	f, err := library.NewFunction(p, name)
	if err != nil {
		return nil, err
	}
	state, err := d.native.NewPipeline(p, f)
	if err = errors.Join(err, closed(f)); err != nil {
		return nil, errors.Join(err, closed(state))
	}
	n, err := state.MaxThreads(p)
	if err != nil {
		return nil, errors.Join(err, closed(state))
	}
	d.threads = min(d.threads, max(n, 1))
	return state, nil
}

// release closes all that the device has.
func (d *device) release() error {
	var errs []error
	d.mu.Lock()
	for _, list := range d.kept {
		for _, k := range list {
			errs = append(errs, k.Close())
		}
	}
	clear(d.kept)
	d.mu.Unlock()
	for _, p := range d.pipelines {
		errs = append(errs, closed(p.state))
	}
	return errors.Join(append(errs, closed(d.queue), closed(d.native))...)
}

// closed closes what may be nil.
func closed[T interface {
	comparable
	Close() error
}](v T,
) error {
	var none T
	if v == none {
		return nil
	}
	return v.Close()
}

// Info describes the GPU.
func (d *device) Info() op.Info { return d.info }

// Close ends the device.
func (d *device) Close() error { return d.release() }

// note makes the device suspect after an exception: the frameworks are not written for it, so nothing more is asked of them.
func (d *device) note(err error) error {
	if errors.Is(err, isthmus.ErrException) {
		d.suspect.CompareAndSwap(nil, &err)
	}
	return err
}

// usable says why the device is not.
func (d *device) usable(what string) error {
	if why := d.suspect.Load(); why != nil {
		return fmt.Errorf("metal: %s: the device is suspect; open it again: %w", what, *why)
	}
	return nil
}

// storage is a buffer that host and GPU share.
type storage struct {
	buffer *gpu.Buffer
	bytes  []byte
}

// Bytes is the memory of the buffer.
func (s *storage) Bytes() []byte { return s.bytes }

// Free releases the buffer.
func (s *storage) Free() error {
	s.bytes = nil
	return s.buffer.Close()
}

// Alloc makes a shared buffer.
func (d *device) Alloc(n int) (op.Storage, error) {
	if err := d.usable("alloc"); err != nil {
		return nil, err
	}
	var s *storage
	err := d.system.Pool(func(p *gpu.Pool) (err error) {
		s, err = d.buffer(p, n)
		return err
	})
	if err != nil {
		return nil, d.note(fmt.Errorf("metal: alloc %d bytes: %w", n, err))
	}
	return s, nil
}

// buffer makes a buffer of n bytes, rounded up to what vector loads at its end may touch.
func (d *device) buffer(p *gpu.Pool, n int) (*storage, error) {
	whole := (n + 15) &^ 15
	buffer, err := d.native.NewBuffer(p, whole, gpu.Shared)
	if err != nil {
		return nil, err
	}
	b, err := buffer.Bytes(p)
	if err == nil && len(b) < whole {
		err = fmt.Errorf("a buffer of %d bytes has %d: %w", whole, len(b), isthmus.ErrInvalid)
	}
	if err != nil {
		return nil, errors.Join(err, buffer.Close())
	}
	clear(b)
	return &storage{buffer, b[:n:n]}, nil
}

// take gives a kernel object for a configuration to one user; give takes it back.
func (d *device) take(p *gpu.Pool, c config) (mpsKernel, error) {
	d.mu.Lock()
	if list := d.kept[c]; len(list) > 0 {
		k := list[len(list)-1]
		d.kept[c] = list[:len(list)-1]
		d.mu.Unlock()
		return k, nil
	}
	d.mu.Unlock()
	return d.make(p, c)
}

func (d *device) give(k mpsKernel, c config) error {
	d.mu.Lock()
	list, ok := d.kept[c]
	if len(list) < idle && (ok || len(d.kept) < most) {
		d.kept[c] = append(list, k)
		k = nil
	}
	d.mu.Unlock()
	if k == nil {
		return nil
	}
	return k.Close()
}
