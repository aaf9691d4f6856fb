package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Promise is something that the plugin waits for and the program gives once: the buffer behind an alias, the memory
// of a late copy, the end of a dependency, the end of an event. Exactly one of Fulfill, Fail and Close has an effect;
// the others then say [isthmus.ErrClosed]. A promise that is closed or forgotten has failed with [Cancelled], and what
// waits for it gets that error: nothing hangs. It is safe for concurrent use. The zero value is closed.
type Promise[T any] struct {
	mu    sync.Mutex // one outcome at a time
	owned ffi.Owned[pledge]
	op    string
	check func(T) error // may refuse the value, and leaves the promise open then
	keep  func(T) error
}

// pledge is the native side of a promise: how it is told the outcome, once.
type pledge struct {
	fail func(Code, string) error
}

// pledges is the class of all promises: ending one that is open fails it.
func pledges() ffi.Class[pledge] {
	return ffi.Class[pledge]{Name: "pjrt.Promise", Destroy: func(p pledge) error {
		return p.fail(Cancelled, "the promise was closed or forgotten before it was fulfilled")
	}}
}

// newPromise makes a promise of what native code has handed out. When it fails the pledge has been failed.
func newPromise[T any](c *Client, op string, fail func(Code, string) error, check, keep func(T) error, parents ...ffi.Parent) (*Promise[T], error) {
	p := &Promise[T]{op: op, check: check, keep: keep}
	if err := p.owned.Init(&c.plugin.promises, pledge{fail}, append(parents, &c.owned)...); err != nil {
		return nil, err
	}
	return p, nil
}

