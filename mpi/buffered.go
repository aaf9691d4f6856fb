package mpi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// SendBuffer is the memory that buffered sends copy their messages to: they are over when that is done, whether anybody
// receives or not. A process has one at a time. It is safe for concurrent use. The zero value is closed.
type SendBuffer struct {
	owned ffi.Owned[*mem.Block]
	world *World
	mu    sync.Mutex
	over  chan struct{} // of the call that detaches it, closed when it has returned; nil: not called
	err   error
}

// AttachBuffer makes memory for messages with bytes in all, what the library adds to each message included, and gives it to
// the library. The caller closes it. Calls MPI_Buffer_attach.
//
// Errors: [isthmus.ErrBusy] while the World has one; [isthmus.ErrBounds] and [isthmus.ErrLimit] for what cannot be allocated.
func (w *World) AttachBuffer(messages, bytes int) (*SendBuffer, error) {
	const op = "attach a buffer"
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	each, err := mem.Mul(messages, max(w.lib.ABI.BsendOverhead, 0)+64) // libraries align what they add
	if err == nil {
		bytes, err = mem.Add(each, bytes)
	}
	if err != nil || messages < 1 || bytes < each {
		return nil, bounds(op, "%d messages", messages)
	}
	fn, err := w.large(op, mpic.FnBufferAttach, bytes)
	if err != nil {
		return nil, err
	}
	block, err := mem.Alloc(bytes, 4096)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	b := &SendBuffer{world: w}
	if !w.attached.CompareAndSwap(nil, b) {
		return nil, errors.Join(fmt.Errorf("mpi: %s: the World has one: %w; close it first", op, isthmus.ErrBusy), block.Free())
	}
	f := call.Get()
	defer f.Put()
	if err := w.do(f, op, fn, uintptr(mem.AddrOf(block.Bytes())), uintptr(bytes)); err != nil {
		w.attached.Store(nil)
		return nil, errors.Join(err, block.Free())
	}
	// One that is forgotten stays: the library has it.
	class := &ffi.Class[*mem.Block]{Name: "mpi.SendBuffer", Destroy: func(m *mem.Block) error { return m.Free() }, Backstop: ffi.BackstopReport}
	return b, b.owned.Init(class, block, &w.owned)
}

// Close waits until all messages in the buffer are sent, and frees it. When ctx ends first, its error is returned and the
// library keeps the memory; Close may be called again. It is nil-safe and idempotent. Calls MPI_Buffer_detach.
func (b *SendBuffer) Close(ctx context.Context) error {
	const op = "detach a buffer"
	if b == nil || !b.owned.Live() {
		return nil
	}
	b.mu.Lock()
	over := b.over
	if over == nil {
		over = make(chan struct{})
		b.over = over
		go func() {
			defer close(over)
			p := b.world.newPatient(op, nil)
			defer p.end()
			_, at, err := int64s(p.f, 2)
			if err == nil {
				err = b.world.do(p.f, op, mpic.FnBufferDetach, at, at+8)
			}
			if err == nil {
				b.world.attached.CompareAndSwap(b, nil)
				err = b.owned.Close()
			}
			b.mu.Lock()
			b.err = err // the library may have the memory: it stays
			b.mu.Unlock()
		}()
	}
	b.mu.Unlock()
	select {
	case <-over:
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.err
	case <-ctx.Done():
		return fmt.Errorf("mpi: %s: messages in it are not sent yet: %w", op, context.Cause(ctx))
	}
}

// buffered refuses a buffered send without a buffer.
func (c *Comm) buffered(op string) error {
	if c == nil || c.world == nil {
		return invalid(op, "no communicator")
	}
	if c.world.attached.Load() == nil {
		return fmt.Errorf("mpi: %s: no buffer: %w: %w; use World.AttachBuffer", op, isthmus.ErrInvalid, ErrBuffer)
	}
	return nil
}

// SendBuffered is [Send] that copies b to the World's [SendBuffer] and does not wait for the receiver. Calls MPI_Ibsend. Errors:
// as for Send; [ErrBuffer] without a buffer, or when there is no room in it.
func SendBuffered[T any](ctx context.Context, c *Comm, b []T, to, tag int) error {
	const op = "buffered send"
	if err := c.buffered(op); err != nil {
		return err
	}
	return sendAs(ctx, c, b, to, tag, op, mpic.FnIbsend)
}

// IsendBuffered is an immediate [SendBuffered]. Calls MPI_Ibsend.
func IsendBuffered[T any](c *Comm, b []T, to, tag int) (*Request[T], error) {
	const op = "buffered send"
	if err := c.buffered(op); err != nil {
		return nil, err
	}
	return isend(c, b, to, tag, op, mpic.FnIbsend)
}

// IsendReady is an immediate [SendReady]. Calls MPI_Irsend.
func IsendReady[T any](c *Comm, b []T, to, tag int) (*Request[T], error) {
	return isend(c, b, to, tag, "ready send", mpic.FnIrsend)
}

// SendReadyInit prepares ready sends, as [SendReady]. Calls MPI_Rsend_init.
func SendReadyInit[T any](c *Comm, b []T, to, tag int) (*Repeat[T], error) {
	return prepareAgain(c, b, message{op: "persistent ready send", fn: mpic.FnRsendInit, peer: to, tag: tag})
}

// SendBufferedInit prepares buffered sends, as [SendBuffered]. Calls MPI_Bsend_init.
func SendBufferedInit[T any](c *Comm, b []T, to, tag int) (*Repeat[T], error) {
	const op = "persistent buffered send"
	if err := c.buffered(op); err != nil {
		return nil, err
	}
	return prepareAgain(c, b, message{op: op, fn: mpic.FnBsendInit, peer: to, tag: tag})
}

// SendRecvReplace sends b, and receives into b what another process sends. What is sent is copied first. Calls MPI_Isend and
// MPI_Irecv. Errors: as for [SendRecv].
func SendRecvReplace[T any](ctx context.Context, c *Comm, b []T, to, sendTag, from, recvTag int) (Status, error) {
	if err := ffi.Free(mem.Bytes(b), ffi.Shared); err != nil {
		return Status{}, fmt.Errorf("mpi: send and receive: %w", err)
	}
	return SendRecv(ctx, c, slices.Clone(b), to, sendTag, b, from, recvTag)
}
