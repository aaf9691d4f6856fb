package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	for name, f := range map[string]mpitest.Scenario{
		"scope": scope, "scopefails": scopeFails, "buf": buf, "sets": sets, "probe": probes, "repeated": repeated, "reuse": reuse, "allocs": allocs,
		"pressure": pressure, "crimes": crimes, "legal": legal,
	} {
		scenarios[name] = f
	}
}

func TestI06Scope(t *testing.T)               { mpitest.Run(t, 2, "scope") }
func TestI02ScopeFails(t *testing.T)          { mpitest.Run(t, 2, "scopefails") }
func TestI05BufIsLentOrMine(t *testing.T)     { mpitest.Run(t, 2, "buf") }
func TestI04Sets(t *testing.T)                { mpitest.Run(t, 2, "sets") }
func TestI04Probe(t *testing.T)               { mpitest.Run(t, 2, "probe") }
func TestI04Persistent(t *testing.T)          { mpitest.Run(t, 2, "repeated") }
func TestI01RequestStartsAgain(t *testing.T)  { mpitest.Run(t, 2, "reuse") }
func TestI07NothingIsAllocated(t *testing.T)  { mpitest.Run(t, 2, "allocs") }
func TestI08CollectorLeavesLent(t *testing.T) { mpitest.Run(t, 2, "pressure") }

func scope(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	u := make([]float64, 40)
	for round := range 50 {
		for i := range u {
			u[i] = float64(1000*c.Rank() + i + round)
		}
		var st mpi.Status
		if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(s, u[:10], peer, 1, &st), mpi.PostSend(s, u[10:20], peer, 1),
				mpi.PostRecv(s, u[30:], mpi.ProcNull, 3, nil), mpi.PostSend(s, u[10:20], mpi.ProcNull, 3))
		}); err != nil {
			return err
		}
		if st != (mpi.Status{Source: peer, Tag: 1, Count: 10}) || u[0] != float64(1000*peer+10+round) {
			return fmt.Errorf("round %d: %+v, %v", round, st, u[0])
		}
	}
	// More than fits one crossing, and two stretches in one scope.
	in, out := make([]int, 30), make([]int, 30)
	for i := range out {
		out[i] = i + 100*c.Rank()
	}
	if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		for i := range 30 {
			if err := errors.Join(mpi.PostRecv(s, in[i:i+1], peer, i, nil), mpi.PostSend(s, out[i:i+1], peer, i)); err != nil {
				return err
			}
		}
		if err := s.Wait(ctx); err != nil {
			return err
		}
		out[0] = in[29]
		return errors.Join(mpi.PostRecv(s, in[:1], peer, 77, nil), mpi.PostSend(s, out[:1], peer, 77))
	}); err != nil {
		return err
	}
	if in[0] != 29+100*c.Rank() || in[29] != 29+100*peer {
		return fmt.Errorf("%v", in)
	}
	// Overlaps are named: inside the scope, and with a request outside.
	err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		_ = mpi.PostRecv(s, u[:10], peer, 5, nil)
		_ = mpi.PostSend(s, u[9:], peer, 5)
		return nil
	})
	if !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "receive 0") {
		return fmt.Errorf("an overlap in a scope: %v", err)
	}
	r, err := mpi.Irecv(c, u[5:6], peer, 6)
	if err != nil {
		return err
	}
	err = mpi.Scope(ctx, c, func(s *mpi.Ops) error { return mpi.PostSend(s, u, peer, 7) })
	if !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "own_test.go") {
		return fmt.Errorf("an overlap with a request: %v", err)
	}
	if err := mpi.Send(ctx, c, []float64{1}, peer, 6); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

