package device_test

import (
	"context"
	"errors"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
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
