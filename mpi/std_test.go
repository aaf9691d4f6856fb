package mpi_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func init() {
	scenarios["partitioned"] = partitioned
	scenarios["buffered"] = buffered
	scenarios["replace"] = replaced
	scenarios["names"] = names
	scenarios["join"] = joined
}

func TestPartitioned(t *testing.T) { mpitest.Run(t, 2, "partitioned") }
func TestBuffered(t *testing.T)    { mpitest.Run(t, 2, "buffered") }
func TestReplace(t *testing.T)     { mpitest.Run(t, 3, "replace") }
func TestNames(t *testing.T)       { mpitest.Run(t, 1, "names") }
func TestJoin(t *testing.T)        { mpitest.Run(t, 2, "join") }

// has reports whether the library has all the functions.
func has(w *mpi.World, functions ...string) bool {
	missing := w.Library().Missing
	return !slices.ContainsFunc(functions, func(f string) bool { return slices.Contains(missing, f) })
}

// partitioned fills and empties one message from several goroutines.
func partitioned(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	const parts, each = 8, 500
	b := make([]int64, parts*each)
	if !has(w, "MPI_Psend_init", "MPI_Precv_init", "MPI_Pready", "MPI_Parrived") {
		_, err := mpi.SendPartitioned(c, b, parts, 1, 3)
		return want(errors.Is(err, isthmus.ErrUnsupported), "without the functions: %v", err)
	}
	for _, n := range []int{0, -1, 7} {
		if _, err := mpi.SendPartitioned(c, b, n, 1, 3); !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("%d partitions: %v", n, err)
		}
	}
	if c.Rank() == 0 {
		return partSend(ctx, c, b, parts, each)
	}
	return partRecv(ctx, c, b, parts, each)
}

func partSend(ctx context.Context, c *mpi.Comm, b []int64, parts, each int) error {
	p, err := mpi.SendPartitioned(c, b, parts, 1, 3)
	if err != nil {
		return err
	}
	if err := p.Ready(0); !errors.Is(err, isthmus.ErrClosed) {
		return fmt.Errorf("ready before start: %v", err)
	}
	if _, err := p.Arrived(0); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("arrived, of a send: %v", err)
	}
	for round := range 5 {
		if err := p.Start(); err != nil {
			return err
		}
		if err := p.Start(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("started twice: %v", err)
		}
		if err := p.Close(); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("closed under way: %v", err)
		}
		if err := p.Ready(parts); !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("partition %d of %d: %v", parts, parts, err)
		}
		errs := make([]error, parts)
		var all sync.WaitGroup
		for i := 2; i < parts; i++ {
			all.Go(func() {
				s, err := p.Part(i)
				for j := range s {
					s[j] = int64(round*100000 + i*each + j)
				}
				errs[i] = errors.Join(err, p.Ready(i))
				if _, err := p.Part(i); !errors.Is(err, isthmus.ErrBorrowed) {
					errs[i] = errors.Join(errs[i], fmt.Errorf("partition %d is the library's: %v", i, err))
				}
			})
		}
		for i := range 2 {
			s, err := p.Part(i)
			if err != nil {
				return err
			}
			for j := range s {
				s[j] = int64(round*100000 + i*each + j)
			}
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if err := p.ReadyRange(1, 2); !errors.Is(err, isthmus.ErrBusy) {
			return fmt.Errorf("ready twice: %v", err)
		}
		// What is sent cannot be received into, and what is not yet ready can.
		if _, err := mpi.Irecv(c, b[3*each:4*each], 1, 9); !errors.Is(err, isthmus.ErrBorrowed) {
			return fmt.Errorf("received into a partition that is sent: %v", err)
		}
		if err := p.ReadyRange(0, 1); err != nil {
			return err
		}
		if err := p.Wait(ctx); err != nil {
			return err
		}
		if err := p.Wait(ctx); !errors.Is(err, isthmus.ErrClosed) {
			return fmt.Errorf("waited twice: %v", err)
		}
		clear(b) // it is the program's again
		// The other side tells that it has looked at all.
		if _, err := mpi.Recv(ctx, c, make([]byte, 1), 1, 4); err != nil {
			return err
		}
	}
	return p.Close()
}

