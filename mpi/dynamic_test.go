package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// TestSpawn holds what each library does: all but Debian's MPICH 4.0 start processes; that one refuses, C programs too
// (docs/found.md), which is an error and no wait.
func TestSpawn(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		var env []string
		if l.Name == "mpich" {
			env = []string{refuses + "=Error in spawn call"}
		}
		if out, err := l.Start(t.Context(), 2, "spawn", env...); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// TestConnect is TestSpawn for ports. MPICH with UCX has none in 4.0, and in 5.0 its native interface has room for the
// names of few transports only.
func TestConnect(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		start := func(env ...string) {
			if out, err := l.Start(t.Context(), 2, "connect", env...); err != nil {
				t.Errorf("with %q: %v\n%s", env, err, out)
			}
		}
		switch {
		case l.Name == "mpich":
			start(refuses + "=not supported with ucx")
		case l.Family == "mpich" && !strings.HasSuffix(l.Name, "-abi"):
			start(refuses + "=UCX_TLS=tcp,self")
			start("UCX_TLS=tcp,self")
		default:
			start()
		}
	})
}

// refuses names the environment variable with what a library is known to say instead of doing it.
const refuses = "ISTHMUS_MPI_REFUSES"

// refused is the end of a scenario that a library is known to refuse: an error of its own that says why.
func refused(err error) error {
	var lib *mpi.Error
	if !errors.As(err, &lib) || lib.Class != mpi.ErrOther || !strings.Contains(strings.ReplaceAll(err.Error(), "currently ", ""), os.Getenv(refuses)) {
		return fmt.Errorf("want the library's error with %q, found %v", os.Getenv(refuses), err)
	}
	return nil
}

// TestNobodyMeets accepts where nobody connects, and connects where nobody accepts: the deadline ends both.
func TestNobodyMeets(t *testing.T) {
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		for _, what := range []string{"accept", "connect"} {
			out, _ := l.Start(t.Context(), 1, "unmet", "UNMET="+what, "UCX_TLS=tcp,self") // MPI is not finalised: the launcher complains
			if !strings.Contains(out, "unmet: in time") {
				t.Errorf("%s: %s", what, out)
			}
		}
	})
}

// unmet waits for a program that does not exist.
func unmet(ctx context.Context) error {
	w, err := mpi.Open(ctx, mpi.Options{})
	if err != nil {
		return err
	}
	port, err := w.OpenPort(nil)
	if err != nil {
		fmt.Println("unmet: in time: there are no ports:", err)
		return w.Close(ctx)
	}
	short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
	defer stop()
	meet := w.Self().Accept
	if os.Getenv("UNMET") == "connect" {
		meet = w.Self().Connect
	}
	begun := time.Now()
	other, err := meet(short, 0, port, nil)
	if other != nil || err == nil || time.Since(begun) > time.Minute {
		return fmt.Errorf("met %v, %v, after %v", other, err, time.Since(begun))
	}
	fmt.Println("unmet: in time:", err)
	// The library is in the call still, so it cannot be closed.
	if errors.Is(err, context.DeadlineExceeded) {
		if cerr := w.Close(ctx); !errors.Is(cerr, isthmus.ErrBusy) {
			return fmt.Errorf("closed during a call: %v", cerr)
		}
	}
	return nil
}

// spawned is the argument of a process that the scenario spawn starts.
const spawned = "an argument"

