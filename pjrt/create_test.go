package pjrt_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

var six = []float32{1, 2, 3, 4, 5, 6}

// wantValues compares a buffer's content.
func wantValues[T pjrt.Element](t *testing.T, b *pjrt.Buffer, want ...T) {
	t.Helper()
	got, err := pjrt.Get[T](t.Context(), b)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}

func mustClose(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestBufferTells(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		b := put(t, c, six, 2, 3)
		if d, err := b.UnpaddedDims(); err != nil || !slices.Equal(d, []int{2, 3}) {
			t.Error(d, err)
		}
		if d, err := b.DynamicDims(); err != nil || len(d) != 0 {
			t.Error(d, err)
		}
		if d, err := b.Where(); err != nil || d != c.Device() {
			t.Error(d, err)
		}
		if h, err := b.OnHost(); err != nil || !h {
			t.Error(h, err)
		}
		if l, err := b.Layout(); err != nil || !l.IsRowMajor() && !strings.Contains(t.Name(), "fake") {
			t.Error(l, err)
		}
		m, err := b.Memory()
		if err != nil || m != c.Device().Memory() {
			t.Fatal(m, err)
		}
		if m.Kind() == "" || m.DebugString() == "" {
			t.Errorf("kind %q, text %q", m.Kind(), m.DebugString())
		}
		if d, err := m.AddressableBy(); err != nil || !slices.Contains(d, c.Device()) {
			t.Error(d, err)
		}
		for _, o := range c.Device().Memories() {
			if o.Kind() != m.Kind() && o.KindID() == m.KindID() {
				t.Errorf("%s and %s have one number", o, m)
			}
		}
	})
}

func TestPutWhere(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		for _, m := range c.Device().Memories() {
			b, e, err := pjrt.PutWith(t.Context(), c.Device(), six, pjrt.PutOptions{Memory: m}, 2, 3)
			if err != nil || e != nil {
				t.Fatal(e, err)
			}
			if got, err := b.Memory(); err != nil || got != m {
				t.Errorf("got %s %v, want %s", got, err, m)
			}
			n, err := b.CopyToMemory(c.Device().Memory())
			if err != nil {
				t.Error(err)
			} else {
				wantValues(t, n, six...)
				mustClose(t, n)
			}
			mustClose(t, b)
		}
		_, _, err := pjrt.PutWith(t.Context(), c.Device(), six, pjrt.PutOptions{Memory: &pjrt.Memory{}}, 6)
		want(t, "a memory of nobody's", err, isthmus.ErrInvalid)
		b := put(t, c, six, 6)
		_, err = b.CopyToMemory(nil)
		want(t, "no memory", err, isthmus.ErrInvalid)
	})
}

func TestUninitialized(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		b, err := c.Device().Memory().Uninitialized(pjrt.ShapeOf(dtype.F32, 2, 3))
		unsupported(t, err)
		defer mustClose(t, b)
		if got, err := pjrt.Get[float32](t.Context(), b); err != nil || len(got) != 6 {
			t.Error(got, err)
		}
		_, err = c.Device().Memory().Uninitialized(pjrt.ShapeOf(dtype.F32, -1))
		want(t, "a negative dimension", err, isthmus.ErrBounds)
		_, err = c.Device().Memory().Uninitialized(pjrt.ShapeOf(dtype.Invalid, 1))
		want(t, "no element type", err, isthmus.ErrInvalid)
		_, err = c.Device().Memory().Uninitialized(pjrt.Shape{Tuple: []pjrt.Shape{}})
		if err == nil {
			t.Error("a tuple was made")
		}
	})
}

