package mpipjrt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/target"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpipjrt"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

const (
	deviceEnv = "ISTHMUS_TEST_DEVICE"
	plugin    = "ISTHMUS_PJRT_CPU"
)

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{"pass": pass, "held": held, "refused": refused}, nil)
}

// on runs a scenario of two ranks on each library and each device that is here.
func on(t *testing.T, scenario string) {
	for _, device := range []string{target.Embedded, os.Getenv(plugin)} {
		t.Run(map[bool]string{true: target.Embedded, false: "cpu"}[device == target.Embedded], func(t *testing.T) {
			if device == "" {
				t.Skip("no plugin given; ./check sets " + plugin)
			}
			mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
				if out, err := l.Start(t.Context(), 2, scenario, deviceEnv+"="+device); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		})
	}
}

func TestPass(t *testing.T)    { on(t, "pass") }
func TestHeld(t *testing.T)    { on(t, "held") }
func TestRefused(t *testing.T) { on(t, "refused") }

func client(ctx context.Context, f func(d *pjrt.Device) error) (err error) {
	c, err := target.Open(ctx, os.Getenv(deviceEnv))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.CloseWait(ctx)) }()
	return f(c.Device())
}

// lent reports by what a buffer's content, where it is, is lent at the moment.
func lent(ctx context.Context, b *pjrt.Buffer) (string, error) {
	h, err := pjrt.Hold(ctx, b)
	if err != nil {
		return "", err
	}
	defer h.Release()
	err = ffi.Free(h.Bytes(), ffi.Exclusive)
	if err == nil {
		return "nothing", nil
	}
	if !errors.Is(err, isthmus.ErrBorrowed) {
		return "", err
	}
	return err.Error(), nil
}

// pass sends tensors there and back. The content of what arrives is the memory that was lent to MPI, and then to the device: a
// copy would be memory that nobody has lent.
func pass(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return client(ctx, func(d *pjrt.Device) error {
		for i, t := range []pjrt.Type{
			{DType: dtype.F32, Dims: []int{3, 5}},
			{DType: dtype.BF16, Dims: []int{1000}},
			{DType: dtype.I1, Dims: []int{7}},
			{DType: dtype.C128, Dims: nil},
			{DType: dtype.F64, Dims: []int{1 << 17}},
			{DType: dtype.I64, Dims: []int{2, 2, 2}},
			{DType: dtype.U8, Dims: []int{64}},
			{DType: dtype.F16, Dims: []int{0}},
		} {
			size, err := t.Size()
			if err != nil {
				return err
			}
			want := make([]byte, size)
			for k := range want {
				want[k] = byte(k*7) & 1
			}
			if c.Rank() == 0 {
				b, err := pjrt.PutBytes(ctx, d, t, want)
				if err != nil {
					return err
				}
				if err := mpipjrt.Send(ctx, c, b, 1, i); err != nil {
					return fmt.Errorf("%v: %w", t, err)
				}
				if err := b.Close(); err != nil {
					return err
				}
			}
			b, st, err := mpipjrt.Recv(ctx, c, d, t, 1-c.Rank(), i)
			if err != nil {
				return fmt.Errorf("%v: %w", t, err)
			}
			got, err := b.Bytes(ctx)
			if err != nil {
				return err
			}
			if st.Tag != i || !bytes.Equal(got, want) {
				return fmt.Errorf("%v with tag %d arrives with tag %d, as %d bytes", t, i, st.Tag, len(got))
			}
			if size > 0 {
				by, err := lent(ctx, b)
				if err != nil {
					return fmt.Errorf("%v: %w", t, err)
				}
				if by == "nothing" {
					return fmt.Errorf("%v was copied after it was received", t)
				}
			}
			if c.Rank() == 1 {
				if err := mpipjrt.Send(ctx, c, b, 0, i); err != nil {
					return err
				}
			}
			if err := b.Close(); err != nil {
				return err
			}
		}
		return nil
	})
}

// held gives a send up before the other side comes: the buffer cannot be closed until it has come.
func held(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	t := pjrt.Type{DType: dtype.F32, Dims: []int{1 << 20}} // too large to be sent before it is received
	size, err := t.Size()
	if err != nil {
		return err
	}
	return client(ctx, func(d *pjrt.Device) error {
		if c.Rank() == 1 {
			if _, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 1); err != nil {
				return err
			}
			b, _, err := mpipjrt.Recv(ctx, c, d, t, 0, 0)
			if err != nil {
				return err
			}
			return b.Close()
		}
		data := bytes.Repeat([]byte{1, 2, 3, 4}, size/4)
		b, err := pjrt.PutBytes(ctx, d, t, data)
		if err != nil {
			return err
		}
		short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		if err := mpipjrt.Send(short, c, b, 1, 0); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("sent to nobody: %v", err)
		}
		if err := b.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("closed while MPI has it: %v", err)
		}
		by, err := lent(ctx, b)
		if err != nil {
			return err
		}
		if !strings.Contains(by, "mpi.") {
			return fmt.Errorf("MPI sends a copy: the buffer's memory is lent to %s", by)
		}
		if err := mpi.Send(ctx, c, []byte{1}, 1, 1); err != nil {
			return err
		}
		for {
			err := b.Close()
			if !errors.Is(err, isthmus.ErrBusy) || ctx.Err() != nil {
				return err
			}
			runtime.Gosched()
		}
	})
}

// refused receives less than a tensor has, and gives a receive up.
func refused(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	t := pjrt.Type{DType: dtype.I32, Dims: []int{4}}
	return client(ctx, func(d *pjrt.Device) error {
		if c.Rank() == 0 {
			return mpi.Send(ctx, c, []int32{1, 2, 3}, 1, 0)
		}
		if _, _, err := mpipjrt.Recv(ctx, c, d, t, 0, 0); !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("three of four elements: %v", err)
		}
		short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		if _, _, err := mpipjrt.Recv(short, c, d, t, 0, 0); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("nothing was sent: %v", err)
		}
		if err := mpipjrt.Send(ctx, c, nil, 0, 0); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("no buffer: %v", err)
		}
		return nil
	})
}
