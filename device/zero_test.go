package device_test

import (
	"context"
	"errors"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// The zero values are closed: they answer, and Close does nothing.
func TestZeroValues(t *testing.T) {
	d, x, e := &device.Device{}, &device.Executable{}, &device.Execution{}
	if _, err := d.Compile(t.Context(), nil, device.CompileOptions{}); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("compile: %v, want ErrClosed", err)
	}
	if _, err := x.Execute(t.Context(), nil, device.ExecuteOptions{}); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("execute: %v, want ErrClosed", err)
	}
	if n := x.Alias(0); n != -1 {
		t.Errorf("parameter 0 of nothing is result %d", n)
	}
	d.ResetMemoryStats()
	if s := d.MemoryStats(); s != (device.MemoryStats{}) {
		t.Errorf("memory of nothing: %+v", s)
	}
	e.Cancel(context.Canceled)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// No method panics on a nil or a zero value.
func TestNilAndZero(t *testing.T) {
	niltest.Methods(t, &device.Buffer{}, &device.Device{}, &device.Executable{}, &device.Execution{}, &device.MemoryError{})
}

// Nil values are closed, and say so where they can.
func TestNilIsClosed(t *testing.T) {
	var d *device.Device
	var b *device.Buffer
	var x *device.Executable
	_, _, _, newBuffer := d.NewBuffer(0, 0, stablehlo.TensorOf(dtype.F32))
	_, adopt := d.Adopt(0, 0, stablehlo.TensorOf(dtype.F32), make([]byte, 4), true, nil)
	_, compile := d.Compile(t.Context(), nil, device.CompileOptions{})
	_, _, hold := b.Hold()
	_, execute := x.Execute(t.Context(), nil, device.ExecuteOptions{})
	for name, err := range map[string]error{
		"new buffer": newBuffer, "adopt": adopt, "compile": compile, "hold": hold, "execute": execute,
		"read": b.Read(func([]byte, error) { t.Error("there is nothing to read") }),
	} {
		if !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
	if err := b.Ready().Wait(t.Context()); err == nil {
		t.Error("a nil buffer is ready")
	}
	if !b.Deleted() {
		t.Error("a nil buffer is there")
	}
}
