package peer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus/mpi"
)

var pairCases = []step{
	{"types", types},
	{"pairs", pairs},
	{"structs", structs},
	{"modes", modes},
	{"persistent", persistent},
	{"probes", probes},
	{"wildcards", wildcards},
	{"truncation", truncation},
	{"cancellation", cancellation},
	{"nothing", nothing},
	{"exchange", exchange},
	{"big", big},
	{"many", many},
	{"vectors", vectors},
	{"indexed", indexed},
	{"subarrays", subarrays},
	{"resized", resized},
	{"packed", packed},
	{"objects", objects},
	{"goroutines", goroutines},
}

// types exchanges every type: odd ones are sent by Python first.
func types(ctx context.Context, j *job) error {
	for i, f := range []func(context.Context, *job, int) error{
		swap(truth), swap(num[int8]), swap(num[int16]), swap(num[int32]), swap(num[int64]),
		swap(num[uint8]), swap(num[uint16]), swap(num[uint32]), swap(num[uint64]),
		swap(num[float32]), swap(num[float64]), swap(c64), swap(c128), swap(halfOf), swap(brainOf),
		swap(num[int]), swap(num[uint]), swap(num[int8]), swap(num[uint8]), swap(num[int64]), swap(num[int64]), swap(num[int32]),
	} {
		if err := f(ctx, j, i); err != nil {
			return err
		}
	}
	return nil
}

