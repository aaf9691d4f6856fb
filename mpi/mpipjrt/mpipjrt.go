// Package mpipjrt sends and receives PJRT buffers as messages. Where a buffer is in host memory, MPI reads it where it is,
// and what is received becomes a buffer where MPI wrote it: nothing is copied on the way but by MPI.
//
//	err := mpipjrt.Send(ctx, comm, buffer, 1, 0)
//	buffer, status, err := mpipjrt.Recv(ctx, comm, device, pjrt.Type{DType: dtype.F32, Dims: []int{128}}, 0, 0)
//
// While MPI has a buffer it can neither be closed nor be donated to an execution ([isthmus.ErrBusy]); that also holds when
// the context has ended and MPI has not let go.
package mpipjrt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// request is a message on its way.
type request interface {
	wait(ctx context.Context) (mpi.Status, error)
	cancel()
}

// message is a request for elements of T.
type message[T any] struct{ *mpi.Request[T] }

func (m message[T]) wait(ctx context.Context) (mpi.Status, error) {
	_, s, err := m.Wait(ctx)
	return s, err
}

func (m message[T]) cancel() { m.Cancel() }

// carrier starts messages of one element type.
type carrier struct {
	send func(c *mpi.Comm, data []byte, to, tag int) (request, error)
	recv func(c *mpi.Comm, data []byte, from, tag int) (request, error)
	size int
}

func carry[T any]() carrier {
	return carrier{
		func(c *mpi.Comm, data []byte, to, tag int) (request, error) {
			v, err := mem.View[T](data)
			if err != nil {
				return nil, err
			}
			r, err := mpi.Isend(c, v, to, tag)
			return message[T]{r}, err
		},
		func(c *mpi.Comm, data []byte, from, tag int) (request, error) {
			v, err := mem.View[T](data)
			if err != nil {
				return nil, err
			}
			r, err := mpi.Irecv(c, v, from, tag)
			return message[T]{r}, err
		},
		mem.SizeOf[T](),
	}
}

// carrierOf is how elements of type t travel: as MPI's own type of the same name where there is one, so that a program in
// another language understands them, and as bytes otherwise.
func carrierOf(t dtype.Type) carrier {
	switch t {
	case dtype.I8:
		return carry[int8]()
	case dtype.I16:
		return carry[int16]()
	case dtype.I32:
		return carry[int32]()
	case dtype.I64:
		return carry[int64]()
	case dtype.U16:
		return carry[uint16]()
	case dtype.U32:
		return carry[uint32]()
	case dtype.U64:
		return carry[uint64]()
	case dtype.F32:
		return carry[float32]()
	case dtype.F64:
		return carry[float64]()
	case dtype.C64:
		return carry[complex64]()
	case dtype.C128:
		return carry[complex128]()
	}
	return carry[byte]()
}

// Send sends a buffer's content, row-major, to the process with rank to. It returns when the buffer may be closed again. The
// other side receives it with [Recv] or as elements of its type ([mpi.Recv]); types that MPI has not are bytes. It is read where it
// is if that is host memory and not lent for writing, and in a copy otherwise. Calls MPI_Isend.
//
// Errors: those of [mpi.Send] and [pjrt.Read]. When ctx ends first, the buffer stays in use until MPI is done with it.
func Send(ctx context.Context, c *mpi.Comm, b *pjrt.Buffer, to, tag int) error {
	if c == nil || b == nil {
		return fmt.Errorf("mpipjrt: send: no communicator or no buffer: %w", isthmus.ErrInvalid)
	}
	k := carrierOf(b.DType())
	held, err := pjrt.Hold(ctx, b)
	if err == nil {
		r, err := k.send(c, held.Bytes(), to, tag)
		if err == nil {
			return finish(ctx, r, held.Release)
		}
		held.Release()
		if !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("mpipjrt: %w", err)
		}
	} else if !errors.Is(err, isthmus.ErrUnsupported) {
		return err
	}
	data, err := b.Bytes(ctx)
	if err != nil {
		return err
	}
	r, err := k.send(c, data, to, tag)
	if err != nil {
		return fmt.Errorf("mpipjrt: %w", err)
	}
	return finish(ctx, r, func() {})
}

// finish waits for a request. over is called when MPI is done with its memory, whoever has stopped waiting.
func finish(ctx context.Context, r request, over func()) error {
	_, err := r.wait(ctx)
	if err != nil && ctx.Err() != nil {
		go func() {
			_, _ = r.wait(context.WithoutCancel(ctx))
			over()
		}()
		return fmt.Errorf("mpipjrt: %w", err)
	}
	over()
	if err != nil {
		return fmt.Errorf("mpipjrt: %w", err)
	}
	return nil
}

// Recv receives a tensor of type t from the process with rank from, which may be [mpi.AnySource], and makes a buffer of it on
// device d: where the device's memory is the host's, the memory that MPI wrote to. The caller closes the
// buffer. Calls MPI_Irecv and PJRT_Client_BufferFromHostBuffer.
//
// Errors: those of [mpi.Recv]; [isthmus.ErrBounds] for a message that is shorter than t. When ctx ends first, the receive is cancelled,
// and its memory kept until MPI lets go.
func Recv(ctx context.Context, c *mpi.Comm, d *pjrt.Device, t pjrt.Type, from, tag int) (*pjrt.Buffer, mpi.Status, error) {
	if c == nil || d == nil {
		return nil, mpi.Status{}, fmt.Errorf("mpipjrt: receive: no communicator or no device: %w", isthmus.ErrInvalid)
	}
	size, err := t.Size()
	if err != nil {
		return nil, mpi.Status{}, fmt.Errorf("mpipjrt: receive: %w", err)
	}
	data := aligned(size)
	k := carrierOf(t.DType)
	r, err := k.recv(c, data, from, tag)
	if err != nil {
		return nil, mpi.Status{}, fmt.Errorf("mpipjrt: %w", err)
	}
	st, err := r.wait(ctx)
	if err != nil && ctx.Err() != nil {
		r.cancel()
		letGo(ctx, r)
		return nil, st, fmt.Errorf("mpipjrt: %w", err)
	}
	if err == nil && st.Source != mpi.ProcNull && st.Count*k.size != size {
		err = fmt.Errorf("%d elements of %d bytes arrived for %s of %d bytes: %w", st.Count, k.size, t, size, isthmus.ErrBounds)
	}
	if err != nil {
		return nil, st, fmt.Errorf("mpipjrt: receive: %w", err)
	}
	b, over, err := pjrt.PutBytesWith(ctx, d, t, data, pjrt.PutOptions{Lend: pjrt.WhileAlive})
	if err != nil {
		return nil, st, err
	}
	// The loan keeps the memory until the device lets go of it, some time after the buffer was closed.
	return b, st, over.Close()
}

// grace is how long a receive that was cancelled is waited for; libraries give it back at once.
const grace = time.Second

// letGo waits until MPI has let go of a request that was cancelled, and does not hold the caller up if that takes long.
func letGo(ctx context.Context, r request) {
	ctx = context.WithoutCancel(ctx)
	short, stop := context.WithTimeout(ctx, grace)
	defer stop()
	if _, err := r.wait(short); err != nil && short.Err() != nil {
		go func() { _, _ = r.wait(ctx) }()
	}
}

// alignment is what devices ask of memory that they take as it is.
const alignment = 64

// aligned makes memory for a tensor.
func aligned(n int) []byte {
	b := make([]byte, n+alignment)
	skip := int(-uintptr(mem.AddrOf(b)) & (alignment - 1))
	return b[skip : skip+n : skip+n]
}
