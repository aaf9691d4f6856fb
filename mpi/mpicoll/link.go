package mpicoll

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// link is one run. It is an eval.Link.
type link struct {
	peers   *Peers
	number  uint64
	program uint64
	err     error // why it cannot go on

	cancel context.CancelCauseFunc
	ctx    context.Context
	quit   chan struct{} // ends the watch
	done   chan struct{} // it has ended

	// Guarded by Peers.mu.
	waiting int    // the process whose head it waits for; -1
	what    string // the operation that it is in
}

// pause lets a moment go by.
func pause(ctx context.Context) error {
	t := time.NewTimer(watchEvery)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// watchEvery is how often a run looks for news of the others. It bounds only how soon a failure is seen.
const watchEvery = 2 * time.Millisecond

// Enter waits until the runs before have ended.
func (l *link) Enter(ctx context.Context) (context.Context, error) {
	if l.err != nil {
		return nil, l.err
	}
	p := l.peers
	p.mu.Lock()
	var turn chan struct{}
	if p.turn != l.number {
		turn = make(chan struct{})
		p.wait[l.number] = turn
	}
	p.mu.Unlock()
	if turn != nil {
		select {
		case <-turn:
		case <-ctx.Done():
			return nil, fmt.Errorf("mpicoll: waiting for the execution before: %w", context.Cause(ctx))
		}
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.quit, l.done = make(chan struct{}), make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	if l.err = p.failed[l.number]; l.err != nil {
		l.cancel(l.err)
		close(l.done)
		return nil, l.err
	}
	p.now = l
	go l.watch()
	return l.ctx, nil
}

// watch looks for news while the run goes on.
func (l *link) watch() {
	defer close(l.done)
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-t.C:
		}
		l.peers.mu.Lock()
		if err := l.peers.hear(); err != nil {
			l.cancel(fmt.Errorf("mpicoll: %w", err))
		}
		l.peers.mu.Unlock()
	}
}

// End ends the run and tells the others.
func (l *link) End(err error) {
	p := l.peers
	if p == nil {
		return
	}
	if l.cancel != nil {
		if l.quit != nil {
			close(l.quit)
			<-l.done
		}
		l.cancel(nil)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == l {
		p.now = nil
	}
	delete(p.failed, l.number)
	delete(p.wait, l.number)
	p.ended[l.number] = true
	for p.ended[p.turn] {
		delete(p.ended, p.turn)
		p.turn++
	}
	if next := p.wait[p.turn]; next != nil {
		delete(p.wait, p.turn)
		close(next)
	}
	kind, text := newsDone, ""
	if err != nil {
		kind, text = newsFailed, err.Error()
	}
	// Who cannot be told is gone: its launcher ends the job.
	_ = p.tell(kind, l.number, text)
}

// left is the error of a process that has ended while this one waits for it. The lock is held.
func (l *link) left() error {
	how := "has ended its execution"
	if l.peers.peers[l.waiting].left {
		how = "has left"
	}
	return fmt.Errorf("mpicoll: %w %s: process %d, while process %d waits for it in %s: %w", ErrPeer, how, l.waiting, l.peers.comm.Rank(), l.what, ErrMismatch)
}

// head begins every pair's part of a meeting, with the payload behind it where that is small.
type head struct {
	run, program, what, bytes uint64
	text                      string
	data                      []byte // the payload, if it is small
}

const (
	headSize = 40
	maxText  = 400  // of an operation, for errors
	inline   = 4096 // bytes of payload that travel with the head
	chunk    = 1 << 30
)

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// post posts the receive of the next head from process i.
func (o *peer) post(c *mpi.Comm, i int) error {
	return o.head.Recv(c, make([]byte, headSize+maxText+inline), i, tagHead)
}

// free waits for a head that an exchange that failed has left on its way.
func (o *peer) free(ctx context.Context) error {
	if o.busy {
		if _, _, err := o.send.Wait(ctx); err != nil {
			return err
		}
		o.busy = false
	}
	return nil
}

// head waits for the next head of process i, which may be one of an earlier run.
func (p *Peers) head(ctx context.Context, i int) (head, error) {
	o := &p.peers[i]
	if h := o.early; h != nil {
		o.early = nil
		return *h, nil
	}
	b, st, err := o.head.Wait(ctx)
	if err != nil {
		return head{}, err
	}
	p.mu.Lock()
	if o.got++; p.now != nil {
		p.now.waiting = -1 // at once: it may be the last that the process sends
	}
	p.mu.Unlock()
	if err := o.post(p.comm, i); err != nil {
		return head{}, err
	}
	le := binary.LittleEndian
	h := head{}
	if st.Count < headSize {
		return h, fmt.Errorf("mpicoll: process %d sent %d bytes: %w", i, st.Count, isthmus.ErrBounds)
	}
	h.run, h.program, h.what, h.bytes = le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:]), le.Uint64(b[24:])
	text := int(le.Uint64(b[32:]))
	if text < 0 || text > st.Count-headSize {
		return h, fmt.Errorf("mpicoll: process %d sent a text of %d bytes in %d: %w", i, text, st.Count, isthmus.ErrBounds)
	}
	h.text, h.data = string(b[headSize:headSize+text]), b[headSize+text:st.Count]
	if small := h.bytes <= inline; small != (uint64(len(h.data)) == h.bytes) && h.bytes > 0 {
		return h, fmt.Errorf("mpicoll: process %d sent %d of %d bytes: %w", i, len(h.data), h.bytes, isthmus.ErrBounds)
	}
	return h, nil
}

// receive posts the receives of a payload.
func (p *Peers) receive(i int, bytes uint64) ([]*mpi.Request[byte], error) {
	var out []*mpi.Request[byte]
	for bytes > 0 {
		n := min(bytes, chunk)
		r, err := mpi.Irecv(p.comm, make([]byte, n), i, tagData)
		if err != nil {
			p.peers[i].stale = append(p.peers[i].stale, out...)
			return nil, err
		}
		out, bytes = append(out, r), bytes-n
	}
	return out, nil
}

// drop receives a payload that nobody wants.
func (p *Peers) drop(ctx context.Context, i int, h head) error {
	o := &p.peers[i]
	if h.bytes > inline {
		rs, err := p.receive(i, h.bytes)
		if err != nil {
			return err
		}
		o.stale = append(o.stale, rs...)
	}
	return o.drain(ctx)
}

// drain waits for payloads that nobody wants.
func (o *peer) drain(ctx context.Context) error {
	for len(o.stale) > 0 {
		if _, _, err := o.stale[0].Wait(ctx); err != nil {
			return err
		}
		o.stale = o.stale[1:]
	}
	return nil
}
