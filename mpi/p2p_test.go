package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func TestMain(m *testing.M) {
	maps.Copy(scenarios, collScenarios)
	maps.Copy(scenarios, directScenarios)
	maps.Copy(scenarios, crowdScenarios)
	raw["waits in c"] = waitsInC
	maps.Copy(scenarios, faultScenarios)
	if len(os.Args) == 2 && os.Args[1] == spawned {
		_ = os.Setenv("ISTHMUS_MPI_SCENARIO", "spawn") // a launcher may start it without our environment
	}
	mpitest.Main(m, scenarios, raw)
}

// scenarios are what ranks run; a test of the same name starts them.
var scenarios = map[string]mpitest.Scenario{
	"pingpong":  pingpong,
	"types":     types,
	"owned":     owned,
	"errors":    wrong,
	"deadline":  deadline,
	"lost":      lostRequest,
	"threads":   threads,
	"sendrecv":  sendrecv,
	"borrowed":  borrowed,
	"truncated": truncated,
}

func TestPingPong(t *testing.T)         { mpitest.Run(t, 2, "pingpong") }
func TestTypes(t *testing.T)            { mpitest.Run(t, 2, "types") }
func TestI01OwnedRequests(t *testing.T) { mpitest.Run(t, 2, "owned") }
func TestErrors(t *testing.T)           { mpitest.Run(t, 2, "errors") }
func TestDeadline(t *testing.T)         { mpitest.Run(t, 2, "deadline") }
func TestI03LostRequest(t *testing.T)   { mpitest.Run(t, 2, "lost") }
func TestThreads(t *testing.T)          { mpitest.Run(t, 2, "threads") }
func TestSendRecv(t *testing.T)         { mpitest.Run(t, 3, "sendrecv") }
func TestBorrowed(t *testing.T)         { mpitest.Run(t, 2, "borrowed") }
func TestTruncated(t *testing.T)        { mpitest.Run(t, 2, "truncated") }

func want(ok bool, format string, a ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, a...)
}

func pingpong(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	for _, n := range []int{0, 1, 7, 1000, 1 << 18} {
		out, in := make([]float64, n), make([]float64, n)
		for i := range out {
			out[i] = float64(i) + 0.5
		}
		if c.Rank() == 0 {
			if err := mpi.Send(ctx, c, out, peer, n%100); err != nil {
				return err
			}
			st, err := mpi.Recv(ctx, c, in, mpi.AnySource, mpi.AnyTag)
			if err != nil {
				return err
			}
			if st.Source != peer || st.Tag != n%100 || st.Count != n {
				return fmt.Errorf("the status is %+v", st)
			}
		} else {
			if _, err := mpi.Recv(ctx, c, in, peer, n%100); err != nil {
				return err
			}
			if err := mpi.Send(ctx, c, in, peer, n%100); err != nil {
				return err
			}
		}
		if !slices.Equal(in, out) {
			return fmt.Errorf("%d elements arrive changed", n)
		}
	}
	return nil
}

type particle struct {
	ID    int32
	Alive bool
	Pos   [3]float64
	Mass  float32
	Tags  [2]struct{ A, B int16 }
}

func exchange[T comparable](ctx context.Context, c *mpi.Comm, v ...T) error {
	if c.Rank() == 0 {
		return mpi.Send(ctx, c, v, 1, 3)
	}
	in := make([]T, len(v)+1)
	st, err := mpi.Recv(ctx, c, in, 0, 3)
	if err != nil {
		return err
	}
	if st.Count != len(v) || !slices.Equal(in[:len(v)], v) {
		return fmt.Errorf("%T: %v arrive as %v, %+v", v, v, in, st)
	}
	return nil
}

type celsius float64

func types(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	p := particle{ID: -7, Alive: true, Pos: [3]float64{1, 2, 3}, Mass: 4.5}
	p.Tags[1].B = 9
	err := errors.Join(
		exchange(ctx, c, true, false, true), exchange(ctx, c, int8(-1), int8(2)), exchange(ctx, c, int16(-1)), exchange(ctx, c, int32(-1)),
		exchange(ctx, c, int64(-1)), exchange(ctx, c, uint8(200)), exchange(ctx, c, uint16(60000)), exchange(ctx, c, uint32(1<<31)),
		exchange(ctx, c, uint64(1<<63)), exchange(ctx, c, -5), exchange(ctx, c, uint(5)), exchange(ctx, c, float32(1.5)), exchange(ctx, c, 2.5),
		exchange(ctx, c, complex64(1+2i)), exchange(ctx, c, 3+4i), exchange(ctx, c, celsius(36.6)), exchange(ctx, c, [3]int32{1, 2, 3}),
		exchange(ctx, c, p, particle{}, p),
	)
	if err != nil {
		return err
	}
	for name, err := range map[string]error{
		"string":  mpi.Send(ctx, c, []string{"x"}, 1-c.Rank(), 0),
		"pointer": mpi.Send(ctx, c, []*int{nil}, 1-c.Rank(), 0),
		"struct":  mpi.Send(ctx, c, []struct{ S []int }{{}}, 1-c.Rank(), 0),
		"empty":   mpi.Send(ctx, c, []struct{}{{}}, 1-c.Rank(), 0),
	} {
		if !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("%s: %v", name, err)
		}
	}
	return nil
}

