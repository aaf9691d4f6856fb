package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// programs are the examples that need several processes, and what the ranks write.
var programs = map[string]struct {
	main func()
	says []string
}{
	"hello":      {Example, []string{"rank 1 of 2 has received 3 from rank 0: [1 2 3]"}},
	"owned":      {ExampleIrecv, []string{"rank 0 has [10]", "rank 1 has [0]"}},
	"scope":      {ExampleScope, []string{"rank 0: [0 1 2 3 11]", "rank 1: [3 11 12 13 0]"}},
	"any":        {ExampleWaitAny, []string{"first is request 1 with 7"}},
	"allreduce":  {ExampleAllreduce, []string{"the sum is [3 30] on rank 0", "the sum is [3 30] on rank 1"}},
	"window":     {ExampleWin, []string{"tickets: 0 and 1 are taken, 2 is next"}},
	"truncated":  {ExampleError, []string{"too long, and nothing of it is lost but the rest"}},
	"persistent": {ExampleRecvInit, []string{"rank 0: 0 1 4", "rank 1: 0 1 4"}},
}

func init() {
	for name, p := range programs {
		raw["example "+name] = func(context.Context) error { p.main(); return nil }
	}
}

// Each example is a program; here two ranks run it.
func TestExamples(t *testing.T) {
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
				out, err := l.Start(t.Context(), 2, "example "+name)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				for _, line := range p.says {
					if !slices.Contains(strings.Split(strings.ReplaceAll(out, "\r", ""), "\n"), line) {
						t.Errorf("%q is missing in:\n%s", line, out)
					}
				}
			})
		})
	}
}

// check ends a program that cannot go on. A rank that ends without closing MPI ends the others too.
func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The whole of a program: every rank runs it, and the rank says who does what.
func Example() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	if c.Rank() == 0 {
		check(mpi.Send(ctx, c, []float64{1, 2, 3}, 1, 0))
	} else {
		b := make([]float64, 10)
		st, err := mpi.Recv(ctx, c, b, 0, mpi.AnyTag)
		check(err)
		fmt.Printf("rank %d of %d has received %d from rank %d: %v\n", c.Rank(), c.Size(), st.Count, st.Source, b[:st.Count])
	}
	check(w.Close(ctx))
}

// A request has its slice until Wait or Test gives it back.
func ExampleIrecv() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	peer := 1 - c.Rank()
	in, err := mpi.Irecv(c, make([]int64, 1), peer, 0)
	check(err)
	out, err := mpi.Isend(c, []int64{int64(10 * c.Rank())}, peer, 0)
	check(err)
	// Anything else goes here.
	got, _, err := in.Wait(ctx)
	check(err)
	_, _, err = out.Wait(ctx)
	check(err)
	fmt.Printf("rank %d has %v\n", c.Rank(), got)
	check(w.Close(ctx))
}

// A scope lends parts of the caller's own slice, and is left when all of them are back: here a strip of cells gets those of
// its neighbours at its ends.
func ExampleScope() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	u := []int{0, 1, 2, 3, 0}
	left, right := mpi.ProcNull, 1
	if c.Rank() == 1 {
		u = []int{0, 11, 12, 13, 0}
		left, right = 0, mpi.ProcNull
	}
	check(mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		return errors.Join(
			mpi.PostRecv(s, u[:1], left, 1, nil), mpi.PostRecv(s, u[4:], right, 2, nil),
			mpi.PostSend(s, u[3:4], right, 1), mpi.PostSend(s, u[1:2], left, 2))
	}))
	fmt.Printf("rank %d: %v\n", c.Rank(), u)
	check(w.Close(ctx))
}

// Requests of any types are waited for together.
func ExampleWaitAny() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	if c.Rank() == 1 {
		check(mpi.Send(ctx, c, []float32{7}, 0, 1))
		_, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 2)
		check(err)
		check(mpi.Send(ctx, c, []int{8}, 0, 0))
	} else {
		a, err := mpi.Irecv(c, make([]int, 1), 1, 0)
		check(err)
		b, err := mpi.Irecv(c, make([]float32, 1), 1, 1)
		check(err)
		first, err := mpi.WaitAny(ctx, a, b)
		check(err)
		got, _, err := b.Wait(ctx)
		check(err)
		fmt.Printf("first is request %d with %v\n", first, got[0])
		check(mpi.Send(ctx, c, []byte{1}, 1, 2))
		_, _, err = a.Wait(ctx)
		check(err)
	}
	check(w.Close(ctx))
}

