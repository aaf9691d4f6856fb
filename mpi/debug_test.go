package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

const debugValidate = "ISTHMUS_CHECK=validate"

// stuck is after how long a wait is looked at in these tests: ranks on a busy machine come later than others.
const stuck = 2 * time.Second

// debugCase is a program with one mistake, and what is said about it.
type debugCase struct {
	ranks  int
	checks mpi.Checks
	run    func(ctx context.Context, w *mpi.World) error
	ends   bool     // itself; otherwise the launcher ends it
	want   []string // in one finding
	not    string
}

var debugCases = map[string]debugCase{
	"type":         {2, mpi.Checks{}, debugType, true, []string{"mpi/type-mismatch", "rank 1 on MPI_COMM_WORLD: from rank 0 with tag 4, 3 float64 are received as 3 int64; sent by send at mpi/debug_test.go", "called at mpi/debug_test.go"}, ""},
	"struct":       {2, mpi.Checks{}, debugStruct, true, []string{"mpi/type-mismatch", "1 mpi_test.pairFI are received as 1 mpi_test.pairIF"}, ""},
	"any":          {3, mpi.Checks{}, debugAny, true, []string{"mpi/type-mismatch", "rank 0 on a copy of MPI_COMM_WORLD: from rank 2 with tag 9, 2 float32 are received as 2 int32"}, "from rank 1"},
	"probe":        {2, mpi.Checks{}, debugProbe, true, []string{"mpi/type-mismatch", "rank 1 on MPI_COMM_WORLD: from rank 0 with tag 3, 2 float32 are received as 2 int32", "receive a matched message"}, "float64 are"},
	"repeat":       {2, mpi.Checks{}, debugRepeat, true, []string{"mpi/type-mismatch", "2 float32 are received as 2 uint32", "persistent receive"}, ""},
	"scope":        {2, mpi.Checks{}, debugScope, true, []string{"mpi/type-mismatch", "2 float32 are received as 2 uint32"}, ""},
	"long":         {2, mpi.Checks{}, debugLong, true, []string{"mpi/truncated", "rank 1 on MPI_COMM_WORLD: from rank 0 with tag 4, 5 int32 are received into room for 3 int32; sent by send at mpi/debug_test.go"}, ""},
	"short":        {2, mpi.Checks{Exact: true}, debugShort, true, []string{"mpi/short-message", "rank 1 on MPI_COMM_WORLD: from rank 0 with tag 4, 2 int32 are received into room for 3 int32"}, ""},
	"unreceived":   {2, mpi.Checks{}, debugUnreceived, false, []string{"mpi/unreceived", "rank 0 on MPI_COMM_WORLD: 1 int32 to rank 1 with tag 77 were never received", "debug_test.go"}, ""},
	"overlap":      {2, mpi.Checks{}, debugOverlap, true, []string{"mpi/buffer-overlap", "exclusive use", "mpi.Request(receive)", "made at mpi/debug_test.go", "called at mpi/debug_test.go"}, ""},
	"changed":      {2, mpi.Checks{}, debugChanged, true, []string{"mpi/send-buffer-changed", "rank 0 on MPI_COMM_WORLD: 300000 elements of float64 to rank 1 with tag 2 were changed", "debug_test.go"}, ""},
	"changedscope": {2, mpi.Checks{WholeBuffers: true}, debugChangedScope, true, []string{"mpi/send-buffer-changed", "300000 elements of float64"}, ""},
	"forgotten":    {2, mpi.Checks{}, debugForgotten, true, []string{"mpi/lost-request", "mpi.Request(receive)", "debug_test.go"}, ""},
	"unfinished":   {2, mpi.Checks{}, debugUnfinished, true, []string{"mpi/unfinished-request", "rank 1 closes MPI while a request is under way", "mpi.Request(receive)", "made at mpi/debug_test.go"}, ""},
	"leak":         {2, mpi.Checks{}, debugLeak, true, []string{"mpi/leak", "a copy of MPI_COMM_WORLD is open; mpi.Comm", "made at mpi/debug_test.go"}, ""},
	"leakgroup":    {2, mpi.Checks{}, debugLeakOthers, true, []string{"mpi/leak", "mpi.Group", "made at mpi/debug_test.go"}, ""},
	"leaktype":     {2, mpi.Checks{}, debugLeakOthers, true, []string{"mpi/leak", "mpi.Layout", "made at mpi/debug_test.go"}, ""},
	"leakop":       {2, mpi.Checks{}, debugLeakOthers, true, []string{"mpi/leak", "mpi.UserOp", "made at mpi/debug_test.go"}, ""},
	"leakwin":      {2, mpi.Checks{}, debugLeakOthers, true, []string{"mpi/leak", "mpi.Win", "made at mpi/debug_test.go"}, ""},
	"order":        {3, mpi.Checks{}, debugOrder, false, []string{"mpi/collective-order", "different operations at place 1 of the collective operations of MPI_COMM_WORLD: ranks 0-1: immediate broadcast root 0 of 4 float64 at mpi/debug_test.go", "rank 2: immediate allreduce MPI_SUM of 4 float64 at mpi/debug_test.go"}, ""},
	"root":         {3, mpi.Checks{}, debugRoot, false, []string{"mpi/collective-arguments", "different roots", "rank 0: immediate broadcast root 0 of 4 int32", "ranks 1-2: immediate broadcast root 1 of 4 int32"}, ""},
	"forms":        {2, mpi.Checks{}, debugForms, false, []string{"mpi/collective-order", "rank 0: barrier at mpi/debug_test.go", "rank 1: immediate barrier at mpi/debug_test.go"}, ""},
	"op":           {2, mpi.Checks{}, debugOp, true, []string{"mpi/collective-arguments", "different reductions", "allreduce MPI_SUM", "allreduce MPI_MAX"}, ""},
	"count":        {2, mpi.Checks{}, debugCount, false, []string{"mpi/collective-arguments", "different counts", "rank 0: broadcast root 0 of 4 int32", "rank 1: broadcast root 0 of 3 int32"}, ""},
	"colltype":     {2, mpi.Checks{}, debugCollType, true, []string{"mpi/collective-arguments", "different types", "4 int32", "4 float32"}, ""},
	"circle":       {3, mpi.Checks{Stuck: stuck, FailDeadlock: true}, debugCircle, true, []string{"mpi/deadlock", "ranks wait in a circle: rank 0 waits in receive for rank 1, rank 1 waits in receive for rank 2, rank 2 waits in receive for rank 0", "rank 0: receive from rank 1, tag 6 on MPI_COMM_WORLD at mpi/debug_test.go"}, ""},
	"sends":        {2, mpi.Checks{Stuck: stuck, FailDeadlock: true}, debugSends, true, []string{"mpi/deadlock", "rank 0 waits in synchronous send for rank 1, rank 1 waits in synchronous send for rank 0"}, ""},
	"mixed":        {2, mpi.Checks{Stuck: stuck}, debugMixed, false, []string{"mpi/deadlock", "rank 0 waits in barrier for rank 1, rank 1 waits in receive for rank 0", "collective operation 0"}, ""},
	"making":       {2, mpi.Checks{Stuck: stuck}, debugMaking, false, []string{"mpi/deadlock", "rank 0 waits in duplicate for rank 1", "rank 1 waits in receive for rank 0"}, ""},
	"slow":         {2, mpi.Checks{Stuck: stuck, FailDeadlock: true}, debugSlow, true, []string{"mpi/long-wait", "rank 0 has waited for", "rank 1: does not wait in MPI"}, "mpi/deadlock"},
	"busy":         {2, mpi.Checks{Stuck: stuck, FailDeadlock: true}, debugBusy, true, nil, "mpi/deadlock"},
	"foreign":      {2, mpi.Checks{Stuck: stuck, FailDeadlock: true}, debugForeign, true, nil, "mpi/type-mismatch"},
}

