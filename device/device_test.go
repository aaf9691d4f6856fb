package device_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const twice = `func.func @main(%a: tensor<i32>) -> tensor<i32> {
  %0 = stablehlo.add %a, %a : tensor<i32>
  return %0 : tensor<i32>
}`

// forever never ends by itself, unless its argument is negative.
const forever = `func.func @main(%a: tensor<i32>) -> tensor<i32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r = stablehlo.while(%x = %a) : tensor<i32>
   cond {
    %c = stablehlo.compare GE, %x, %zero : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %1 = stablehlo.multiply %x, %x : tensor<i32>
    %2 = stablehlo.and %1, %a : tensor<i32>
    stablehlo.return %2 : tensor<i32>
  }
  return %r : tensor<i32>
}`

var scalar = stablehlo.TensorOf(dtype.I32)

// start makes a device that is closed at the end, when nothing may be in use.
func start(t testing.TB, o device.Options) *device.Device {
	t.Helper()
	d, err := device.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if s := d.MemoryStats(); s.InUse != 0 || s.Cached != 0 {
			t.Errorf("%d bytes in use and %d kept after the end", s.InUse, s.Cached)
		}
	})
	return d
}

func compile(t testing.TB, d *device.Device, code string) *device.Executable {
	t.Helper()
	x, err := d.Compile(t.Context(), []byte(code), device.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func put(t testing.TB, d *device.Device, v int32) *device.Buffer {
	t.Helper()
	b, data, done, err := d.NewBuffer(0, 0, scalar)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(data, uint32(v))
	done(nil)
	t.Cleanup(b.Delete)
	return b
}

func run(t testing.TB, x *device.Executable, args ...*device.Buffer) *device.Execution {
	t.Helper()
	e, err := x.Execute(t.Context(), [][]*device.Buffer{args}, device.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, list := range e.Outputs {
			for _, b := range list {
				b.Delete()
			}
		}
	})
	return e
}

func value(t testing.TB, b *device.Buffer) int32 {
	t.Helper()
	if err := b.Ready().Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, release, err := b.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	return int32(binary.LittleEndian.Uint32(data))
}

func engines(t *testing.T, f func(t *testing.T, o device.Options)) {
	t.Run("planned", func(t *testing.T) { f(t, device.Options{}) })
	t.Run("evaluator", func(t *testing.T) { f(t, device.Options{Evaluator: true}) })
}

func TestEngines(t *testing.T) {
	for want, o := range map[string]device.Options{"plan": {}, "eval": {Evaluator: true}} {
		d := start(t, o)
		x := compile(t, d, twice)
		if got := x.Stats().Engine; got != want {
			t.Errorf("engine %q, want %q: %s", got, want, x.Stats().Why)
		}
		if got := value(t, run(t, x, put(t, d, 21)).Outputs[0][0]); got != 42 {
			t.Errorf("%s: %d", want, got)
		}
	}
	d := start(t, device.Options{})
	x := compile(t, d, `func.func @main(%a: tensor<?xf32>) -> tensor<?xf32> { return %a : tensor<?xf32> }`)
	if s := x.Stats(); s.Engine != "eval" || s.Why == "" {
		t.Errorf("a dynamic program: %+v", s)
	}
}

// A run may begin before its arguments are there, and waits for them; what they fail with, it fails with.
func TestOrder(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		d := start(t, o)
		x := compile(t, d, twice)
		b, data, done, err := d.NewBuffer(0, 0, scalar)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Delete()
		first := run(t, x, b)
		second := run(t, x, first.Outputs[0][0])
		if second.Done.Completed() || second.Outputs[0][0].Ready().Completed() {
			t.Error("done before its argument is there")
		}
		binary.LittleEndian.PutUint32(data, 10)
		done(nil)
		if got := value(t, second.Outputs[0][0]); got != 40 {
			t.Errorf("got %d", got)
		}
		if err := second.Done.Wait(t.Context()); err != nil {
			t.Error(err)
		}

		b, _, done, err = d.NewBuffer(0, 0, scalar)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Delete()
		first = run(t, x, b)
		second = run(t, x, first.Outputs[0][0])
		lost := errors.New("lost on the way")
		done(lost)
		if err := second.Done.Wait(t.Context()); !errors.Is(err, lost) {
			t.Errorf("a failed argument: %v", err)
		}
		if err := second.Outputs[0][0].Ready().Err(); !errors.Is(err, lost) {
			t.Errorf("the result of a failed argument: %v", err)
		}
	})
}

