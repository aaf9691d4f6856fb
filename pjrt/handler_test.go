package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// handlerNames makes names that no other test has used: plugins keep registrations.
var handlerNames atomic.Int64

// handle registers a handler under a new name.
func handle(t testing.TB, p *pjrt.Plugin, f func(*pjrt.HandlerCall) error, o pjrt.HandlerOptions) *pjrt.Handler {
	t.Helper()
	h, err := p.RegisterHandler(fmt.Sprintf("isthmus.test.%d", handlerNames.Add(1)), f, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.CloseWait(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// calling is a program that passes its parameters to a handler and returns what it gives.
func calling(h *pjrt.Handler, attrs, params, results string) string {
	ins, outs := strings.Split(params, " "), strings.Split(results, " ")
	var args, names, rets []string
	for i, in := range ins {
		if in != "" {
			args = append(args, fmt.Sprintf("%%a%d: %s", i, in))
			names = append(names, fmt.Sprintf("%%a%d", i))
		}
	}
	for i := range outs {
		rets = append(rets, fmt.Sprintf("%%r#%d", i))
	}
	n := ""
	if len(outs) > 1 {
		n = fmt.Sprintf(":%d", len(outs))
	} else {
		rets = []string{"%r"}
	}
	return fmt.Sprintf(`module { func.func @main(%s) -> (%s) {
    %%r%s = stablehlo.custom_call @%q(%s) {api_version = 4 : i32, has_side_effect = true, backend_config = {%s}} : (%s) -> (%s)
    return %s : %s
  } }`, strings.Join(args, ", "), strings.Join(outs, ", "), n, h.Name(), strings.Join(names, ", "), attrs,
		strings.Join(ins, ", "), strings.Join(outs, ", "), strings.Join(rets, ", "), strings.Join(outs, ", "))
}

// execute runs a program once and returns its outputs, which are closed at the end of the test, and its error.
func execute(t testing.TB, x *pjrt.Executable, args ...*pjrt.Buffer) ([]*pjrt.Buffer, error) {
	t.Helper()
	outs, err := x.Execute(t.Context(), args, pjrt.ExecuteOptions{})
	for _, o := range outs {
		t.Cleanup(func() {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		})
		if err == nil {
			err = o.Wait(t.Context())
		}
	}
	return outs, err
}

func get[T pjrt.Element](t testing.TB, b *pjrt.Buffer) []T {
	t.Helper()
	v, err := pjrt.Get[T](t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// scale multiplies its argument by the attribute factor.
func scale(c *pjrt.HandlerCall) error {
	k, err := pjrt.Attr[float32](c, "factor")
	if err != nil {
		return err
	}
	in, err := pjrt.Arg[float32](c, 0)
	if err != nil {
		return err
	}
	out, err := pjrt.Result[float32](c, 0)
	if err != nil {
		return err
	}
	x, err := in.Read()
	for i := range x {
		x[i] *= k
	}
	return errors.Join(err, out.Write(x))
}

// A compiled program calls a Go function, with and without hand-over to a goroutine.
func TestP37HandlerIsCalled(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		for _, inline := range []bool{false, true} {
			t.Run(fmt.Sprintf("inline=%v", inline), func(t *testing.T) {
				h := handle(t, p, scale, pjrt.HandlerOptions{Inline: inline})
				c := client(t, p)
				x := compile(t, c, calling(h, "factor = 3.0 : f32", "tensor<4xf32>", "tensor<4xf32>"))
				out, err := execute(t, x, put(t, c, []float32{1, 2, 3, 4}, 4))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff([]float32{3, 6, 9, 12}, get[float32](t, out[0])); d != "" {
					t.Error(d)
				}
			})
		}
	})
}

// A handler sees all its arguments' types and gives several results of other types; bf16 goes as bytes.
func TestP37HandlerTypes(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		h := handle(t, p, func(c *pjrt.HandlerCall) error {
			if c.NumArgs() != 3 || c.NumResults() != 3 {
				return fmt.Errorf("%d arguments, %d results", c.NumArgs(), c.NumResults())
			}
			for i, want := range []pjrt.Type{{DType: dtype.I32, Dims: []int{2, 3}}, {DType: dtype.BF16, Dims: []int{2}}, {DType: dtype.I1, Dims: []int{3}}} {
				if got, err := c.ArgType(i); err != nil || !got.Equal(want) {
					return fmt.Errorf("argument %d: %s, %v; want %s", i, got, err, want)
				}
			}
			a, err := pjrt.Arg[int32](c, 0)
			if err != nil {
				return err
			}
			b, err := pjrt.ArgBytes(c, 1)
			if err != nil {
				return err
			}
			if want := (pjrt.Type{DType: dtype.BF16, Dims: []int{2}}); !b.Type().Equal(want) {
				return fmt.Errorf("the view's type is %s, want %s", b.Type(), want)
			}
			m, err := pjrt.Arg[bool](c, 2)
			if err != nil {
				return err
			}
			sum, err := pjrt.Result[int64](c, 0)
			if err != nil {
				return err
			}
			bf, err := pjrt.ResultBytes(c, 1)
			if err != nil {
				return err
			}
			not, err := pjrt.Result[bool](c, 2)
			if err != nil {
				return err
			}
			var total int64
			block := make([]int32, 4)
			for at := 0; at < a.Len(); {
				n, err := a.CopyTo(block, at)
				if err != nil {
					return err
				}
				for _, v := range block[:n] {
					total += int64(v)
				}
				at += n
			}
			bytes, err := b.Read()
			if err != nil {
				return err
			}
			for i := range m.Len() {
				v, err := m.At(i)
				if err = errors.Join(err, not.Set(i, !v)); err != nil {
					return err
				}
			}
			return errors.Join(sum.Set(0, total), bf.Write(bytes))
		}, pjrt.HandlerOptions{})
		c := client(t, p)
		x := compile(t, c, calling(h, "", "tensor<2x3xi32> tensor<2xbf16> tensor<3xi1>", "tensor<i64> tensor<2xbf16> tensor<3xi1>"))
		bf, err := pjrt.PutBytes(t.Context(), c.Device(), pjrt.Type{DType: dtype.BF16, Dims: []int{2}}, []byte{0x80, 0x3f, 0x00, 0xc0})
		if err != nil {
			t.Fatal(err)
		}
		defer bf.Close()
		out, err := execute(t, x, put(t, c, []int32{1, 2, 3, 4, 5, -20}, 2, 3), bf, put(t, c, []bool{true, false, true}, 3))
		if err != nil {
			t.Fatal(err)
		}
		if got := get[int64](t, out[0]); got[0] != -5 {
			t.Errorf("got %d, want -5", got[0])
		}
		if got, err := out[1].Bytes(t.Context()); err != nil || string(got) != "\x80\x3f\x00\xc0" {
			t.Errorf("got %x, %v", got, err)
		}
		if d := cmp.Diff([]bool{false, true, false}, get[bool](t, out[2])); d != "" {
			t.Error(d)
		}
	})
}

// Attributes of every kind arrive.
func TestP03HandlerAttributes(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		var got map[string]any
		var missing, wrong error
		h := handle(t, p, func(c *pjrt.HandlerCall) (err error) {
			got, err = c.Attrs()
			_, missing = pjrt.Attr[int64](c, "nothing")
			_, wrong = pjrt.Attr[int64](c, "s")
			return err
		}, pjrt.HandlerOptions{})
		c := client(t, p)
		x := compile(t, c, calling(h, `a8 = 7 : i8, a32 = -3 : i32, a64 = 9 : i64, u16 = 65535 : ui16, f = 1.5 : f32, d = -2.5 : f64,
			yes = true, s = "text", list = array<i64: 1, 2, 3>, fl = array<f32: 0.5>, none = array<i32>,
			inner = {x = 1 : i32, deep = {y = "z"}}`, "tensor<f32>", "tensor<f32>"))
		if _, err := execute(t, x, put(t, c, []float32{1})); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"a8": int8(7), "a32": int32(-3), "a64": int64(9), "u16": uint16(math.MaxUint16), "f": float32(1.5), "d": -2.5, "yes": true, "s": "text",
			"list": []int64{1, 2, 3}, "fl": []float32{0.5}, "none": []int32{}, "inner": map[string]any{"x": int32(1), "deep": map[string]any{"y": "z"}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got)\n%s", d)
		}
		if !errors.Is(missing, isthmus.ErrNotFound) || !errors.Is(wrong, isthmus.ErrInvalid) {
			t.Errorf("missing: %v; of another type: %v", missing, wrong)
		}
	})
}