func owned(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	for range 200 {
		out, in := make([]int64, 100), make([]int64, 100)
		for i := range out {
			out[i] = int64(c.Rank()*1000 + i)
		}
		r, err := mpi.Irecv(c, in, peer, 1)
		if err != nil {
			return err
		}
		s, err := mpi.Isend(c, out, peer, 1)
		if err != nil {
			return err
		}
		runtime.GC()
		got, st, err := r.Wait(ctx)
		if err != nil {
			return err
		}
		if st.Count != 100 || got[99] != int64(peer*1000+99) || &got[0] != &in[0] {
			return fmt.Errorf("%+v, %v", st, got[99])
		}
		back, _, err := s.Wait(ctx)
		if err != nil || &back[0] != &out[0] {
			return fmt.Errorf("the sent slice does not come back: %v", err)
		}
		if _, _, err := s.Wait(ctx); !errors.Is(err, isthmus.ErrClosed) {
			return fmt.Errorf("the slice comes back twice: %v", err)
		}
	}
	if c.Rank() == 1 {
		// Rank 0 says when it has seen that nothing was sent.
		if _, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 3); err != nil {
			return err
		}
		return mpi.Send(ctx, c, []byte{1}, 0, 2)
	}
	r, err := mpi.Irecv(c, make([]byte, 1), peer, 2)
	if err != nil {
		return err
	}
	if _, _, done, err := r.Test(); done || err != nil {
		return fmt.Errorf("a message that was not sent: %v, %v", done, err)
	}
	if err := c.World().Close(ctx); !errors.Is(err, isthmus.ErrBusy) || !strings.Contains(err.Error(), "MPI_COMM_WORLD") {
		return fmt.Errorf("closing under a request: %v", err)
	}
	done := r.Done()
	if err := mpi.Send(ctx, c, []byte{1}, peer, 3); err != nil {
		return err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	b, _, over, err := r.Test()
	return want(over && err == nil && b[0] == 1, "after Done: %v, %v, %v", b, over, err)
}

func wrong(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b := make([]byte, 4)
	for name, x := range map[string]struct {
		err  error
		is   []error
		says string
	}{
		"rank 2":       {mpi.Send(ctx, c, b, 2, 0), []error{isthmus.ErrBounds, mpi.ErrRank}, "rank 2"},
		"rank -9":      {mpi.Send(ctx, c, b, -9, 0), []error{mpi.ErrRank}, "rank -9"},
		"any to send":  {mpi.Send(ctx, c, b, mpi.AnySource, 0), []error{mpi.ErrRank}, ""},
		"tag -5":       {mpi.Send(ctx, c, b, 0, -5), []error{isthmus.ErrBounds, mpi.ErrTag}, "tag -5"},
		"any tag sent": {mpi.Send(ctx, c, b, 0, mpi.AnyTag), []error{mpi.ErrTag}, ""},
		"huge tag":     {mpi.Send(ctx, c, b, 0, 1<<31), []error{mpi.ErrTag}, ""},
		"no comm":      {mpi.Send(ctx, nil, b, 0, 0), []error{isthmus.ErrInvalid}, "communicator"},
		"zero comm":    {mpi.Send(ctx, &mpi.Comm{}, b, 0, 0), []error{isthmus.ErrInvalid}, "communicator"},
	} {
		for _, is := range x.is {
			if !errors.Is(x.err, is) {
				return fmt.Errorf("%s: %v is not %v", name, x.err, is)
			}
		}
		if x.err == nil || !strings.Contains(x.err.Error(), x.says) {
			return fmt.Errorf("%s: %v does not say %q", name, x.err, x.says)
		}
	}
	if err := mpi.Send(ctx, c, b, mpi.ProcNull, 0); err != nil {
		return err
	}
	st, err := mpi.Recv(ctx, c, b, mpi.ProcNull, 0)
	if err != nil || st.Source != mpi.ProcNull || st.Tag != mpi.AnyTag || st.Count != 0 {
		return fmt.Errorf("from nobody: %+v, %v", st, err)
	}
	if _, err := mpi.Open(ctx, mpi.Options{}); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("opened twice: %v", err)
	}
	return nil
}

