package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["alltoallw"] = alltoallw
	scenarios["session"] = session
	scenarios["large counts"] = largeCounts
	scenarios["hook"] = hooked
	raw["thrown"] = thrown
	raw["thrown small"] = thrownSmall
}

func TestAlltoallw(t *testing.T) {
	for _, n := range []int{1, 3, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "alltoallw") })
	}
}
func TestSession(t *testing.T) { mpitest.Run(t, 3, "session") }
func TestLargeCounts(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector has several bytes for each of gigabytes")
	}
	mpitest.Run(t, 1, "large counts")
}
func TestOnError(t *testing.T) { mpitest.Run(t, 2, "hook") }

// alltoallw sends column r of a matrix to rank r, which has it as a row.
func alltoallw(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	const rows = 5
	send, recv := make([]int32, rows*n), make([]int32, rows*n+1)
	for i := range send {
		send[i] = int32(1000*me + i)
	}
	column, err := mpi.Vector[int32](w, rows, 1, n)
	if err != nil {
		return err
	}
	defer column.Close()
	out, in := make([]mpi.Piece[int32], n), make([]mpi.Piece[int32], n)
	for r := range n {
		out[r] = mpi.Piece[int32]{Layout: column, N: 1, At: r}
		in[r] = mpi.Piece[int32]{N: rows, At: 1 + r*rows}
	}
	check := func(what string) error {
		for r := range n {
			for i := range rows {
				if v := recv[1+r*rows+i]; v != int32(1000*r+i*n+me) {
					return fmt.Errorf("%s: element %d of rank %d is %d", what, i, r, v)
				}
			}
		}
		if recv[0] != 0 {
			return fmt.Errorf("%s: something was written before the pieces", what)
		}
		clear(recv)
		return nil
	}
	if err := mpi.Alltoallw(ctx, c, send, out, recv, in); err != nil {
		return err
	}
	if err := check("blocking"); err != nil {
		return err
	}
	r, err := mpi.Ialltoallw(c, send, out, recv, in)
	if err != nil {
		return err
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	if err := check("immediate"); err != nil {
		return err
	}
	p, err := mpi.AlltoallwInit(c, send, out, recv, in)
	switch {
	case errors.Is(err, isthmus.ErrUnsupported):
	case err != nil:
		return err
	default:
		for range 2 {
			r, err := p.Start()
			if err != nil {
				return err
			}
			if _, _, err := r.Wait(ctx); err != nil {
				return err
			}
			if err := check("persistent"); err != nil {
				return err
			}
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	if err := ringw(ctx, c, column, send); err != nil {
		return err
	}
	// What is wrong is said before the library sees it.
	for what, bad := range map[string]struct {
		in   []mpi.Piece[int32]
		want error
	}{
		"too few":   {in[:n-1], isthmus.ErrBounds},
		"outside":   {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{N: rows + 1, At: 1 + (n-1)*rows}), isthmus.ErrBounds},
		"negative":  {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{N: -1}), isthmus.ErrBounds},
		"too many":  {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{N: math.MaxInt32 + 1}), isthmus.ErrBounds},
		"before":    {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{N: 1, At: -1}), isthmus.ErrBounds},
		"layout":    {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{Layout: column, N: 1, At: n + 1}), isthmus.ErrBounds},
		"no layout": {append(slices.Clone(in[:n-1]), mpi.Piece[int32]{Layout: &mpi.Layout[int32]{}, N: 1}), isthmus.ErrInvalid},
	} {
		if err := mpi.Alltoallw(ctx, c, send, out, recv, bad.in); !errors.Is(err, bad.want) {
			return fmt.Errorf("%s: %v", what, err)
		}
	}
	if n > 1 {
		both := slices.Clone(in)
		both[1].At = both[0].At + 2
		if err := mpi.Alltoallw(ctx, c, send, out, recv, both); !errors.Is(err, isthmus.ErrInvalid) {
			return fmt.Errorf("pieces that overlap: %v", err)
		}
	}
	return nil
}

// ringw sends a column to both neighbours of a ring.
func ringw(ctx context.Context, c *mpi.Comm, column *mpi.Layout[int32], send []int32) error {
	n, me := c.Size(), c.Rank()
	ring, err := c.Grid(ctx, []int{n}, []bool{true}, false)
	if err != nil {
		return err
	}
	rows := column.Size()
	recv := make([]int32, 2*rows)
	out := []mpi.Piece[int32]{{Layout: column, N: 1, At: 0}, {Layout: column, N: 1, At: n - 1}}
	in := []mpi.Piece[int32]{{N: rows}, {N: rows, At: rows}}
	check := func() error {
		// From the left comes what it sends to its right, its last column; with two ranks the order of both edges is the library's.
		left, right := (me+n-1)%n, (me+1)%n
		for i := range rows {
			if n > 2 && (recv[i] != int32(1000*left+i*n+n-1) || recv[rows+i] != int32(1000*right+i*n)) {
				return fmt.Errorf("from the neighbours: %v", recv)
			}
		}
		return nil
	}
	if err := mpi.NeighborAlltoallw(ctx, ring, send, out, recv, in); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	clear(recv)
	r, err := mpi.IneighborAlltoallw(ring, send, out, recv, in)
	if err != nil {
		return err
	}
	if _, _, err := r.Wait(ctx); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	return ring.Close()
}

