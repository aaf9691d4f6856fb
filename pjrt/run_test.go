package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// TestExecuteOptions has every option reach the plugin.
func TestExecuteOptions(t *testing.T) {
	other, _ := fake(t, nil)
	c, f := fakeClient(t, nil)
	p := c.Plugin()
	x := compile(t, c, "donate")
	k, err := p.NewExecuteContext()
	if err != nil {
		t.Fatal(err)
	}
	a, b := put(t, c, []float32{1, 2, 3, 4}, 4), put(t, c, []float32{1, 2, 3, 4}, 4)
	o := pjrt.ExecuteOptions{
		Keep: []int{0}, LaunchID: 7, Context: k, CallLocation: "model.py:12", RowMajor: true,
		Tasks: []pjrt.Task{{ID: 3, Incarnation: 1 << 40}, {ID: 4, Incarnation: -1}},
	}
	f.Hold()
	e, err := x.Start(t.Context(), []*pjrt.Buffer{a, b}, o)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "close a context in use", k.Close(), isthmus.ErrBusy)
	f.Release()
	want(t, "wait", e.Wait(t.Context()), nil)
	want(t, "close", errors.Join(e.Close(), e.Close(), k.Close(), k.Close()), nil)
	got := f.Runs()
	wanted := []pjrtfake.Run{{
		Program: "donate", Launch: 7, CallLocation: "model.py:12", Keep: []int64{0}, Context: true,
		Tasks: []int32{3, 4}, Incarnations: []int64{1 << 40, -1}, RowMajor: true,
	}}
	got[0].Device = 0
	if d := cmp.Diff(wanted, got); d != "" {
		t.Errorf("the plugin saw (-want +got):\n%s", d)
	}
	_, err = x.Execute(t.Context(), []*pjrt.Buffer{a, b}, o)
	want(t, "a closed context", err, isthmus.ErrClosed)
	if o.Context, err = other.NewExecuteContext(); err != nil {
		t.Fatal(err)
	}
	_, err = x.Execute(t.Context(), []*pjrt.Buffer{a, b}, o)
	want(t, "a context of another plugin", errors.Join(err, o.Context.Close()), isthmus.ErrInvalid)
	if a.Donated() {
		t.Error("an argument to keep was donated")
	}
}

// talker is a program that sends "hello " and "world" on channel 1 and receives 8 bytes on channel 2.
func talker(t *testing.T) (*pjrt.Client, *pjrtfake.Fake, *pjrt.Executable, map[int64][]byte) {
	got := map[int64][]byte{}
	c, f := fakeClient(t, func(f *pjrtfake.Fake) {
		f.Programs["talk"] = &pjrtfake.Program{
			Outputs: []pjrtfake.Type{f32x4}, Sends: map[int64][][]byte{1: {[]byte("hello "), []byte("world")}}, Recvs: map[int64]int{2: 8},
			Received: func(_ [][]byte, in map[int64][]byte) [][]byte {
				got[2] = in[2]
				return [][]byte{make([]byte, 16)}
			},
		}
	})
	return c, f, compile(t, c, "talk"), got
}

