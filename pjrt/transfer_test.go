package pjrt_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

func roundTrip[T pjrt.Element](t *testing.T, c *pjrt.Client, data []T, dims ...int) {
	t.Helper()
	b := put(t, c, data, dims...)
	if b.DType() != pjrt.DType[T]() {
		t.Errorf("%T is %s", data, b.DType())
	}
	got, err := pjrt.Get[T](t.Context(), b)
	if err != nil {
		t.Error(err)
		return
	}
	if d := cmp.Diff(data, got); d != "" {
		t.Errorf("%T (-want +got)\n%s", data, d)
	}
}

type celsius float32

// TestP04TypedRoundTrips moves every Go element type there and back.
func TestP04TypedRoundTrips(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		roundTrip(t, c, []bool{true, false, true}, 3)
		roundTrip(t, c, []int8{-1, 2, 3, 4}, 2, 2)
		roundTrip(t, c, []int16{-1, 2}, 2)
		roundTrip(t, c, []int32{-1 << 31, 2}, 1, 2)
		roundTrip(t, c, []int64{-1 << 63, 2}, 2, 1)
		roundTrip(t, c, []uint8{255, 2, 3, 4, 5, 6}, 3, 2)
		roundTrip(t, c, []uint16{1, 65535}, 2)
		roundTrip(t, c, []uint32{1, 1<<32 - 1}, 2)
		roundTrip(t, c, []uint64{1, 1<<64 - 1}, 2)
		roundTrip(t, c, []float32{1.5, -2}, 2)
		roundTrip(t, c, []float64{1.5, -2, 3}, 1, 3, 1)
		roundTrip(t, c, []complex64{1 + 2i, -3}, 2)
		roundTrip(t, c, []complex128{1 + 2i, -3}, 2)
		roundTrip(t, c, []celsius{36.6}, 1)
		roundTrip(t, c, []float32{7})
	})
}

// TestPutInto reuses one buffer.
func TestPutInto(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, _ string) {
		c, ctx := client(t, p), t.Context()
		b := &pjrt.Buffer{}
		for i := range 3 {
			if err := pjrt.PutInto(ctx, b, c.Device(), []int32{int32(i), 7}, 2); err != nil {
				t.Fatal(err)
			}
			want(t, "open buffer", pjrt.PutInto(ctx, b, c.Device(), []int32{1}, 1), isthmus.ErrBusy)
			if got, err := pjrt.Get[int32](ctx, b); err != nil || got[0] != int32(i) {
				t.Errorf("got %v, %v", got, err)
			}
			want(t, "close", b.Close(), nil)
		}
		want(t, "no buffer", pjrt.PutInto(ctx, nil, c.Device(), []int32{1}, 1), isthmus.ErrInvalid)
	})
}

// TestP04BytesOfEveryType moves every element type that XLA's CPU plugins know as bytes.
func TestP04BytesOfEveryType(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		moved := 0
		for _, d := range dtype.All() {
			typ := pjrt.Type{DType: d, Dims: []int{2, 3}}
			data := make([]byte, 6*d.Size())
			for i := range data {
				if data[i] = byte(i + 1); d.Bits() < 8 {
					data[i] &= 1<<(d.Bits()-1) - 1 // small and not negative
				}
			}
			b, err := pjrt.PutBytes(t.Context(), c.Device(), typ, data)
			if err != nil {
				if !errors.Is(err, isthmus.ErrUnsupported) {
					t.Errorf("%s: %v", d, err)
				}
				t.Logf("%s: %v", d, err)
				continue
			}
			moved++
			got, err := b.Bytes(t.Context())
			if err != nil {
				t.Errorf("%s: %v", d, err)
			} else if df := cmp.Diff(data, got); df != "" {
				t.Errorf("%s (-want +got)\n%s", d, df)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
		if moved < 27 {
			t.Errorf("only %d types moved", moved)
		}
	})
}

