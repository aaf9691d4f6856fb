// Package mpikv is a key-value store that the ranks of an MPI communicator share, such as the processes of one PJRT
// client need while they find each other's devices:
//
//	store, err := mpikv.New(c)
//	client, err := plugin.NewClient(ctx, pjrt.ClientOptions{KV: store, …})
//	defer store.Close(ctx)
//
// Rank 0 keeps the entries; the others ask it by messages. A Get that waits for its key holds nobody up.
package mpikv

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/pjrt/kv"
)

// Store is one rank's end of the store. It has the three methods of pjrt.KV. It is safe for concurrent use.
type Store struct {
	comm  *mpi.Comm
	local *kv.Memory // of rank 0
	done  chan error // what rank 0's server ended with

	mu     sync.Mutex
	slots  []int // free reply tags of this rank
	slot   *sync.Cond
	closed bool
	flying sync.WaitGroup
}

// What a request asks for, and how it is answered.
const (
	opGet int64 = iota + 1
	opTryGet
	opPut
	opGiveUp // the request with this number is waited for no more
	opLeave
)

const (
	answerValue int64 = iota + 1
	answerNone
	answerError
)

// header begins every request and every answer: what, the request's number, the sizes of key and value. An answer's
// value is in the second size.
type header struct{ What, Number, Key, Value int64 }

const (
	tagRequest = 1
	// A request has a number of its own on its rank while it is under way: its payload and its answer have tags of their own.
	maxFlying  = 1000
	tagPayload = 2
	tagAnswer  = tagPayload + maxFlying
	tagReply   = tagAnswer + maxFlying
)

// New makes the store. All ranks of the communicator have to call it, and leave the communicator to the store until
// it is closed. The caller closes the store, and then the communicator.
func New(c *mpi.Comm) (*Store, error) {
	if c == nil || c.Size() == 0 {
		return nil, fmt.Errorf("mpikv: no communicator: %w", isthmus.ErrInvalid)
	}
	s := &Store{comm: c}
	s.slot = sync.NewCond(&s.mu)
	for n := range maxFlying {
		s.slots = append(s.slots, n)
	}
	if c.Rank() == 0 {
		s.local, s.done = &kv.Memory{}, make(chan error, 1)
		go func() { s.done <- s.serve() }()
	}
	return s, nil
}

// Get returns the key's value, and waits for one until ctx ends.
func (s *Store) Get(ctx context.Context, key []byte) ([]byte, error) {
	return s.ask(ctx, opGet, key, nil)
}

// TryGet returns the key's value. Errors: [isthmus.ErrNotFound].
func (s *Store) TryGet(ctx context.Context, key []byte) ([]byte, error) {
	return s.ask(ctx, opTryGet, key, nil)
}

// Put sets the key's value.
func (s *Store) Put(ctx context.Context, key, value []byte) error {
	_, err := s.ask(ctx, opPut, key, value)
	return err
}

