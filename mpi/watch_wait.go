package mpi

import (
	"fmt"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
)

// awaited is what a wait is for.
type awaited interface {
	// needs says it in w.
	needs(w *mpiwatch.Wait)
}

// stuck is a wait that has lasted so long that it sleeps.
type stuck struct {
	wait   mpiwatch.Wait
	since  time.Time
	inside bool         // in the library, until it is taken out
	seen   atomic.Int64 // when it was last known to wait, since the epoch of the clock
	beats  atomic.Uint64
	err    atomic.Pointer[error]
}

// gone is how long a wait is believed to go on after it was last seen. One that has ended says nothing.
const gone = 300 * time.Millisecond

// notice sees a wait that sleeps. Its error ends the wait.
func (p *patience) notice() error {
	t := p.watch
	now := time.Now()
	if p.stuck == nil {
		p.stuck = &stuck{since: now}
		p.stuck.wait.Site = isthmus.Here().String()
		if p.about != nil {
			p.about.needs(&p.stuck.wait)
		}
		p.stuck.wait.Other = len(p.stuck.wait.Needs) == 0
		t.enter(p.stuck)
	}
	s := p.stuck
	s.beats.Add(1)
	if before := s.seen.Swap(now.UnixNano()); now.UnixNano()-before > int64(gone) && before != 0 {
		t.enter(s) // it was believed to be over
	}
	if e := s.err.Load(); e != nil {
		return *e
	}
	return nil
}

// enter lists a wait.
func (t *watcher) enter(s *stuck) {
	s.seen.Store(time.Now().UnixNano())
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.wait.ID == 0 {
		t.waits++
		s.wait.ID = t.waits
	}
	t.stuck[s] = struct{}{}
}

// inside lists a call that waits in the library, until the result is called.
func (w *World) inside(op string) func() {
	t := w.watch
	if t == nil {
		return func() {}
	}
	s := &stuck{since: time.Now(), inside: true}
	s.wait = mpiwatch.Wait{Call: op, Site: isthmus.Here().String(), Other: true}
	t.enter(s)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.stuck, s)
	}
}

// insideCall is inside for a collective operation of a communicator, whose place is known.
func (x *watched) insideCall(op string, at int) func() {
	s := &stuck{since: time.Now(), inside: true}
	site := isthmus.Here().String()
	s.wait = mpiwatch.Wait{Call: op, Site: site, Needs: []mpiwatch.Need{{Dir: mpiwatch.Collectives, Comm: x.id, At: at, Call: op, Site: site}}}
	x.t.enter(s)
	return func() {
		x.t.mu.Lock()
		defer x.t.mu.Unlock()
		delete(x.t.stuck, s)
	}
}

// shortest is how long a wait has lasted before others are told.
const shortest = 200 * time.Millisecond

// state is what this rank waits for, nil when that is nothing and the others know.
func (t *watcher) state() *mpiwatch.State {
	out := &mpiwatch.State{}
	now := time.Now()
	t.mu.Lock()
	for s := range t.stuck {
		if !s.inside && now.UnixNano()-s.seen.Load() > int64(gone) {
			delete(t.stuck, s)
			continue
		}
		if s.inside {
			s.beats.Add(1)
		}
		if w := s.wait; now.Sub(s.since) >= shortest {
			w.Beat, w.For = s.beats.Load(), now.Sub(s.since)
			out.Waits = append(out.Waits, w)
		}
	}
	comms := t.comms
	calm := t.calm
	t.calm = len(out.Waits) == 0
	t.mu.Unlock()
	if len(out.Waits) == 0 {
		if calm {
			return nil
		}
		return out
	}
	slices.SortFunc(out.Waits, func(a, b mpiwatch.Wait) int { return int(a.ID) - int(b.ID) })
	out.Busy = t.busy.look()
	for _, x := range comms {
		x.mu.Lock()
		for s := x.first; s != nil && len(out.Posted) < 1024; s = s.next {
			if !s.over {
				out.Posted = append(out.Posted, mpiwatch.Posted{Comm: x.id, Peer: x.world(s.env.peer), Tag: anyTag(s.env.tag)})
			}
		}
		x.mu.Unlock()
	}
	return out
}

