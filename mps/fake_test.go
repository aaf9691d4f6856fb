package mps_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// open opens the processor, and closes it at the end.
func open(t testing.TB, opt mps.Options) *mps.Device {
	t.Helper()
	if opt.Backend == nil {
		opt.Backend = cpu.Options{Workers: 2}
	}
	d, err := mps.Open(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// of makes a matrix of values, closed at the end.
func of[T mps.Element](t testing.TB, d *mps.Device, rows, columns int, values ...T) *mps.Matrix {
	t.Helper()
	m, err := mps.MatrixOf(d, rows, columns, values)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// zeros makes matrices of zeros, closed at the end.
func zeros(t testing.TB, d *mps.Device, l mps.Layout) *mps.Matrix {
	t.Helper()
	m, err := d.NewMatrices(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// faulty is the processor with other manners.
type faulty struct {
	op.Device
	mu     sync.Mutex
	sent   int
	after  func(ops []op.Op)     // changes what came out
	submit func() error          // refuses a batch
	alloc  func() error          // refuses memory
	result func(err error) error // of a run
	hang   chan struct{}         // runs are done when it is closed
	info   func(op.Info) op.Info // of the device
	can    func(op.Kind) error   // what it supports
	opened func(d *faulty) (op.Device, error)
}

func (f *faulty) OpenDevice(ctx context.Context) (op.Device, error) {
	d, err := cpu.Options{Workers: 1}.OpenDevice(ctx)
	f.Device = d
	if f.opened != nil {
		return f.opened(f)
	}
	return f, err
}

func (f *faulty) Info() op.Info {
	i := f.Device.Info()
	if f.info != nil {
		i = f.info(i)
	}
	return i
}

func (f *faulty) Supports(k op.Kind, t dtype.Type) error {
	if f.can != nil {
		return f.can(k)
	}
	return f.Device.Supports(k, t)
}

func (f *faulty) Alloc(n int) (op.Storage, error) {
	if f.alloc != nil {
		if err := f.alloc(); err != nil {
			return nil, err
		}
	}
	return f.Device.Alloc(n)
}

func (f *faulty) batches() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

func (f *faulty) Submit(ctx context.Context, ops []op.Op) (op.Run, error) {
	if f.submit != nil {
		if err := f.submit(); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	f.sent++
	f.mu.Unlock()
	r, err := f.Device.Submit(ctx, ops)
	if err != nil {
		return nil, err
	}
	w := &faultyRun{Run: r, done: make(chan struct{})}
	go func() {
		<-r.Done()
		if f.hang != nil {
			<-f.hang
		}
		if f.after != nil {
			f.after(ops)
		}
		w.err = r.Err()
		if f.result != nil {
			w.err = f.result(w.err)
		}
		close(w.done)
	}()
	return w, nil
}

type faultyRun struct {
	op.Run
	done chan struct{}
	err  error
}

func (r *faultyRun) Done() <-chan struct{} { return r.done }
func (r *faultyRun) Err() error            { return r.err }

// is fails the test unless err is one of the errors wanted, all of them.
func is(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("the error is %v, want %v", err, w)
		}
	}
}