// session makes communicators without the World's.
func session(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	s, err := w.Session(nil)
	if !has(w, "MPI_Session_init", "MPI_Comm_create_from_group") {
		return want(errors.Is(err, isthmus.ErrUnsupported) && strings.Contains(err.Error(), "MPI_Session_init"), "without the functions: %v", err)
	}
	if err != nil {
		return err
	}
	sets, err := s.Sets()
	if err != nil || !slices.ContainsFunc(sets, func(s string) bool { return strings.EqualFold(s, mpi.WorldSet) }) || !slices.ContainsFunc(sets, func(s string) bool { return strings.EqualFold(s, mpi.SelfSet) }) {
		return fmt.Errorf("sets %q, %v", sets, err)
	}
	if _, err := s.Group("no such set"); err == nil {
		return fmt.Errorf("a set that does not exist has a group")
	}
	if _, err := s.Group(""); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("no name: %v", err)
	}
	for _, set := range []string{mpi.WorldSet, mpi.SelfSet} {
		size := 1
		if set == mpi.WorldSet {
			size = c.Size()
		}
		if h, err := s.SetHints(set); err != nil {
			return err
		} else if n, err := h.Get("mpi_size"); err != nil || n != fmt.Sprint(size) {
			return fmt.Errorf("%s has %q processes, %v", set, n, err)
		} else if err := h.Close(); err != nil {
			return err
		}
		g, err := s.Group(set)
		if err != nil || g.Size() != size {
			return fmt.Errorf("%s: %v, %v", set, g, err)
		}
		made, err := w.CreateFrom(ctx, g, "isthmus.test "+set, nil)
		if err != nil || made.Size() != size || made.Rank() != c.Rank()%size {
			return fmt.Errorf("%s: %v, %v", set, made, err)
		}
		if err := s.Close(); err == nil {
			return fmt.Errorf("closed under a communicator")
		} else if !errors.Is(err, isthmus.ErrBusy) {
			return err
		}
		sum := make([]int, 1)
		if err := mpi.Allreduce(ctx, made, []int{1}, sum, mpi.Sum); err != nil || sum[0] != size {
			return fmt.Errorf("%s: %d, %v", set, sum[0], err)
		}
		if err := made.Close(); err != nil {
			return err
		}
		if err := g.Close(); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	if _, err := s.Sets(); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after close: %v", err)
	}
	return nil
}

// largeCounts gives libraries more elements than a C int holds; the memory is not touched, but where there is much time.
func largeCounts(ctx context.Context, w *mpi.World) error {
	const n = math.MaxInt32 + 9
	b := make([]byte, n)
	self := w.Self()
	if !has(w, "MPI_Ibcast_c", "MPI_Isend_c", "MPI_Get_count_c") {
		for what, err := range map[string]error{
			"broadcast": mpi.Bcast(ctx, self, b, 0),
			"send":      mpi.Send(ctx, self, b, 0, 1),
		} {
			if !errors.Is(err, isthmus.ErrUnsupported) || !errors.Is(err, isthmus.ErrBounds) || !strings.Contains(err.Error(), "_c") {
				return fmt.Errorf("%s: %v", what, err)
			}
		}
		return nil
	}
	if err := mpi.Bcast(ctx, self, b, 0); err != nil {
		return err
	}
	if os.Getenv("ISTHMUS_MPI_LONG") == "" {
		return nil
	}
	in := make([]byte, n+1)
	b[0], b[n-1] = 3, 4
	r, err := mpi.Irecv(self, in, 0, 1)
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, self, b, 0, 1); err != nil {
		return err
	}
	in, st, err := r.Wait(ctx)
	if err != nil || st.Count != n || in[0] != 3 || in[n-1] != 4 {
		return fmt.Errorf("received %+v, %v, %v", st, in[:1], err)
	}
	return nil
}