// Fulfill gives what was promised. A value that is refused leaves the promise open: the error wraps
// [isthmus.ErrInvalid], [isthmus.ErrBounds] or [isthmus.ErrBorrowed].
func (p *Promise[T]) Fulfill(v T) error {
	if p == nil {
		return invalid("fulfill", "no promise")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.check != nil && p.owned.Live() {
		if err := p.check(v); err != nil {
			return err
		}
	}
	return p.settle(func(pledge) error { return p.keep(v) })
}

// settle tells the outcome and ends the promise, in this order: what the promise was made from must live until the plugin
// knows. The caller holds mu.
func (p *Promise[T]) settle(tell func(pledge) error) (err error) {
	h, err := p.owned.Use()
	if err != nil {
		return fmt.Errorf("pjrt: %s: %w", p.op, err)
	}
	defer func() {
		p.owned.Done()
		if _, derr := p.owned.Disown(); derr != nil {
			err = errors.Join(err, fmt.Errorf("pjrt: %s: %w", p.op, derr))
		}
	}()
	return tell(h)
}

// Fail says that nothing will come, and why. A [Code] in err is the code that the plugin sees; [Unknown] otherwise.
func (p *Promise[T]) Fail(err error) error {
	if p == nil {
		return invalid("fail", "no promise")
	}
	if err == nil {
		return invalid(p.op, "a promise fails with an error")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settle(func(h pledge) error { return h.fail(codeOf(err), err.Error()) })
}

// Close fails the promise with [Cancelled] unless it was fulfilled or failed. It is idempotent and nil-safe.
func (p *Promise[T]) Close() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owned.Close()
}

// Live reports whether the promise is open. It may be false the next moment.
func (p *Promise[T]) Live() bool { return p != nil && p.owned.Live() }

// String describes the promise without touching native memory.
func (p *Promise[T]) String() string {
	switch {
	case p == nil || p.op == "":
		return "pjrt.Promise(none)"
	case !p.owned.Live():
		return fmt.Sprintf("pjrt.Promise(%s, over)", p.op)
	}
	return fmt.Sprintf("pjrt.Promise(%s)", p.op)
}

// status writes an error's text into the frame. It is bounded as the plugin's own are.
func status(f *call.Frame, msg string) (pjrtc.Ptr[byte], uint64, error) {
	msg = msg[:min(len(msg), maxText)]
	m, err := bytesOf(f, msg)
	return m, uint64(len(msg)), err
}

// NewEvent makes an event that the program fires: by fulfilling the promise (the value means nothing), or failing it.
// The caller closes both. Calls PJRT_Event_Create, and PJRT_Event_Set once.
func (c *Client) NewEvent() (*Event, *Promise[struct{}], error) {
	const op = "event"
	if c == nil || c.plugin == nil {
		return nil, nil, invalid(op, "no client")
	}
	if _, err := c.owned.Use(); err != nil {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	p := c.plugin
	if !p.table.Has(pjrtc.SlotEventSet) {
		return nil, nil, fmt.Errorf("pjrt: %s: %w", op, p.lacks(pjrtc.SlotEventSet))
	}
	var h pjrtc.Ptr[pjrtc.Event]
	err := ask(p, op, nil, func(a *pjrtc.EventCreateArgs) error {
		if h = a.Event; h == 0 {
			return fmt.Errorf("pjrt: %s: the plugin gave no event: %w", op, isthmus.ErrInvalid)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	e, err := c.newEvent(op, h)
	if err != nil {
		return nil, nil, err
	}
	set := func(code pjrtc.ErrorCode, msg string) error {
		return ask(p, op, func(f *call.Frame, a *pjrtc.EventSetArgs) (err error) {
			a.Event, a.ErrorCode = h, code
			a.ErrorMessage, a.ErrorMessageSize, err = status(f, msg)
			return err
		}, nil)
	}
	// The event is the promise's parent: it lives until it has been set.
	w, err := newPromise(c, op, func(code Code, msg string) error { return set(pjrtc.ErrorCode(code), msg) }, nil, setter(set), &e.owned)
	if err != nil {
		return nil, nil, errors.Join(err, e.Close())
	}
	return e, w, nil
}

// DonateAfter takes the buffer's memory into a new buffer whose content counts as there only when the promise is
// fulfilled; before that nobody reads or overwrites it. The old buffer is closed, as one that an execution took. The
// caller closes the new buffer and the promise. Calls PJRT_Buffer_DonateWithControlDependency. Errors:
// [isthmus.ErrBusy] while an execution takes b.
func (b *Buffer) DonateAfter() (*Buffer, *Promise[struct{}], error) {
	const op = "donate"
	h, err := b.use(op)
	if err != nil {
		return nil, nil, err
	}
	p, c := b.client.plugin, b.client
	var out pjrtc.Ptr[pjrtc.Buffer]
	var data pjrtc.Addr
	var fn pjrtc.Func
	if err := b.lockMemory(op); err != nil {
		b.owned.Done()
		return nil, nil, err
	}
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferDonateWithControlDependencyArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferDonateWithControlDependencyArgs) error {
			out, data, fn = a.OutBuffer, a.CallbackData, a.DependencyReadyCallback
			return nil
		})
	b.unlockMemory()
	b.owned.Done()
	if err != nil {
		return nil, nil, err
	}
	b.give()
	if fn == 0 {
		err := fmt.Errorf("pjrt: %s: the plugin gave no function: %w", op, isthmus.ErrInvalid)
		if out != 0 {
			err = errors.Join(err, p.buffers.Destroy(out))
		}
		return nil, nil, err
	}
	ready := func(code pjrtc.ErrorCode, msg string) error {
		f := call.Get()
		defer f.Put()
		a, err := call.New[pjrtc.BufferDonateWithControlDependencyCallbackArgs](f)
		if err != nil {
			return err
		}
		a.SetSize()
		a.CallbackData, a.ErrorCode = data, code
		if a.ErrorMessage, a.ErrorMessageSize, err = status(f, msg); err != nil {
			return err
		}
		f.Call1(call.Fn(fn), mem.AddrOfPtr(a))
		return nil
	}
	w, err := newPromise(c, op, func(code Code, msg string) error { return ready(pjrtc.ErrorCode(code), msg) }, nil, setter(ready))
	n := &Buffer{}
	if err == nil {
		err = n.take(c, out, b.device, b.typ)
	} else {
		err = errors.Join(err, p.buffers.Destroy(out))
	}
	if err != nil {
		return nil, nil, errors.Join(err, w.Close())
	}
	return n, w, nil
}

// setter makes the fulfilment of a promise without a value.
func setter(set func(pjrtc.ErrorCode, string) error) func(struct{}) error {
	return func(struct{}) error { return set(pjrtc.ErrorCodeOK, "") }
}

// GetRaw copies n bytes from offset off of the buffer's own memory, as the device lays it out, into dst. Calls
// PJRT_Buffer_CopyRawToHost. When ctx ends, see [Buffer.GetBytes]. Errors: [isthmus.ErrBounds] outside
// [Buffer.SizeOnDevice].
func (b *Buffer) GetRaw(ctx context.Context, dst []byte, off int) error {
	const op = "get raw"
	h, err := b.useFor(ctx, op)
	if err != nil {
		return err
	}
	defer b.owned.Done()
	if err := b.within(op, off, len(dst)); err != nil {
		return err
	}
	if err := b.filled(ctx); err != nil {
		return err
	}
	if len(dst) == 0 {
		return nil
	}
	f := call.Get()
	defer f.Put()
	a, err := call.New[pjrtc.BufferCopyRawToHostArgs](f)
	if err != nil {
		return err
	}
	a.Buffer, a.Offset, a.TransferSize = h, int64(off), int64(len(dst))
	return transfer(ctx, b, op, f, dst, a, &a.Dst, &a.Event)
}

// within checks a part of the buffer's memory on its device.
func (b *Buffer) within(op string, off, n int) error {
	size, err := b.SizeOnDevice()
	if err != nil {
		return err
	}
	if off < 0 || n < 0 || int64(off) > size || int64(n) > size-int64(off) {
		return fmt.Errorf("pjrt: %s: %d bytes at %d of %d: %w", op, n, off, size, isthmus.ErrBounds)
	}
	return nil
}

// GetRawLater is [Buffer.GetRaw] into memory that is not known yet: the copy begins when the promise is fulfilled with
// n bytes, which are lent until the event fires. The caller closes the event and the promise. Calls
// PJRT_Buffer_CopyRawToHostFuture.
func (b *Buffer) GetRawLater(off, n int) (*Event, *Promise[[]byte], error) {
	const op = "get raw later"
	h, err := b.use(op)
	if err != nil {
		return nil, nil, err
	}
	defer b.owned.Done()
	if err := b.within(op, off, n); err != nil {
		return nil, nil, err
	}
	p, c := b.client.plugin, b.client
	var ev pjrtc.Ptr[pjrtc.Event]
	var data pjrtc.Addr
	var fn pjrtc.Func
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferCopyRawToHostFutureArgs) error {
		a.Buffer, a.Offset, a.TransferSize = h, int64(off), int64(n)
		return nil
	}, func(a *pjrtc.BufferCopyRawToHostFutureArgs) error {
		ev, data, fn = a.Event, a.CallbackData, a.FutureReadyCallback
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	ready := func(code pjrtc.ErrorCode, msg string, dst mem.Addr) error {
		f := call.Get()
		defer f.Put()
		a, err := call.New[pjrtc.BufferCopyRawToHostFutureCallbackArgs](f)
		if err != nil {
			return err
		}
		a.SetSize()
		a.CallbackData, a.ErrorCode, a.Dst = data, code, pjrtc.Addr(dst)
		if a.ErrorMessage, a.ErrorMessageSize, err = status(f, msg); err != nil {
			return err
		}
		if fn != 0 {
			f.Call1(call.Fn(fn), mem.AddrOfPtr(a))
		}
		return nil
	}
	if ev == 0 || fn == 0 {
		err := fmt.Errorf("pjrt: %s: the plugin gave no event or no function: %w", op, isthmus.ErrInvalid)
		if ev != 0 {
			err = errors.Join(err, p.events.Destroy(ev))
		}
		if fn != 0 {
			err = errors.Join(err, ready(pjrtc.ErrorCodeCANCELLED, "no event", 0))
		}
		return nil, nil, err
	}
	e, eerr := c.newEvent(op, ev)
	var loan *ffi.Loan
	w, err := newPromise(c, op, func(code Code, msg string) error { return ready(pjrtc.ErrorCode(code), msg, 0) },
		func(dst []byte) (err error) {
			if len(dst) != n {
				return fmt.Errorf("pjrt: %s: %d bytes promised, %d given: %w", op, n, len(dst), isthmus.ErrBounds)
			}
			l, err := ffi.Lend(dst, ffi.Exclusive)
			if err != nil {
				return fmt.Errorf("pjrt: %s: %w", op, err)
			}
			b.client.plugin.lentTo(l)
			loan = l
			return nil
		},
		func(dst []byte) error {
			if err := e.start(); err != nil {
				// The event is closed and nobody can hear that the copy is done, so it must not begin.
				loan.Return()
				return errors.Join(err, ready(pjrtc.ErrorCode(Cancelled), "nobody waits for the copy", 0))
			}
			loan.ReturnOn(e.done)
			return ready(pjrtc.ErrorCodeOK, "", mem.AddrOf(dst))
		}, &b.owned)
	if err = errors.Join(eerr, err); err != nil {
		return nil, nil, errors.Join(err, w.Close(), e.Close())
	}
	return e, w, nil
}