// scopeFails leaves scopes early in every way: the memory is not the library's any more afterwards, or is lent still.
func scopeFails(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	b := make([]int32, 8)
	var kept *mpi.Ops
	ways := map[string]func(f func(s *mpi.Ops) error) error{
		"error": func(f func(*mpi.Ops) error) error {
			err := mpi.Scope(ctx, c, f)
			return want(err != nil && err.Error() == "stop", "the error is %v", err)
		},
		"panic": func(f func(*mpi.Ops) error) (err error) {
			defer func() { err = want(recover() == "stop", "no panic") }()
			return mpi.Scope(ctx, c, func(s *mpi.Ops) error { _ = f(s); panic("stop") })
		},
		"goexit": func(f func(*mpi.Ops) error) error {
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = mpi.Scope(ctx, c, func(s *mpi.Ops) error { _ = f(s); runtime.Goexit(); return nil })
			}()
			<-done
			return nil
		},
		"deadline": func(f func(*mpi.Ops) error) error {
			short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
			defer stop()
			err := mpi.Scope(short, c, func(s *mpi.Ops) error { _ = f(s); return nil })
			return want(errors.Is(err, context.DeadlineExceeded), "the error is %v", err)
		},
	}
	for name, way := range ways {
		if err := way(func(s *mpi.Ops) error {
			kept = s
			if err := errors.Join(mpi.PostRecv(s, b, peer, 40, nil), s.Start()); err != nil {
				return err
			}
			if _, err := mpi.Irecv(c, b[7:], peer, 41); !errors.Is(err, isthmus.ErrBorrowed) {
				return fmt.Errorf("lent twice: %v", err)
			}
			return errors.New("stop")
		}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := mpi.PostSend(kept, b, peer, 1); !errors.Is(err, isthmus.ErrClosed) {
			return fmt.Errorf("%s: posted after the scope: %v", name, err)
		}
		if _, err := mpi.SendRecv(ctx, c, []byte{1}, peer, 50, make([]byte, 1), peer, 50); err != nil {
			return err
		}
		// The receive was taken back: the message goes to the next one, which may use the memory.
		if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(s, b, peer, 40, nil), mpi.PostSend(s, []int32{9}, peer, 40))
		}); err != nil {
			return fmt.Errorf("after %s: %w", name, err)
		}
		if b[0] != 9 {
			return fmt.Errorf("after %s: %v", name, b)
		}
		clear(b)
	}
	return nil
}

func buf(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	a, err := mpi.Alloc[float32](1 << 19)
	if err != nil {
		return err
	}
	s, err := a.Slice()
	if err != nil || len(s) != 1<<19 || a.Len() != len(s) || s[len(s)-1] != 0 {
		return fmt.Errorf("%d elements: %v", len(s), err)
	}
	r, err := mpi.Irecv(c, s, peer, 1)
	if err != nil {
		return err
	}
	if _, err := a.Slice(); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "own_test.go") {
		return fmt.Errorf("the slice of a lent buffer: %v", err)
	}
	if err := a.Close(); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closed while it is lent: %v", err)
	}
	out := make([]float32, 1<<19)
	out[7] = 1.5
	if err := mpi.Send(ctx, c, out, peer, 1); err != nil {
		return err
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	if s, err = a.Slice(); err != nil || s[7] != 1.5 {
		return fmt.Errorf("after the receive: %v", err)
	}
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		return err
	}
	if _, err := a.Slice(); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after Close: %v", err)
	}
	again, err := mpi.Alloc[float32](1 << 19)
	if err != nil {
		return err
	}
	if s, err := again.Slice(); err != nil || s[7] != 0 {
		return fmt.Errorf("memory that is used again is not zero: %v", err)
	}
	if _, err := mpi.Alloc[*int](1); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("pointers: %v", err)
	}
	if _, err := mpi.Alloc[int](-1); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("-1 elements: %v", err)
	}
	if e, err := mpi.Alloc[int](0); err != nil || e.Close() != nil {
		return fmt.Errorf("no elements: %v", err)
	}
	return again.Close()
}