// spawn runs on two ranks, which start two more of the same program; those run it too.
func spawn(ctx context.Context, w *mpi.World) error {
	parent, err := w.Parent()
	if err != nil {
		return err
	}
	if parent != nil {
		if len(os.Args) != 2 || os.Args[1] != spawned {
			return fmt.Errorf("started with %q", os.Args)
		}
		b := make([]int32, 1)
		if err := mpi.Bcast(ctx, parent, b, 0); err != nil || b[0] != 42 {
			return fmt.Errorf("the parent sent %v, %v", b, err)
		}
		if err := mpi.Allreduce(ctx, parent, []int32{int32(100 + w.Comm().Rank())}, b, mpi.Sum); err != nil || b[0] != 1 {
			return fmt.Errorf("the parents' sum is %v, %v", b, err)
		}
		return parent.Close()
	}
	c := w.Comm()
	for what, err := range map[string]error{
		"no program": func() error { _, err := c.Spawn(ctx, 0, "", nil, 1, nil); return err }(),
		"no process": func() error { _, err := c.Spawn(ctx, 0, os.Args[0], nil, 0, nil); return err }(),
		"no root":    func() error { _, err := c.Spawn(ctx, 2, os.Args[0], nil, 1, nil); return err }(),
	} {
		if !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, mpi.ErrRoot) {
			return fmt.Errorf("%s: %v", what, err)
		}
	}
	kids, err := c.Spawn(ctx, 0, os.Args[0], []string{spawned}, 2, nil)
	if os.Getenv(refuses) != "" {
		return refused(err)
	}
	if err != nil {
		return err
	}
	if kids.RemoteSize() != 2 {
		return fmt.Errorf("%d processes were started", kids.RemoteSize())
	}
	root := mpi.ProcNull
	if c.Rank() == 0 {
		root = mpi.Root
	}
	if err := mpi.Bcast(ctx, kids, []int32{42}, root); err != nil {
		return err
	}
	b := make([]int32, 1)
	if err := mpi.Allreduce(ctx, kids, []int32{int32(c.Rank())}, b, mpi.Sum); err != nil || b[0] != 201 {
		return fmt.Errorf("the children's sum is %v, %v", b, err)
	}
	return kids.Close()
}

// connect runs on two ranks, which meet at a port as two programs would.
func connect(ctx context.Context, w *mpi.World) error {
	c, self := w.Comm(), w.Self()
	b := make([]byte, 1024)
	if c.Rank() == 1 {
		st, err := mpi.Recv(ctx, c, b, 0, 0)
		if err != nil {
			return err
		}
		if st.Count == 0 {
			return nil // there are no ports
		}
		other, err := self.Connect(ctx, 0, string(b[:st.Count]), nil)
		if err != nil {
			return err
		}
		if err := mpi.Send(ctx, other, []byte{7}, 0, 1); err != nil {
			return err
		}
		return other.Close()
	}
	port, err := w.OpenPort(nil)
	if os.Getenv(refuses) != "" {
		return errors.Join(refused(err), mpi.Send(ctx, c, []byte{}, 1, 0))
	}
	if err != nil {
		return err
	}
	if err := mpi.Send(ctx, c, []byte(port), 1, 0); err != nil {
		return err
	}
	other, err := self.Accept(ctx, 0, port, nil)
	if err != nil {
		return err
	}
	if _, err := mpi.Recv(ctx, other, b[:1], 0, 1); err != nil || b[0] != 7 {
		return fmt.Errorf("received %d, %v", b[0], err)
	}
	if err := w.ClosePort(""); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("closing no port: %v", err)
	}
	return errors.Join(other.Close(), w.ClosePort(port))
}

func tools(_ context.Context, w *mpi.World) error {
	t, err := mpi.OpenTools(w)
	if err != nil {
		return err
	}
	controls, err := t.Controls()
	if err != nil {
		return err
	}
	counters, err := t.Counters()
	if err != nil {
		return err
	}
	if len(controls) == 0 {
		return errors.New("no control variables")
	}
	read, set := 0, 0
	for _, v := range append(controls, counters...) {
		if v.Name == "" {
			return fmt.Errorf("a variable without a name: %+v", v)
		}
		x, err := t.Read(v)
		if errors.Is(err, isthmus.ErrUnsupported) {
			continue
		}
		if err != nil {
			// Some exist only when a part of the library is in use.
			var lib *mpi.Error
			if !errors.As(err, &lib) {
				return err
			}
			continue
		}
		read++
		if len(x.Ints) == 1 && !v.ReadOnly && set == 0 && t.Set(v, mpi.Value{Ints: []int64{x.Ints[0]}}) == nil {
			if y, err := t.Read(v); err != nil || y.Ints[0] != x.Ints[0] {
				return fmt.Errorf("%s was set to %v and is %v, %v", v.Name, x, y, err)
			}
			set++
		}
	}
	if read == 0 {
		return fmt.Errorf("none of %d variables can be read", len(controls)+len(counters))
	}
	if _, err := t.Read(mpi.Variable{}); !errors.Is(err, isthmus.ErrUnsupported) {
		return fmt.Errorf("no variable: %v", err)
	}
	if err := errors.Join(t.Close(), t.Close()); err != nil {
		return err
	}
	if _, err := t.Controls(); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after Close: %v", err)
	}
	return nil
}