// Whatever a handler does, the caller of the execution gets an error with its text, and the process lives.
func TestP07HandlerErrors(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		boom := func(*pjrt.HandlerCall) error { panic("boom") }
		for name, c := range map[string]struct {
			f      func(*pjrt.HandlerCall) error
			inline bool
			text   string
			code   pjrt.Code
		}{
			"error":      {func(*pjrt.HandlerCall) error { return errors.New("no luck\x00today") }, false, `no luck\x00today`, pjrt.Unknown},
			"code":       {func(*pjrt.HandlerCall) error { return fmt.Errorf("gone: %w", pjrt.DataLoss) }, false, "gone", pjrt.DataLoss},
			"sentinel":   {func(*pjrt.HandlerCall) error { return fmt.Errorf("bad: %w", isthmus.ErrInvalid) }, true, "bad", pjrt.InvalidArgument},
			"panic":      {boom, false, "boom", pjrt.Internal},
			"inline":     {boom, true, "boom", pjrt.Internal},
			"goexit":     {func(*pjrt.HandlerCall) error { runtime.Goexit(); return nil }, false, "ended its goroutine", pjrt.Internal},
			"wrong type": {func(c *pjrt.HandlerCall) error { _, err := pjrt.Arg[int32](c, 0); return err }, false, "tensor<2xf32>", pjrt.InvalidArgument},
			"no such":    {func(c *pjrt.HandlerCall) error { _, err := pjrt.Arg[float32](c, 1); return err }, false, "1 of 1", pjrt.OutOfRange},
			"too long": {func(c *pjrt.HandlerCall) error {
				r, err := pjrt.Result[float32](c, 0)
				return errors.Join(err, r.CopyFrom(make([]float32, 2), 1))
			}, false, "elements 1 to 3 of 2", pjrt.OutOfRange},
		} {
			t.Run(name, func(t *testing.T) {
				h := handle(t, p, c.f, pjrt.HandlerOptions{Inline: c.inline})
				cl := client(t, p)
				x := compile(t, cl, calling(h, "", "tensor<2xf32>", "tensor<2xf32>"))
				_, err := execute(t, x, put(t, cl, []float32{1, 2}, 2))
				if err == nil || !strings.Contains(err.Error(), c.text) || !errors.Is(err, c.code) {
					t.Errorf("got %v, want %q with code %s", err, c.text, c.code)
				}
			})
		}
	})
}

