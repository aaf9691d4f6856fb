package mps

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
	"github.com/isthmus-ffi/isthmus/mps/metal"
)

// Backend is where a device comes from: the Options of mps/cpu, or those of mps/metal.
type Backend interface{ op.Backend }

// Options are how to open a device. The zero value is the best device of the machine.
type Options struct {
	// Backend chooses; nil is Metal where the machine has it, else the processor.
	Backend Backend
	// Queue is how many batches may be under way; [Device.Start] waits for room. 0 is 16, the most is 64.
	Queue int
	// Check distrusts the device: a sample of each matrix product is compared with the processor, and normal random numbers are
	// searched for those that are none. What is wrong is [ErrNumerics]. Operations then go to the device one by one.
	Check bool
}

// maxQueue is how many command buffers a Metal queue has open; the next would block in native code.
const maxQueue = 64

// Device computes. It is made by [Open] and closed last. It is safe for concurrent use.
type Device struct {
	owned   ffi.Owned[op.Device]
	info    op.Info
	room    chan struct{} // holds a token for each batch under way
	check   bool
	order   sync.Mutex // one batch is sent at a time
	suspect atomic.Pointer[error]
	class   *ffi.Class[op.Storage]
}

// backends are what Open tries in order.
func backends() []Backend { return []Backend{metal.Options{}, cpu.Options{}} }

// Open opens a device. Errors: of an explicit backend whatever it says, [isthmus.ErrUnsupported] where the machine has no such device.
func Open(ctx context.Context, opt Options) (*Device, error) {
	if ctx == nil {
		return nil, failure("open", isthmus.ErrInvalid, "no context; use context.Background()")
	}
	if opt.Queue < 0 || opt.Queue > maxQueue {
		return nil, failure("open", isthmus.ErrInvalid, "a queue of %d batches; 1 to %d, or 0 for the default", opt.Queue, maxQueue)
	}
	if opt.Queue == 0 {
		opt.Queue = 16
	}
	try := backends()
	if opt.Backend != nil {
		try = []Backend{opt.Backend}
	}
	var errs []error
	for _, b := range try {
		native, err := b.OpenDevice(ctx)
		if err == nil && native == nil {
			err = failure("open", isthmus.ErrInvalid, "the backend gave no device")
		}
		if err != nil {
			errs = append(errs, err)
			if errors.Is(err, isthmus.ErrUnsupported) || errors.Is(err, isthmus.ErrNotFound) {
				continue
			}
			break // there is a device and it is broken: say so rather than compute elsewhere
		}
		return adopt(native, opt)
	}
	return nil, fmt.Errorf("mps: open: %w", errors.Join(errs...))
}

func adopt(native op.Device, opt Options) (*Device, error) {
	d := &Device{info: native.Info(), room: make(chan struct{}, opt.Queue), check: opt.Check}
	d.class = &ffi.Class[op.Storage]{Name: "mps.Storage", Destroy: op.Storage.Free}
	if opt.Check {
		d.room = make(chan struct{}, 1) // what is checked must not be overwritten meanwhile
	}
	if err := d.owned.Init(&ffi.Class[op.Device]{Name: "mps.Device", Destroy: op.Device.Close}, native); err != nil {
		return nil, fmt.Errorf("mps: open: %w", err)
	}
	return d, nil
}

// Backend is what the device is: "cpu" or "metal"; empty of a device that was never opened.
func (d *Device) Backend() string {
	if d == nil {
		return ""
	}
	return d.info.Backend
}

// Name is that of the processor or GPU.
func (d *Device) Name() string {
	if d == nil {
		return ""
	}
	return d.info.Name
}

// MaxBytes is the size of the largest matrix.
func (d *Device) MaxBytes() int {
	if d == nil {
		return 0
	}
	return d.info.Limit
}

// Supports says why the device cannot do an operation on elements of type t, or nil. Errors: [isthmus.ErrUnsupported],
// [isthmus.ErrClosed].
func (d *Device) Supports(k Kind, t dtype.Type) error {
	native, err := d.use("supports")
	if err != nil {
		return err
	}
	defer d.owned.Done()
	if int(k) >= op.Kinds {
		return failure("supports", isthmus.ErrInvalid, "there is no operation %d", k)
	}
	return native.Supports(k, t)
}

// use begins a use of the device; nothing new begins on one that is suspect.
func (d *Device) use(what string) (op.Device, error) {
	if d == nil {
		return nil, failure(what, isthmus.ErrClosed, "no device; open one")
	}
	native, err := d.owned.Use()
	if err != nil {
		return nil, failure(what, isthmus.ErrClosed, "the device was closed or never opened; open one")
	}
	if why := d.suspect.Load(); why != nil {
		d.owned.Done()
		return nil, fmt.Errorf("mps: %s: the device is suspect since native code failed; close it and open it again: %w", what, *why)
	}
	return native, nil
}

// note remembers what makes a device suspect: the frameworks do not promise to work after an exception.
func (d *Device) note(err error) {
	if errors.Is(err, isthmus.ErrException) {
		d.suspect.CompareAndSwap(nil, &err)
	}
}

// Err says why the device is suspect, or nil. Matrices of a suspect device can be read and closed, nothing else.
func (d *Device) Err() error {
	if d == nil {
		return nil
	}
	if why := d.suspect.Load(); why != nil {
		return *why
	}
	return nil
}

// Close ends the device. While a matrix of it lives or a batch is under way it does nothing: the error is [isthmus.ErrBusy] and names
// them. It is nil-safe and idempotent.
func (d *Device) Close() error {
	if d == nil {
		return nil
	}
	if err := d.owned.Close(); err != nil {
		return fmt.Errorf("mps: close device: %w", err)
	}
	return nil
}
