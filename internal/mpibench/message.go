package mpibench

import (
	"context"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// messages are the shapes of two ranks, and of pairs.
func messages() []Shape {
	latency := []string{"Latency (us)"}
	return []Shape{
		{Name: "latency", Help: "half of a ping-pong", Ranks: 2, Exactly: true, columns: latency, iterations: 10000, run: pingPong},
		{Name: "bw", Help: "a window of messages, then an answer", Ranks: 2, Exactly: true, columns: []string{"Bandwidth (MB/s)"}, iterations: 100, run: stream},
		{Name: "bibw", Help: "windows of messages both ways", Ranks: 2, Exactly: true, columns: []string{"Bandwidth (MB/s)"}, iterations: 100, run: both},
		{Name: "multi_lat", Help: "ping-pongs of pairs at once", Ranks: 2, columns: latency, iterations: 10000, run: pingPong},
		{Name: "mbw_mr", Help: "bandwidth and message rate of pairs at once", Ranks: 2, columns: []string{"MB/s", "Messages/s"}, iterations: 100, run: stream},
	}
}

// pair says with whom this rank is paired, and whether it sends first. One of an odd number has nobody.
func (j *job) pair() (peer int, first bool) {
	half := j.c.Size() / 2
	switch me := j.c.Rank(); {
	case me < half:
		return me + half, true
	case me < 2*half:
		return me - half, false
	}
	return mpi.ProcNull, false
}

const tag, answer = 1, 2

func pingPong(ctx context.Context, j *job, size int) error {
	end, err := j.buffers(size, size)
	if err != nil {
		return err
	}
	defer end()
	peer, first := j.pair()
	if peer == mpi.ProcNull {
		return nil
	}
	me := j.c.Rank()
	send := func() error { return mpi.Send(ctx, j.c, j.out, peer, tag) }
	recv := func() error {
		_, err := mpi.Recv(ctx, j.c, j.in, peer, tag)
		return err
	}
	if !first {
		send, recv = recv, send
	}
	return j.loop(func(i int) error {
		j.stamp(j.out, i, me)
		return nil
	}, func(int) error {
		if err := send(); err != nil {
			return err
		}
		return recv()
	}, func(i int) error {
		j.check(j.in, i, peer)
		return nil
	})
}

// flight is a window of requests, used again and again.
type flight struct {
	reqs []mpi.Request[byte]
	all  []mpi.Pending
}

func newFlight(n int) *flight {
	f := &flight{reqs: make([]mpi.Request[byte], n), all: make([]mpi.Pending, n)}
	for i := range f.reqs {
		f.all[i] = &f.reqs[i]
	}
	return f
}

// land waits for all.
func (f *flight) land(ctx context.Context) error {
	for i := range f.reqs {
		if _, _, err := f.reqs[i].Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stream sends windows of messages one way. Every message has a buffer of its own: what a request holds nobody else has.
func stream(ctx context.Context, j *job, size int) error {
	peer, first := j.pair()
	out, in := j.Window*size, 4
	if !first {
		out, in = 4, j.Window*size
	}
	end, err := j.buffers(out, in)
	if err != nil {
		return err
	}
	defer end()
	if peer == mpi.ProcNull {
		return nil
	}
	me := j.c.Rank()
	f := newFlight(j.Window)
	return j.loop(func(i int) error {
		if first {
			j.stamp(j.out, i, me)
		}
		return nil
	}, func(int) error {
		for k := range f.reqs {
			var err error
			if first {
				err = f.reqs[k].Send(j.c, j.out[k*size:(k+1)*size], peer, tag)
			} else {
				err = f.reqs[k].Recv(j.c, j.in[k*size:(k+1)*size], peer, tag)
			}
			if err != nil {
				return err
			}
		}
		if err := f.land(ctx); err != nil {
			return err
		}
		if first {
			_, err := mpi.Recv(ctx, j.c, j.in, peer, answer)
			return err
		}
		return mpi.Send(ctx, j.c, j.out, peer, answer)
	}, func(i int) error {
		if !first {
			j.check(j.in, i, peer)
		}
		return nil
	})
}

// both sends windows of messages both ways.
func both(ctx context.Context, j *job, size int) error {
	end, err := j.buffers(j.Window*size, j.Window*size)
	if err != nil {
		return err
	}
	defer end()
	peer, _ := j.pair()
	me := j.c.Rank()
	recvs, sends := newFlight(j.Window), newFlight(j.Window)
	return j.loop(func(i int) error {
		j.stamp(j.out, i, me)
		return nil
	}, func(int) error {
		for k := range recvs.reqs {
			if err := recvs.reqs[k].Recv(j.c, j.in[k*size:(k+1)*size], peer, tag); err != nil {
				return err
			}
		}
		for k := range sends.reqs {
			if err := sends.reqs[k].Send(j.c, j.out[k*size:(k+1)*size], peer, tag); err != nil {
				return err
			}
		}
		if err := recvs.land(ctx); err != nil {
			return err
		}
		return sends.land(ctx)
	}, func(i int) error {
		j.check(j.in, i, peer)
		return nil
	})
}