func anyTag(tag int) int {
	if tag == AnyTag {
		return mpiwatch.Any
	}
	return tag
}

// fail ends waits with an error.
func (t *watcher) fail(ids []uint64, f mpiwatch.Finding) {
	err := fmt.Errorf("mpi: %w: %w", ErrDeadlock, t.finding(f))
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.stuck {
		if slices.Contains(ids, s.wait.ID) {
			s.err.Store(&err)
		}
	}
}

// busy tells whether other goroutines of this process run while one waits: they may yet do what others wait for.
type busy struct {
	sample []metrics.Sample
	ring   [16]bool
	at     int
}

// look samples the scheduler. The caller runs, so one more does when another is busy. One goroutine calls it.
func (b *busy) look() bool {
	if b.sample == nil {
		b.sample = []metrics.Sample{{Name: "/sched/goroutines/running:goroutines"}, {Name: "/sched/goroutines/runnable:goroutines"}}
	}
	metrics.Read(b.sample)
	n := uint64(0)
	for _, s := range b.sample {
		if s.Value.Kind() == metrics.KindUint64 {
			n += s.Value.Uint64()
		}
	}
	b.ring[b.at%len(b.ring)] = n > 1
	b.at++
	busy := 0
	for _, x := range b.ring {
		if x {
			busy++
		}
	}
	return busy >= len(b.ring)-2 // a goroutine that waits runs now and then
}

// needs describes one operation.
func (o *operation) needs(w *mpiwatch.Wait) {
	if w.Call == "" {
		w.Call = o.op
	}
	x := o.comm.watched
	if x == nil || o.env.dir == 0 || x.t.client == nil {
		w.Other = true
		return
	}
	n := mpiwatch.Need{Dir: o.env.dir, Comm: x.id, Call: o.op}
	if o.site.Known() {
		n.Site = o.site.String()
	}
	if o.env.dir == mpiwatch.Collectives {
		n.At = o.place
	} else {
		n.Peer, n.Tag = x.world(o.env.peer), anyTag(o.env.tag)
	}
	w.Needs = append(w.Needs, n)
}

// many is a wait for several.
type many struct {
	all []Pending
	any bool
}

func (m many) needs(w *mpiwatch.Wait) {
	w.Call, w.Any = "wait for all", m.any
	if m.any {
		w.Call = "wait for any"
	}
	for _, p := range m.all {
		if p == nil {
			continue
		}
		if o := p.pending(); o != nil {
			o.mu.Lock()
			if o.out && !o.over {
				o.needs(w)
			}
			o.mu.Unlock()
		}
	}
}

// needs describes what was posted.
func (s *Ops) needs(w *mpiwatch.Wait) {
	w.Call = "scope"
	x := s.c.watched
	for i := range s.n {
		if q := s.posted[i].seen; q != nil && x != nil && x.t.client != nil && q.env.peer != ProcNull {
			w.Needs = append(w.Needs, mpiwatch.Need{Dir: q.env.dir, Comm: x.id, Peer: x.world(q.env.peer), Tag: anyTag(q.env.tag), Call: q.op, Site: q.site.String()})
		}
	}
}

// probing is a wait for a message to be there.
type probing struct {
	c         *Comm
	op        string
	from, tag int
}

func (p probing) needs(w *mpiwatch.Wait) {
	w.Call = p.op
	x := p.c.watched
	if x == nil || x.t.client == nil || p.from == ProcNull {
		w.Other = true
		return
	}
	w.Needs = append(w.Needs, mpiwatch.Need{Dir: mpiwatch.Receives, Comm: x.id, Peer: x.world(p.from), Tag: anyTag(p.tag), Call: p.op})
}

// patienceFor is how to wait for something.
func (w *World) patienceFor(a awaited) patience {
	p := w.patience()
	if w.watch != nil {
		p.watch, p.about = w.watch, a
	}
	return p
}