// A collective operation is called by every process, in the same order.
func ExampleAllreduce() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	r := float64(c.Rank() + 1)
	sum := make([]float64, 2)
	check(mpi.Allreduce(ctx, c, []float64{r, 10 * r}, sum, mpi.Sum))
	fmt.Printf("the sum is %v on rank %d\n", sum, c.Rank())
	check(w.Close(ctx))
}

// Memory that others read and write without this process's doing, in epochs that cannot be left open.
func ExampleWin() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	win, err := mpi.Allocate[int64](ctx, c, 1)
	check(err)
	check(win.Lock(ctx, mpi.LockShared, 0, func(e *mpi.Epoch[int64]) error {
		_, err := e.FetchAndOp(ctx, mpi.Sum, 1, 0, 0) // a ticket that nobody else has
		return err
	}))
	check(mpi.Barrier(ctx, c))
	if c.Rank() == 0 {
		check(win.View(ctx, mpi.LockShared, 0, func(part []int64) error {
			fmt.Printf("tickets: 0 and 1 are taken, %d is next\n", part[0])
			return nil
		}))
	}
	check(win.Close())
	check(w.Close(ctx))
}

// Errors are values: of this module where it has looked first, of the library's where it has found out.
func ExampleError() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	if c.Rank() == 0 {
		check(mpi.Send(ctx, c, make([]int32, 10), 1, 0))
	} else {
		_, err := mpi.Recv(ctx, c, make([]int32, 5), 0, 0)
		var e *mpi.Error
		if errors.Is(err, mpi.ErrTruncate) && errors.Is(err, isthmus.ErrBounds) && errors.As(err, &e) {
			fmt.Println("too long, and nothing of it is lost but the rest")
		}
	}
	check(w.Close(ctx))
}

// What is sent again and again is prepared once. Between two starts the slices are the program's.
func ExampleRecvInit() {
	ctx := context.Background()
	w, err := mpi.Open(ctx, mpi.Options{})
	check(err)
	c := w.Comm()
	out, in := make([]int, 1), make([]int, 1)
	s, err := mpi.SendInit(c, out, 1-c.Rank(), 0)
	check(err)
	r, err := mpi.RecvInit(c, in, 1-c.Rank(), 0)
	check(err)
	var all []string
	for i := range 3 {
		out[0] = i * i
		check(mpi.StartAll(r, s))
		check(mpi.WaitAll(ctx, r, s))
		_, err := r.Wait(ctx)
		check(err)
		_, err = s.Wait(ctx)
		check(err)
		all = append(all, fmt.Sprint(in[0]))
	}
	fmt.Printf("rank %d: %s\n", c.Rank(), strings.Join(all, " "))
	check(errors.Join(s.Close(), r.Close(), w.Close(ctx)))
}

// Parts of one slice, each with one writer or any number of readers. What overlaps is an error that names both places.
func ExampleSection() {
	u := make([]float64, 10)
	var halo, inner, late mpi.Section[float64]
	if _, err := halo.Write(u[:2]); err != nil {
		fmt.Println(err)
	}
	if _, err := inner.Read(u[2:]); err != nil {
		fmt.Println(err)
	}
	_, err := late.Read(u[1:5])
	fmt.Println("while there is a writer:", errors.Is(err, isthmus.ErrBorrowed))
	halo.Return()
	_, err = late.Read(u[1:5])
	fmt.Println("afterwards:", err)
	inner.Return()
	late.Return()
	// Output:
	// while there is a writer: true
	// afterwards: <nil>
}

// Memory in large pages, for messages of a megabyte and more. Its slice is given to every operation that takes one.
func ExampleAlloc() {
	b, err := mpi.Alloc[float32](1 << 20)
	check(err)
	s, err := b.Slice()
	check(err)
	fmt.Println(len(s), s[0])
	check(b.Close())
	_, err = b.Slice()
	fmt.Println(errors.Is(err, isthmus.ErrClosed))
	// Output:
	// 1048576 0
	// true
}
