package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// TestHosts runs the patterns on two machines that have a network in common, and nothing else.
func TestHosts(t *testing.T) {
	mpitest.EachOnHosts(t, func(t *testing.T, l mpitest.Library, h *mpitest.Hosts) {
		for _, s := range []struct {
			name  string
			n     int
			short bool // also where short tests are asked for
		}{
			{"apart", 4, true},
			{"pingpong", 2, false},
			{"types", 2, true},
			{"owned", 2, true},
			{"sendrecv", 3, false},
			{"errors", 2, false},
			{"misuse", 2, true},
			{"deadline", 2, false},
			{"lost", 2, false},
			{"threads", 2, false},
			{"scope", 2, true},
			{"sets", 2, false},
			{"probe", 2, false},
			{"repeated", 2, true},
			{"pressure", 2, false},
			{"collectives", 4, true},
			{"reductions", 3, false},
			{"inplace", 3, false},
			{"userop", 3, false},
			{"immediate", 3, true},
			{"persistent", 2, false},
			{"grids", 4, false},
			{"laid random", 2, false},
			{"win fence", 3, true},
			{"win lock", 3, false},
			{"win pscw", 3, false},
		} {
			if (testing.Short() || l.Added && os.Getenv("ISTHMUS_MPI_LONG") == "") && !s.short {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				if l.Name == "openmpi" && strings.HasPrefix(s.name, "win ") {
					s.name = "win none"
				}
				for again := 2; ; again-- {
					out, err := h.Start(t.Context(), l, s.n, s.name)
					if l.Name == "mpich" && again > 0 && strings.Contains(out, "MPI_Finalize has not returned") {
						continue // docs/found.md: on a busy machine the connections settle too late
					}
					if err != nil {
						t.Errorf("%v\n%s", err, out)
					}
					return
				}
			})
		}
	})
}

// apart says that there are two machines, and exchanges much between them.
func apart(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	name, err := w.Processor()
	if err != nil {
		return err
	}
	near, err := c.SplitShared(ctx, c.Rank())
	if err != nil {
		return err
	}
	if near.Size() != 2 || !strings.HasSuffix(strings.SplitN(name, ".", 2)[0], fmt.Sprint(1+c.Rank()/2)) {
		return fmt.Errorf("rank %d is on %s, with %d", c.Rank(), name, near.Size())
	}
	// 16 MiB each way at once, with the other machine; what is to come is not all sent when the call begins.
	n, far := 1<<21, (c.Rank()+2)%4
	for round := range 2 {
		in := make([]int64, n)
		if _, err := mpi.SendRecv(ctx, c, pattern(c.Rank(), round, n), far, round, in, far, round); err != nil {
			return err
		}
		if err := checkPattern(in, far, round); err != nil {
			return err
		}
	}
	return near.Close()
}

// winNone holds that Open MPI 4.1 has no windows between machines that have nothing but TCP: an error, of a class.
func winNone(ctx context.Context, w *mpi.World) error {
	if _, err := mpi.Allocate[int64](ctx, w.Comm(), 4); !errors.Is(err, mpi.ErrWin) {
		return fmt.Errorf("want %v, found %w", mpi.ErrWin, err)
	}
	return nil
}

// TestCutLink pulls the cable between two machines: no library notices for long. Every wait ends by its deadline, what the
// library has stays lent, and closing says what it waits for.
func TestCutLink(t *testing.T) {
	mpitest.EachOnHosts(t, func(t *testing.T, l mpitest.Library, h *mpitest.Hosts) {
		// The ranks of the far machine cannot be heard by their launcher; the file system is common to both.
		path := filepath.Join(t.TempDir(), "v")
		verdicts, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer verdicts.Close()
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		defer context.AfterFunc(ctx, func() { verdicts.Close() })()
		job := make(chan string, 1)
		go func() {
			out, err := h.Start(ctx, l, 2, "cut", "CUT_VERDICTS="+path)
			job <- fmt.Sprint(err, "\n", out)
			verdicts.Close() // there will be no more
		}()
		for range 2 {
			conn, err := verdicts.Accept()
			if err != nil {
				stop()
				t.Fatalf("no verdict: %v; the job: %s", err, <-job)
			}
			text, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(text), "ok: ") {
				t.Errorf("%s, %v", text, err)
			}
			t.Logf("%s", text)
		}
		stop()
		<-job
	})
}