// TestP04WrongSizes refuses what does not fit, in both directions.
func TestP04WrongSizes(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, _ string) {
		c := client(t, p)
		ctx, d := t.Context(), c.Device()
		for name, dims := range map[string][]int{"short": {3}, "long": {5}, "negative": {-4}, "two negatives": {-2, -2}, "overflow": {1 << 62, 1 << 62}, "zero": {0, 4}, "scalar": {}} {
			if _, err := pjrt.Put(ctx, d, []float32{1, 2, 3, 4}, dims...); !errors.Is(err, isthmus.ErrBounds) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := pjrt.PutBytes(ctx, d, pjrt.Type{DType: dtype.TF32, Dims: []int{1}}, make([]byte, 3))
		want(t, "TF32", err, isthmus.ErrInvalid)
		_, err = pjrt.PutBytes(ctx, d, pjrt.Type{}, nil)
		want(t, "no type", err, isthmus.ErrInvalid)
		b := put(t, c, []float32{1, 2, 3, 4}, 4)
		_, err = pjrt.Get[int32](ctx, b)
		want(t, "another type", err, isthmus.ErrInvalid)
		want(t, "short destination", pjrt.GetInto(ctx, b, make([]float32, 3)), isthmus.ErrBounds)
		want(t, "long destination", pjrt.GetInto(ctx, b, make([]float32, 5)), isthmus.ErrBounds)
		want(t, "nil destination", b.GetBytes(ctx, nil), isthmus.ErrBounds)
	})
}

// TestP02LayoutIsAlive reads a transposed result while the collector runs: the layout that is passed lives as long as
// the call, and the result is row-major whatever the device's layout.
func TestP02LayoutIsAlive(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, `func.func @main(%x: tensor<3x5x7xi32>) -> tensor<7x3x5xi32> {
			%0 = stablehlo.transpose %x, dims = [2, 0, 1] : (tensor<3x5x7xi32>) -> tensor<7x3x5xi32>
			return %0 : tensor<7x3x5xi32>
		}`)
		data := make([]int32, 105)
		for i := range data {
			data[i] = rand.Int32()
		}
		in := put(t, c, data, 3, 5, 7)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					runtime.GC()
				}
			}
		}()
		for range 20 {
			outs, err := x.Execute(t.Context(), []*pjrt.Buffer{in}, pjrt.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := pjrt.Get[int32](t.Context(), outs[0])
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				a, b, c := i/15, i/5%3, i%5
				if want := data[b*35+c*7+a]; v != want {
					t.Fatalf("element %d is %d, want %d", i, v, want)
				}
			}
			outs[0].Close()
		}
	})
}

// TestP02LayoutIsComplete has the fake read all of the layout that comes with a transfer to the host.
func TestP02LayoutIsComplete(t *testing.T) {
	c, _ := fakeClient(t, nil)
	outs, err := compile(t, c, "many").Execute(t.Context(), nil, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outs {
		if _, err := o.Bytes(t.Context()); err != nil {
			t.Error(err)
		}
		o.Close()
	}
}

// TestP24Lending uses all four ways to lend host memory, and watches who may touch it until when.
func TestP24Lending(t *testing.T) {
	t.Run("fake", func(t *testing.T) {
		c, f := fakeClient(t, nil)
		for _, how := range []pjrt.Lend{pjrt.UntilTransferred, pjrt.WhileAlive, pjrt.WhileAliveMutable} {
			data := []float32{1, 2, 3, 4}
			f.Hold()
			b, e, err := pjrt.PutLent(c.Device(), data, how, 4)
			if err != nil {
				t.Fatal(err)
			}
			if ready, err := e.Ready(); ready || err != nil {
				t.Errorf("%v: ready at once: %v, %v", how, ready, err)
			}
			if how == pjrt.WhileAliveMutable {
				_, _, err := pjrt.PutLent(c.Device(), data, pjrt.UntilTransferred, 4)
				want(t, "memory that is lent for writing", err, isthmus.ErrBorrowed)
			} else {
				_, _, err := pjrt.PutLent(c.Device(), data[1:3], pjrt.WhileAliveMutable, 2)
				want(t, "memory that is lent for reading", err, isthmus.ErrBorrowed)
			}
			if n := isthmus.Live().Count()["ffi.Loan"]; n != 1 {
				t.Errorf("%v: %d loans, want 1", how, n)
			}
			f.Release()
			if how != pjrt.UntilTransferred {
				if ready, err := e.Ready(); ready || err != nil {
					t.Errorf("%v: ready while the buffer is open: %v, %v", how, ready, err)
				}
			}
			want(t, "close buffer", b.Close(), nil)
			want(t, "wait", e.Wait(t.Context()), nil)
			want(t, "close event", e.Close(), nil)
			// Who was told that the event has fired may use the memory, at once.
			if n := isthmus.Live().Count()["ffi.Loan"]; n != 0 {
				t.Errorf("%v: %d loans after the event", how, n)
			}
		}
	})
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, add)
		for _, how := range []pjrt.Lend{pjrt.DuringCall, pjrt.UntilTransferred, pjrt.WhileAlive, pjrt.WhileAliveMutable} {
			data := make([]float32, 4)
			for i := range data {
				data[i] = float32(i)
			}
			b, e, err := pjrt.PutLent(c.Device(), data, how, 4)
			if err != nil {
				t.Fatal(err)
			}
			if how == pjrt.DuringCall {
				clear(data) // ours again
			}
			outs, err := x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := pjrt.Get[float32](t.Context(), outs[0])
			if err != nil || got[3] != 6 {
				t.Errorf("%v: got %v, %v", how, got, err)
			}
			if err := errors.Join(outs[0].Close(), b.Close()); err != nil {
				t.Error(err)
			}
			if e != nil {
				want(t, "wait", e.Wait(t.Context()), nil)
				want(t, "close event", e.Close(), nil)
			}
		}
	})
}