func TestErrorBuffers(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		reason := errors.Join(errors.New("the reason"), pjrt.DataLoss)
		b, err := c.Device().Memory().Failed(pjrt.ShapeOf(dtype.F32, 4), reason)
		unsupported(t, err)
		defer mustClose(t, b)
		err = b.Wait(t.Context())
		want(t, "wait", err, pjrt.DataLoss)
		if !strings.Contains(err.Error(), "the reason") {
			t.Errorf("got %v", err)
		}
		if l, err := b.Layout(); err != nil || l.Rank() != 1 {
			t.Error(l, err) // XLA ends the process for a buffer made without one
		}
		_, err = pjrt.Get[float32](t.Context(), b)
		want(t, "get", err, pjrt.DataLoss)
		want(t, "read", pjrt.Read(t.Context(), b, func(*pjrt.Values[float32]) error { return nil }), pjrt.DataLoss)
		_, err = c.Device().Memory().Failed(pjrt.ShapeOf(dtype.F32, 4), nil)
		want(t, "no error", err, isthmus.ErrInvalid)
	})
}

// TestP24Views watches memory that a buffer is made of in place: it stays lent until the buffer is closed and the
// plugin says that it is done, and is returned then.
func TestP24Views(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		m := c.Device().Memory()
		r, err := ffi.Alloc(24, 64)
		if err != nil {
			t.Fatal(err)
		}
		loan, err := r.Write(0, 24)
		if err != nil {
			t.Fatal(err)
		}
		loan.Bytes()[3] = 0x40 // 2
		b, e, err := m.View(pjrt.ShapeOf(dtype.F32, 2, 3), loan)
		unsupported(t, err)
		wantValues[float32](t, b, 2, 0, 0, 0, 0, 0)
		want(t, "the region while it is looked at", r.Close(), isthmus.ErrBorrowed)
		if _, err := r.Read(0, 4); !errors.Is(err, isthmus.ErrBorrowed) {
			t.Errorf("a reader beside it: %v", err)
		}
		if ok, err := e.Ready(); ok || err != nil || loan.Returned() {
			t.Errorf("given back while it is used: %v %v", ok, err)
		}
		mustClose(t, b)
		if err := e.Wait(t.Context()); err != nil || !loan.Returned() {
			t.Errorf("not given back: %v", err)
		}
		mustClose(t, e)
		mustClose(t, r)
		for what, f := range map[string]func() (*ffi.Loan, pjrt.Shape, error){
			"a shared loan": func() (*ffi.Loan, pjrt.Shape, error) {
				return lend(t, 24, ffi.Shared), pjrt.ShapeOf(dtype.F32, 6), isthmus.ErrInvalid
			},
			"too small": func() (*ffi.Loan, pjrt.Shape, error) {
				return lend(t, 20, ffi.Exclusive), pjrt.ShapeOf(dtype.F32, 6), isthmus.ErrBounds
			},
			"a loan that is over": func() (*ffi.Loan, pjrt.Shape, error) {
				l := lend(t, 24, ffi.Exclusive)
				l.Return()
				return l, pjrt.ShapeOf(dtype.F32, 6), isthmus.ErrInvalid
			},
			"none": func() (*ffi.Loan, pjrt.Shape, error) { return nil, pjrt.ShapeOf(dtype.F32, 6), isthmus.ErrInvalid },
		} {
			l, s, is := f()
			_, _, err := m.View(s, l)
			want(t, what, err, is)
			if !l.Returned() {
				t.Errorf("%s: the loan stays out", what)
			}
		}
	})
}

func lend(t *testing.T, n int, a ffi.Access) *ffi.Loan {
	t.Helper()
	l, err := ffi.Lend(make([]byte, n), a)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestP24ForgottenView forgets a buffer that looks at a region: it is reported, and the loan comes back.
func TestP24ForgottenView(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		loan := lend(t, 4096, ffi.Exclusive)
		var e *pjrt.Event
		got := reports(func() {
			func() {
				b, ev, err := c.Device().Memory().View(pjrt.ShapeOf(dtype.U8, 4096), loan)
				if err != nil && !loan.Returned() {
					t.Error("the loan stays out")
				}
				unsupported(t, err)
				e = ev
				_ = b.String()
			}()
			for done := false; !done; {
				runtime.GC()
				done, _ = e.Ready()
			}
		})
		if !loan.Returned() || len(got) != 1 || got[0].Problem != isthmus.ProblemLeak {
			t.Errorf("returned %v, reports %v", loan.Returned(), got)
		}
	})
}