// cut has rank 0 pull the cable, and both find out.
func cut(ctx context.Context) error {
	w, err := mpi.Open(ctx, mpi.Options{FinalizeTimeout: time.Second})
	if err != nil {
		return err
	}
	said, err := cutOff(ctx, w)
	conn, derr := net.Dial("unix", os.Getenv("CUT_VERDICTS"))
	if derr != nil {
		return errors.Join(err, derr)
	}
	if err != nil {
		_, werr := fmt.Fprintf(conn, "rank %d: %v", w.Comm().Rank(), err)
		return errors.Join(err, werr, conn.Close())
	}
	_, werr := fmt.Fprintf(conn, "ok: rank %d: %s", w.Comm().Rank(), said)
	return errors.Join(werr, conn.Close())
}

func cutOff(ctx context.Context, w *mpi.World) (said string, err error) {
	c := w.Comm()
	other, err := c.Dup(ctx)
	if err != nil {
		return "", err
	}
	peer := 1 - c.Rank()
	// All that will be used is connected, and then the cable is gone.
	big, small := pattern(c.Rank(), 0, 1<<20), make([]int64, 4)
	if err := mpi.Barrier(ctx, other); err != nil {
		return "", err
	}
	if _, err := mpi.SendRecv(ctx, c, big, peer, 0, make([]int64, len(big)), peer, 0); err != nil {
		return "", err
	}
	if c.Rank() == 0 {
		if _, err := mpi.Recv(ctx, c, small, peer, 1); err != nil {
			return "", err
		}
		if err := mpitest.Cut(); err != nil {
			return "", err
		}
	} else if err := mpi.Send(ctx, c, small, peer, 1); err != nil {
		return "", err
	}
	within := func(what string, f func(ctx context.Context) error) error {
		short, stop := context.WithTimeout(ctx, time.Second) // it has to begin before that
		defer stop()
		begun := time.Now()
		err := f(short)
		if took := time.Since(begun); err == nil || took > time.Minute {
			return fmt.Errorf("%s after the cut: %v, after %v", what, err, took)
		}
		said += fmt.Sprintf("%s: %v; ", what, err)
		return nil
	}
	// The receive is of what the peer never sends, on either side of the cut.
	err = within("receive", func(ctx context.Context) error { _, err := mpi.Recv(ctx, c, small, peer, 2); return err })
	if err != nil {
		return said, err
	}
	var lent error
	if err := within("synchronous send", func(ctx context.Context) error {
		err := mpi.SendSync(ctx, c, big, peer, 3)
		if errors.Is(err, context.DeadlineExceeded) {
			lent = err
		}
		return err
	}); err != nil {
		return said, err
	}
	if lent != nil {
		// The library may read it until the end: nobody gets it to write to.
		if _, err := mpi.Irecv(c, big[:1], peer, 4); !errors.Is(err, isthmus.ErrBorrowed) {
			return said, fmt.Errorf("what the library has is lent again: %v", err)
		}
	}
	request, err := mpi.Irecv(c, make([]int64, 8), peer, 5)
	if err != nil {
		return said, err
	}
	if err := within("wait", func(ctx context.Context) error { _, _, err := request.Wait(ctx); return err }); err != nil {
		return said, err
	}
	in := make([]int64, 1000)
	if err := within("scope", func(ctx context.Context) error {
		return mpi.Scope(ctx, c, func(s *mpi.Ops) error { return mpi.PostRecv(s, in, peer, 6, nil) })
	}); err != nil {
		return said, err
	}
	if err := within("allreduce", func(ctx context.Context) error { return mpi.Allreduce(ctx, other, small, in[:4], mpi.Sum) }); err != nil {
		return said, err
	}
	if err := within("close", w.Close); err != nil {
		return said, err
	}
	return said, nil
}