// TestP31HostTransfers sends and receives while a program runs.
func TestP31HostTransfers(t *testing.T) {
	c, f, x, got := talker(t)
	registered, strays := cb.Registered(), cb.Strays()
	var sent []string
	var kept *pjrt.DeviceStream
	var wg sync.WaitGroup
	o := pjrt.ExecuteOptions{
		Send: []pjrt.SendHandler{{Channel: 1, Func: func(s pjrt.SentChunk) error {
			sent = append(sent, fmt.Sprint(string(s.Data), s.Total, s.Last, s.Device))
			return nil
		}}},
		Recv: []pjrt.RecvHandler{{Channel: 2, Func: func(device int, s *pjrt.DeviceStream) error {
			kept = s
			wg.Go(func() { // written after the handler has returned
				total, err := s.TotalBytes()
				granule, err2 := s.GranuleSize()
				if total != 8 || granule != 4 || device != 0 || err != nil || err2 != nil {
					t.Errorf("total %d, granule %d, device %d, %v, %v", total, granule, device, err, err2)
				}
				data := []byte("abcd")
				e, err := s.AddChunk(data)
				copy(data, "zzzz") // ours again at once
				if err != nil {
					t.Error(err)
					return
				}
				want(t, "chunk", e.Wait(context.Background()), nil)
				want(t, "close event", e.Close(), nil)
				if n, err := s.CurrentBytes(); n != 4 || err != nil {
					t.Errorf("current %d, %v", n, err)
				}
				want(t, "odd", s.Write(context.Background(), []byte("x")), isthmus.ErrInvalid)
				want(t, "too much", s.Write(context.Background(), make([]byte, 8)), isthmus.ErrInvalid)
				want(t, "rest", s.Write(context.Background(), []byte("efgh")), nil)
				if err := c.Close(); !errors.Is(err, isthmus.ErrBusy) || !strings.Contains(err.Error(), "pjrt.DeviceStream") {
					t.Errorf("close a client with a stream: %v", err)
				}
				want(t, "close", errors.Join(s.Close(), s.Close()), nil)
			})
			return nil
		}}},
	}
	outs, err := x.Execute(context.Background(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	want(t, "close", outs[0].Close(), nil)
	if d := cmp.Diff([]string{"hello 11 false 0", "world11 true 0"}, sent); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
	if string(got[2]) != "abcdefgh" {
		t.Errorf("received %q", got[2])
	}
	_, err = kept.AddChunk(nil)
	want(t, "use after close", err, isthmus.ErrClosed)
	_, err = kept.TotalBytes()
	want(t, "use after close", err, isthmus.ErrClosed)
	f.Quiet()
	if n := cb.Registered() - registered; n != 0 {
		t.Errorf("%d callbacks are registered still", n)
	}
	if n := cb.Strays() - strays; n != 0 {
		t.Errorf("%d strays", n)
	}
}

// TestP07HostTransferErrors has handlers fail, panic and end their goroutines: the execution fails with what they said,
// and nothing is left.
func TestP07HostTransferErrors(t *testing.T) {
	mine := errors.New("not today")
	send := func(f func(pjrt.SentChunk) error) []pjrt.SendHandler {
		return []pjrt.SendHandler{{Channel: 1, Func: f}}
	}
	recv := func(f func(int, *pjrt.DeviceStream) error) []pjrt.RecvHandler {
		return []pjrt.RecvHandler{{Channel: 2, Func: f}}
	}
	fine := send(func(pjrt.SentChunk) error { return nil })
	for name, c := range map[string]struct {
		o    pjrt.ExecuteOptions
		want error
		text string
	}{
		"send error":      {pjrt.ExecuteOptions{Send: send(func(pjrt.SentChunk) error { return fmt.Errorf("%w: %w", mine, pjrt.DataLoss) })}, pjrt.DataLoss, "not today"},
		"send panics":     {pjrt.ExecuteOptions{Send: send(func(pjrt.SentChunk) error { panic("ouch") })}, pjrt.Internal, "ouch"},
		"send ends":       {pjrt.ExecuteOptions{Send: send(func(pjrt.SentChunk) error { runtime.Goexit(); return nil })}, pjrt.Internal, "ended its goroutine"},
		"receive error":   {pjrt.ExecuteOptions{Send: fine, Recv: recv(func(int, *pjrt.DeviceStream) error { return mine })}, mine, "channel 2"},
		"receive panics":  {pjrt.ExecuteOptions{Send: fine, Recv: recv(func(int, *pjrt.DeviceStream) error { panic("ouch") })}, isthmus.ErrPanic, "ouch"},
		"receive ends":    {pjrt.ExecuteOptions{Send: fine, Recv: recv(func(int, *pjrt.DeviceStream) error { runtime.Goexit(); return nil })}, isthmus.ErrPanic, "ended its goroutine"},
		"receive closes":  {pjrt.ExecuteOptions{Send: fine, Recv: recv(func(_ int, s *pjrt.DeviceStream) error { return s.Close() })}, pjrt.Aborted, "ended early"},
		"nobody receives": {pjrt.ExecuteOptions{Send: fine}, pjrt.FailedPrecondition, "nobody"},
		"no function":     {pjrt.ExecuteOptions{Send: send(nil)}, isthmus.ErrInvalid, "no function"},
		"no function too": {pjrt.ExecuteOptions{Recv: recv(nil)}, isthmus.ErrInvalid, "no function"},
	} {
		t.Run(name, func(t *testing.T) {
			_, f, x, _ := talker(t)
			registered := cb.Registered()
			for _, ctx := range []context.Context{context.Background(), t.Context()} {
				_, err := x.Execute(ctx, nil, c.o)
				want(t, "execute", err, c.want)
				if err == nil || !strings.Contains(err.Error(), c.text) {
					t.Errorf("%v does not say %q", err, c.text)
				}
			}
			f.Quiet()
			if n := cb.Registered() - registered; n != 0 {
				t.Errorf("%d callbacks are registered still", n)
			}
		})
	}
}

// TestStart feeds the outputs of executions that are not done to others.
func TestStart(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		c := client(t, p)
		x := compile(t, c, code)
		b := put(t, c, []float32{1, 2, 3, 4}, 4)
		var all []*pjrt.Execution
		for range 4 {
			e, err := x.Start(t.Context(), []*pjrt.Buffer{b, b}, pjrt.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			outs, err := e.Outputs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			again, err := e.Outputs(t.Context())
			if err != nil || again[0] != outs[0] {
				t.Errorf("the second call gives another output: %v", err)
			}
			b = outs[0]
			defer b.Close()
			all = append(all, e)
		}
		got, err := pjrt.Get[float32](t.Context(), b)
		if err != nil || !slices.Equal(got, []float32{16, 32, 48, 64}) {
			t.Errorf("got %v, %v", got, err)
		}
		for _, e := range all {
			want(t, "wait", e.Wait(t.Context()), nil)
			<-e.Done()
			if errs := e.Errs(); len(errs) != 1 || errs[0] != nil {
				t.Errorf("errors %v", errs)
			}
			want(t, "close", errors.Join(e.Close(), e.Close()), nil)
			_, err := e.Outputs(t.Context())
			want(t, "outputs after close", err, isthmus.ErrClosed)
		}
		e, err := x.Start(t.Context(), nil, pjrt.ExecuteOptions{})
		if err == nil { // a plugin that does not show its program looks itself
			err = e.Wait(t.Context())
		}
		want(t, "no arguments", err, isthmus.ErrInvalid)
		want(t, "close", e.Close(), nil)
	})
}

// TestStartGivenUp closes and forgets executions under way.
func TestStartGivenUp(t *testing.T) {
	c, f := fakeClient(t, nil)
	x := compile(t, c, "add")
	a := put(t, c, []float32{1, 2, 3, 4}, 4)
	f.Hold()
	e, err := x.Start(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, "wait", e.Wait(ctx), context.Canceled)
	if e.Errs() != nil {
		t.Error("errors of an execution that is not done")
	}
	want(t, "close", e.Close(), nil)
	want(t, "close executable", x.Close(), isthmus.ErrBusy)
	if n := c.Detached(); n != 1 {
		t.Errorf("%d detached, want 1", n)
	}
	f.Release()
	want(t, "wait after close", e.Wait(t.Context()), nil)
	for f.Alive()["buffer"] > 1 || c.Detached() > 0 {
		runtime.Gosched()
	}

	log := leaktest.Capture(t)
	func() {
		e, err := x.Start(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want(t, "wait", e.Wait(t.Context()), nil)
	}()
	for _, r := range log.Wait(t, 1) {
		if r.Object.Kind != "pjrt.Execution" || !strings.Contains(r.Error(), "run_test.go:") {
			t.Errorf("report %v", r)
		}
	}
	for f.Alive()["buffer"] > 1 {
		runtime.Gosched()
	}
}

// TestStartRefused has the plugin refuse.
func TestStartRefused(t *testing.T) {
	c, f := fakeClient(t, nil)
	x := compile(t, c, "add")
	a := put(t, c, []float32{1, 2, 3, 4}, 4)
	f.Fail(pjrtc.SlotLoadedExecutableExecute, &pjrtfake.Failure{Code: pjrtc.ErrorCodeDATALOSS, Msg: "gone"})
	e, err := x.Start(t.Context(), []*pjrt.Buffer{a, a}, pjrt.ExecuteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "wait", e.Wait(t.Context()), pjrt.DataLoss)
	_, err = e.Outputs(t.Context())
	want(t, "outputs", err, pjrt.DataLoss)
	want(t, "close", e.Close(), nil)
}

// TestExecuteAllOneDeviceFails has one of two devices fail: the error says which, the other is waited for, and no output
// or event of either is left (another binding leaks both).
func TestExecuteAllOneDeviceFails(t *testing.T) {
	c, f := fakeClient(t, nil)
	x, err := c.Compile(t.Context(), pjrt.MLIR("add"), pjrt.CompileOptions{Replicas: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var args [][]*pjrt.Buffer
	for _, d := range x.Devices() {
		b, err := pjrt.Put(t.Context(), d, []float32{1, 2, 3, 4}, 4)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		args = append(args, []*pjrt.Buffer{b, b})
	}
	before := f.Alive()
	for name, ctx := range map[string]context.Context{"plain": context.Background(), "cancellable": t.Context()} {
		t.Run(name, func(t *testing.T) {
			f.Hold()
			var wg sync.WaitGroup
			wg.Go(func() {
				for f.Alive()["event"] < before["event"]+2 {
					runtime.Gosched()
				}
				if ok, err := x.Devices()[1].Poison(9, pjrt.DataLoss); !ok || err != nil {
					t.Errorf("poison: %v, %v", ok, err)
				}
				f.Release()
			})
			_, err := x.ExecuteAll(ctx, args, pjrt.ExecuteOptions{LaunchID: 9})
			wg.Wait()
			var de *pjrt.DeviceError
			if !errors.As(err, &de) || de.Device != x.Devices()[1] || !errors.Is(err, pjrt.DataLoss) {
				t.Errorf("got %v", err)
			}
			f.Quiet()
			if d := cmp.Diff(before, f.Alive()); d != "" {
				t.Errorf("left (-before +after):\n%s", d)
			}
		})
	}
}

// TestExecuteOutOfMemory is tried once more after the garbage collector found forgotten buffers, unless it takes an
// argument or calls back.
func TestExecuteOutOfMemory(t *testing.T) {
	full := &pjrtfake.Failure{Code: pjrtc.ErrorCodeRESOURCEEXHAUSTED, Msg: "full", Times: 1}
	for name, c := range map[string]struct {
		program string
		keep    []int
		taken   bool
		calls   int
	}{"add": {"add", nil, false, 2}, "donates": {"donate", nil, false, 2}, "keeps": {"donate", []int{0}, false, 2}, "taken": {"donate", nil, true, 1}} {
		for kind, ctx := range map[string]context.Context{"plain": context.Background(), "cancellable": t.Context()} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				cl, f := fakeClient(t, nil)
				x := compile(t, cl, c.program)
				a, b := put(t, cl, []float32{1, 2, 3, 4}, 4), put(t, cl, []float32{1, 2, 3, 4}, 4)
				again := *full
				f.Fail(pjrtc.SlotLoadedExecutableExecute, &again)
				if c.taken { // as a plugin does that fails late
					f.Fail(pjrtc.SlotLoadedExecutableExecute, nil)
					again.Late = true
					f.Fail(pjrtc.SlotLoadedExecutableExecute, &again)
				}
				outs, err := x.Execute(ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{Keep: c.keep})
				if c.calls == 1 {
					want(t, "execute", err, isthmus.ErrLimit)
				} else if err != nil {
					t.Error(err)
				} else {
					want(t, "close", outs[0].Close(), nil)
				}
				if n := f.Calls(pjrtc.SlotLoadedExecutableExecute.String()); n != c.calls {
					t.Errorf("%d calls, want %d", n, c.calls)
				}
			})
		}
	}
}

// slow is a loop whose number of rounds only its argument tells, and that no compiler folds.
const slow = `func.func @main(%n: tensor<i32>, %x: tensor<f32>) -> tensor<f32> {
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %zero, %v = %x) : tensor<i32>, tensor<f32>
  cond {
    %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %s = stablehlo.sine %v : tensor<f32>
    %w = stablehlo.add %s, %x : tensor<f32>
    %j = stablehlo.add %i, %one : tensor<i32>
    stablehlo.return %j, %w : tensor<i32>, tensor<f32>
  }
  return %r#1 : tensor<f32>
}`

// TestGiveUpWhileThePluginComputes ends the context of an execution that keeps the calling thread busy. The caller is
// free at once, the arguments stay in use until the plugin is done, and what comes late is destroyed.
func TestGiveUpWhileThePluginComputes(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		x := compile(t, c, slow)
		v := put(t, c, []float32{0.5})
		count := func(n int32) *pjrt.Buffer {
			b, err := pjrt.Put(t.Context(), c.Device(), []int32{n})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { want(t, "close", b.Close(), nil) })
			return b
		}
		// Rounds are doubled until the plugin is busy when the context ends.
		for n := int32(1 << 16); ; n *= 2 {
			ctx, cancel := context.WithCancel(t.Context())
			args := []*pjrt.Buffer{count(n), v}
			e, err := x.Start(t.Context(), args, pjrt.ExecuteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			go cancel()
			outs, err := x.Execute(ctx, args, pjrt.ExecuteOptions{})
			cancel()
			if err == nil {
				want(t, "close", outs[0].Close(), nil)
			} else {
				want(t, "given up", err, context.Canceled)
			}
			late := c.Detached() > 0
			want(t, "wait", e.Wait(t.Context()), nil)
			want(t, "close", e.Close(), nil)
			for c.Detached() > 0 {
				runtime.Gosched()
			}
			if late && err != nil {
				return
			}
			if n >= 1<<29 {
				t.Fatal("the context never ended first")
			}
		}
	})
}