func sets(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	var ints []*mpi.Request[int]
	var all []mpi.Pending
	for i := range 3 {
		r, err := mpi.Irecv(c, make([]int, 1), peer, i)
		if err != nil {
			return err
		}
		ints, all = append(ints, r), append(all, r)
	}
	f, err := mpi.Irecv(c, make([]float64, 2), peer, 9)
	if err != nil {
		return err
	}
	all = append(all, f)
	if i := mpi.TestAny(all...); i != -1 {
		return fmt.Errorf("%d is over before anything was sent", i)
	}
	short, stop := context.WithTimeout(ctx, 10*time.Millisecond)
	defer stop()
	if err := mpi.WaitAll(short, all...); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("waiting for nothing: %v", err)
	}
	if _, err := mpi.SendRecv(ctx, c, []byte{1}, peer, 50, make([]byte, 1), peer, 50); err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, []float64{1, 2}, peer, 9); err != nil {
		return err
	}
	i, err := mpi.WaitAny(ctx, all...)
	if err != nil || i != 3 {
		return fmt.Errorf("any is %d: %v", i, err)
	}
	if v, st, err := f.Wait(ctx); err != nil || v[1] != 2 || st.Count != 2 {
		return fmt.Errorf("%v, %+v, %v", v, st, err)
	}
	if _, err := mpi.SendRecv(ctx, c, []byte{1}, peer, 50, make([]byte, 1), peer, 50); err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, []int{11}, peer, 1); err != nil {
		return err
	}
	some, err := mpi.WaitSome(ctx, all[:3]...)
	if err != nil || !slices.Equal(some, []int{1}) {
		return fmt.Errorf("some are %v: %v", some, err)
	}
	if mpi.TestAll(all...) {
		return errors.New("all are over")
	}
	if _, err := mpi.SendRecv(ctx, c, []byte{1}, peer, 50, make([]byte, 1), peer, 50); err != nil {
		return err
	}
	if err := errors.Join(mpi.Send(ctx, c, []int{10}, peer, 0), mpi.Send(ctx, c, []int{12, 13}, peer, 2)); err != nil {
		return err
	}
	if err := mpi.WaitAll(ctx, all...); !errors.Is(err, mpi.ErrTruncate) {
		return fmt.Errorf("all, of which one is too long: %v", err)
	}
	if some, err := mpi.WaitSome(ctx, all...); err != nil || !slices.Equal(some, []int{0, 1, 2, 3}) {
		return fmt.Errorf("all are over, and some are %v: %v", some, err)
	}
	for i, r := range ints[:2] {
		if v, _, err := r.Wait(ctx); err != nil || v[0] != 10+i {
			return fmt.Errorf("%d: %v, %v", i, v, err)
		}
	}
	if _, _, err := ints[2].Wait(ctx); !errors.Is(err, mpi.ErrTruncate) {
		return fmt.Errorf("too long: %v", err)
	}
	if _, err := mpi.WaitAny(ctx); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("any of none: %v", err)
	}
	return mpi.WaitAll(ctx)
}

func probes(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	if _, found, err := mpi.Iprobe[int](c, peer, 4); found || err != nil {
		return fmt.Errorf("nothing was sent: %v, %v", found, err)
	}
	short, stop := context.WithTimeout(ctx, 5*time.Millisecond)
	defer stop()
	if _, err := mpi.Probe[int](short, c, peer, 4); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a probe of nothing: %v", err)
	}
	if _, err := mpi.SendRecv(ctx, c, []byte{1}, peer, 50, make([]byte, 1), peer, 50); err != nil {
		return err
	}
	for i := range 3 {
		if err := mpi.Send(ctx, c, make([]int, 5+i), peer, 4+i); err != nil {
			return err
		}
	}
	st, err := mpi.Probe[int](ctx, c, mpi.AnySource, 4)
	if err != nil || st != (mpi.Status{Source: peer, Tag: 4, Count: 5}) {
		return fmt.Errorf("%+v, %v", st, err)
	}
	if st, found, err := mpi.Iprobe[int](c, peer, mpi.AnyTag); !found || err != nil || st.Tag != 4 {
		return fmt.Errorf("what was probed is there: %+v, %v, %v", st, found, err)
	}
	if _, err := mpi.Recv(ctx, c, make([]int, st.Count), st.Source, st.Tag); err != nil {
		return err
	}
	m, err := mpi.Mprobe[int](ctx, c, peer, 5)
	if err != nil || m.Status().Count != 6 {
		return fmt.Errorf("%+v, %v", m.Status(), err)
	}
	if _, found, err := mpi.Iprobe[int](c, peer, 5); found || err != nil {
		return fmt.Errorf("a matched message is found again: %v, %v", found, err)
	}
	if got, err := m.Recv(ctx, make([]int, 6)); err != nil || got.Count != 6 {
		return fmt.Errorf("%+v, %v", got, err)
	}
	if _, err := m.Recv(ctx, make([]int, 6)); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("received twice: %v", err)
	}
	if m, err = mpi.Mprobe[int](ctx, c, peer, 6); err != nil {
		return err
	}
	return errors.Join(m.Close(), m.Close())
}