// enter takes a number for a request, and waits for one when a thousand are under way.
func (s *Store) enter() (int, error) {
	if s == nil || s.comm == nil {
		return 0, fmt.Errorf("mpikv: no store: %w", isthmus.ErrClosed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.slots) == 0 && !s.closed {
		s.slot.Wait()
	}
	if s.closed {
		return 0, fmt.Errorf("mpikv: the store is closed: %w", isthmus.ErrClosed)
	}
	n := s.slots[len(s.slots)-1]
	s.slots = s.slots[:len(s.slots)-1]
	s.flying.Add(1)
	return n, nil
}

func (s *Store) leave(n int) {
	s.mu.Lock()
	s.slots = append(s.slots, n)
	s.slot.Signal()
	s.mu.Unlock()
	s.flying.Done()
}

// ask makes a request and waits for its answer.
func (s *Store) ask(ctx context.Context, what int64, key, value []byte) ([]byte, error) {
	if ctx == nil || len(key) == 0 || len(key) > kv.MaxKey || len(value) > kv.MaxValue {
		return nil, fmt.Errorf("mpikv: a key of %d bytes and a value of %d; a key has 1 to %d, a value at most %d: %w", len(key), len(value), kv.MaxKey, kv.MaxValue, isthmus.ErrInvalid)
	}
	n, err := s.enter()
	if err != nil {
		return nil, err
	}
	if s.local != nil {
		defer s.leave(n)
		switch what {
		case opGet:
			return s.local.Get(ctx, key)
		case opTryGet:
			return s.local.TryGet(ctx, key)
		}
		return nil, s.local.Put(ctx, key, value)
	}
	h := []header{{what, int64(n), int64(len(key)), int64(len(value))}}
	// A request that has begun is made whole, or the server would wait for the rest of it.
	whole := context.WithoutCancel(ctx)
	if err := mpi.Send(whole, s.comm, h, 0, tagRequest); err != nil {
		s.leave(n)
		return nil, fmt.Errorf("mpikv: %w", err)
	}
	if err := mpi.Send(whole, s.comm, append(append([]byte(nil), key...), value...), 0, tagPayload+n); err != nil {
		s.leave(n)
		return nil, fmt.Errorf("mpikv: %w", err)
	}
	type result struct {
		v   []byte
		err error
	}
	got := make(chan result, 1)
	go func() { // the answer comes whether it is waited for or not, and frees the number
		defer s.leave(n)
		v, err := s.answer(n)
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.v, r.err
	case <-ctx.Done():
		// The server answers a request that was given up at once.
		if err := mpi.Send(whole, s.comm, []header{{opGiveUp, int64(n), 0, 0}}, 0, tagRequest); err != nil {
			return nil, fmt.Errorf("mpikv: %w", err)
		}
		return nil, fmt.Errorf("mpikv: %w", context.Cause(ctx))
	}
}

// answer receives the answer to request n.
func (s *Store) answer(n int) ([]byte, error) {
	ctx := context.Background()
	h := make([]header, 1)
	if _, err := mpi.Recv(ctx, s.comm, h, 0, tagAnswer+n); err != nil {
		return nil, fmt.Errorf("mpikv: %w", err)
	}
	if h[0].Value < 0 || h[0].Value > kv.MaxValue {
		return nil, fmt.Errorf("mpikv: an answer of %d bytes: %w", h[0].Value, isthmus.ErrBounds)
	}
	v := make([]byte, h[0].Value)
	if _, err := mpi.Recv(ctx, s.comm, v, 0, tagReply+n); err != nil {
		return nil, fmt.Errorf("mpikv: %w", err)
	}
	switch h[0].What {
	case answerValue:
		return v, nil
	case answerNone:
		return nil, fmt.Errorf("mpikv: %s: %w", v, isthmus.ErrNotFound)
	}
	return nil, fmt.Errorf("mpikv: %s", v)
}

// call is a request that rank 0 works on.
type call struct{ from, number int }

// serve answers the other ranks until each has left.
func (s *Store) serve() error {
	ctx := context.Background()
	left := s.comm.Size() - 1
	var mu sync.Mutex
	waiting := map[call]context.CancelFunc{}
	var work sync.WaitGroup
	defer work.Wait()
	h := make([]header, 1)
	for left > 0 {
		st, err := mpi.Recv(ctx, s.comm, h, mpi.AnySource, tagRequest)
		if err != nil {
			return fmt.Errorf("mpikv: %w", err)
		}
		r := h[0]
		c := call{st.Source, int(r.Number)}
		switch {
		case r.What == opLeave:
			left--
			continue
		case r.What == opGiveUp:
			mu.Lock()
			if stop := waiting[c]; stop != nil {
				stop()
			}
			mu.Unlock()
			continue
		case r.Number < 0 || r.Number >= maxFlying || r.Key < 0 || r.Key > kv.MaxKey || r.Value < 0 || r.Value > kv.MaxValue:
			return fmt.Errorf("mpikv: rank %d asks %+v: %w", st.Source, r, isthmus.ErrBounds)
		}
		payload := make([]byte, r.Key+r.Value)
		if _, err := mpi.Recv(ctx, s.comm, payload, c.from, tagPayload+c.number); err != nil {
			return fmt.Errorf("mpikv: %w", err)
		}
		wait, stop := context.WithCancel(ctx)
		mu.Lock()
		waiting[c] = stop
		mu.Unlock()
		work.Add(1)
		go func() {
			defer work.Done()
			key, value := payload[:r.Key], payload[r.Key:]
			var v []byte
			var err error
			switch r.What {
			case opGet:
				v, err = s.local.Get(wait, key)
			case opTryGet:
				v, err = s.local.TryGet(wait, key)
			case opPut:
				err = s.local.Put(wait, key, value)
			default:
				err = fmt.Errorf("request %d: %w", r.What, isthmus.ErrInvalid)
			}
			mu.Lock()
			delete(waiting, c)
			mu.Unlock()
			stop()
			what := answerValue
			if err != nil {
				what, v = answerError, []byte(err.Error())
				if errors.Is(err, isthmus.ErrNotFound) {
					what = answerNone
				}
			}
			// A rank that is gone cannot be told; its launcher ends the job.
			if mpi.Send(ctx, s.comm, []header{{what, r.Number, 0, int64(len(v))}}, c.from, tagAnswer+c.number) == nil {
				_ = mpi.Send(ctx, s.comm, v, c.from, tagReply+c.number)
			}
		}()
	}
	return nil
}

// Close ends the store. All ranks have to call it; rank 0 waits for the others. Requests under way are waited for. It is
// nil-safe and idempotent.
func (s *Store) Close(ctx context.Context) error {
	if s == nil || s.comm == nil {
		return nil
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.slot.Broadcast()
	s.mu.Unlock()
	s.flying.Wait()
	if s.local == nil {
		if err := mpi.Send(ctx, s.comm, []header{{What: opLeave}}, 0, tagRequest); err != nil {
			return fmt.Errorf("mpikv: %w", err)
		}
		return nil
	}
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("mpikv: close: another rank has not closed: %w", context.Cause(ctx))
	}
}