func init() {
	for name, c := range debugCases {
		raw["debug"+name] = func(ctx context.Context) error {
			if name == "foreign" && os.Getenv("PMI_RANK")+os.Getenv("OMPI_COMM_WORLD_RANK") == "1" {
				isthmus.SetCheck(isthmus.CheckReport)
			}
			w, err := mpi.Open(ctx, mpi.Options{Checks: c.checks})
			if err != nil {
				return err
			}
			if !c.ends {
				go func() {
					_ = hang(ctx) // until something is said
					time.Sleep(100 * time.Millisecond)
					w.Abort(1)
				}()
			}
			if err := c.run(ctx, w); err != nil {
				fmt.Fprintln(os.Stderr, "debug:", err)
				w.Abort(1)
			}
			return w.Close(ctx)
		}
	}
	scenarios["clean"] = clean
}

// Each rule finds its mistake, names both sides, and finds nothing else.
func TestDebugLayer(t *testing.T) {
	for name, c := range debugCases {
		t.Run(name, func(t *testing.T) {
			mpitest.EachOfSystem(t, func(t *testing.T, l mpitest.Library) {
				out, err := l.Start(t.Context(), c.ranks, "debug"+name, debugValidate)
				raced := mem.RaceEnabled && strings.HasPrefix(name, "changed") // the race detector sees that mistake too
				if raced && !strings.Contains(out, "DATA RACE") || c.ends && !raced && err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if !said(out, c.want) {
					t.Errorf("no finding has %q:\n%s", c.want, out)
				}
				if c.not != "" && strings.Contains(out, c.not) {
					t.Errorf("%q was said:\n%s", c.not, out)
				}
			})
		})
	}
}