// TestP24LoanOutlivesItsCaller closes buffer and event early: the memory is held until the plugin is done with it.
func TestP24LoanOutlivesItsCaller(t *testing.T) {
	c, f := fakeClient(t, nil)
	f.Hold()
	before := isthmus.Live().Count()["ffi.Loan"] // other tests have plugins that keep what they were lent
	b, e, err := pjrt.PutLent(c.Device(), make([]float32, 1<<16), pjrt.UntilTransferred, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "close", errors.Join(b.Close(), e.Close()), nil)
	runtime.GC()
	if n := isthmus.Live().Count()["ffi.Loan"] - before; n != 1 {
		t.Errorf("%d loans while the plugin reads", n)
	}
	f.Release()
}

// TestPutFails has transfers fail at once and later.
func TestPutFails(t *testing.T) {
	c, f := fakeClient(t, nil)
	for _, late := range []bool{false, true} {
		f.Fail(pjrtc.SlotClientBufferFromHostBuffer, &pjrtfake.Failure{Code: pjrtc.ErrorCodeRESOURCEEXHAUSTED, Msg: "full", Late: late})
		_, err := pjrt.Put(t.Context(), c.Device(), []float32{1}, 1)
		want(t, "put", err, isthmus.ErrLimit)
		b, e, err := pjrt.PutLent(c.Device(), []float32{1}, pjrt.UntilTransferred, 1)
		if late && err == nil {
			want(t, "transfer", e.Wait(t.Context()), isthmus.ErrLimit)
			err = errors.Join(b.Close(), e.Close())
			want(t, "close", err, nil)
		} else {
			want(t, "lend", err, isthmus.ErrLimit)
		}
		f.Fail(pjrtc.SlotClientBufferFromHostBuffer, nil)
		b = put(t, c, []float32{1}, 1)
		f.Fail(pjrtc.SlotBufferToHostBuffer, &pjrtfake.Failure{Code: pjrtc.ErrorCodeDATALOSS, Msg: "gone", Late: late})
		_, err = pjrt.Get[float32](context.Background(), b)
		want(t, "get", err, pjrt.DataLoss)
		f.Fail(pjrtc.SlotBufferToHostBuffer, nil)
	}
	_, _, err := pjrt.PutLent(c.Device(), []float32{1}, 9, 1)
	want(t, "no such way", err, isthmus.ErrInvalid)
}

// TestCopyToDevice moves a tensor over all devices of a client.
func TestCopyToDevice(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, _ string) {
		c := client(t, p)
		b := put(t, c, []int32{1, 2, 3}, 3)
		for _, d := range c.Devices()[1:] {
			x, err := b.CopyTo(d)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			if x.Device() != d {
				t.Errorf("on %s, want %s", x.Device(), d)
			}
			if got, err := pjrt.Get[int32](t.Context(), x); err != nil || got[2] != 3 {
				t.Errorf("got %v, %v", got, err)
			}
			b = x
		}
	})
}