func TestBitcast(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		b := put(t, c, six, 2, 3)
		_, err := b.Bitcast(pjrt.ShapeOf(dtype.F32, 5))
		want(t, "another size", err, isthmus.ErrBounds)
		n, err := b.Bitcast(pjrt.ShapeOf(dtype.U32, 3, 2))
		unsupported(t, err)
		defer mustClose(t, n)
		var bits []uint32
		for _, x := range six {
			bits = append(bits, math.Float32bits(x))
		}
		wantValues(t, n, bits...)
		if !b.Live() && !b.Donated() {
			t.Error("the old buffer is closed and does not say why")
		}
	})
}

func TestGetRaw(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		b := put(t, c, []uint8{0, 1, 2, 3, 4, 5, 6, 7}, 8)
		dst := make([]byte, 3)
		unsupported(t, b.GetRaw(ctx, dst, 4))
		if !bytes.Equal(dst, []byte{4, 5, 6}) {
			t.Error(dst)
		}
		for _, off := range []int{-1, 6, 9, math.MaxInt} {
			want(t, "outside", b.GetRaw(ctx, dst, off), isthmus.ErrBounds)
			_, _, err := b.GetRawLater(off, 3)
			want(t, "later, outside", err, isthmus.ErrBounds)
		}
		e, p, err := b.GetRawLater(2, 3)
		unsupported(t, err)
		want(t, "another size", p.Fulfill(make([]byte, 2)), isthmus.ErrBounds)
		lent, err := ffi.Lend(dst, ffi.Shared)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "memory that is lent", p.Fulfill(dst), isthmus.ErrBorrowed)
		lent.Return()
		want(t, "the buffer under a promise", b.Close(), isthmus.ErrBusy)
		if err := p.Fulfill(dst); err != nil {
			t.Fatal(err)
		}
		if err := e.Wait(ctx); err != nil || !bytes.Equal(dst, []byte{2, 3, 4}) {
			t.Error(dst, err)
		}
		mustClose(t, e)
		want(t, "twice", p.Fulfill(dst), isthmus.ErrClosed)
		want(t, "fail after", p.Fail(errors.New("x")), isthmus.ErrClosed)
		mustClose(t, p)

		// A promise that is closed fails, and its event fires.
		e, p, err = b.GetRawLater(0, 8)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, p)
		want(t, "a closed promise", e.Wait(ctx), pjrt.Cancelled)
		mustClose(t, e)
		// Nobody hears of the copy: it does not begin, and the memory is free.
		e, p, err = b.GetRawLater(0, 3)
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, e)
		want(t, "fulfilled after the event was closed", p.Fulfill(dst), isthmus.ErrClosed)
		if l, err := ffi.Lend(dst, ffi.Exclusive); err != nil {
			t.Error(err)
		} else {
			l.Return()
		}
	})
}

func TestAlias(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx, m := t.Context(), c.Device().Memory()
		a, p, err := m.Alias(pjrt.ShapeOf(dtype.F32, 2, 3))
		unsupported(t, err)
		e, err := a.Ready()
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := e.Ready(); ok || err != nil {
			t.Error("ready before it is fulfilled", err)
		}
		other := put(t, c, six, 6)
		want(t, "another type", p.Fulfill(other), isthmus.ErrInvalid)
		want(t, "nothing", p.Fulfill(nil), isthmus.ErrInvalid)
		if err := p.Fulfill(put(t, c, six, 2, 3)); err != nil {
			t.Fatal(err)
		}
		if err := e.Wait(ctx); err != nil {
			t.Error(err)
		}
		wantValues(t, a, six...)
		mustClose(t, e)
		mustClose(t, a)
		want(t, "twice", p.Fulfill(put(t, c, six, 2, 3)), isthmus.ErrClosed)
		mustClose(t, p)

		a, p, err = m.Alias(pjrt.ShapeOf(dtype.F32, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Fail(errors.Join(errors.New("no data"), pjrt.NotFound)); err != nil {
			t.Error(err)
		}
		want(t, "failed", a.Wait(ctx), pjrt.NotFound)
		mustClose(t, a)

		// A promise that is forgotten is reported, and fails.
		a = nil
		got := reports(func() {
			func() {
				b, _, err := m.Alias(pjrt.ShapeOf(dtype.F32, 2, 3))
				if err != nil {
					t.Fatal(err)
				}
				a = b
			}()
			e, err := a.Ready()
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, e)
			for done := false; !done; {
				runtime.GC()
				done, _ = e.Ready()
			}
			want(t, "forgotten", a.Wait(ctx), pjrt.Cancelled)
		})
		if len(got) != 1 || got[0].Problem != isthmus.ProblemLeak || got[0].Object.Kind != "pjrt.Promise" {
			t.Errorf("reports %v", got)
		}
		mustClose(t, a)
	})
}