// said reports whether one line has all words.
func said(out string, words []string) bool {
	for line := range strings.Lines(out) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return len(words) == 0
}

// Nothing is said about a right program, and nothing at all without the layer.
func TestDebugLayerIsQuiet(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		for _, n := range []int{1, 2, 4} {
			if out, err := l.Start(t.Context(), n, "clean", debugValidate); err != nil || strings.Contains(out, "mpi/") {
				t.Errorf("%d ranks: %v\n%s", n, err, out)
			}
		}
		if out, err := l.Start(t.Context(), 2, "debugtype"); err != nil || strings.Contains(out, "mpi/type-mismatch") {
			t.Errorf("off: %v\n%s", err, out)
		}
	})
}

type (
	pairFI struct {
		F float32
		I int32
	}
	pairIF struct {
		I int32
		F float32
	}
)

// pass sends s from rank 0 to rank 1, which receives into r.
func pass[S, R any](ctx context.Context, w *mpi.World, s []S, r []R) error {
	c := w.Comm()
	if c.Rank() == 0 {
		return mpi.Send(ctx, c, s, 1, 4)
	}
	_, err := mpi.Recv(ctx, c, r, 0, 4)
	return err
}

func debugType(ctx context.Context, w *mpi.World) error {
	if err := pass(ctx, w, make([]float64, 2), make([]float64, 2)); err != nil {
		return err
	}
	return pass(ctx, w, make([]float64, 3), make([]int64, 3))
}

func debugStruct(ctx context.Context, w *mpi.World) error {
	_ = pass(ctx, w, make([]pairFI, 1), make([]pairIF, 1)) // a library may see it too
	return nil
}

// debugAny has receives from any rank with any tag posted before others: the wrong one is told from the right ones.
func debugAny(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	if c.Rank() > 0 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if c.Rank() == 1 {
			if err := errors.Join(mpi.Send(ctx, c, []int32{1, 2}, 0, 8), mpi.Send(ctx, c, []float64{3}, 0, 8)); err != nil {
				return err
			}
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		if c.Rank() == 2 {
			if err := mpi.Send(ctx, c, []float32{1, 2}, 0, 9); err != nil {
				return err
			}
		}
		return errors.Join(mpi.Barrier(ctx, c), c.Close())
	}
	first, err := mpi.Irecv(c, make([]int32, 2), mpi.AnySource, mpi.AnyTag)
	if err != nil {
		return err
	}
	second, err := mpi.Irecv(c, make([]float64, 1), 1, 8)
	if err != nil {
		return err
	}
	third, err := mpi.Irecv(c, make([]int32, 2), mpi.AnySource, mpi.AnyTag)
	if err != nil {
		return err
	}
	if err := errors.Join(mpi.Barrier(ctx, c), mpi.Barrier(ctx, c)); err != nil {
		return err
	}
	_, _, err3 := third.Wait(ctx) // the last first
	_, _, err2 := second.Wait(ctx)
	_, _, err1 := first.Wait(ctx)
	return errors.Join(err1, err2, err3, mpi.Barrier(ctx, c), c.Close())
}

