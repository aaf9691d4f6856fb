package device

import (
	"errors"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// A panic on a worker reaches the caller of Run, after all others are done, and the workers go on.
func TestWorkersPanic(t *testing.T) {
	d, err := New(Options{Workers: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	w := workers{d.pool}
	for range 20 {
		done := make([]bool, 64)
		func() {
			defer func() {
				if v := recover(); v != "task 7" {
					t.Errorf("recovered %v", v)
				}
			}()
			w.Run(len(done), func(i int) {
				if i == 7 {
					panic("task 7")
				}
				done[i] = true
			})
		}()
		for i, ok := range done {
			if !ok && i != 7 {
				t.Errorf("task %d did not run", i)
			}
		}
	}
}

// Memory that its owner unmaps under a run is an error of the run.
func TestLentMemoryGone(t *testing.T) {
	d, err := New(Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	x, err := d.Compile(t.Context(), []byte(`func.func @main(%a: tensor<1048576xf32>) -> tensor<1048576xf32> {
		%0 = stablehlo.exponential %a : tensor<1048576xf32>
		return %0 : tensor<1048576xf32>
	}`), CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mem.Alloc(4<<20, 64)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.Adopt(0, 0, x.Params()[0], m.Bytes(), false, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Delete()
	// The first run leaves memory for the second, which then maps none where the lent memory was.
	for _, lost := range []bool{false, true} {
		if lost {
			if err := m.Free(); err != nil {
				t.Fatal(err)
			}
		}
		e, err := x.Execute(t.Context(), [][]*Buffer{{b}}, ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Done.Wait(t.Context()); errors.Is(err, isthmus.ErrPanic) != lost {
			t.Errorf("the memory is gone: %v; the run: %v", lost, err)
		}
		e.Outputs[0][0].Delete()
	}
}