// TestDescriptions reads what the plugin says of clients, devices and memories.
func TestDescriptions(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		if c.Platform() != "cpu" || c.PlatformVersion() == "" || c.ProcessIndex() != 0 || c.Plugin() != p {
			t.Errorf("%s: version %q", c, c.PlatformVersion())
		}
		for i, d := range c.Devices() {
			if d.ID() != i || d.Kind() == "" || !d.Addressable() || d.Memory() == nil || len(d.Memories()) == 0 || d.Client() != c || d.DebugString() == "" {
				t.Errorf("device %d: %s, id %d, kind %q, memory %v of %v", i, d, d.ID(), d.Kind(), d.Memory(), d.Memories())
			}
			for _, m := range d.Memories() {
				if m.Kind() == "" || len(m.Devices()) == 0 {
					t.Errorf("%s: %v", m, m.Devices())
				}
			}
			if s, err := d.MemoryStats(); err != nil && !errors.Is(err, isthmus.ErrUnsupported) {
				t.Errorf("%v, %v", s, err)
			}
		}
		x := compile(t, c, add)
		if x.Name() != "add" || x.Replicas() != 1 || x.Partitions() != 1 || len(x.Devices()) != 1 || len(x.Fingerprint()) == 0 {
			t.Errorf("%s: %d replicas, %d partitions, devices %v, fingerprint %x", x, x.Replicas(), x.Partitions(), x.Devices(), x.Fingerprint())
		}
		if _, err := c.Compile(t.Context(), pjrt.MLIR("no program"), pjrt.CompileOptions{}); err == nil || errors.As(err, new(*pjrt.Error)) == false {
			t.Errorf("garbage: %v", err)
		}
		if _, err := c.Compile(t.Context(), pjrt.Program{}, pjrt.CompileOptions{}); !errors.Is(err, isthmus.ErrInvalid) {
			t.Errorf("no program: %v", err)
		}
		if _, err := c.Compile(t.Context(), pjrt.MLIR(""), pjrt.CompileOptions{}); err == nil {
			t.Error("an empty program was compiled")
		}
	})
}

// TestExecuteAll runs one program on two devices.
func TestExecuteAll(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		d := c.Devices()
		x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Replicas: 2, Assignment: [][]*pjrt.Device{{d[0]}, {d[1]}}})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		var args [][]*pjrt.Buffer
		for i, d := range x.Devices() {
			b, err := pjrt.Put(t.Context(), d, []float32{float32(i), 1, 2, 3}, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			args = append(args, []*pjrt.Buffer{b, b})
		}
		outs, err := x.ExecuteAll(t.Context(), args, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outs {
			if v, err := pjrt.Get[float32](t.Context(), o[0]); err != nil || v[0] != float32(2*i) || o[0].Device() != x.Devices()[i] {
				t.Errorf("device %d: got %v, %v on %s", i, v, err, o[0].Device())
			}
			o[0].Close()
		}
		_, err = x.Execute(t.Context(), args[0], pjrt.ExecuteOptions{})
		want(t, "execute on one", err, isthmus.ErrInvalid)
		_, err = x.ExecuteAll(t.Context(), args[:1], pjrt.ExecuteOptions{})
		want(t, "too few lists", err, isthmus.ErrInvalid)
		_, err = x.ExecuteAll(t.Context(), [][]*pjrt.Buffer{args[1], args[0]}, pjrt.ExecuteOptions{})
		want(t, "swapped", err, isthmus.ErrInvalid)
		_, err = x.ExecuteAll(t.Context(), [][]*pjrt.Buffer{args[0], nil}, pjrt.ExecuteOptions{})
		want(t, "an empty list", err, isthmus.ErrInvalid)
	})
}

