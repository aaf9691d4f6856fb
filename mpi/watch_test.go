package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// Under the race detector each Go access to memory that the library has is a data race with both stacks, whatever it was
// lent to, and legal use is none.
func TestI01RaceDetectorSeesLentMemory(t *testing.T) {
	if !raceEnabled {
		t.Skip("needs the race detector")
	}
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		for range mpitest.Times() {
			out, err := l.Start(t.Context(), 2, "crimes")
			if err == nil {
				t.Error("races do not fail the program")
			}
			races := strings.Split(out, "WARNING: DATA RACE")[1:]
			for name := range crimeScenes {
				// The access, and the call that lent the memory.
				seen := slices.ContainsFunc(races, func(race string) bool {
					access, native, ok := strings.Cut(race, "Previous ")
					return ok && strings.Contains(access, "mpi_test."+name) && strings.Contains(native, "mem.(*Watch).Begin") && strings.Contains(native, "mpi_test."+name)
				})
				if !seen && (name != "crimePersistent" || !strings.Contains(out, noPersistent)) {
					t.Errorf("%s was not found in %d reports", name, len(races))
				}
			}
			if t.Failed() {
				t.Fatal(out)
			}
		}
		if out, err := l.Start(t.Context(), 2, "legal"); err != nil || strings.Contains(out, "DATA RACE") {
			t.Errorf("legal use is a race: %v\n%s", err, out)
		}
	})
}

const noPersistent = "the library has no persistent collective operations"

// crimeScenes are functions in which rank 0 uses memory that the library has, by their names.
var crimeScenes = map[string]func(context.Context, *mpi.Comm, crimeBuffers) error{
	"crimeOwnedReceive": crimeOwnedReceive, "crimeOwnedSend": crimeOwnedSend, "crimeScope": crimeScope, "crimeRepeat": crimeRepeat,
	"crimeCollective": crimeCollective, "crimeReduced": crimeReduced, "crimePersistent": crimePersistent, "crimeGet": crimeGet,
	"crimePut": crimePut, "crimeRget": crimeRget, "crimeLaid": crimeLaid, "crimeGiven": crimeGiven,
}

// crimeBuffers are a crime's: memory that was used before has a history that is not its own.
type crimeBuffers struct {
	in, out []int32
	bad     bool
}