// hooked has errors told.
func hooked(ctx context.Context, w *mpi.World) error {
	c, err := w.Comm().Dup(ctx)
	if err != nil {
		return err
	}
	told := make(chan error, 10)
	c.OnError(func(err error) {
		told <- err
		panic("a hook that panics")
	})
	d, err := c.Dup(ctx)
	if err != nil {
		return err
	}
	for _, c := range []*mpi.Comm{c, d} {
		peer := 1 - c.Rank()
		if c.Rank() == 0 {
			if err := mpi.Send(ctx, c, make([]int32, 10), peer, 1); err != nil {
				return err
			}
		} else {
			_, err := mpi.Recv(ctx, c, make([]int32, 2), peer, 1)
			if !errors.Is(err, mpi.ErrTruncate) {
				return fmt.Errorf("a message that is too long: %v", err)
			}
			select {
			case got := <-told:
				if !errors.Is(got, mpi.ErrTruncate) {
					return fmt.Errorf("told %v", got)
				}
			case <-ctx.Done():
				return errors.New("nothing was told")
			}
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return want(len(told) == 0, "more was told: %d", len(told))
}

// throwing stands before an MPI library and throws from the functions that it has.
const throwing = `#include <stdexcept>
#include <cstdlib>
static bool on(const char *what) { const char *e = getenv("THROW"); return e && std::string(e) == what; }
static int count = 0;
extern "C" int PMPI_Isend(const void *, int, void *, int, int, void *, void *);
extern "C" int PMPI_Test(void *, int *, void *);
extern "C" int MPI_Isend(const void *b, int n, void *t, int to, int tag, void *c, void *r) {
	if (on("isend")) throw std::runtime_error("no isend today");
	return PMPI_Isend(b, n, t, to, tag, c, r);
}
extern "C" int MPI_Test(void *r, int *flag, void *s) {
	if (on("test")) throw std::runtime_error("no test today");
	return PMPI_Test(r, flag, s);
}
`

// TestM18Thrown puts a library before MPI whose functions throw: the error says so, and the memory stays lent.
func TestM18Thrown(t *testing.T) {
	cxx, err := exec.LookPath("c++")
	if err != nil {
		t.Skip("no C++ compiler")
	}
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		if l.Family != "openmpi" {
			return // handles are ints there: the shim is compiled for pointers
		}
		dir := t.TempDir()
		src, lib := filepath.Join(dir, "throwing.cc"), filepath.Join(dir, "libmpi_throwing.so")
		if err := os.WriteFile(src, []byte(strings.Replace(throwing, "#include", "#include <string>\n#include", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		real := l.Lib
		if !filepath.IsAbs(real) {
			real = "-l:" + real
		}
		args := []string{"-shared", "-fPIC", "-O1", "-o", lib, src, "-Wl,--no-as-needed", real, "-Wl,-rpath," + filepath.Dir(l.Lib)}
		if out, err := exec.Command(cxx, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		shim := l
		shim.Lib = lib
		if out, _ := shim.Start(t.Context(), 2, "thrown small", "THROW=isend"); strings.Count(out, "thrown: as it should be") != 2 {
			t.Errorf("in a small reduction: %s", out)
		}
		for _, what := range []string{"isend", "test"} {
			out, _ := shim.Start(t.Context(), 1, "thrown", "THROW="+what) // MPI is not finalised: the launcher complains
			if !strings.Contains(out, "thrown: as it should be") {
				t.Errorf("%s: %s", what, out)
			}
		}
	})
}

// thrownSmall reduces little with functions that throw.
func thrownSmall(ctx context.Context) error {
	w, err := mpi.Open(ctx, mpi.Options{FinalizeTimeout: time.Second})
	if err != nil {
		return err
	}
	c := w.Comm()
	told := make(chan error, 4)
	c.OnError(func(err error) { told <- err })
	sum := make([]int64, 1)
	for _, when := range []string{"at first", "after that"} {
		if err := mpi.Allreduce(ctx, c, []int64{1}, sum, mpi.Sum); !errors.Is(err, isthmus.ErrException) || sum[0] != 0 {
			return fmt.Errorf("%s: %v, %w", when, sum, err)
		}
	}
	select {
	case err := <-told:
		if !errors.Is(err, isthmus.ErrException) {
			return fmt.Errorf("told %w", err)
		}
	case <-ctx.Done():
		return errors.New("nothing was told")
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("close: %w", err)
	}
	fmt.Println("thrown: as it should be")
	return nil
}

// thrown sends with functions that throw.
func thrown(ctx context.Context) error {
	w, err := mpi.Open(ctx, mpi.Options{FinalizeTimeout: time.Second})
	if err != nil {
		return err
	}
	c := w.Comm()
	b := make([]int64, 100)
	err = mpi.Send(ctx, c, b, 0, 1)
	if !errors.Is(err, isthmus.ErrException) || !strings.Contains(err.Error(), " today") {
		return fmt.Errorf("a send that throws: %v", err)
	}
	if _, err := mpi.NewOp(w, func(in, inout []int64) {}, true); err != nil {
		return err
	}
	// The library may have the slice: nobody else gets it, and the communicator is not used any more.
	if err := mpi.Send(ctx, c, b, 0, 1); !errors.Is(err, isthmus.ErrException) {
		return fmt.Errorf("after that: %v", err)
	}
	if _, err := mpi.Irecv(w.Self(), b, 0, 1); !errors.Is(err, isthmus.ErrBorrowed) {
		return fmt.Errorf("the slice: %v", err)
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("close: %v", err)
	}
	fmt.Println("thrown: as it should be")
	return nil
}