// debugProbe takes the first message by a matched probe and receives the second before it.
func debugProbe(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 0 {
		return errors.Join(mpi.Send(ctx, c, []float32{1, 2}, 1, 3), mpi.Send(ctx, c, []float64{3}, 1, 3))
	}
	m, err := mpi.Mprobe[int32](ctx, c, 0, mpi.AnyTag)
	if err != nil {
		return err
	}
	if _, err := mpi.Recv(ctx, c, make([]float64, 1), 0, 3); err != nil {
		return err
	}
	_, err = m.Recv(ctx, make([]int32, 2))
	return err
}

func debugRepeat(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 0 {
		s, err := mpi.SendInit(c, make([]float32, 2), 1, 5)
		if err != nil {
			return err
		}
		for range 3 {
			if err := s.Start(); err != nil {
				return err
			}
			if _, err := s.Wait(ctx); err != nil {
				return err
			}
		}
		return s.Close()
	}
	r, err := mpi.RecvInit(c, make([]uint32, 2), 0, 5)
	if err != nil {
		return err
	}
	for range 3 {
		if err := r.Start(); err != nil {
			return err
		}
		if _, err := r.Wait(ctx); err != nil {
			return err
		}
	}
	return r.Close()
}

func debugScope(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		if c.Rank() == 0 {
			return mpi.PostSend(s, make([]float32, 2), 1, 5)
		}
		return mpi.PostRecv(s, make([]uint32, 2), 0, 5, nil)
	})
}

func debugLong(ctx context.Context, w *mpi.World) error {
	if err := pass(ctx, w, make([]int32, 5), make([]int32, 3)); err != nil && !errors.Is(err, mpi.ErrTruncate) {
		return err
	}
	return pass(ctx, w, make([]float64, 3), make([]float64, 3)) // what comes after is in its place
}

func debugShort(ctx context.Context, w *mpi.World) error {
	return pass(ctx, w, make([]int32, 2), make([]int32, 3))
}

func debugUnreceived(ctx context.Context, w *mpi.World) error {
	if w.Comm().Rank() == 0 {
		if err := mpi.Send(ctx, w.Comm(), []int32{1}, 1, 77); err != nil {
			return err
		}
	}
	return mpi.Barrier(ctx, w.Comm())
}

func debugOverlap(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b := make([]int32, 8)
	r, err := mpi.Irecv(c, b, 1-c.Rank(), 1)
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, b[2:4], 1-c.Rank(), 2); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("a send of what is received into: %v", err)
	}
	err = mpi.Send(ctx, c, make([]int32, 8), 1-c.Rank(), 1)
	_, _, rerr := r.Wait(ctx)
	return errors.Join(err, rerr)
}

const changedSize = 300_000 // the library does not copy so much, and waits for the receiver

func debugChanged(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b := make([]float64, changedSize)
	if c.Rank() == 1 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		_, err := mpi.Recv(ctx, c, b, 0, 2)
		return err
	}
	r, err := mpi.IsendSync(c, b, 1, 2)
	if err != nil {
		return err
	}
	for i := range b {
		b[i] = 1
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

func debugChangedScope(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	b := make([]float64, changedSize)
	if c.Rank() == 1 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		_, err := mpi.Recv(ctx, c, b, 0, 2)
		return err
	}
	return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		if err := errors.Join(mpi.PostSend(s, b, 1, 2), s.Start()); err != nil {
			return err
		}
		b[12345] = 1 // one element: all are looked at
		return mpi.Barrier(ctx, c)
	})
}

func debugForgotten(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 1 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		return mpi.Send(ctx, c, []int32{1}, 0, 2)
	}
	before := isthmus.Reported()
	if _, err := mpi.Irecv(c, make([]int32, 1), 1, 2); err != nil {
		return err
	}
	for isthmus.Reported() == before {
		runtime.GC()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return mpi.Barrier(ctx, c)
}

func debugUnfinished(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 0 {
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
		return mpi.Send(ctx, c, []int32{1}, 1, 2)
	}
	r, err := mpi.Irecv(c, make([]int32, 1), 0, 2)
	if err != nil {
		return err
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closed with a request under way: %v", err)
	}
	err = mpi.Barrier(ctx, c)
	_, _, werr := r.Wait(ctx)
	return errors.Join(err, werr)
}

func debugLeak(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closed with a communicator open: %v", err)
	}
	return c.Close()
}