// TestPromiseOnce lets goroutines race for one promise: one of them has an effect.
func TestPromiseOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		for range 50 {
			e, p, err := c.NewEvent()
			unsupported(t, err)
			var wg sync.WaitGroup
			won := make(chan error, 8)
			for i := range 8 {
				wg.Go(func() {
					err := p.Fulfill(struct{}{})
					if i%2 == 0 {
						err = p.Fail(errors.New("no"))
					}
					if err == nil || !errors.Is(err, isthmus.ErrClosed) {
						won <- err
					}
				})
			}
			wg.Wait()
			if n := len(won); n > 1 {
				t.Errorf("%d won", n)
			}
			_ = e.Wait(t.Context())
			if ok, err := e.Ready(); !ok || err != nil {
				t.Error(ok, err)
			}
			mustClose(t, p)
			mustClose(t, e)
		}
	})
}

// TestP09ClosedBeforeTold closes an event before the plugin is told what becomes of it: it lives until the plugin knows.
func TestP09ClosedBeforeTold(t *testing.T) {
	for name, tell := range map[string]func(*pjrt.Promise[struct{}]) error{
		"fulfilled": func(p *pjrt.Promise[struct{}]) error { return p.Fulfill(struct{}{}) },
		"failed":    func(p *pjrt.Promise[struct{}]) error { return p.Fail(pjrt.Aborted) },
		"closed":    func(p *pjrt.Promise[struct{}]) error { return p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, c *pjrt.Client) {
				e, p, err := c.NewEvent()
				unsupported(t, err)
				mustClose(t, e)
				if err := tell(p); err != nil || p.Live() {
					t.Errorf("told: %v, %v", err, p)
				}
				want(t, "told twice", p.Fulfill(struct{}{}), isthmus.ErrClosed)
			})
		})
	}
}

func TestP09PromisedEvents(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		var events []*pjrt.Event
		var promises []*pjrt.Promise[struct{}]
		for range 4 {
			e, p, err := c.NewEvent()
			unsupported(t, err)
			defer mustClose(t, e)
			events, promises = append(events, e), append(promises, p)
		}
		if err := promises[2].Fulfill(struct{}{}); err != nil {
			t.Fatal(err)
		}
		if i, err := pjrt.WaitAny(ctx, events...); i != 2 || err != nil {
			t.Error(i, err)
		}
		if err := promises[0].Fail(errors.Join(errors.New("told"), pjrt.Aborted)); err != nil {
			t.Error(err)
		}
		short, cancel := context.WithCancel(ctx)
		defer cancel()
		seen := map[int]error{}
		for i, err := range pjrt.Completions(short, events...) {
			seen[i] = err
			if len(seen) == 2 {
				cancel()
			}
		}
		if len(seen) != 3 || seen[2] != nil || !errors.Is(seen[0], pjrt.Aborted) || !errors.Is(seen[-1], context.Canceled) {
			t.Errorf("got %v", seen)
		}
		want(t, "wait all, given up", pjrt.WaitAll(short, events...), context.Canceled)
		mustClose(t, promises[1])
		mustClose(t, promises[3])
		err := pjrt.WaitAll(ctx, append(events, nil)...)
		want(t, "wait all", err, pjrt.Aborted)
		want(t, "wait all", err, pjrt.Cancelled)
		_, err = pjrt.WaitAny(ctx)
		want(t, "none", err, isthmus.ErrInvalid)
	})
}