// deadline gives a receive up. Its buffer stays lent until the library lets go of it, and a message that comes late is
// not lost in it.
func deadline(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	b := make([]int32, 4)
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	_, err := mpi.Recv(short, c, b, peer, 5)
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a receive of nothing: %v", err)
	}
	if err := mpi.Send(ctx, c, []int32{1}, peer, 6); err != nil {
		return err
	}
	if _, err := mpi.Recv(ctx, c, make([]int32, 1), peer, 6); err != nil {
		return err
	}
	// The receive was cancelled: the next message with its tag goes to the next receive.
	if err := mpi.Send(ctx, c, []int32{42}, peer, 5); err != nil {
		return err
	}
	d := make([]int32, 1)
	if _, err := mpi.Recv(ctx, c, d, peer, 5); err != nil {
		return err
	}
	for ffi.Free(mem.Bytes(b), ffi.Exclusive) != nil { // the library lets go of it when it sees the cancel
		if err := ctx.Err(); err != nil {
			return err
		}
		runtime.Gosched()
	}
	return want(d[0] == 42 && b[0] == 0, "%v and %v", d, b)
}

// lostRequest forgets a receive. It is reported with its place, the slice is not collected before the message has come,
// and closing waits for it.
func lostRequest(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	reports := make(chan isthmus.Report, 16)
	old := isthmus.SetReporter(func(r isthmus.Report) {
		select {
		case reports <- r:
		default:
		}
	})
	defer func() { isthmus.SetReporter(old) }()
	func() {
		if _, err := mpi.Irecv(c, make([]float64, 1<<12), peer, 8); err != nil {
			panic(err)
		}
	}()
	var got isthmus.Report
	for got.Problem == 0 {
		runtime.GC()
		select {
		case got = <-reports:
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if got.Problem != isthmus.ProblemLostLoan || !strings.Contains(got.Object.String(), "p2p_test.go") {
		return fmt.Errorf("reported %v", got)
	}
	for range 50 {
		_ = make([]float64, 1<<12)
		runtime.GC()
	}
	return mpi.Send(ctx, c, make([]float64, 1<<12), peer, 8)
}

// threads has eight goroutines receive while eight send: nobody holds a thread that another needs.
func threads(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	errs := make(chan error, 16)
	for i := range 8 {
		go func() {
			b := make([]int, 1)
			for j := range 50 {
				if _, err := mpi.Recv(ctx, c, b, peer, i); err != nil {
					errs <- err
					return
				}
				if b[0] != j {
					errs <- fmt.Errorf("goroutine %d: message %d is %d", i, j, b[0])
					return
				}
			}
			errs <- nil
		}()
		go func() {
			for j := range 50 {
				if err := mpi.Send(ctx, c, []int{j}, peer, i); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var err error
	for range 16 {
		err = errors.Join(err, <-errs)
	}
	return err
}

func sendrecv(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	right, left := (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	in := make([]int, 2)
	st, err := mpi.SendRecv(ctx, c, []int{c.Rank()}, right, 1, in, left, 1)
	if err != nil {
		return err
	}
	if st.Count != 1 || in[0] != left {
		return fmt.Errorf("%+v, %v", st, in)
	}
	b := make([]int, 4)
	if _, err := mpi.SendRecv(ctx, c, b[:3], right, 1, b[1:], left, 1); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("overlapping slices: %v", err)
	}
	return nil
}

// borrowed uses memory that a request holds.
func borrowed(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	b := make([]int32, 100)
	r, err := mpi.Irecv(c, b[:50], peer, 1)
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, b[49:], peer, 2); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("sent while it is received into: %v", err)
	}
	if _, err := mpi.Irecv(c, b, peer, 2); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("received into twice: %v", err)
	}
	if err := mpi.Send(ctx, c, b[50:], peer, 1); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

func truncated(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 0 {
		return mpi.Send(ctx, c, make([]int32, 10), 1, 0)
	}
	b := make([]int32, 5)
	_, err := mpi.Recv(ctx, c, b, 0, 0)
	var e *mpi.Error
	if !errors.Is(err, mpi.ErrTruncate) || !errors.Is(err, isthmus.ErrBounds) || !errors.As(err, &e) || e.Msg == "" {
		return fmt.Errorf("ten elements into five: %v", err)
	}
	return nil
}

func TestOpenRefuses(t *testing.T) {
	if os.Getenv("PMI_RANK") != "" {
		t.Skip("started by a launcher")
	}
	_, err := mpi.Open(t.Context(), mpi.Options{Library: "/none/libmpi.so"})
	if !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "/none/libmpi.so") {
		t.Error(err)
	}
	if _, err := mpi.Open(t.Context(), mpi.Options{Threads: 9}); !errors.Is(err, isthmus.ErrInvalid) {
		t.Error(err)
	}
	var w *mpi.World
	if err := w.Close(t.Context()); err != nil || w.Comm() != nil {
		t.Error(err)
	}
}