func debugLeakOthers(ctx context.Context, w *mpi.World) error {
	g, err := w.Comm().Group()
	if err != nil {
		return err
	}
	l, err := mpi.Vector[float64](w, 3, 1, 4)
	if err != nil {
		return err
	}
	o, err := mpi.NewOp(w, func(in, inout []int32) { copy(inout, in) }, false)
	if err != nil {
		return err
	}
	win, err := mpi.Allocate[int32](ctx, w.Comm(), 4)
	if err != nil {
		return err
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closed with much open: %v", err)
	}
	return errors.Join(g.Close(), l.Close(), o.Close(), win.Close())
}

// hang waits for what is said.
func hang(ctx context.Context) error {
	for before := isthmus.Reported(); isthmus.Reported() == before; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("reported")
}

// bounded is a context for a call that hangs, in ranks that nothing is said to.
func bounded(ctx context.Context) (context.Context, func()) {
	return context.WithTimeout(ctx, time.Minute)
}

func debugOrder(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	c := w.Comm()
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	b := make([]float64, 4)
	if c.Rank() < 2 {
		r, err := mpi.Ibcast(c, b, 0)
		if err != nil {
			return err
		}
		defer r.Cancel()
	} else {
		r, err := mpi.Iallreduce(c, b, make([]float64, 4), mpi.Sum)
		if err != nil {
			return err
		}
		defer r.Cancel()
	}
	return hang(ctx)
}

func debugRoot(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	if _, err := mpi.Ibcast(w.Comm(), make([]int32, 4), min(1, w.Comm().Rank())); err != nil {
		return err
	}
	return hang(ctx)
}

// debugForms has one rank make the blocking form and another the immediate one, which do not match.
func debugForms(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	if w.Comm().Rank() == 0 {
		return mpi.Barrier(ctx, w.Comm())
	}
	r, err := mpi.Ibarrier(w.Comm())
	if err != nil {
		return err
	}
	defer r.Cancel()
	return hang(ctx)
}

func debugOp(ctx context.Context, w *mpi.World) error {
	op := mpi.Sum
	if w.Comm().Rank() == 1 {
		op = mpi.Max
	}
	return mpi.Allreduce(ctx, w.Comm(), make([]int32, 4), make([]int32, 4), op)
}

func debugCount(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	if err := mpi.Bcast(ctx, w.Comm(), make([]int32, 4-w.Comm().Rank()), 0); err != nil && !errors.Is(err, mpi.ErrTruncate) {
		fmt.Fprintln(os.Stderr, err) // libraries differ
	}
	return hang(ctx)
}

func debugCollType(ctx context.Context, w *mpi.World) error {
	if w.Comm().Rank() == 0 {
		return mpi.Bcast(ctx, w.Comm(), make([]int32, 4), 0)
	}
	return mpi.Bcast(ctx, w.Comm(), make([]float32, 4), 0)
}

func debugCircle(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if _, err := mpi.Recv(ctx, c, make([]int32, 1), (c.Rank()+1)%c.Size(), 6); !errors.Is(err, mpi.ErrDeadlock) || !strings.Contains(err.Error(), "circle") {
		return fmt.Errorf("a receive in a deadlock: %v", err)
	}
	return mpi.Barrier(ctx, c) // the job goes on
}

func debugSends(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if err := mpi.SendSync(ctx, c, make([]int32, 1), 1-c.Rank(), 6); !errors.Is(err, mpi.ErrDeadlock) {
		return fmt.Errorf("a send in a deadlock: %v", err)
	}
	// The library has the messages still, and the job goes on. Who receives has both told.
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 1-c.Rank(), 6)
	return err
}

func debugMixed(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	c := w.Comm()
	if c.Rank() == 0 {
		return mpi.Barrier(ctx, c)
	}
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 0, 6)
	return err
}

func debugMaking(ctx context.Context, w *mpi.World) error {
	ctx, stop := bounded(ctx)
	defer stop()
	c := w.Comm()
	if c.Rank() == 0 {
		_, err := c.Dup(ctx)
		return err
	}
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 0, 6)
	return err
}

