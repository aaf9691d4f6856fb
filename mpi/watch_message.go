package mpi

import (
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// envelope is what the debug layer has to know of a message.
type envelope struct {
	dir  mpiwatch.Dir // 0 for what is no message between two processes
	peer int          // AnySource and ProcNull too
	tag  int
	n    int // elements
}

// sight is a message that the debug layer has seen begin.
type sight struct {
	x       *watched
	env     envelope
	op      string
	dt      *datatype
	site    isthmus.Site
	matched bool // by a probe: its place is taken

	bytes []byte // of a send
	sum   uint64

	// Of a receive.
	over             bool
	lost             bool // nothing was received
	from, label, got int
	next             *sight
}

// see notes a message that is about to begin and holds the communicator's order until begun is called. bytes is what is
// sent.
func (x *watched) see(e envelope, op string, dt *datatype, site isthmus.Site, bytes []byte) *sight {
	s := &sight{x: x, env: e, op: op, dt: dt, site: site}
	if e.dir == mpiwatch.Sends && len(bytes) > 0 {
		s.bytes, s.sum = bytes, x.t.digest(bytes)
	}
	x.mu.Lock()
	return s
}

// begun enters the message in its place, if it has begun, and lets others begin.
func (s *sight) begun(ok bool) {
	if ok {
		s.enter()
	}
	s.x.mu.Unlock()
}

// enter enters the message in its place. The communicator's order is held.
func (s *sight) enter() {
	x := s.x
	switch {
	case s.env.peer == ProcNull:
	case s.env.dir == mpiwatch.Sends:
		x.add(s, s.env.peer, s.env.tag, 0)
	case x.last == nil:
		x.first, x.last = s, s
	default:
		x.last.next = s
		x.last = s
	}
}

// changed says whether what is sent is not what it was.
func (s *sight) changed() bool {
	return s.bytes != nil && s.x.t.digest(s.bytes) != s.sum
}

// sent ends a send.
func (s *sight) sent() {
	if s.changed() {
		t := s.x.t
		t.tell(isthmus.ProblemMisuse, &isthmus.Finding{
			ID: mpiwatch.SendChanged, Call: s.op, Site: s.site,
			Text: fmt.Sprintf("rank %d on %s: %d elements of %v to rank %d with tag %d were changed before the send was over", s.x.comm.rank, s.x.comm.title(), s.env.n, s.dt.typ, s.env.peer, s.env.tag),
		})
	}
	s.bytes = nil
}

// received ends a receive: got elements have come, -1 for no whole number, or nothing, when lost.
func (s *sight) received(from, label, got int, lost bool) {
	x := s.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.env.peer == ProcNull {
		return
	}
	s.over, s.lost, s.from, s.label, s.got = true, lost, from, label, got
	// A receive is said when no receive before it can still be one of the same stream: their places are known then.
	var before *sight
	for q := x.first; q != nil; q = q.next {
		if q.over && !x.mayPrecede(q) {
			if before == nil {
				x.first = q.next
			} else {
				before.next = q.next
			}
			if x.last == q {
				x.last = before
			}
			if !q.lost {
				x.add(q, q.from, q.label, q.got)
			}
			continue
		}
		before = q
	}
}

// mayPrecede reports whether a receive that was posted before q, and is not over, may have got a message of the same
// stream.
func (x *watched) mayPrecede(q *sight) bool {
	for p := x.first; p != q; p = p.next {
		if !q.lost && (p.over || p.env.peer == AnySource || p.env.peer == q.from) && (p.over || p.env.tag == AnyTag || p.env.tag == q.label) &&
			(!p.over || p.from == q.from && p.label == q.label && !p.lost) {
			return true
		}
	}
	return false
}

// add says a message. The communicator's order is held.
func (x *watched) add(s *sight, peer, tag, got int) {
	if x.t.client == nil {
		return
	}
	k := streamKey{s.env.dir == mpiwatch.Receives, x.world(peer), tag}
	if k.peer < 0 {
		return
	}
	st := x.streams[k]
	if st == nil {
		st = &stream{s: x.t.client.Stream(mpiwatch.Key{Dir: s.env.dir, Comm: x.id, Peer: k.peer, Tag: tag})}
		x.streams[k] = st
	}
	if st.sig == 0 || st.op != s.op || st.dt != s.dt || st.site != s.site {
		st.op, st.dt, st.site = s.op, s.dt, s.site
		st.sig = x.t.sig(sigKey{op: s.op, typ: s.dt.typ, site: s.site})
	}
	st.s.Add(st.sig, s.env.n, got)
}

// The pieces of a large buffer that are looked at.
const (
	pieces    = 64
	pieceSize = 1 << 10
)

// digest sums a buffer up, or pieces of it.
func (t *watcher) digest(b []byte) uint64 {
	if len(b) <= pieces*pieceSize || t.checks.WholeBuffers {
		return maphash.Bytes(t.seed, b)
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	step := (len(b) - pieceSize) / (pieces - 1)
	for i := range pieces {
		_, _ = h.Write(b[i*step : i*step+pieceSize])
	}
	return h.Sum64()
}

// probe makes one call of a probe that takes the message. What it has taken has its place among the receives.
func (x *watched) probe(k *look, from int) *sight {
	w := x.t.world
	x.mu.Lock()
	defer x.mu.Unlock()
	w.go1(&k.step)
	if k.flag == 0 || k.step.Failed() != 0 {
		return nil
	}
	st := w.lib.ABI.Status(k.status[:], 0)
	if from == ProcNull || st.Source == w.lib.ABI.ProcNull {
		return nil
	}
	s := &sight{x: x, env: envelope{mpiwatch.Receives, st.Source, st.Tag, 0}, matched: true}
	s.enter()
	return s
}

// watchOp sees an operation that is about to begin.
func (o *operation) watchOp() *sight {
	if o.env.dir != mpiwatch.Sends && o.env.dir != mpiwatch.Receives {
		return nil
	}
	bytes := o.held
	if bytes == nil && o.loans[0] != nil {
		bytes = o.loans[0].Bytes()
	}
	if m := o.seen; m != nil && m.matched { // its place was taken by a probe
		m.x.mu.Lock()
		m.op, m.dt, m.site, m.env.n = o.op, o.dt, o.site, o.env.n
		return m
	}
	if !o.site.Known() {
		o.site = isthmus.Here()
	}
	o.seen = o.comm.watched.see(o.env, o.op, o.dt, o.site, bytes)
	return o.seen
}

// watchStart ends what watchOp has begun.
func (o *operation) watchStart(s *sight, ok bool) {
	switch {
	case s == nil:
	case s.matched:
		s.x.mu.Unlock()
	default:
		s.begun(ok)
		if !ok {
			o.seen = nil
		}
	}
}

// watchEnd sees an operation that is over.
func (o *operation) watchEnd(err error) {
	s := o.seen
	o.seen = nil
	if s == nil {
		return
	}
	if s.env.dir == mpiwatch.Sends {
		s.sent()
		return
	}
	st := o.stat
	if err != nil { // such as a message that is too long: which one it was, the call or the library says
		st = o.world.lib.ABI.Status(o.block.status[:], 0)
	}
	if s.env.peer != AnySource {
		st.Source = s.env.peer
	}
	if s.env.tag != AnyTag {
		st.Tag = s.env.tag
	}
	s.received(st.Source, st.Tag, o.got, o.gone || err != nil && !errors.Is(err, ErrTruncate))
}

// watchPost sees an operation of a scope that was posted.
func (p *posted) watchPost(x *watched, e envelope) {
	if p.recv {
		e.dir = mpiwatch.Receives
	}
	p.seen = &sight{x: x, env: e, op: p.op, dt: p.dt, site: isthmus.Here()}
}

// watchStart starts what was posted.
func (s *Ops) watchStart() {
	x := s.c.watched
	for i := range s.n {
		if q := s.posted[i].seen; q.env.dir == mpiwatch.Sends && len(s.posted[i].held) > 0 {
			q.bytes, q.sum = s.posted[i].held, x.t.digest(s.posted[i].held)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	s.c.world.go1(&s.block.starts[0])
	for i := range s.n {
		if s.block.starts[i].Failed() != 0 {
			return
		}
		s.posted[i].seen.enter()
	}
}

// watchEnd sees an operation of a scope that is over.
func (s *Ops) watchEnd(i int, ok bool) {
	w, q := s.c.world, s.posted[i].seen
	if q.env.dir == mpiwatch.Sends {
		q.sent()
		return
	}
	st := w.lib.ABI.Status(s.block.statuses[:], i)
	if q.env.peer != AnySource {
		st.Source = q.env.peer
	}
	if q.env.tag != AnyTag {
		st.Tag = q.env.tag
	}
	got, lost := -1, false
	if n := int(s.block.count[i]); ok && n != w.lib.ABI.Undefined && s.block.counts[i].Failed() == 0 {
		got = n
	}
	if !ok && st.Error != 0 && !errors.Is(w.failure(q.op, int32(st.Error)), ErrTruncate) {
		lost = true // it was cancelled, or has failed otherwise
	}
	q.received(st.Source, st.Tag, got, lost || s.left && w.cancelled(uintptr(mem.AddrOf(s.block.statuses[:]))+uintptr(i)*w.lib.ABI.StatusSize))
}

// cancelled reports whether a status says so. Calls MPI_Test_cancelled.
func (w *World) cancelled(status uintptr) bool {
	f := call.Get()
	defer f.Put()
	n, at, err := int32s(f, 1)
	return err == nil && w.run(f, mpic.FnTestCancelled, status, at) == 0 && n[0] != 0
}
