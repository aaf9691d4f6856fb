package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

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
