package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

const many = `module {
  func.func @main(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<i32>, tensor<5xf64>, tensor<7x0x1xi1>, tensor<4x3x2x1xui8>) {
    %a = stablehlo.constant dense<7> : tensor<i32>
    %b = stablehlo.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0]> : tensor<5xf64>
    %c = stablehlo.constant dense<true> : tensor<7x0x1xi1>
    %d = stablehlo.constant dense<9> : tensor<4x3x2x1xui8>
    return %x, %a, %b, %c, %d : tensor<2x3xf32>, tensor<i32>, tensor<5xf64>, tensor<7x0x1xi1>, tensor<4x3x2x1xui8>
  }
}`

// TestP05OutputDims reads the types of outputs of different ranks, from the executable and from what it makes.
func TestP05OutputDims(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, many)
		types := []pjrt.Type{
			{DType: dtype.F32, Dims: []int{2, 3}},
			{DType: dtype.I32, Dims: []int{}},
			{DType: dtype.F64, Dims: []int{5}},
			{DType: dtype.I1, Dims: []int{7, 0, 1}},
			{DType: dtype.U8, Dims: []int{4, 3, 2, 1}},
		}
		if d := cmp.Diff(types, x.Outputs()); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		in := put(t, c, []float32{1, 2, 3, 4, 5, 6}, 2, 3)
		outs, err := x.Execute(t.Context(), []*pjrt.Buffer{in}, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outs {
			if !o.Type().Equal(types[i]) {
				t.Errorf("output %d is %s, want %s", i, o.Type(), types[i])
			}
		}
		f, err := pjrt.Get[float32](t.Context(), outs[0])
		if d := cmp.Diff([]float32{1, 2, 3, 4, 5, 6}, f); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		s, err := pjrt.Get[int32](t.Context(), outs[1])
		if d := cmp.Diff([]int32{7}, s); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		g, err := pjrt.Get[float64](t.Context(), outs[2])
		if d := cmp.Diff([]float64{0, 1, 2, 3, 4}, g); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		e, err := pjrt.Get[bool](t.Context(), outs[3])
		if len(e) != 0 || err != nil {
			t.Errorf("%v %v", err, e)
		}
		for _, o := range outs {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestP05FakeOutputDims is the same through the books of the fake, and with a plugin that does not tell types.
func TestP05FakeOutputDims(t *testing.T) {
	for name, null := range map[string][]pjrtc.Slot{"told": nil, "asked": {pjrtc.SlotExecutableOutputDimensions, pjrtc.SlotExecutableOutputElementTypes}} {
		t.Run(name, func(t *testing.T) {
			c, _ := fakeClient(t, func(f *pjrtfake.Fake) { f.Null = null })
			x := compile(t, c, "many")
			outs, err := x.Execute(t.Context(), nil, pjrt.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range outs {
				got = append(got, o.Type().String())
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}
			if d := cmp.Diff([]string{"tensor<2x3xf32>", "tensor<i32>", "tensor<5xf64>", "tensor<7x0x1xi1>"}, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// TestP21Empty runs programs without arguments, without outputs, of scalars and of empty tensors.
func TestP21Empty(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		for name, code := range map[string]string{
			"nothing": "func.func @main() { return }",
			"no args": "func.func @main() -> tensor<f32> { %0 = stablehlo.constant dense<3.0> : tensor<f32> return %0 : tensor<f32> }",
			"no outs": "func.func @main(%x: tensor<f32>) { return }",
		} {
			t.Run(name, func(t *testing.T) {
				x := compile(t, c, code)
				params, known := x.Params()
				if !known {
					t.Fatal("the parameters are not known")
				}
				var args []*pjrt.Buffer
				for range params {
					args = append(args, put(t, c, []float32{2}))
				}
				outs, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if len(outs) != len(x.Outputs()) {
					t.Errorf("%d outputs", len(outs))
				}
				for _, o := range outs {
					if v, err := pjrt.Get[float32](t.Context(), o); err != nil || v[0] != 3 {
						t.Errorf("got %v, %v", v, err)
					}
					o.Close()
				}
			})
		}
		x := compile(t, c, "func.func @main(%x: tensor<0x3xf32>) -> tensor<0x3xf32> { %0 = stablehlo.add %x, %x : tensor<0x3xf32> return %0 : tensor<0x3xf32> }")
		e := put(t, c, []float32(nil), 0, 3)
		outs, err := x.Execute(t.Context(), []*pjrt.Buffer{e}, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := outs[0].Bytes(t.Context()); err != nil || len(b) != 0 {
			t.Errorf("got %v, %v", b, err)
		}
		outs[0].Close()
	})
	t.Run("fake", func(t *testing.T) {
		c, _ := fakeClient(t, nil)
		for _, code := range []string{"none", "noargs"} {
			outs, err := compile(t, c, code).Execute(t.Context(), []*pjrt.Buffer{}, pjrt.ExecuteOptions{})
			if err != nil {
				t.Error(err)
			}
			for _, o := range outs {
				o.Close()
			}
		}
	})
}

// TestArguments passes every wrong argument: each is an error before anything runs. XLA itself checks the number of
// bytes alone, and computes on the rest.
func TestArguments(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, add)
		f := put(t, c, []float32{1, 2, 3, 4}, 4)
		for name, args := range map[string][]*pjrt.Buffer{
			"missing":        {f},
			"none":           {},
			"extra":          {f, f, f},
			"dtype, 4 bytes": {f, put(t, c, []int32{1, 2, 3, 4}, 4)},
			"dtype, 8 bytes": {f, put(t, c, []float64{1, 2}, 2)},
			"rank":           {put(t, c, []float32{1, 2, 3, 4}, 2, 2), f},
			"shape":          {f, put(t, c, []float32{1, 2}, 2)},
			"scalar":         {f, put(t, c, []float32{1})},
			"nil":            {nil, nil},
		} {
			outs, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
			if !errors.Is(err, isthmus.ErrInvalid) || outs != nil {
				t.Errorf("%s: got %v, %v", name, outs, err)
			}
			if strings.HasPrefix(name, "dtype") && (err == nil || !strings.Contains(err.Error(), "argument 1 is tensor<") || !strings.Contains(err.Error(), "the parameter tensor<4xf32>")) {
				t.Errorf("%s: the error does not tell the types: %v", name, err)
			}
		}
	})
}

// TestArgumentErrorsRead pins how the errors read.
func TestArgumentErrorsRead(t *testing.T) {
	c, _ := fakeClient(t, nil)
	f4 := pjrt.Type{DType: dtype.F32, Dims: []int{4}}
	x, err := c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{Params: []pjrt.Type{f4, f4}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	a, gone := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{1, 2, 3, 4}, 4)
	gone.Close()
	for _, w := range []struct {
		args []*pjrt.Buffer
		text string
	}{
		{[]*pjrt.Buffer{a}, "pjrt: execute: 1 arguments, add has 2 parameters: invalid"},
		{[]*pjrt.Buffer{a, nil}, "pjrt: execute: argument 1: no buffer: invalid"},
		{[]*pjrt.Buffer{gone, a}, "pjrt: execute: argument 0: pjrt.Buffer: closed"},
		{[]*pjrt.Buffer{a, put(t, c, []int32{1}, 1, 1)}, "pjrt: execute: argument 1 is tensor<1x1xi32>, the parameter tensor<4xf32>: invalid"},
	} {
		if _, err := x.Execute(t.Context(), w.args, pjrt.ExecuteOptions{}); err == nil || err.Error() != w.text {
			t.Errorf("got  %v\nwant %s", err, w.text)
		}
	}
}

// TestParamsFromTheCaller compiles with a signature of the caller's.
func TestParamsFromTheCaller(t *testing.T) {
	c, _ := fakeClient(t, nil)
	f4 := pjrt.Type{DType: dtype.F32, Dims: []int{4}}
	x, err := c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{Params: []pjrt.Type{f4, f4}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	_, err = x.Execute(t.Context(), []*pjrt.Buffer{put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []int32{1, 2, 3, 4}, 4)}, pjrt.ExecuteOptions{})
	want(t, "wrong type", err, isthmus.ErrInvalid)
	for name, o := range map[string]pjrt.CompileOptions{
		"negative":   {Params: []pjrt.Type{{DType: dtype.F32, Dims: []int{-1}}}},
		"overflow":   {Params: []pjrt.Type{{DType: dtype.F32, Dims: []int{1 << 40, 1 << 40}}}},
		"no dtype":   {Params: []pjrt.Type{{}}},
		"marks":      {Params: []pjrt.Type{f4}, Donated: []bool{true, false}},
		"replicas":   {Replicas: -1},
		"assignment": {Replicas: 2, Assignment: [][]*pjrt.Device{{c.Device()}}},
		"override":   {Overrides: []pjrt.Override{{Name: "x", Value: 3}}},
	} {
		if _, err := c.Compile(t.Context(), pjrt.MLIR("add"), o); !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const donate = `module {
  func.func @main(%x: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %y: tensor<4xf32>) -> tensor<4xf32> {
    %0 = stablehlo.add %x, %y : tensor<4xf32>
    return %0 : tensor<4xf32>
  }
}`

// TestDonation gives an argument away: it is closed by the execution, and says why.
func TestDonation(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		if code != "add" {
			code = donate
		} else {
			code = "donate"
		}
		c := client(t, p)
		x := compile(t, c, code)
		a, b := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{1, 1, 1, 1}, 4)
		out, err := x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{Keep: []int{0}})
		if err != nil {
			t.Fatal(err)
		}
		out[0].Close()
		if a.Donated() || !a.Live() {
			t.Fatal("an argument that was to be kept is gone")
		}
		if out, err = x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{}); err != nil {
			t.Fatal(err)
		}
		defer out[0].Close()
		if !a.Donated() || a.Live() || b.Donated() || !b.Live() {
			t.Errorf("donated %v %v", a, b)
		}
		_, err = a.Bytes(t.Context())
		want(t, "reading a donated buffer", err, isthmus.ErrClosed)
		if err == nil || !strings.Contains(err.Error(), "donated") {
			t.Errorf("the error does not say why: %v", err)
		}
		_, err = x.Execute(t.Context(), []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
		want(t, "donating twice", err, isthmus.ErrClosed)
		if gone, err := a.Deleted(); !gone || err != nil {
			t.Errorf("deleted: %v, %v", gone, err)
		}
		_, err = x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{Keep: []int{5}})
		want(t, "keep of no argument", err, isthmus.ErrInvalid)
		if _, known := x.Params(); known {
			_, err = x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{})
			want(t, "donated and used", err, isthmus.ErrInvalid)
		}
	})
}

