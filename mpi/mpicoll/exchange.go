package mpicoll

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// Exchange gives and takes the members' parts, all at once.
func (l *link) Exchange(ctx context.Context, m eval.Meeting, out, in [][]byte) error {
	if l.err == nil && l.ctx == nil {
		l.err = fmt.Errorf("mpicoll: the execution has not begun: %w", isthmus.ErrInvalid)
	}
	if l.err != nil {
		return l.err
	}
	if len(out) != len(m.Group) || len(in) != len(m.Group) {
		return fmt.Errorf("mpicoll: %d and %d parts for %d processes: %w", len(out), len(in), len(m.Group), isthmus.ErrInvalid)
	}
	p := l.peers
	p.mu.Lock()
	l.what = m.What
	p.mu.Unlock()
	x := exchange{link: l, m: m, out: out, in: in, what: hash(m.What), got: make([][]*mpi.Request[byte], len(m.Group))}
	// l.ctx ends with the run's own and with the run of another process; ctx may end before.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unlink := context.AfterFunc(l.ctx, func() { stop(context.Cause(l.ctx)) })
	defer unlink()
	err := x.run(ctx)
	x.leave()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // the reason, not what it interrupted
		err = context.Cause(ctx)
		if !errors.Is(err, ErrPeer) {
			err = fmt.Errorf("mpicoll: in %s: %w", m.What, err)
		}
	}
	l.err = err
	return err
}

// exchange is one meeting.
type exchange struct {
	*link
	m       eval.Meeting
	out, in [][]byte
	what    uint64
	sent    []*mpi.Request[byte]   // payloads
	got     [][]*mpi.Request[byte] // payloads, by member
	heads   []int                  // processes that a head is on its way to
}

// meets reports whether this process meets member k, and which it is.
func (x *exchange) meets(k int) (int, bool) {
	i := x.m.Group[k]
	return i, i != x.peers.comm.Rank() && (x.out[k] != nil || x.in[k] != nil)
}

func (x *exchange) run(ctx context.Context) error {
	for k, i := range x.m.Group {
		if i < 0 || i >= len(x.peers.peers) {
			return fmt.Errorf("mpicoll: process %d of %d: %w", i, len(x.peers.peers), isthmus.ErrBounds)
		}
		if i == x.peers.comm.Rank() {
			copy(x.in[k], x.out[k])
		} else if _, ok := x.meets(k); ok {
			if err := x.send(ctx, i, x.out[k]); err != nil {
				return err
			}
		}
	}
	for k := range x.m.Group {
		if i, ok := x.meets(k); ok {
			if err := x.meet(ctx, k, i); err != nil {
				return err
			}
		}
	}
	for k, rs := range x.got {
		at := x.in[k]
		for len(rs) > 0 {
			b, st, err := rs[0].Wait(ctx)
			if err != nil {
				return err
			}
			rs = rs[1:]
			x.got[k] = rs
			at = at[copy(at, b[:st.Count]):]
		}
	}
	for len(x.heads) > 0 {
		if _, _, err := x.peers.peers[x.heads[0]].send.Wait(ctx); err != nil {
			return err
		}
		x.heads = x.heads[1:]
	}
	for len(x.sent) > 0 {
		if _, _, err := x.sent[0].Wait(ctx); err != nil {
			return err
		}
		x.sent = x.sent[1:]
	}
	return nil
}

// send starts to send a head and what belongs to it. It sends copies: the slice is the caller's again when Exchange
// returns, whether the other process has come or not.
func (x *exchange) send(ctx context.Context, i int, data []byte) error {
	p := x.peers
	o := &p.peers[i]
	if err := o.free(ctx); err != nil {
		return err
	}
	text := x.m.What[:min(len(x.m.What), maxText)]
	le := binary.LittleEndian
	b := o.frame[:0]
	for _, v := range []uint64{x.number, x.program, x.what, uint64(len(data)), uint64(len(text))} {
		b = le.AppendUint64(b, v)
	}
	b = append(b, text...)
	if len(data) <= inline {
		b = append(b, data...)
	}
	o.frame = b
	if err := o.send.Send(p.comm, b, i, tagHead); err != nil {
		return err
	}
	p.mu.Lock()
	o.sent++
	p.mu.Unlock()
	x.heads = append(x.heads, i)
	if len(data) <= inline {
		return nil
	}
	for len(data) > 0 {
		n := min(len(data), chunk)
		r, err := mpi.Isend(p.comm, append([]byte(nil), data[:n]...), i, tagData)
		if err != nil {
			return err
		}
		x.sent, data = append(x.sent, r), data[n:]
	}
	return nil
}

// meet takes member k's head, process i's, and compares it with what this process does.
func (x *exchange) meet(ctx context.Context, k, i int) error {
	p := x.peers
	var h head
	for {
		if err := p.peers[i].drain(ctx); err != nil {
			return err
		}
		p.mu.Lock()
		x.waiting = i
		if p.gone(x.link) {
			x.cancel(x.left())
		}
		p.mu.Unlock()
		var err error
		h, err = p.head(ctx, i)
		p.mu.Lock()
		x.waiting = -1
		p.mu.Unlock()
		if err != nil {
			return err
		}
		if h.run >= x.number {
			break
		}
		if err := p.drop(ctx, i, h); err != nil { // of a run that has failed here
			return err
		}
	}
	me, them := p.comm.Rank(), i
	var err error
	switch {
	case h.run > x.number:
		p.peers[i].early = &h
		return fmt.Errorf("mpicoll: process %d is in %s of its execution %d, process %d in %s of its execution %d: %w", me, x.m.What, x.number, them, h.text, h.run, ErrMismatch)
	case h.program != x.program:
		err = fmt.Errorf("mpicoll: process %d executes another program than process %d, and is in %s: %w", them, me, h.text, ErrMismatch)
	case h.what != x.what:
		err = fmt.Errorf("mpicoll: process %d is in %s, process %d in %s: %w", me, x.m.What, them, h.text, ErrMismatch)
	case h.bytes != uint64(len(x.in[k])):
		err = fmt.Errorf("mpicoll: process %d brings %d bytes to %s, process %d expects %d: %w", them, h.bytes, x.m.What, me, len(x.in[k]), ErrMismatch)
	case h.bytes <= inline:
		copy(x.in[k], h.data)
		return nil
	default:
		x.got[k], err = p.receive(i, h.bytes)
		return err
	}
	if h.bytes > inline {
		if rs, rerr := p.receive(i, h.bytes); rerr == nil {
			p.peers[i].stale = append(p.peers[i].stale, rs...)
		}
	}
	return err
}

// leave keeps what is still under way after an error, until the library is done with it.
func (x *exchange) leave() {
	p := x.peers
	for k, rs := range x.got {
		if len(rs) > 0 {
			o := &p.peers[x.m.Group[k]]
			o.stale = append(o.stale, rs...)
		}
	}
	p.mu.Lock()
	p.sends = append(p.sends, x.sent...)
	p.mu.Unlock()
	for _, i := range x.heads {
		p.peers[i].busy = true
	}
}