func TestDonateAfter(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		b := put(t, c, six, 6)
		n, p, err := b.DonateAfter()
		unsupported(t, err)
		want(t, "the old buffer", b.Wait(t.Context()), isthmus.ErrClosed)
		if !b.Donated() {
			t.Error("the old buffer does not say that it was donated")
		}
		if err := p.Fulfill(struct{}{}); err != nil {
			t.Error(err)
		}
		wantValues(t, n, six...)
		n2, p, err := n.DonateAfter()
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, n2)
		if err := p.Fail(pjrt.Aborted); err != nil {
			t.Error(err)
		}
		want(t, "failed", n2.Wait(t.Context()), pjrt.Aborted)
	})
}

func TestRead(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		ctx := t.Context()
		data := make([]int32, 1000)
		for i := range data {
			data[i] = int32(i)
		}
		b := put(t, c, data, 10, 100)
		var kept *pjrt.Values[int32]
		err := pjrt.Read(ctx, b, func(v *pjrt.Values[int32]) error {
			kept = v
			sum := 0
			for i, x := range v.All() {
				if int32(i) != x {
					t.Errorf("%d at %d", x, i)
				}
				sum += int(x)
			}
			if sum != 999*500 || v.Len() != 1000 {
				t.Error(sum, v.Len())
			}
			if !v.InPlace() {
				t.Error("it was copied")
			}
			if x, ok := v.At(999); !ok || x != 999 {
				t.Error(x, ok)
			}
			if _, ok := v.At(1000); ok {
				t.Error("past the end")
			}
			if _, ok := v.At(-1); ok {
				t.Error("before the start")
			}
			dst := make([]int32, 5)
			if n := v.CopyTo(dst, 997); n != 3 || dst[2] != 999 {
				t.Error(n, dst)
			}
			want(t, "close while it is read", b.Close(), isthmus.ErrBusy)
			// Another reader, inside.
			return pjrt.Read(ctx, b, func(w *pjrt.Values[int32]) error {
				if x, _ := w.At(7); x != 7 {
					t.Error(x)
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := kept.At(0); ok || kept.Len() != 0 {
			t.Error("values are there after Read")
		}
		for range kept.All() {
			t.Error("values are there after Read")
		}
		reason := errors.New("mine")
		want(t, "f's error", pjrt.Read(ctx, b, func(*pjrt.Values[int32]) error { return reason }), reason)
		want(t, "another type", pjrt.Read(ctx, b, func(*pjrt.Values[float32]) error { return nil }), isthmus.ErrInvalid)
		want(t, "no function", pjrt.Read[int32](ctx, b, nil), isthmus.ErrInvalid)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 20 {
					_ = pjrt.Read(ctx, b, func(v *pjrt.Values[int32]) error {
						if x, ok := v.At(500); !ok || x != 500 {
							t.Error(x, ok)
						}
						return nil
					})
					got, err := pjrt.Get[int32](ctx, b)
					if err != nil || got[500] != 500 {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		e := put(t, c, []float32{}, 0)
		if err := pjrt.Read(ctx, e, func(v *pjrt.Values[float32]) error {
			if v.Len() != 0 {
				t.Error(v.Len())
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestP38Device(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		d := c.Device()
		if s, err := d.State(); err != nil && !isUnsupported(err) {
			t.Error(s, err)
		}
		if ok, err := d.Poison(4711, pjrt.Aborted); ok || err != nil && !isUnsupported(err) {
			t.Error(ok, err)
		}
		if err := d.ClearMemoryStats(); err != nil && !isUnsupported(err) {
			t.Error(err)
		}
		if _, err := d.Poison(1, nil); !errors.Is(err, isthmus.ErrInvalid) {
			t.Error(err)
		}
		k, err := d.Track("work")
		unsupported(t, err)
		mustClose(t, k)
		mustClose(t, k)
	})
}

// TestP14WrongOrders closes what others depend on: each is an error that names what is in the way.
func TestP14WrongOrders(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		p := c.Plugin()
		o, err := p.NewClient(t.Context(), pjrt.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		m := o.Device().Memory()
		e, w, err := o.NewEvent()
		unsupported(t, err)
		want(t, "client under a promise", o.Close(), isthmus.ErrBusy)
		mustClose(t, e) // later
		mustClose(t, w)
		u, err := m.NewUpload(pjrt.ShapeOf(dtype.F32, 4))
		if err == nil {
			want(t, "client under an upload", o.Close(), isthmus.ErrBusy)
			mustClose(t, u)
		}
		if k, err := o.Device().Track("x"); err == nil {
			want(t, "client under a mark", o.Close(), isthmus.ErrBusy)
			mustClose(t, k)
		}
		closeClient(t, o)
		_, _, err = o.NewEvent()
		want(t, "event of a closed client", err, isthmus.ErrClosed)
		_, err = m.NewUpload(pjrt.ShapeOf(dtype.F32, 4))
		want(t, "upload to a closed client", err, isthmus.ErrClosed)
		_, err = o.Device().Track("x")
		want(t, "track on a closed client", err, isthmus.ErrClosed)
		_, err = m.Uninitialized(pjrt.ShapeOf(dtype.F32, 4))
		want(t, "buffer of a closed client", err, isthmus.ErrClosed)
		r, err := ffi.Alloc(64, 64)
		if err != nil {
			t.Fatal(err)
		}
		defer mustClose(t, r)
		_, err = o.Map(r)
		want(t, "map for a closed client", err, isthmus.ErrClosed)
	})
}

func TestP33Map(t *testing.T) {
	everywhere(t, func(t *testing.T, c *pjrt.Client) {
		r, err := ffi.Alloc(4096, 4096)
		if err != nil {
			t.Fatal(err)
		}
		m, err := c.Map(r)
		if err != nil {
			mustClose(t, r)
		}
		unsupported(t, err)
		want(t, "the region while it is mapped", r.Close(), isthmus.ErrBusy)
		l, err := r.Write(0, 16)
		if err != nil {
			t.Errorf("a mapped region cannot be written: %v", err)
		}
		l.Return()
		mustClose(t, m)
		mustClose(t, m)
		mustClose(t, r)
		_, err = c.Map(r)
		want(t, "a closed region", err, isthmus.ErrClosed)
		_, err = c.Map(nil)
		want(t, "none", err, isthmus.ErrInvalid)
	})
}

// TestOutOfMemory forgets buffers until the plugin has no memory: the collector runs, reports them, and the program
// goes on. What really does not fit says what the allocator knows.
func TestOutOfMemory(t *testing.T) {
	const limit = 1 << 20
	c, f := fakeClient(t, func(f *pjrtfake.Fake) { f.Limit = limit })
	data := make([]float32, limit/16)
	got := reports(func() {
		for range 20 {
			b, err := pjrt.Put(t.Context(), c.Device(), data, len(data))
			if err != nil {
				t.Fatal(err)
			}
			_ = b.String()
		}
		for range 10 {
			b, err := c.Device().Memory().Uninitialized(pjrt.ShapeOf(dtype.F32, len(data)))
			if err != nil {
				t.Fatal(err)
			}
			_ = b.String()
		}
		_, err := pjrt.Put(t.Context(), c.Device(), make([]float32, limit), limit)
		want(t, "too large", err, pjrt.ResourceExhausted)
		want(t, "too large", err, isthmus.ErrLimit)
		if !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), "close what") {
			t.Errorf("got %v", err)
		}
		for f.Alive()["buffer"] > 0 { // the last ones
			runtime.GC()
		}
	})
	if len(got) < 8 {
		t.Errorf("%d reports", len(got))
	}
	for _, r := range got {
		if r.Problem != isthmus.ProblemLeak || r.Object.Kind != "pjrt.Buffer" {
			t.Errorf("report %v", r)
		}
	}
}