func swap[T comparable](of func(int) T) func(context.Context, *job, int) error {
	return func(ctx context.Context, j *job, tag int) error {
		for _, n := range []int{0, 1, 13, 1000, 50000} {
			send := func() error { return mpi.Send(ctx, j.c, data(n, tag, of), j.peer, tag) }
			if tag%2 == 0 {
				if err := send(); err != nil {
					return err
				}
			}
			b := make([]T, 2*n+1)
			st, err := mpi.Recv(ctx, j.c, b, j.peer, tag)
			if err != nil {
				return fmt.Errorf("type %d, %d elements: %w", tag, n, err)
			}
			if st.Count != 2*n || st.Source != j.peer || st.Tag != tag {
				return fmt.Errorf("type %d, %d elements: %+v", tag, n, st)
			}
			if err := same(fmt.Sprintf("type %d", tag), b[:2*n], data(2*n, tag+1, of)); err != nil {
				return err
			}
			if tag%2 == 1 {
				if err := send(); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// pairs exchanges values with their places.
func pairs(ctx context.Context, j *job) error {
	return errors.Join(
		pair(ctx, j, 1, num[float32]), pair(ctx, j, 2, num[float64]), pair(ctx, j, 3, num[int64]),
		pair(ctx, j, 4, num[int32]), pair(ctx, j, 5, num[int16]),
	)
}

func pair[T comparable](ctx context.Context, j *job, tag int, of func(int) T) error {
	loc := func(seed int) []mpi.Loc[T] {
		out := make([]mpi.Loc[T], 9)
		for i := range out {
			out[i] = mpi.Loc[T]{Value: of(value(i, seed)), Index: int32(i)}
		}
		return out
	}
	b := make([]mpi.Loc[T], 9)
	if _, err := mpi.SendRecv(ctx, j.c, loc(tag), j.peer, tag, b, j.peer, tag); err != nil {
		return err
	}
	return same(fmt.Sprintf("pair %d", tag), b, loc(tag+1))
}

// particle has gaps between its fields.
type particle struct {
	Kind  int8
	Mass  float64
	Cell  [3]int16
	Alive bool
	Phase complex64
}

func particles(n, seed int) []particle {
	out := make([]particle, n)
	for i := range out {
		v := value(i, seed)
		out[i] = particle{int8(v), float64(v) / 2, [3]int16{int16(v), int16(v + 1), int16(v + 2)}, truth(v), c64(v)}
	}
	return out
}

func structs(ctx context.Context, j *job) error {
	b := make([]particle, 200)
	if err := mpi.Send(ctx, j.c, particles(100, 1), j.peer, 1); err != nil {
		return err
	}
	st, err := mpi.Recv(ctx, j.c, b, j.peer, 2)
	if err != nil || st.Count != 120 {
		return fmt.Errorf("%+v, %w", st, err)
	}
	return same("structs", b[:120], particles(120, 2))
}

// modes sends in every mode to a receive that is posted.
func modes(ctx context.Context, j *job) error {
	wait := func(r *mpi.Request[float64], err error) error {
		if err == nil {
			_, _, err = r.Wait(ctx)
		}
		return err
	}
	again := func(p *mpi.Repeat[float64], err error) error {
		if err != nil {
			return err
		}
		if err := p.Start(); err != nil {
			return err
		}
		_, err = p.Wait(ctx)
		return errors.Join(err, p.Close())
	}
	var reused mpi.Request[float64]
	for i, send := range []func(b []float64, tag int) error{
		func(b []float64, tag int) error { return mpi.Send(ctx, j.c, b, j.peer, tag) },
		func(b []float64, tag int) error { return mpi.SendSync(ctx, j.c, b, j.peer, tag) },
		func(b []float64, tag int) error { return mpi.SendReady(ctx, j.c, b, j.peer, tag) },
		func(b []float64, tag int) error { return wait(mpi.Isend(j.c, b, j.peer, tag)) },
		func(b []float64, tag int) error { return wait(mpi.IsendSync(j.c, b, j.peer, tag)) },
		func(b []float64, tag int) error {
			return mpi.Scope(ctx, j.c, func(s *mpi.Ops) error { return mpi.PostSend(s, b, j.peer, tag) })
		},
		func(b []float64, tag int) error { return again(mpi.SendInit(j.c, b, j.peer, tag)) },
		func(b []float64, tag int) error { return again(mpi.SendSyncInit(j.c, b, j.peer, tag)) },
		func(b []float64, tag int) error { return wait(&reused, reused.Send(j.c, b, j.peer, tag)) },
	} {
		r, err := mpi.Irecv(j.c, make([]float64, 3000), j.peer, 100+i)
		if err != nil {
			return err
		}
		token := []byte{1}
		if _, err := mpi.SendRecv(ctx, j.c, []byte{2}, j.peer, 99, token, j.peer, 99); err != nil {
			return err
		}
		if err := send(f64(2000+i, i), 100+i); err != nil {
			return fmt.Errorf("mode %d: %w", i, err)
		}
		b, st, err := r.Wait(ctx)
		if err != nil || st.Count != 2100+i {
			return fmt.Errorf("mode %d: %+v, %w", i, st, err)
		}
		if err := same(fmt.Sprintf("mode %d", i), b[:st.Count], f64(2100+i, i+1)); err != nil {
			return err
		}
	}
	return nil
}

func persistent(ctx context.Context, j *job) error {
	out, in := make([]float64, 500), make([]float64, 600)
	s, err := mpi.SendInit(j.c, out, j.peer, 1)
	if err != nil {
		return err
	}
	r, err := mpi.RecvInit(j.c, in, j.peer, mpi.AnyTag)
	if err != nil {
		return err
	}
	for i := range 6 {
		copy(out, f64(500, i))
		if err := mpi.StartAll(s, r); err != nil {
			return err
		}
		if err := mpi.WaitAll(ctx, s, r); err != nil {
			return err
		}
		_, serr := s.Wait(ctx)
		st, rerr := r.Wait(ctx)
		if serr != nil || rerr != nil || st.Count != 400+i || st.Tag != 10+i {
			return fmt.Errorf("start %d: %+v, %w", i, st, errors.Join(serr, rerr))
		}
		if err := same("start", in[:st.Count], f64(400+i, i+50)); err != nil {
			return err
		}
	}
	return errors.Join(s.Close(), r.Close())
}

// probes looks at messages before they are received.
func probes(ctx context.Context, j *job) error {
	for i := range 5 {
		if err := mpi.Send(ctx, j.c, data(10+i, i, num[int32]), j.peer, 20+i); err != nil {
			return err
		}
	}
	for i := range 5 {
		check := func(s mpi.Status) error {
			return is(s.Count == 30+i && s.Source == j.peer && s.Tag == 40+i, "probe %d: %+v", i, s)
		}
		b := make([]float32, 30+i)
		var err error
		switch i {
		case 0:
			var s mpi.Status
			if s, err = mpi.Probe[float32](ctx, j.c, mpi.AnySource, mpi.AnyTag); err == nil {
				if err = check(s); err == nil {
					_, err = mpi.Recv(ctx, j.c, b, s.Source, s.Tag)
				}
			}
		case 1:
			for found := false; err == nil && !found; {
				var s mpi.Status
				if s, found, err = mpi.Iprobe[float32](j.c, j.peer, 40+i); found {
					err = errors.Join(err, check(s))
				}
			}
			if err == nil {
				_, err = mpi.Recv(ctx, j.c, b, j.peer, 40+i)
			}
		case 4:
			var m *mpi.Message[float32]
			if m, err = mpi.Mprobe[float32](ctx, j.c, j.peer, 40+i); err == nil {
				err = errors.Join(check(m.Status()), m.Close()) // is received by nobody
			}
			copy(b, data(30+i, i, num[float32]))
		default:
			var m *mpi.Message[float32]
			for found := i == 2; err == nil && m == nil; {
				if found {
					m, err = mpi.Mprobe[float32](ctx, j.c, mpi.AnySource, 40+i)
				} else {
					m, _, err = mpi.Improbe[float32](j.c, j.peer, mpi.AnyTag)
				}
			}
			if err == nil {
				err = check(m.Status())
				s, lost := m.Recv(ctx, b)
				if err = errors.Join(err, lost); err == nil {
					err = check(s)
				}
			}
		}
		if err == nil {
			err = same("probed", b, data(30+i, i, num[float32]))
		}
		if err != nil {
			return fmt.Errorf("probe %d: %w", i, err)
		}
	}
	return nil
}

// wildcards: messages do not overtake one another.
func wildcards(ctx context.Context, j *job) error {
	for i := range 20 {
		if err := mpi.Send(ctx, j.c, i64(i, i), j.peer, (i*7)%5); err != nil {
			return err
		}
	}
	for i := range 20 {
		b := make([]int64, 64)
		st, err := mpi.Recv(ctx, j.c, b, mpi.AnySource, mpi.AnyTag)
		if err != nil || st.Count != i || st.Tag != (i*3)%5 || st.Source != j.peer {
			return fmt.Errorf("message %d: %+v, %w", i, st, err)
		}
		if err := same("message", b[:i], i64(i, i)); err != nil {
			return err
		}
	}
	return nil
}

func truncation(ctx context.Context, j *job) error {
	// Longer than what a library sends at once, and shorter.
	for i, n := range []int{10, 100000} {
		// Open MPI writes the whole message where single copies are possible (docs/found.md): the room is there.
		r, err := mpi.Irecv(j.c, make([]float64, n)[:n/2], j.peer, i)
		if err != nil {
			return err
		}
		s, err := mpi.Isend(j.c, f64(n, i), j.peer, i)
		if err != nil {
			return err
		}
		if _, _, err := r.Wait(ctx); !errors.Is(err, mpi.ErrTruncate) {
			return fmt.Errorf("%d elements into %d: %w", n, n/2, err)
		}
		if _, _, err := s.Wait(ctx); err != nil {
			return err
		}
		b := make([]float64, 3)
		if _, err := mpi.SendRecv(ctx, j.c, f64(3, 1), j.peer, 9, b, j.peer, 9); err != nil {
			return err
		}
		if err := same("after it", b, f64(3, 1)); err != nil {
			return err
		}
	}
	return nil
}

func cancellation(ctx context.Context, j *job) error {
	r, err := mpi.Irecv(j.c, make([]byte, 10), j.peer, 77)
	if err != nil {
		return err
	}
	r.Cancel()
	_, st, err := r.Wait(ctx)
	if err != nil || !st.Cancelled {
		return fmt.Errorf("%+v, %w", st, err)
	}
	if _, err := mpi.SendRecv(ctx, j.c, []byte{1}, j.peer, 78, make([]byte, 1), j.peer, 78); err != nil {
		return err
	}
	b := make([]byte, 4) // the next message of the tag is for the next receive
	if _, err := mpi.SendRecv(ctx, j.c, []byte("go.."), j.peer, 77, b, j.peer, 77); err != nil {
		return err
	}
	return is(string(b) == "py..", "%q", b)
}

func nothing(ctx context.Context, j *job) error {
	if err := mpi.Send(ctx, j.c, []int16(nil), j.peer, 1); err != nil {
		return err
	}
	st, err := mpi.Recv(ctx, j.c, []int16(nil), j.peer, 1)
	if err != nil || st.Count != 0 {
		return fmt.Errorf("%+v, %w", st, err)
	}
	if err := mpi.Send(ctx, j.c, []int16{1}, mpi.ProcNull, 1); err != nil {
		return err
	}
	st, err = mpi.Recv(ctx, j.c, make([]int16, 1), mpi.ProcNull, 1)
	return errors.Join(err, is(st.Source == mpi.ProcNull && st.Tag == mpi.AnyTag && st.Count == 0, "%+v", st))
}

func exchange(ctx context.Context, j *job) error {
	for i := range 30 {
		b := make([]float32, 40000)
		st, err := mpi.SendRecv(ctx, j.c, i64(i*1000, i), j.peer, i, b, j.peer, i)
		if err != nil || st.Count != i*1100 {
			return fmt.Errorf("exchange %d: %+v, %w", i, st, err)
		}
		if err := same("exchange", b[:st.Count], data(i*1100, i, num[float32])); err != nil {
			return err
		}
	}
	return nil
}

// big sends 24 MB from and to Go's heap, and memory that mpi allocates.
func big(ctx context.Context, j *job) error {
	const n = 3_000_001
	b := make([]float64, n)
	for range 2 {
		if _, err := mpi.SendRecv(ctx, j.c, f64(n, 1), j.peer, 1, b, j.peer, 1); err != nil {
			return err
		}
		if err := same("big", b, f64(n, 2)); err != nil {
			return err
		}
		buf, err := mpi.Alloc[float64](n)
		if err != nil {
			return err
		}
		defer buf.Close()
		if b, err = buf.Slice(); err != nil {
			return err
		}
	}
	return nil
}

// many has 200 messages under way each way.
func many(ctx context.Context, j *job) error {
	const n = 200
	var rs, ss []*mpi.Request[int64]
	var all []mpi.Pending
	for i := range n {
		r, err := mpi.Irecv(j.c, make([]int64, 2000), j.peer, i)
		if err != nil {
			return err
		}
		rs, all = append(rs, r), append(all, r)
	}
	for i := n - 1; i >= 0; i-- {
		s, err := mpi.Isend(j.c, i64(i*9, i), j.peer, i)
		if err != nil {
			return err
		}
		ss, all = append(ss, s), append(all, s)
	}
	first, err := mpi.WaitAny(ctx, all...)
	if err != nil || first < 0 || first >= len(all) {
		return fmt.Errorf("the first is %d, %w", first, err)
	}
	some, err := mpi.WaitSome(ctx, all...)
	if err != nil || len(some) == 0 {
		return fmt.Errorf("some are %v, %w", some, err)
	}
	if err := mpi.WaitAll(ctx, all...); err != nil || !mpi.TestAll(all...) {
		return fmt.Errorf("all: %w", err)
	}
	for i, r := range rs {
		b, st, err := r.Wait(ctx)
		if err != nil || st.Count != i*8 {
			return fmt.Errorf("message %d: %+v, %w", i, st, err)
		}
		if err := same("message", b[:i*8], i64(i*8, i)); err != nil {
			return err
		}
	}
	for _, s := range ss {
		if _, _, err := s.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// objects: what mpi4py pickles, this side hands back.
func objects(ctx context.Context, j *job) error {
	for range 4 {
		m, err := mpi.Mprobe[byte](ctx, j.c, j.peer, mpi.AnyTag)
		if err != nil {
			return err
		}
		b := make([]byte, m.Status().Count)
		st, err := m.Recv(ctx, b)
		if err != nil {
			return err
		}
		if err := mpi.Send(ctx, j.c, b, j.peer, st.Tag); err != nil {
			return err
		}
	}
	return nil
}

// goroutines exchange at once, each with its tag.
func goroutines(ctx context.Context, j *job) error {
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for g := range errs {
		wg.Go(func() {
			for i := range 20 {
				b := make([]float64, 300)
				if errs[g] = mpi.Send(ctx, j.c, f64(200, g+i), j.peer, g); errs[g] != nil {
					return
				}
				if _, errs[g] = mpi.Recv(ctx, j.c, b, j.peer, g); errs[g] != nil {
					return
				}
				if errs[g] = same("echo", b[:200], f64(200, g+i)); errs[g] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