// What a handler keeps is of no use after the call, and touches no memory.
func TestP12HandlerViewsAreRevoked(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	var kept *pjrt.HandlerCall
	var in pjrt.View[float32]
	var out pjrt.ResultView[float32]
	h := handle(t, p, func(c *pjrt.HandlerCall) (err error) {
		kept = c
		in, err = pjrt.Arg[float32](c, 0)
		if err == nil {
			out, err = pjrt.Result[float32](c, 0)
		}
		return errors.Join(err, out.Write([]float32{7}))
	}, pjrt.HandlerOptions{})
	c := client(t, p)
	x := compile(t, c, calling(h, "", "tensor<1xf32>", "tensor<1xf32>"))
	outs, err := execute(t, x, put(t, c, []float32{1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := get[float32](t, outs[0]); got[0] != 7 {
		t.Errorf("got %v", got)
	}
	for name, f := range map[string]func() error{
		"read":  func() error { _, err := in.Read(); return err },
		"at":    func() error { _, err := in.At(0); return err },
		"write": func() error { return out.Write([]float32{1}) },
		"set":   func() error { return out.Set(0, 1) },
		"arg":   func() error { _, err := pjrt.Arg[float32](kept, 0); return err },
		"attrs": func() error { _, err := kept.Attrs(); return err },
		"run":   func() error { _, err := kept.RunID(); return err },
		"state": func() error { _, err := kept.ArgType(0); return err },
	} {
		if err := f(); !errors.Is(err, isthmus.ErrClosed) {
			t.Errorf("%s: got %v, want ErrClosed", name, err)
		}
	}
	if kept.NumArgs() != 0 || kept.NumResults() != 0 {
		t.Errorf("%d arguments, %d results after the call", kept.NumArgs(), kept.NumResults())
	}
}

// Eight goroutines execute a program that calls one handler, and a leaked view is read all the while.
func TestHandlerHammer(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		var calls atomic.Int64
		views := make(chan pjrt.View[float32], 1)
		h := handle(t, p, func(c *pjrt.HandlerCall) error {
			calls.Add(1)
			if v, err := pjrt.Arg[float32](c, 0); err == nil {
				select {
				case views <- v:
				default:
				}
			}
			return scale(c)
		}, pjrt.HandlerOptions{})
		c := client(t, p)
		x := compile(t, c, calling(h, "factor = 2.0 : f32", "tensor<256xf32>", "tensor<256xf32>"))
		stop, reader := make(chan struct{}), sync.WaitGroup{}
		reader.Go(func() {
			for {
				select {
				case v := <-views:
					for range 100 {
						if _, err := v.Read(); err != nil && !errors.Is(err, isthmus.ErrClosed) {
							t.Error(err)
						}
					}
				case <-stop:
					return
				}
			}
		})
		var wg sync.WaitGroup
		const rounds = 200
		for g := range 8 {
			wg.Go(func() {
				data := make([]float32, 256)
				for i := range data {
					data[i] = float32(g)
				}
				b, err := pjrt.Put(context.Background(), c.Device(), data, 256)
				if err != nil {
					t.Error(err)
					return
				}
				defer b.Close()
				for range rounds {
					out, err := x.Execute(context.Background(), []*pjrt.Buffer{b}, pjrt.ExecuteOptions{})
					if err != nil {
						t.Error(err)
						return
					}
					got, err := pjrt.Get[float32](context.Background(), out[0])
					if err != nil || got[255] != float32(2*g) {
						t.Errorf("got %v, %v", got, err)
					}
					if err := out[0].Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		close(stop)
		reader.Wait()
		if n := calls.Load(); n != 8*rounds {
			t.Errorf("%d calls, want %d", n, 8*rounds)
		}
	})
}

// Closing ends a handler for programs that are compiled already; the name can be used again.
func TestP14HandlerLifecycle(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	entered, leave := make(chan struct{}), make(chan struct{})
	name := "isthmus.test.lifecycle"
	h, err := p.RegisterHandler(name, func(*pjrt.HandlerCall) error {
		entered <- struct{}{}
		<-leave
		return nil
	}, pjrt.HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.RegisterHandler(name, scale, pjrt.HandlerOptions{}); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("a second handler of the name: %v, want ErrBusy", err)
	}
	c := client(t, p)
	x := compile(t, c, calling(h, "factor = 5.0 : f32", "tensor<1xf32>", "tensor<1xf32>"))
	in := put(t, c, []float32{2}, 1)
	done := make(chan error)
	go func() {
		out, err := x.Execute(context.Background(), []*pjrt.Buffer{in}, pjrt.ExecuteOptions{})
		if err == nil {
			err = errors.Join(out[0].Wait(context.Background()), out[0].Close())
		}
		done <- err
	}()
	<-entered
	if err := h.Close(); !errors.Is(err, isthmus.ErrBusy) {
		t.Errorf("closing while it runs: %v, want ErrBusy", err)
	}
	leave <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := h.CloseWait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := execute(t, x, in); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a call after Close: %v", err)
	}
	h, err = p.RegisterHandler(name, scale, pjrt.HandlerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	out, err := execute(t, x, in)
	if err != nil {
		t.Fatal(err)
	}
	if got := get[float32](t, out[0]); got[0] != 10 {
		t.Errorf("got %v, want 10", got)
	}
}

// A handler with a state gets what Instantiate made for its place in the program, and the state ends with the program.
func TestP14HandlerState(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		type state struct{ calls atomic.Int64 }
		var made atomic.Int64
		before := pjrt.LiveValues()
		h := handle(t, p, func(c *pjrt.HandlerCall) error {
			s, err := c.State()
			if err != nil {
				return err
			}
			out, err := pjrt.Result[int64](c, 0)
			if err != nil {
				return err
			}
			return out.Set(0, s.(*state).calls.Add(1))
		}, pjrt.HandlerOptions{Instantiate: func(c *pjrt.HandlerCall) (any, error) {
			n, err := pjrt.Attr[int64](c, "start")
			if _, aerr := pjrt.Arg[int64](c, 0); aerr == nil {
				err = errors.Join(err, errors.New("an argument at load time"))
			}
			s := &state{}
			s.calls.Store(n)
			made.Add(1)
			return s, err
		}})
		c := client(t, p)
		x, err := c.Compile(t.Context(), pjrt.MLIR(calling(h, "start = 100 : i64", "tensor<i64>", "tensor<i64>")), pjrt.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		in := put(t, c, []int64{0})
		for i := range int64(3) {
			out, err := execute(t, x, in)
			if err != nil {
				t.Fatal(err)
			}
			if got := get[int64](t, out[0]); got[0] != 101+i {
				t.Errorf("got %d, want %d", got[0], 101+i)
			}
		}
		if made.Load() == 0 || pjrt.LiveValues() == before {
			t.Errorf("%d states made, %d held", made.Load(), pjrt.LiveValues()-before)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if n := pjrt.LiveValues() - before; n != 0 {
			t.Errorf("%d states live after the program", n)
		}
	})
}

// Each execution brings its own user data, and handlers without any are told so.
func TestP14HandlerUserData(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		type scaleBy struct{ by int64 }
		typ, err := p.RegisterType("isthmus.test.scale")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := p.RegisterType("isthmus.test.scale"); err != nil || again != typ {
			t.Errorf("the same name: %v, %v; want %v", again, err, typ)
		}
		before := pjrt.LiveValues()
		h := handle(t, p, func(c *pjrt.HandlerCall) error {
			v, err := c.UserData(typ)
			if err != nil {
				return err
			}
			out, err := pjrt.Result[int64](c, 0)
			if err != nil {
				return err
			}
			return out.Set(0, v.(*scaleBy).by)
		}, pjrt.HandlerOptions{})
		c := client(t, p)
		x := compile(t, c, calling(h, "", "tensor<i64>", "tensor<i64>"))
		in := put(t, c, []int64{0})
		var wg sync.WaitGroup
		for g := range int64(4) {
			wg.Go(func() {
				ec, err := p.NewExecuteContext()
				if err != nil {
					t.Error(err)
					return
				}
				if err := ec.AddUserData(typ, &scaleBy{g}); err != nil {
					t.Error(err)
				}
				for range 20 {
					out, err := x.Execute(context.Background(), []*pjrt.Buffer{in}, pjrt.ExecuteOptions{Context: ec})
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := pjrt.Get[int64](context.Background(), out[0]); err != nil || got[0] != g {
						t.Errorf("got %v, %v, want %d", got, err, g)
					}
					if err := out[0].Close(); err != nil {
						t.Error(err)
					}
				}
				for range 2 {
					if err := ec.Close(); err != nil {
						t.Error(err)
					}
				}
				if err := ec.AddUserData(typ, nil); !errors.Is(err, isthmus.ErrClosed) {
					t.Errorf("a closed context: %v", err)
				}
			})
		}
		wg.Wait()
		// XLA's own handlers fault here: both ways to execute bring a context without data.
		if _, err := execute(t, x, in); err == nil || !strings.Contains(err.Error(), "user data") {
			t.Errorf("without user data: %v", err)
		}
		if outs, err := x.Execute(context.Background(), []*pjrt.Buffer{in}, pjrt.ExecuteOptions{}); err == nil || !strings.Contains(err.Error(), "user data") {
			t.Errorf("without user data, the quick way: %v, %v", outs, err)
		}
		if n := pjrt.LiveValues() - before; n != 0 {
			t.Errorf("%d values live after their contexts", n)
		}
	})
}

// Registering is refused with a reason, never a panic.
func TestP17HandlerRegistration(t *testing.T) {
	p := real(t, "ISTHMUS_PJRT_CPU")
	ok := func(*pjrt.HandlerCall) error { return nil }
	for name, c := range map[string]struct {
		p    *pjrt.Plugin
		name string
		f    func(*pjrt.HandlerCall) error
		o    pjrt.HandlerOptions
		want error
	}{
		"no plugin":   {nil, "x", ok, pjrt.HandlerOptions{}, isthmus.ErrInvalid},
		"no name":     {p, "", ok, pjrt.HandlerOptions{}, isthmus.ErrInvalid},
		"NUL":         {p, "a\x00b", ok, pjrt.HandlerOptions{}, isthmus.ErrInvalid},
		"no function": {p, "x", nil, pjrt.HandlerOptions{}, isthmus.ErrInvalid},
	} {
		if _, err := c.p.RegisterHandler(c.name, c.f, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	fk, _ := fake(t, nil)
	if _, err := fk.RegisterHandler("x", ok, pjrt.HandlerOptions{}); !errors.Is(err, isthmus.ErrUnsupported) {
		t.Errorf("a plugin without the extension: %v, want ErrUnsupported", err)
	}
}
