package mpikv_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpikv"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

var _ pjrt.KV = (*mpikv.Store)(nil)

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{"share": share, "wait": wait, "clients": clients}, nil)
}

func TestShare(t *testing.T) { mpitest.Run(t, 3, "share") }
func TestWait(t *testing.T)  { mpitest.Run(t, 2, "wait") }

// TestClients has the processes of a job make clients of a real plugin with the store.
func TestClients(t *testing.T) {
	if os.Getenv(plugin) == "" {
		t.Skip("no plugin given; ./check sets " + plugin)
	}
	mpitest.Run(t, 2, "clients")
}

func TestNil(t *testing.T) { niltest.Methods(t, &mpikv.Store{}) }

const plugin = "ISTHMUS_PJRT_CPU"

// clients makes one client a rank, with the rank for its process number, and tells the others by the store which devices it
// has. XLA's CPU plugin takes a store and a process number, but no number of processes (num_nodes, which the plugins for GPUs
// take), so that each client knows of its own devices only.
func clients(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	s, err := mpikv.New(c)
	if err != nil {
		return err
	}
	p, err := pjrt.Load(os.Getenv(plugin))
	if err != nil {
		return err
	}
	client, err := p.NewClient(ctx, pjrt.ClientOptions{KV: s, Options: []pjrt.NamedValue{{Name: "process_id", Value: int64(c.Rank())}}})
	if err != nil {
		return err
	}
	if client.ProcessIndex() != c.Rank() {
		return fmt.Errorf("rank %d is process %d", c.Rank(), client.ProcessIndex())
	}
	if err := s.Put(ctx, fmt.Appendf(nil, "device of %d", c.Rank()), fmt.Append(nil, client.Device().ID())); err != nil {
		return err
	}
	seen := map[string]bool{}
	for rank := range c.Size() {
		v, err := s.Get(ctx, fmt.Appendf(nil, "device of %d", rank))
		if err != nil {
			return err
		}
		seen[string(v)] = true
	}
	if len(seen) != c.Size() {
		return fmt.Errorf("the devices of %d processes are %v", c.Size(), seen)
	}
	_, err = p.NewClient(ctx, pjrt.ClientOptions{KV: s, Options: []pjrt.NamedValue{{Name: "num_nodes", Value: int64(c.Size())}}})
	if !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("a client of several processes: %v", err)
	}
	return errors.Join(client.Close(), s.Close(ctx))
}

// share has every rank put entries of its own and get those of all others, before and after they are there.
func share(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	s, err := mpikv.New(c)
	if err != nil {
		return err
	}
	value := func(rank, i int) []byte { return bytes.Repeat([]byte{0, byte(rank), byte(i)}, 1+i*997) }
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for rank := range c.Size() {
				if rank == c.Rank() {
					errs[i] = errors.Join(errs[i], s.Put(ctx, fmt.Appendf(nil, "k\x00%d %d", rank, i), value(rank, i)))
				}
			}
			for rank := range c.Size() {
				v, err := s.Get(ctx, fmt.Appendf(nil, "k\x00%d %d", rank, i))
				if err == nil && !bytes.Equal(v, value(rank, i)) {
					err = fmt.Errorf("rank %d's entry %d has %d bytes", rank, i, len(v))
				}
				errs[i] = errors.Join(errs[i], err)
			}
		}()
	}
	wg.Wait()
	if _, err := s.TryGet(ctx, []byte("none")); !errors.Is(err, isthmus.ErrNotFound) {
		return fmt.Errorf("a key that nobody has put: %v", err)
	}
	if err := s.Put(ctx, nil, nil); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("no key: %v", err)
	}
	if err := s.Put(ctx, []byte("empty"), nil); err != nil {
		return err
	}
	if v, err := s.TryGet(ctx, []byte("empty")); err != nil || v == nil || len(v) != 0 {
		return fmt.Errorf("an empty value: %v, %v", v, err)
	}
	return errors.Join(append(errs, s.Close(ctx), s.Close(ctx))...)
}

// wait gives up a Get; the store goes on, and closes.
func wait(ctx context.Context, w *mpi.World) error {
	s, err := mpikv.New(w.Comm())
	if err != nil {
		return err
	}
	short, stop := context.WithTimeout(ctx, 20*time.Millisecond)
	defer stop()
	if _, err := s.Get(short, []byte("never")); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a key that never comes: %v", err)
	}
	late := make(chan error, 1)
	go func() {
		v, err := s.Get(ctx, []byte("late"))
		if err == nil && string(v) != "here" {
			err = fmt.Errorf("got %q", v)
		}
		late <- err
	}()
	if w.Comm().Rank() == 1 {
		if err := s.Put(ctx, []byte("late"), []byte("here")); err != nil {
			return err
		}
	}
	if err := <-late; err != nil {
		return err
	}
	if err := s.Close(ctx); err != nil {
		return err
	}
	if _, err := s.Get(ctx, []byte("late")); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("after Close: %v", err)
	}
	return nil
}