func crimes(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	names := make([]string, 0, len(crimeScenes))
	for name := range crimeScenes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := crimeScenes[name](ctx, c, crimeBuffers{make([]int32, 64), make([]int32, 64), c.Rank() == 0}); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := mpi.Barrier(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func crimeOwnedReceive(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	r, err := mpi.Irecv(c, b.in, 1-c.Rank(), 1)
	if err != nil {
		return err
	}
	if b.bad {
		b.in[3] = 7 // the library writes here
	}
	if err := mpi.Send(ctx, c, b.out, 1-c.Rank(), 1); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

// after has rank 1 wait until rank 0 has committed its crime: what is over is nobody's crime any more.
func after(ctx context.Context, c *mpi.Comm) error {
	if c.Rank() == 0 {
		return mpi.Send(ctx, c, []byte{1}, 1, 99)
	}
	_, err := mpi.Recv(ctx, c, make([]byte, 1), 0, 99)
	return err
}

func crimeOwnedSend(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	if !b.bad {
		if err := after(ctx, c); err != nil {
			return err
		}
		_, err := mpi.Recv(ctx, c, b.in, 0, 1)
		return err
	}
	s, err := mpi.IsendSync(c, b.out, 1, 1)
	if err != nil {
		return err
	}
	b.out[3] = 7 // the library reads here
	if err := after(ctx, c); err != nil {
		return err
	}
	_, _, err = s.Wait(ctx)
	return err
}

func crimeScope(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	if !b.bad {
		if err := after(ctx, c); err != nil {
			return err
		}
	}
	return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
		if err := errors.Join(mpi.PostRecv(s, b.in, 1-c.Rank(), 1, nil), mpi.PostSend(s, b.out, 1-c.Rank(), 1), s.Start()); err != nil || !b.bad {
			return err
		}
		b.out[0] = b.in[3]
		return after(ctx, c)
	})
}

func crimeRepeat(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	r, err := mpi.RecvInit(c, b.in, 1-c.Rank(), 1)
	if err != nil {
		return err
	}
	if err := r.Start(); err != nil {
		return err
	}
	if b.bad {
		b.in[3] = 7
	}
	if err := mpi.Send(ctx, c, b.out, 1-c.Rank(), 1); err != nil {
		return err
	}
	_, err = r.Wait(ctx)
	return errors.Join(err, r.Close())
}

func crimeCollective(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	r, err := mpi.Iallreduce(c, b.out, b.in, mpi.Sum)
	if err != nil {
		return err
	}
	if b.bad {
		_ = b.in[3] + 1
		b.in[4] = 1
	}
	_, _, err = r.Wait(ctx)
	return err
}

func crimeReduced(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	r, err := mpi.Iallreduce(c, b.out, b.in, mpi.Sum)
	if err != nil {
		return err
	}
	if b.bad {
		b.out[3] = 9 // what is sent may be read only
	}
	_, _, err = r.Wait(ctx)
	return err
}

func crimePersistent(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	p, err := mpi.BcastInit(c, b.in, 0)
	if errors.Is(err, isthmus.ErrUnsupported) {
		fmt.Println(noPersistent)
		return nil
	}
	if err != nil {
		return err
	}
	r, err := p.Start()
	if err != nil {
		return err
	}
	if b.bad {
		b.in[3] = 7
	}
	_, _, err = r.Wait(ctx)
	return errors.Join(err, p.Close())
}

func crimeWin(ctx context.Context, c *mpi.Comm, f func(*mpi.Epoch[int32]) error) error {
	win, err := mpi.Allocate[int32](ctx, c, 64)
	if err != nil {
		return err
	}
	return errors.Join(win.LockAll(ctx, f), mpi.Barrier(ctx, c), win.Close())
}

func crimeGet(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	return crimeWin(ctx, c, func(e *mpi.Epoch[int32]) error {
		if err := e.Get(b.in, 1-c.Rank(), 0); err != nil {
			return err
		}
		if b.bad {
			b.in[3] = 7
		}
		return nil
	})
}

func crimePut(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	return crimeWin(ctx, c, func(e *mpi.Epoch[int32]) error {
		if err := e.Put(b.out, 1-c.Rank(), 0); err != nil {
			return err
		}
		if b.bad {
			b.out[3] = 7
		}
		return nil
	})
}

func crimeRget(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	return crimeWin(ctx, c, func(e *mpi.Epoch[int32]) error {
		r, err := e.Rget(b.in, 1-c.Rank(), 0)
		if err != nil {
			return err
		}
		if b.bad {
			b.in[3] = 7
		}
		_, _, err = r.Wait(ctx)
		return err
	})
}

func crimeLaid(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	l, err := mpi.Vector[int32](c.World(), 8, 1, 8)
	if err != nil {
		return err
	}
	r, err := mpi.IrecvLaid(c, b.in, l, 1, 1-c.Rank(), 1)
	if err != nil {
		return err
	}
	if b.bad {
		b.in[3] = 7
	}
	if err := mpi.SendLaid(ctx, c, b.out, l, 1, 1-c.Rank(), 1); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return errors.Join(err, l.Close())
}

// crimeGiven uses memory that is a window, out of its epochs.
func crimeGiven(ctx context.Context, c *mpi.Comm, b crimeBuffers) error {
	win, err := mpi.CreateWin(ctx, c, b.in)
	if err != nil {
		return err
	}
	if b.bad {
		b.in[3] = 7
	}
	return win.Close()
}

func legal(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	out, in := make([]int32, 64), make([]int32, 64)
	for i := range 20 {
		out[0] = int32(i)
		r, err := mpi.Irecv(c, in, 1-c.Rank(), 1)
		if err != nil {
			return err
		}
		s, err := mpi.Isend(c, out, 1-c.Rank(), 1)
		if err != nil {
			return err
		}
		_ = out[5] // whoever sends may read
		if _, _, err := s.Wait(ctx); err != nil {
			return err
		}
		out[5]++
		if _, _, err := r.Wait(ctx); err != nil {
			return err
		}
		in[7]++
		if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			return errors.Join(mpi.PostRecv(s, in, 1-c.Rank(), 2, nil), mpi.PostSend(s, out, 1-c.Rank(), 2))
		}); err != nil {
			return err
		}
		in[0], out[0] = in[0]+1, 0
	}
	return nil
}