// TestExecuteErrors has programs fail at once and later; outputs and events are destroyed.
func TestExecuteErrors(t *testing.T) {
	for _, late := range []bool{false, true} {
		for name, ctx := range map[string]context.Context{"background": context.Background(), "cancellable": t.Context()} {
			t.Run(fmt.Sprintf("late=%v/%s", late, name), func(t *testing.T) {
				c, f := fakeClient(t, nil)
				x := compile(t, c, "add")
				a := put(t, c, []float32{1, 2, 3, 4}, 4)
				f.Fail(pjrtc.SlotLoadedExecutableExecute, &pjrtfake.Failure{Code: pjrtc.ErrorCodeABORTED, Msg: "boom", Late: late})
				outs, err := x.Execute(ctx, []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
				if outs != nil || !errors.Is(err, pjrt.Aborted) {
					t.Errorf("got %v, %v", outs, err)
				}
				f.Fail(pjrtc.SlotLoadedExecutableExecute, nil)
			})
		}
	}
}

// TestExecuteCancelled gives up an execution: it goes on, keeps what it needs, and is cleaned up at its end.
func TestExecuteCancelled(t *testing.T) {
	p, f := fake(t, nil)
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.Compile(t.Context(), pjrt.MLIR("donate"), pjrt.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pjrt.Put(t.Context(), c.Device(), []float32{1, 2, 3, 4}, 4)
	if err != nil {
		t.Fatal(err)
	}
	f.Hold()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("had enough")
	go func() {
		for f.Alive()["event"] == 0 { // it runs
			runtime.Gosched()
		}
		cancel(why)
	}()
	_, err = x.Execute(ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
	want(t, "cancelled", err, why)
	want(t, "close while it runs", x.Close(), isthmus.ErrBusy)
	if n := c.Detached(); n != 1 {
		t.Errorf("%d detached, want 1", n)
	}
	want(t, "close argument", errors.Join(closeAtLast(t, a), closeAtLast(t, b)), nil) // the call itself may be on its way back
	_, err = x.Execute(ctx, nil, pjrt.ExecuteOptions{})
	want(t, "already cancelled", err, why)
	f.Release()
	for c.Detached() > 0 {
		runtime.Gosched()
	}
	if n := f.Alive(); n["buffer"] != 0 || n["event"] != 0 {
		t.Errorf("left: %v", n)
	}
	want(t, "close", errors.Join(x.Close(), c.Close()), nil)
}

// TestCancelledEarly calls with a context that has ended.
func TestCancelledEarly(t *testing.T) {
	p, f := fake(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.NewClient(ctx, pjrt.ClientOptions{})
	want(t, "new client", err, context.Canceled)
	c, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Compile(ctx, pjrt.MLIR("add"), pjrt.CompileOptions{})
	want(t, "compile", err, context.Canceled)
	_, err = pjrt.Put(ctx, c.Device(), []float32{1}, 1)
	want(t, "put", err, context.Canceled)
	b, err := pjrt.Put(t.Context(), c.Device(), []float32{1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	want(t, "get", pjrt.GetInto(ctx, b, make([]float32, 1)), context.Canceled)
	if n := f.Alive(); n["client"] != 1 || n["buffer"] != 1 || n["executable"] != 0 {
		t.Errorf("alive: %v", n)
	}
}

// TestGetCancelled gives up a read: nothing is written to the destination, then or later.
func TestGetCancelled(t *testing.T) {
	c, f := fakeClient(t, nil)
	b := put(t, c, []float32{1, 2, 3, 4}, 4)
	f.Hold()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	dst := make([]float32, 4)
	want(t, "get", pjrt.GetInto(ctx, b, dst), context.DeadlineExceeded)
	f.Release()
	if d := cmp.Diff(make([]float32, 4), dst); d != "" {
		t.Errorf("written: %s", d)
	}
	if err := pjrt.GetInto(t.Context(), b, dst); err != nil || dst[3] != 4 {
		t.Errorf("got %v, %v", dst, err)
	}
}

// TestP09Waiters has many goroutines wait for one event, before and after it fires, and some give up.
func TestP09Waiters(t *testing.T) {
	for name, failure := range map[string]*pjrtfake.Failure{"ok": nil, "error": {Code: pjrtc.ErrorCodeDATALOSS, Msg: "lost", Late: true}} {
		for _, null := range [][]pjrtc.Slot{nil, {pjrtc.SlotEventOnReady}} {
			t.Run(name, func(t *testing.T) {
				c, f := fakeClient(t, func(f *pjrtfake.Fake) { f.Null = null })
				b := put(t, c, []float32{1}, 1)
				if failure != nil {
					f.Fail(pjrtc.SlotBufferReadyEvent, failure)
				}
				check := func(err error) {
					t.Helper()
					if failure == nil && err != nil || failure != nil && !errors.Is(err, pjrt.DataLoss) {
						t.Errorf("got %v", err)
					}
				}
				f.Hold()
				e, err := b.Ready()
				if err != nil {
					t.Fatal(err)
				}
				if ready, err := e.Ready(); ready || err != nil {
					t.Errorf("ready %v, %v", ready, err)
				}
				var wg, started sync.WaitGroup
				for i := range 32 {
					started.Add(1)
					wg.Go(func() {
						if i%4 == 0 {
							ctx, cancel := context.WithCancel(t.Context())
							cancel()
							want(t, "gave up", e.Wait(ctx), context.Canceled)
							started.Done()
							return
						}
						started.Done()
						check(e.Wait(t.Context()))
					})
				}
				started.Wait()
				f.Release()
				wg.Wait()
				check(e.Wait(t.Context()))
				done, err := e.Done()
				if err != nil {
					t.Fatal(err)
				}
				<-done
				for range 3 {
					want(t, "close", e.Close(), nil)
				}
				check(e.Wait(t.Context()))
				f.Fail(pjrtc.SlotBufferReadyEvent, nil)
				if n := f.Alive(); n["error"] != 0 || n["event"] != 0 {
					t.Errorf("left: %v", n)
				}
			})
		}
	}
}

// TestP09CloseWhileWaiting closes an event that others wait for: they still hear of it.
func TestP09CloseWhileWaiting(t *testing.T) {
	c, f := fakeClient(t, nil)
	b := put(t, c, []float32{1}, 1)
	f.Hold()
	e, err := b.Ready()
	if err != nil {
		t.Fatal(err)
	}
	done, err := e.Done()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "close", e.Close(), nil)
	f.Release()
	<-done
	want(t, "wait after", e.Wait(t.Context()), nil)
	// An event that nobody waited for is gone at once.
	f.Hold()
	if e, err = b.Ready(); err != nil {
		t.Fatal(err)
	}
	want(t, "close", e.Close(), nil)
	want(t, "wait for a closed event", e.Wait(t.Context()), isthmus.ErrClosed)
	f.Release()
}

// TestP07CallbacksNeverEnterGo has a plugin call back twice: the second call is counted as a stray and does nothing. On
// Linux the callback is a few instructions that never enter Go, so that no panic can cross.
func TestP07CallbacksNeverEnterGo(t *testing.T) {
	if runtime.GOOS == "linux" && cb.EntersGo {
		t.Error("signals enter Go")
	}
	c, f := fakeClient(t, func(f *pjrtfake.Fake) { f.Twice = true })
	b := put(t, c, []float32{1}, 1)
	before := cb.Strays()
	f.Hold()
	e, err := b.Ready()
	if err != nil {
		t.Fatal(err)
	}
	done, err := e.Done()
	if err != nil {
		t.Fatal(err)
	}
	f.Release()
	<-done
	want(t, "wait", e.Wait(t.Context()), nil)
	e.Close()
	f.Quiet()
	if n := cb.Strays() - before; n != 1 {
		t.Errorf("%d strays, want 1", n)
	}
}

// TestExecuteIntoReusesOutputs runs many times into the same outputs.
func TestExecuteIntoReusesOutputs(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		c := client(t, p)
		x := compile(t, c, code)
		a := put(t, c, []float32{1, 2, 3, 4}, 4)
		outs := []*pjrt.Buffer{{}}
		for range 10 {
			if err := x.ExecuteInto(t.Context(), []*pjrt.Buffer{a, a}, outs, pjrt.ExecuteOptions{}); err != nil {
				t.Fatal(err)
			}
			want(t, "open output", x.ExecuteInto(t.Context(), []*pjrt.Buffer{a, a}, outs, pjrt.ExecuteOptions{}), isthmus.ErrBusy)
			if v, err := pjrt.Get[float32](t.Context(), outs[0]); err != nil || v[3] != 8 {
				t.Errorf("got %v, %v", v, err)
			}
			if err := outs[0].Close(); err != nil {
				t.Error(err)
			}
		}
		want(t, "nil output", x.ExecuteInto(t.Context(), []*pjrt.Buffer{a, a}, []*pjrt.Buffer{nil}, pjrt.ExecuteOptions{}), isthmus.ErrInvalid)
		want(t, "no output", x.ExecuteInto(t.Context(), []*pjrt.Buffer{a, a}, nil, pjrt.ExecuteOptions{}), isthmus.ErrInvalid)
	})
}