// An argument may be deleted as soon as Execute has returned.
func TestDeleteArgument(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		d := start(t, o)
		x := compile(t, d, twice)
		b, data, done, err := d.NewBuffer(0, 0, scalar)
		if err != nil {
			t.Fatal(err)
		}
		e := run(t, x, b)
		b.Delete()
		binary.LittleEndian.PutUint32(data, 4)
		done(nil)
		if got := value(t, e.Outputs[0][0]); got != 8 {
			t.Errorf("got %d", got)
		}
		if _, _, err := b.Hold(); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("hold a deleted buffer: %v", err)
		}
	})
}

// An endless run stops when its context ends, when it is cancelled, when nobody wants its results, and when the device
// closes; what waits for it hears why.
func TestStop(t *testing.T) {
	engines(t, func(t *testing.T, o device.Options) {
		begin := func(t *testing.T, ctx context.Context) (*device.Device, *device.Execution) {
			d := start(t, o)
			x := compile(t, d, forever)
			e, err := x.Execute(ctx, [][]*device.Buffer{{put(t, d, 3)}}, device.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(e.Outputs[0][0].Delete)
			// Let it get into the loop: it is in the middle then.
			select {
			case <-e.Done.Done():
				t.Fatal("the endless run ended:", e.Done.Err())
			case <-time.After(5 * time.Millisecond):
			}
			return d, e
		}
		t.Run("context", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			d, e := begin(t, ctx)
			after := run(t, compile(t, d, twice), e.Outputs[0][0])
			cancel()
			for _, e := range []*device.Execution{e, after} {
				if err := e.Done.Wait(t.Context()); !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
		t.Run("cancel", func(t *testing.T) {
			_, e := begin(t, t.Context())
			why := errors.New("somebody pressed a key")
			e.Cancel(why)
			if err := e.Done.Wait(t.Context()); !errors.Is(err, why) {
				t.Error(err)
			}
		})
		t.Run("abandoned", func(t *testing.T) {
			_, e := begin(t, t.Context())
			e.Outputs[0][0].Delete()
			if err := e.Done.Wait(t.Context()); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		t.Run("close", func(t *testing.T) {
			d, e := begin(t, t.Context())
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := e.Done.Err(); !errors.Is(err, isthmus.ErrClosed) {
				t.Error(err)
			}
			if _, err := d.Compile(t.Context(), []byte(twice), device.CompileOptions{}); !errors.Is(err, isthmus.ErrClosed) {
				t.Errorf("compile on a closed device: %v", err)
			}
		})
	})
}

// A long compilation stops in the middle.
func TestStopCompile(t *testing.T) {
	var b strings.Builder
	b.WriteString("func.func @main(%0: tensor<4xf32>) -> tensor<4xf32> {\n")
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&b, "%%%d = stablehlo.multiply %%%d, %%0 : tensor<4xf32>\n", i+1, i)
	}
	fmt.Fprintf(&b, "return %%%d : tensor<4xf32>\n}", n)
	d := start(t, device.Options{})
	for range 20 { // on a busy machine it may be over before it is stopped
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(5*time.Millisecond, cancel)
		_, err := d.Compile(ctx, []byte(b.String()), device.CompileOptions{})
		stop.Stop()
		cancel()
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("it was never stopped")
}

func TestOptions(t *testing.T) {
	for _, o := range []device.Options{{MemoryLimit: -1}, {Workers: -1}, {Devices: -1}, {Devices: 1 << 20}} {
		if d, err := device.New(o); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%+v: %v, %v", o, d, err)
		}
	}
	d := start(t, device.Options{Devices: 2})
	for _, o := range []device.CompileOptions{
		{Replicas: 3},
		{Replicas: 2, Assignment: [][]int{{0}}},
		{Replicas: 2, Assignment: [][]int{{0}, {0}}},
		{Assignment: [][]int{{2}}},
		{Assignment: [][]int{{-1}}},
		{Partitions: 2, Assignment: [][]int{{0}}},
	} {
		if _, err := d.Compile(t.Context(), []byte(twice), o); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// A result that no machine can hold is an error that says so, with and without a limit.
func TestTooLarge(t *testing.T) {
	for _, o := range []device.Options{{}, {MemoryLimit: 1 << 20}, {Evaluator: true}} {
		d := start(t, o)
		x := compile(t, d, `func.func @main(%a: tensor<i32>) -> tensor<16777216x1048576xi32> {
			%0 = stablehlo.broadcast_in_dim %a, dims = [] : (tensor<i32>) -> tensor<16777216x1048576xi32>
			return %0 : tensor<16777216x1048576xi32>
		}`)
		e := run(t, x, put(t, d, 1))
		var m *device.MemoryError
		if err := e.Done.Wait(t.Context()); !errors.As(err, &m) || !errors.Is(err, isthmus.ErrLimit) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The limit counts what is given out; what is kept for reuse makes room.
func TestMemory(t *testing.T) {
	d := start(t, device.Options{MemoryLimit: 8 << 20})
	big := stablehlo.TensorOf(dtype.U8, 5<<20)
	other := stablehlo.TensorOf(dtype.U8, 6<<20)
	for range 3 {
		for _, typ := range []stablehlo.Type{big, other} {
			b, data, done, err := d.NewBuffer(0, 0, typ)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(data)) != typ.Size() {
				t.Errorf("%d bytes for %v", len(data), typ)
			}
			_, _, _, err = d.NewBuffer(0, 0, big)
			var m *device.MemoryError
			if !errors.As(err, &m) || !errors.Is(err, isthmus.ErrLimit) || m.Limit != 8<<20 || m.InUse < typ.Size() || m.Need < 5<<20 {
				t.Errorf("over the limit: %v", err)
			}
			b.Delete()
			done(nil)
			b.Delete()
			if s := d.MemoryStats(); s.InUse != 0 || s.Cached > 8<<20 {
				t.Errorf("%+v", s)
			}
		}
	}
	for _, typ := range []stablehlo.Type{
		stablehlo.TensorOf(dtype.F32, 1<<40, 1<<40), stablehlo.TensorOf(dtype.F32, -2), stablehlo.TensorOf(dtype.F32, 1<<45),
		stablehlo.TensorOf(dtype.F32, stablehlo.Dynamic),
		{Kind: stablehlo.Token},
	} {
		if _, _, _, err := d.NewBuffer(0, 0, typ); err == nil {
			t.Errorf("a buffer of %v", typ)
		}
	}
}

// What no executor can run is unsupported, whichever of them says so.
func TestUnsupportedCall(t *testing.T) {
	d, err := device.New(device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	x, err := d.Compile(t.Context(), []byte(`func.func @main() -> tensor<f32> {
  %0 = stablehlo.custom_call @nobody.has.this() : () -> tensor<f32>
  return %0 : tensor<f32>
}`), device.CompileOptions{})
	if err == nil {
		var run *device.Execution
		if run, err = x.Execute(t.Context(), [][]*device.Buffer{{}}, device.ExecuteOptions{}); err == nil {
			err = run.Done.Wait(t.Context())
			run.Outputs[0][0].Delete()
		}
	}
	if !errors.Is(err, isthmus.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