func partRecv(ctx context.Context, c *mpi.Comm, b []int64, parts, each int) error {
	p, err := mpi.RecvPartitioned(c, b, parts, 0, 3)
	if err != nil {
		return err
	}
	if err := p.Ready(0); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("ready, of a receive: %v", err)
	}
	for round := range 5 {
		if err := p.Start(); err != nil {
			return err
		}
		seen := 0
		for i := 0; seen < parts; i = (i + 1) % parts {
			ok, err := p.Arrived(i)
			if err != nil {
				return err
			}
			s, err := p.Part(i)
			if ok != (err == nil) || (!ok && !errors.Is(err, isthmus.ErrBorrowed)) {
				return fmt.Errorf("partition %d, arrived %v: %v", i, ok, err)
			}
			if !ok {
				if seen == 0 && i == parts-1 {
					if err := p.Close(); !errors.Is(err, isthmus.ErrBusy) {
						return fmt.Errorf("closed under way: %v", err)
					}
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
				time.Sleep(time.Microsecond)
				continue
			}
			seen++
			for j, v := range s {
				if v != int64(round*100000+i*each+j) {
					return fmt.Errorf("round %d, partition %d, element %d is %d", round, i, j, v)
				}
			}
		}
		if err := p.Wait(ctx); err != nil {
			return err
		}
		for k, v := range b {
			if v != int64(round*100000+k) {
				return fmt.Errorf("round %d, element %d is %d", round, k, v)
			}
		}
		if err := mpi.Send(ctx, c, []byte{1}, 0, 4); err != nil {
			return err
		}
	}
	return p.Close()
}

// buffered sends what nobody receives yet.
func buffered(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	peer := 1 - c.Rank()
	const n, each = 5, 2000
	if err := mpi.SendBuffered(ctx, c, []byte{1}, peer, 0); !errors.Is(err, mpi.ErrBuffer) || !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("without a buffer: %v", err)
	}
	for _, bad := range [][2]int{{0, 5}, {-1, 5}, {1, -1000000}, {1 << 62, 1}} {
		if _, err := w.AttachBuffer(bad[0], bad[1]); !errors.Is(err, isthmus.ErrBounds) {
			return fmt.Errorf("a buffer for %v: %v", bad, err)
		}
	}
	buf, err := w.AttachBuffer(n+2, (n+2)*each*8)
	if err != nil {
		return err
	}
	if _, err := w.AttachBuffer(1, 1); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("a second buffer: %v", err)
	}
	if err := w.Close(ctx); !errors.Is(err, isthmus.ErrBusy) {
		return fmt.Errorf("closed with a buffer: %v", err)
	}
	b := make([]float64, each)
	for i := range n {
		for j := range b {
			b[j] = float64(i*each + j)
		}
		if err := mpi.SendBuffered(ctx, c, b, peer, i); err != nil {
			return err
		}
	}
	r, err := mpi.IsendBuffered(c, b, peer, n)
	if err != nil {
		return err
	}
	if b, _, err = r.Wait(ctx); err != nil {
		return err
	}
	again, err := mpi.SendBufferedInit(c, b, peer, n+1)
	if err != nil {
		return err
	}
	if err := again.Start(); err != nil {
		return err
	}
	if _, err := again.Wait(ctx); err != nil {
		return err
	}
	if err := again.Close(); err != nil {
		return err
	}
	clear(b) // it was copied
	// All have sent, and nobody has received: large messages are in the buffer still.
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	in := make([]float64, each)
	for i := n + 1; i >= 0; i-- {
		if _, err := mpi.Recv(ctx, c, in, peer, i); err != nil {
			return err
		}
		if first := float64(min(i, n-1) * each); in[0] != first || in[each-1] != first+each-1 {
			return fmt.Errorf("message %d: %v to %v", i, in[0], in[each-1])
		}
	}
	if err := buf.Close(ctx); err != nil {
		return err
	}
	if err := buf.Close(ctx); err != nil {
		return err
	}
	if buf, err = w.AttachBuffer(1, 10); err != nil {
		return err
	}
	if err := mpi.SendBuffered(ctx, c, make([]byte, 100000), peer, 0); !errors.Is(err, mpi.ErrBuffer) {
		return fmt.Errorf("more than there is room for: %v", err)
	}
	return buf.Close(ctx)
}