// debugSlow is a rank that waits for one that does something else, until that is said.
func debugSlow(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 1 {
		for said := false; !said; {
			time.Sleep(10 * time.Millisecond)
			var err error
			if _, said, err = mpi.Iprobe[int32](c, 0, 7); err != nil || ctx.Err() != nil {
				return errors.Join(err, ctx.Err())
			}
		}
		_, err := mpi.Recv(ctx, c, make([]int32, 1), 0, 7)
		return errors.Join(err, mpi.Send(ctx, c, []int32{1}, 0, 6))
	}
	done := make(chan error, 1)
	go func() {
		_ = hang(ctx)
		done <- mpi.Send(ctx, c, []int32{1}, 1, 7)
	}()
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 1, 6)
	return errors.Join(err, <-done)
}

// debugBusy is two ranks that wait for one another, and another goroutine of one that works and then sends.
func debugBusy(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	if c.Rank() == 1 {
		done := make(chan error, 1)
		go func() {
			for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
			}
			done <- mpi.Send(ctx, c, []int32{1}, 0, 6)
		}()
		_, err := mpi.Recv(ctx, c, make([]int32, 1), 0, 7)
		return errors.Join(err, <-done)
	}
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 1, 6)
	return errors.Join(err, mpi.Send(ctx, c, []int32{1}, 1, 7))
}

// debugForeign is a rank without the layer: nothing is said of what it does, and nobody waits for it.
func debugForeign(ctx context.Context, w *mpi.World) error {
	if err := debugType(ctx, w); err != nil {
		return err
	}
	c := w.Comm()
	sum := make([]int32, 1)
	if err := mpi.Allreduce(ctx, c, []int32{1}, sum, mpi.Sum); err != nil || sum[0] != 2 {
		return fmt.Errorf("a small reduction of both: %v, %w", sum, err)
	}
	if c.Rank() == 1 {
		time.Sleep(2 * time.Second)
		return mpi.Send(ctx, c, []int32{1}, 0, 6)
	}
	_, err := mpi.Recv(ctx, c, make([]int32, 1), 1, 6)
	return err
}

// clean uses much of the package rightly.
func clean(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	n, right, left := c.Size(), (c.Rank()+1)%c.Size(), (c.Rank()+c.Size()-1)%c.Size()
	in, out := make([]float64, 100), make([]float64, 100)
	for step := range 200 {
		size := 1 + step*37%100
		r, err := mpi.Irecv(c, in, mpi.AnySource, mpi.AnyTag)
		if err != nil {
			return err
		}
		s, err := mpi.Isend(c, out[:size], right, step%5)
		if err != nil {
			return err
		}
		if err := mpi.WaitAll(ctx, r, s); err != nil {
			return err
		}
		_, st, rerr := r.Wait(ctx)
		_, _, serr := s.Wait(ctx)
		if rerr != nil || serr != nil || st.Count != size || st.Source != left {
			return fmt.Errorf("step %d: %+v, %v, %v", step, st, rerr, serr)
		}
		if err := mpi.Scope(ctx, c, func(o *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(o, in[:size], left, 20, nil), mpi.PostRecv(o, in[size:], mpi.AnySource, 21, nil),
				mpi.PostSend(o, out[:size], right, 20), mpi.PostSend(o, out[:100-size], right, 21))
		}); err != nil {
			return err
		}
		if _, err := mpi.SendRecv(ctx, c, []pairFI{{1, 2}}, right, 22, make([]pairFI, 2), left, 22); err != nil {
			return err
		}
		if err := mpi.Allreduce(ctx, c, out[:size], in[:size], mpi.Sum); err != nil {
			return err
		}
	}
	sub, err := c.Split(ctx, c.Rank()%2, 0)
	if err != nil {
		return err
	}
	all := make([]int, n)
	if err := errors.Join(mpi.Allgather(ctx, c, []int{c.Rank()}, all), mpi.Bcast(ctx, sub, all, 0), mpi.Barrier(ctx, sub), mpi.Gather(ctx, c, []int{1}, all, 0)); err != nil {
		return err
	}
	sb, err := mpi.Isend(c, []byte("abc"), right, 30)
	if err != nil {
		return err
	}
	msg, err := mpi.Mprobe[byte](ctx, c, left, mpi.AnyTag)
	if err != nil {
		return err
	}
	_, err = msg.Recv(ctx, make([]byte, msg.Status().Count))
	_, _, serr := sb.Wait(ctx)
	return errors.Join(err, serr, sub.Close(), c.Close())
}