func repeated(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	out, in := make([]int64, 100), make([]int64, 100)
	s, err := mpi.SendInit(c, out, peer, 3)
	if err != nil {
		return err
	}
	r, err := mpi.RecvInit(c, in, peer, 3)
	if err != nil {
		return err
	}
	if _, err := r.Wait(ctx); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("not started: %v", err)
	}
	for i := range 20 {
		out[99] = int64(i + 1000*c.Rank())
		if err := r.Start(); err != nil {
			return err
		}
		if err := r.Start(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("started twice: %v", err)
		}
		if _, err := r.Slice(); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("the slice while it is lent: %v", err)
		}
		if err := r.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("closed under way: %v", err)
		}
		if _, done, err := r.Test(); done || err != nil {
			return fmt.Errorf("received before it was sent: %v, %v", done, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil { // nothing is sent before both have looked
			return err
		}
		if err := mpi.StartAll(s); err != nil {
			return err
		}
		if err := mpi.WaitAll(ctx, r, s); err != nil {
			return err
		}
		wait := r.Wait
		if i%2 == 0 { // what is over is so for Test as well
			wait = func(context.Context) (mpi.Status, error) {
				st, done, err := r.Test()
				return st, errors.Join(err, want(done, "over, and not done"))
			}
		}
		st, err := wait(ctx)
		if err != nil || st.Count != 100 || in[99] != int64(i+1000*peer) {
			return fmt.Errorf("%+v, %d, %v", st, in[99], err)
		}
		if _, err := s.Wait(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(s.Close(), r.Close(), r.Close()); err != nil {
		return err
	}
	return want(errors.Is(s.Start(), isthmus.ErrClosed), "started after Close")
}

func reuse(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	var s, r mpi.Request[int32]
	in := make([]int32, 1)
	for i := range 300 {
		if err := r.Recv(c, in, peer, i); err != nil {
			return err
		}
		if err := r.Send(c, []int32{1}, peer, 1); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("started under way: %v", err)
		}
		if err := s.Send(c, []int32{int32(i)}, peer, i); err != nil {
			return err
		}
		b, st, err := r.Wait(ctx)
		if err != nil || b[0] != int32(i) || st.Count != 1 || st.Tag != i {
			return fmt.Errorf("%v, %+v, %v", b, st, err)
		}
		if _, _, err := s.Wait(ctx); err != nil {
			return err
		}
		if _, _, err := s.Wait(ctx); !errors.Is(err, isthmus.ErrClosed) {
			return fmt.Errorf("given back twice: %v", err)
		}
	}
	return nil
}

// allocs counts what an exchange allocates, in each form.
func allocs(ctx context.Context, w *mpi.World) error {
	if raceEnabled {
		return nil // the detector allocates
	}
	c := w.Comm()
	peer := 1 - c.Rank()
	out, in, both := make([]int64, 1), make([]int64, 1), make([]int64, 2)
	var s, r mpi.Request[int64]
	forms := map[string]func() error{
		"scope": func() error {
			return mpi.Scope(ctx, c, func(o *mpi.Ops) error {
				if err := mpi.PostRecv(o, in, peer, 1, nil); err != nil {
					return err
				}
				return mpi.PostSend(o, out, peer, 1)
			})
		},
		"owned": func() error {
			if err := r.Recv(c, in, peer, 1); err != nil {
				return err
			}
			if err := s.Send(c, out, peer, 1); err != nil {
				return err
			}
			if _, _, err := r.Wait(ctx); err != nil {
				return err
			}
			_, _, err := s.Wait(ctx)
			return err
		},
		"blocking": func() error { _, err := mpi.SendRecv(ctx, c, out, peer, 1, in, peer, 1); return err },
		"collective": func() error {
			if err := mpi.Barrier(ctx, c); err != nil {
				return err
			}
			if err := mpi.Bcast(ctx, c, in, 0); err != nil {
				return err
			}
			if err := mpi.Allgather(ctx, c, in, both); err != nil {
				return err
			}
			return mpi.Reduce(ctx, c, in, out, mpi.Sum, 1)
		},
	}
	for _, name := range []string{"scope", "owned", "blocking", "collective"} {
		var err error
		n := testing.AllocsPerRun(2000, func() { err = errors.Join(err, forms[name]()) })
		if err != nil || n >= 0.1 {
			return fmt.Errorf("%s: %v allocations, %v", name, n, err)
		}
	}
	return nil
}

// pressure has the collector run while the library has slices that nothing else refers to.
func pressure(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	const n = 40
	var rs [n]*mpi.Request[uint64]
	for i := range rs {
		r, err := mpi.Irecv(c, make([]uint64, 1000), peer, i)
		if err != nil {
			return err
		}
		rs[i] = r
	}
	for range 5 {
		runtime.GC()
		for range 100 {
			b := make([]uint64, 1000)
			for i := range b {
				b[i] = 0xdead
			}
		}
	}
	for i := range n {
		b := make([]uint64, 1000)
		for j := range b {
			b[j] = uint64(i)
		}
		if err := mpi.Send(ctx, c, b, peer, i); err != nil {
			return err
		}
	}
	for i, r := range rs {
		b, _, err := r.Wait(ctx)
		if err != nil {
			return err
		}
		for j, v := range b {
			if v != uint64(i) {
				return fmt.Errorf("message %d holds %x at %d", i, v, j)
			}
		}
	}
	return nil
}