func replaced(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	me, n := c.Rank(), c.Size()
	b := []int32{int32(me), 7}
	st, err := mpi.SendRecvReplace(ctx, c, b, (me+1)%n, 1, (me+n-1)%n, 1)
	if err != nil || st.Count != 2 || b[0] != int32((me+n-1)%n) || b[1] != 7 {
		return fmt.Errorf("got %v, %+v, %v", b, st, err)
	}
	// Ready sends, to one that waits.
	in := make([]int32, 2)
	r, err := mpi.Irecv(c, in, (me+n-1)%n, 2)
	if err != nil {
		return err
	}
	again, err := mpi.SendReadyInit(c, b, (me+1)%n, 2)
	if err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	if err := again.Start(); err != nil {
		return err
	}
	if _, err := again.Wait(ctx); err != nil {
		return err
	}
	if in, _, err = r.Wait(ctx); err != nil || in[0] != int32((me+2*n-2)%n) {
		return fmt.Errorf("got %v, %v", in, err)
	}
	if err := again.Close(); err != nil {
		return err
	}
	if r, err = mpi.Irecv(c, in, (me+n-1)%n, 3); err != nil {
		return err
	}
	if err := mpi.Barrier(ctx, c); err != nil {
		return err
	}
	s, err := mpi.IsendReady(c, b, (me+1)%n, 3)
	if err != nil {
		return err
	}
	if _, _, err = s.Wait(ctx); err != nil {
		return err
	}
	_, _, err = r.Wait(ctx)
	return err
}

// names publishes a port, where there is a name server; else that is said.
func names(_ context.Context, w *mpi.World) error {
	if err := w.Publish("", "port", nil); !errors.Is(err, isthmus.ErrBounds) {
		return fmt.Errorf("no service: %v", err)
	}
	port, err := w.OpenPort(nil)
	if err != nil {
		return want(errors.As(err, new(*mpi.Error)), "no port: %v", err)
	}
	err = w.Publish("isthmus", port, nil)
	switch {
	case errors.Is(err, isthmus.ErrUnsupported):
	case err != nil:
		return err
	default:
		if got, err := w.Lookup("isthmus", nil); err != nil || got != port {
			return fmt.Errorf("looked up %q, %v", got, err)
		}
		if err := w.Unpublish("isthmus", port, nil); err != nil {
			return err
		}
	}
	if got, err := w.Lookup("nobody has published this", nil); err == nil {
		return fmt.Errorf("looked up %q", got)
	}
	return w.ClosePort(port)
}

// joined joins over a socket, where the library can.
func joined(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	addr := make([]byte, 40)
	var conn net.Conn
	if c.Rank() == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		copy(addr, l.Addr().String())
		if err := mpi.Bcast(ctx, c, addr, 0); err != nil {
			return err
		}
		if conn, err = l.Accept(); err != nil {
			return err
		}
		_ = l.Close()
	} else {
		if err := mpi.Bcast(ctx, c, addr, 0); err != nil {
			return err
		}
		var err error
		if conn, err = net.Dial("tcp", string(addr[:slices.Index(addr, 0)])); err != nil {
			return err
		}
	}
	defer conn.Close()
	if _, err := w.Join(ctx, nil); !errors.Is(err, isthmus.ErrInvalid) {
		return fmt.Errorf("no connection: %v", err)
	}
	limit, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	other, err := w.Join(limit, conn.(*net.TCPConn))
	if err != nil {
		// Some libraries cannot start or meet other processes.
		return want(errors.As(err, new(*mpi.Error)), "join: %v", err)
	}
	if other.RemoteSize() != 1 {
		return fmt.Errorf("joined %v", other)
	}
	in := make([]int, 1)
	if _, err := mpi.SendRecv(ctx, other, []int{c.Rank()}, 0, 1, in, 0, 1); err != nil || in[0] != 1-c.Rank() {
		return fmt.Errorf("over the joined communicator: %v, %v", in, err)
	}
	return other.Close()
}
