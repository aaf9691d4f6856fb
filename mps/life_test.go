package mps_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/mps"
	"github.com/isthmus-ffi/isthmus/mps/cpu"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

func TestNil(t *testing.T) {
	niltest.Methods(t, &mps.Error{}, &mps.Device{}, &mps.Matrix{}, &mps.Vector{}, &mps.Batch{}, &mps.Run{})
}

func TestOpen(t *testing.T) {
	for name, opt := range map[string]mps.Options{
		"queue":   {Queue: 65},
		"minus":   {Queue: -1},
		"workers": {Backend: cpu.Options{Workers: -1}},
	} {
		if _, err := mps.Open(t.Context(), opt); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := mps.Open(t.Context(), mps.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d.Backend() == "" || d.Name() == "" || d.MaxBytes() == 0 {
		t.Errorf("%q %q %d", d.Backend(), d.Name(), d.MaxBytes())
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Error(err)
	}
	_, err = d.NewMatrix(1, 1, dtype.F32)
	is(t, err, isthmus.ErrClosed)
	is(t, d.Do(t.Context(), func(*mps.Batch) error { return nil }), isthmus.ErrClosed)
}

// A hung device: what a batch holds is nobody else's, whatever its callers wait for.
func TestBusyUntilDone(t *testing.T) {
	f := &faulty{hang: make(chan struct{})}
	d := open(t, mps.Options{Backend: f})
	x, z := of[float32](t, d, 1, 2, 1, 2), of[float32](t, d, 1, 2, 0, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	r, err := d.Start(ctx, func(b *mps.Batch) error {
		b.Sum(z, x, x)
		is(t, x.Write([]float32{5, 5}), isthmus.ErrBusy) // held since its first mention
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tired := errors.New("tired")
	cancel(tired)
	is(t, r.Wait(ctx), tired)
	for what, err := range map[string]error{
		"read": x.Read(make([]float32, 2)), "write": z.Write([]float32{5, 5}), "close": z.Close(), "close device": d.Close(),
	} {
		if !errors.Is(err, isthmus.ErrBusy) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if r.Duration() != 0 {
		t.Error("a duration before the end")
	}
	close(f.hang)
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	v, err := z.Floats()
	if err != nil || v[0] != 2 || v[1] != 4 {
		t.Errorf("%v, %v", v, err)
	}
	is(t, d.Close(), isthmus.ErrBusy) // matrices
}

// A full queue makes callers wait, or give up; it never holds what they recorded.
func TestQueue(t *testing.T) {
	f := &faulty{hang: make(chan struct{})}
	d := open(t, mps.Options{Backend: f, Queue: 2})
	x := of[float32](t, d, 1, 1, 1)
	record := func(b *mps.Batch) error { b.Sum(x, x, x); return nil }
	var runs []*mps.Run
	for range 2 {
		r, err := d.Start(t.Context(), record)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	y := of[float32](t, d, 1, 1, 1)
	_, err := d.Start(ctx, func(b *mps.Batch) error { b.Sum(y, y, y); cancel(); return nil })
	is(t, err, context.Canceled)
	if err := y.Read(make([]float32, 1)); err != nil {
		t.Errorf("it is held by a batch that was not sent: %v", err)
	}
	third := make(chan error)
	go func() { third <- d.Do(t.Context(), record) }()
	close(f.hang)
	if err := <-third; err != nil {
		t.Error(err)
	}
	for _, r := range runs {
		if err := r.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if v, err := x.Floats(); err != nil || v[0] != 8 {
		t.Errorf("three times twice is %v, %v", v, err)
	}
}

// A batch inside of a batch needs no room that the outer one has.
func TestNested(t *testing.T) {
	d := open(t, mps.Options{Queue: 1})
	x, y := of[float32](t, d, 1, 1, 3), of[float32](t, d, 1, 1, 0)
	err := d.Do(t.Context(), func(b *mps.Batch) error {
		b.Sum(y, x)
		return d.Do(t.Context(), func(b *mps.Batch) error { b.Sum(x, x, x); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := y.Floats(); err != nil || v[0] != 6 { // the inner batch was sent first
		t.Errorf("%v, %v", v, err)
	}
}

// However the function of a batch ends, a batch that is not sent holds nothing.
func TestDiscarded(t *testing.T) {
	f := &faulty{}
	d := open(t, mps.Options{Backend: f})
	x := of[float32](t, d, 1, 1, 3)
	mine := errors.New("mine")
	var kept *mps.Batch
	ends := map[string]func(*mps.Batch) error{
		"error":  func(*mps.Batch) error { return mine },
		"panic":  func(*mps.Batch) error { panic(mine) },
		"goexit": func(*mps.Batch) error { runtime.Goexit(); return nil },
	}
	for name, end := range ends {
		done := make(chan any)
		go func() {
			var err error
			defer func() {
				if v := recover(); v != nil {
					err = v.(error)
				}
				done <- err
			}()
			err = d.Do(context.Background(), func(b *mps.Batch) error {
				kept = b
				b.Sum(x, x, x)
				return end(b)
			})
		}()
		if err := <-done; name != "goexit" && err != mine {
			t.Errorf("%s: %v", name, err)
		}
		if v, err := x.Floats(); err != nil || v[0] != 3 {
			t.Errorf("after %s: %v, %v", name, v, err)
		}
	}
	kept.Sum(x, x, x) // too late
	is(t, kept.Err(), isthmus.ErrClosed)
	is(t, (&mps.Batch{}).Err(), isthmus.ErrInvalid)
	if err := x.Write([]float32{3}); err != nil || f.batches() != 0 {
		t.Errorf("%v, %d batches", err, f.batches())
	}
	is(t, d.Do(t.Context(), nil), isthmus.ErrInvalid)
	if err := d.Do(t.Context(), func(*mps.Batch) error { return nil }); err != nil || f.batches() != 0 {
		t.Errorf("an empty batch: %v, %d batches", err, f.batches())
	}
}

// Inside the function of a batch: what it has recorded is held, other batches on the same matrices run, and a context that ends then
// sends nothing.
func TestInside(t *testing.T) {
	d := open(t, mps.Options{Queue: 1})
	x, y := of[float32](t, d, 1, 2, 3, 3), of[float32](t, d, 1, 2, 1, 2)
	ctx, cancel := context.WithCancelCause(t.Context())
	tired := errors.New("tired")
	is(t, d.Do(ctx, func(b *mps.Batch) error {
		b.Sum(x, x, x)
		_, err := x.Floats()
		is(t, err, isthmus.ErrBusy)
		is(t, x.Write([]float32{1, 1}), isthmus.ErrBusy)
		is(t, x.Close(), isthmus.ErrBusy)
		is(t, d.Close(), isthmus.ErrBusy)
		if err := d.Do(ctx, func(inner *mps.Batch) error { inner.Softmax(x, x); b.Sum(y, y, y); return nil }); err != nil {
			t.Error(err)
		}
		cancel(tired)
		is(t, d.Do(ctx, func(inner *mps.Batch) error { inner.Sum(x, x, x); return nil }), tired)
		return nil
	}), tired)
	if got := append(values[float32](t, x), values[float32](t, y)...); !slices.Equal(got, []float32{0.5, 0.5, 1, 2}) {
		t.Errorf("%v: the inner batch's result, and nothing of the outer", got)
	}
	m, err := d.NewMatrix(2, 2, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = m.View(0, 0, 1, 1)
	is(t, err, isthmus.ErrClosed)
}

// After an exception a device does nothing new: native frameworks do not promise to work after one.
func TestSuspect(t *testing.T) {
	thrown := &isthmus.Exception{}
	for name, f := range map[string]*faulty{
		"submit": {submit: func() error { return thrown }},
		"run":    {result: func(error) error { return thrown }},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, mps.Options{Backend: f})
			x := of[float32](t, d, 1, 1, 3)
			record := func(b *mps.Batch) error { b.Sum(x, x); return nil }
			is(t, d.Do(t.Context(), record), isthmus.ErrException)
			is(t, d.Err(), isthmus.ErrException)
			n := f.batches()
			err := d.Do(t.Context(), record)
			is(t, err, isthmus.ErrException)
			if !strings.Contains(fmt.Sprint(err), "open it again") || f.batches() != n {
				t.Errorf("%v; %d batches", err, f.batches()-n)
			}
			_, err = d.NewMatrix(1, 1, dtype.F32)
			is(t, err, isthmus.ErrException)
			if v, err := x.Floats(); err != nil || v[0] != 3 {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	f := &faulty{}
	d := open(t, mps.Options{Backend: f})
	f.alloc = func() error { return thrown }
	_, err := d.NewMatrix(1, 1, dtype.F32)
	is(t, err, isthmus.ErrException)
	is(t, d.Err(), isthmus.ErrException)
}

// What the device refuses before it begins leaves nothing held.
func TestDeviceRefuses(t *testing.T) {
	full := errors.New("full")
	f := &faulty{submit: func() error { return full }, info: func(i op.Info) op.Info { i.Limit = 64; return i }, can: func(k op.Kind) error {
		if k == op.KindRoPE {
			return errors.New("no kernel")
		}
		return nil
	}}
	d := open(t, mps.Options{Backend: f})
	x := of[float32](t, d, 1, 2, 1, 2)
	is(t, d.Do(t.Context(), func(b *mps.Batch) error { b.Sum(x, x); return nil }), full)
	if err := d.Err(); err != nil {
		t.Errorf("suspect: %v", err)
	}
	if err := x.Write([]float32{1, 2}); err != nil {
		t.Error(err)
	}
	_, err := d.NewMatrix(4, 5, dtype.F32)
	is(t, err, isthmus.ErrLimit)
	is(t, d.Do(t.Context(), func(b *mps.Batch) error { b.RoPE(x, x, mps.RoPEOptions{Head: 2}); return nil }), isthmus.ErrUnsupported)
	f.alloc = func() error { return full }
	_, err = d.NewMatrix(1, 1, dtype.F32)
	is(t, err, full)
}

// Check finds a product that is wrong and normal numbers that are none, and nothing in those that are right.
func TestCheckNumbers(t *testing.T) {
	f := &faulty{}
	d := open(t, mps.Options{Backend: f, Check: true})
	n := 40
	values := make([]float32, n*n)
	for i := range values {
		values[i] = float32(math.Sin(float64(i)))
	}
	x, z := of(t, d, n, n, values...), zeros(t, d, mps.Layout{Type: dtype.F16, Rows: n, Columns: n})
	y := zeros(t, d, mps.Layout{Type: dtype.F32, Rows: n, Columns: n})
	all := func(b *mps.Batch) error {
		b.MatMul(y, x, x, mps.MatMulOptions{TransposeLeft: true, Alpha: 0.5, Beta: 2})
		b.Copy(z, y, false)
		b.Normal(z, 7, 0, 1)
		b.Softmax(y, y)
		return nil
	}
	if err := d.Do(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for name, after := range map[string]func([]op.Op){
		"product": func(ops []op.Op) {
			if o, ok := ops[0].(op.MatMul); ok {
				clear(o.Result.Storage.Bytes())
			}
		},
		"numbers": func(ops []op.Op) {
			if o, ok := ops[0].(op.Random); ok {
				copy(o.Result.Storage.Bytes()[100:], []byte{0, 0x7e})
			}
		},
	} {
		f.after = after
		if err := d.Do(t.Context(), all); !errors.Is(err, mps.ErrNumerics) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Factors that do not exist are errors that say which matrix.
func TestFactorErrors(t *testing.T) {
	d := open(t, mps.Options{})
	x, err := d.NewMatrices(mps.Layout{Type: dtype.F32, Rows: 2, Columns: 2, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Write([]float32{4, 2, 2, 5, 1, 2, 2, 4}); err != nil { // the second is singular
		t.Fatal(err)
	}
	p := zeros(t, d, mps.Layout{Type: dtype.U32, Rows: 1, Columns: 2, Count: 2})
	z := zeros(t, d, x.Layout())
	y := of[float32](t, d, 1, 1, 1)
	for want, f := range map[error]func(*mps.Batch){
		mps.ErrSingular:            func(b *mps.Batch) { b.LU(z, p, x) },
		mps.ErrNotPositiveDefinite: func(b *mps.Batch) { b.Cholesky(z, x, true) },
	} {
		var o *mps.OpError
		err := d.Do(t.Context(), func(b *mps.Batch) error {
			b.Sum(y, y)
			f(b)
			b.Sum(y, y, y)
			return nil
		})
		if !errors.Is(err, want) || !errors.As(err, &o) || o.Index != 1 || o.Matrix != 1 {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if v, err := y.Floats(); err != nil || v[0] != 4 {
		t.Errorf("what followed did not run: %v, %v", v, err)
	}
}

// Any number of goroutines with the same matrices: right results and typed errors, nothing else.
func TestHammer(t *testing.T) {
	d := open(t, mps.Options{Queue: 3})
	x := of[float32](t, d, 2, 2, 1, 0, 0, 1)
	var wg sync.WaitGroup
	rounds := 200
	if testing.Short() {
		rounds = 30
	}
	for g := range 8 {
		wg.Go(func() {
			for i := range rounds {
				z, err := d.NewMatrix(2, 2, dtype.F32)
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithCancel(t.Context())
				r, err := d.Start(ctx, func(b *mps.Batch) error {
					b.MatMul(z, x, x, mps.MatMulOptions{})
					b.MatMul(x, z, z, mps.MatMulOptions{})
					return nil
				})
				if err != nil {
					t.Error(err)
					cancel()
					return
				}
				if (g+i)%3 == 0 {
					cancel()
					_ = r.Wait(ctx)
				}
				if err := z.Close(); err != nil && !errors.Is(err, isthmus.ErrBusy) {
					t.Error(err)
				}
				if err := x.Read(make([]float32, 4)); err != nil && !errors.Is(err, isthmus.ErrBusy) {
					t.Error(err)
				}
				<-r.Done()
				if err := z.Close(); err != nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	v, err := x.Floats()
	if want := []float32{1, 0, 0, 1}; err != nil || [4]float32(v) != [4]float32(want) {
		t.Errorf("%v, %v", v, err)
	}
}