// TestReadInPlace reads buffers of host memory without a transfer, and only those that are row-major, complete and
// whole.
func TestReadInPlace(t *testing.T) {
	for name, c := range map[string]struct {
		set   func(*pjrtfake.Fake)
		fail  pjrtc.Slot
		how   *pjrtfake.Failure
		views int
		want  error
	}{
		"view":           {func(f *pjrtfake.Fake) { f.OnCPU = true }, 0, nil, 1, nil},
		"elsewhere":      {nil, 0, nil, 0, nil},
		"strange layout": {func(f *pjrtfake.Fake) { f.OnCPU, f.Strange = true, true }, 0, nil, 0, nil},
		"no hold":        {func(f *pjrtfake.Fake) { f.OnCPU = true }, pjrtc.SlotBufferIncreaseExternalReferenceCount, &pjrtfake.Failure{Code: 13}, 0, nil},
		"no pointer":     {func(f *pjrtfake.Fake) { f.OnCPU = true }, pjrtc.SlotBufferOpaqueDeviceMemoryDataPointer, &pjrtfake.Failure{Code: 13}, 0, nil},
		"no content":     {func(f *pjrtfake.Fake) { f.OnCPU = true }, pjrtc.SlotBufferReadyEvent, &pjrtfake.Failure{Code: 15, Late: true}, 0, pjrt.DataLoss},
		"not there":      {func(f *pjrtfake.Fake) { f.OnCPU, f.Null = true, []pjrtc.Slot{pjrtc.SlotBufferIsOnCpu} }, 0, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cl, f := fakeClient(t, c.set)
			b := put(t, cl, []int32{1, 2, 3, 4, 5, 6}, 2, 3)
			if c.how != nil {
				f.Fail(c.fail, c.how)
			}
			got, err := pjrt.Get[int32](context.Background(), b)
			want(t, "get", err, c.want)
			if d := cmp.Diff([]int32{1, 2, 3, 4, 5, 6}, got); c.want == nil && d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if f.Views() != c.views {
				t.Errorf("%d views, want %d", f.Views(), c.views)
			}
			f.Fail(c.fail, nil)
		})
	}
}

// TestPartitions runs one program split over two devices: the types are those of the parts.
func TestPartitions(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		d := c.Devices()
		x, err := c.Compile(t.Context(), pjrt.MLIR(`module @split attributes {mhlo.num_partitions = 2 : i32, mhlo.num_replicas = 1 : i32} {
			func.func @main(%x: tensor<4xf32> {mhlo.sharding = "{devices=[2]<=[2]}"}) -> (tensor<4xf32> {mhlo.sharding = "{devices=[2]<=[2]}"}) {
				%0 = stablehlo.add %x, %x : tensor<4xf32>
				return %0 : tensor<4xf32>
			}
		}`), pjrt.CompileOptions{Partitions: 2, SPMD: true, Assignment: [][]*pjrt.Device{{d[0], d[1]}}})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		part := pjrt.Type{DType: dtype.F32, Dims: []int{2}}
		if params, known := x.Params(); !known || !params[0].Equal(part) || !x.Outputs()[0].Equal(part) || x.Partitions() != 2 {
			t.Errorf("parameters %v (%v), outputs %v, %d partitions", params, known, x.Outputs(), x.Partitions())
		}
		var args [][]*pjrt.Buffer
		for i, d := range x.Devices() {
			b, err := pjrt.Put(t.Context(), d, []float32{float32(i), 10}, 2)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			args = append(args, []*pjrt.Buffer{b})
		}
		outs, err := x.ExecuteAll(t.Context(), args, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outs {
			if v, err := pjrt.Get[float32](t.Context(), o[0]); err != nil || v[0] != float32(2*i) || v[1] != 20 {
				t.Errorf("part %d: got %v, %v", i, v, err)
			}
			o[0].Close()
		}
	})
}

// TestPortable compiles for any device and names one at each execution.
func TestPortable(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x, err := c.Compile(t.Context(), pjrt.MLIR(add), pjrt.CompileOptions{Portable: true})
		if err != nil {
			t.Skipf("not here: %v", err)
		}
		defer x.Close()
		for _, d := range c.Devices() {
			b, err := pjrt.Put(t.Context(), d, []float32{1, 2, 3, 4}, 4)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			outs, err := x.Execute(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{Device: d})
			if err != nil {
				t.Fatal(err)
			}
			if v, err := pjrt.Get[float32](t.Context(), outs[0]); err != nil || v[3] != 8 || outs[0].Device() != d {
				t.Errorf("%s: got %v, %v on %s", d, v, err, outs[0].Device())
			}
			outs[0].Close()
		}
	})
}
