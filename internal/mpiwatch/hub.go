package mpiwatch

import (
	"encoding/gob"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// tick is how often the hub looks for what does not end.
const tick = 250 * time.Millisecond

// maxQueue bounds what is kept of a stream whose other side does not come; then it is watched no more.
const maxQueue = 1 << 14

// Hub compares what the ranks say.
type Hub struct {
	listener net.Listener
	report   func(Finding) // of ranks that have gone

	mu       sync.Mutex
	ranks    map[int]*rank
	size     int
	settings Settings
	comms    map[uint64]*Comm
	pairs    map[pairKey]*pair
	orders   map[uint64]*order
	told     map[string]bool
	suspect  *suspicion
	long     map[waitKey]bool
	began    time.Time
	hold     time.Time // until when ranks that have done all are held, when all have
	ended    bool
	stop     chan struct{}
	work     sync.WaitGroup
}

type waitKey struct {
	rank int
	id   uint64
}

// rank is one that takes part.
type rank struct {
	n       int
	sigs    []Sig
	streams []Key
	state   State
	at      time.Time
	gone    bool // has closed MPI, or is dead
	clean   bool // has said so
	left    time.Time
	deaf    bool // gets nothing any more

	conn net.Conn
	out  chan Reply // to it, in order
}

// pairKey is the messages of one process to another on a communicator with a tag.
type pairKey struct {
	comm     uint64
	from, to int
	tag      int
}

// half is what one side of a pair has done and the other has not.
type half struct {
	runs []Event // Stream is not used
	n    int
}

type pair struct {
	sent, received half
	lost           bool // too much was unmatched
}

// NewHub serves the ranks that connect to the listener. report gets what is found when the rank that it is for has gone.
func NewHub(l net.Listener, report func(Finding)) *Hub {
	h := &Hub{
		listener: l, report: report, ranks: map[int]*rank{}, comms: map[uint64]*Comm{}, pairs: map[pairKey]*pair{},
		orders: map[uint64]*order{}, told: map[string]bool{}, long: map[waitKey]bool{},
		began: time.Now(), stop: make(chan struct{}),
	}
	h.work.Add(2)
	go h.accept()
	go h.tick()
	return h
}

func (h *Hub) accept() {
	defer h.work.Done()
	for {
		c, err := h.listener.Accept()
		if err != nil {
			return
		}
		go h.serve(c)
	}
}

func (h *Hub) tick() {
	defer h.work.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-t.C:
			h.mu.Lock()
			h.settle(now)
			h.deadlocks(now)
			h.part(now)
			h.mu.Unlock()
		}
	}
}

// serve is one rank's connection.
func (h *Hub) serve(c net.Conn) {
	defer c.Close()
	dec, enc := gob.NewDecoder(c), gob.NewEncoder(c)
	var r *rank
	for {
		var b Batch
		if err := dec.Decode(&b); err != nil {
			break
		}
		h.mu.Lock()
		switch {
		case b.Hello != nil && r == nil:
			r = &rank{n: b.Hello.Rank, conn: c, out: make(chan Reply, 256)}
			if h.ranks[r.n] != nil || h.ended {
				h.mu.Unlock()
				return // somebody has this number: another job
			}
			h.ranks[r.n] = r
			h.work.Go(func() { h.write(r, enc) })
			h.send(r, Reply{})
			h.hold = time.Time{}
			h.size, h.settings = b.Hello.Size, b.Hello.Settings
		case r == nil:
			h.mu.Unlock()
			return
		}
		h.take(r, &b)
		if b.Bye {
			h.part(time.Now())
		}
		h.mu.Unlock()
	}
	if r != nil {
		h.mu.Lock()
		r.gone, r.deaf = true, true
		r.state = State{}
		close(r.out)
		h.part(time.Now())
		h.mu.Unlock()
	}
}

// write sends what is for a rank. A rank that does not read holds nobody else up.
func (h *Hub) write(r *rank, enc *gob.Encoder) {
	var err error
	for p := range r.out {
		if err == nil {
			err = enc.Encode(p)
		}
		if err != nil && len(p.Fail) == 0 {
			for _, f := range p.Findings {
				h.report(f)
			}
		}
	}
}

// send answers a rank. The hub is locked, and the connection open. It reports whether there was room.
func (h *Hub) send(r *rank, p Reply) bool {
	select {
	case r.out <- p:
		return true
	default:
		return false
	}
}

// tell gives a finding to the rank whose call it is. The hub is locked.
func (h *Hub) tell(r *rank, f Finding) {
	if f.Sig > 0 && f.Sig <= len(r.sigs) && f.Site == "" {
		f.Site = r.sigs[f.Sig-1].Site
	}
	if r.deaf || !h.send(r, Reply{Findings: []Finding{f}}) {
		h.report(f)
	}
}

// once reports whether text is new.
func (h *Hub) once(text string) bool {
	if h.told[text] {
		return false
	}
	h.told[text] = true
	return true
}

// take enters a batch. The hub is locked.
func (h *Hub) take(r *rank, b *Batch) {
	r.sigs = append(r.sigs, b.Sigs...)
	r.streams = append(r.streams, b.Streams...)
	for i := range b.Comms {
		if c := b.Comms[i]; h.comms[c.ID] == nil {
			h.comms[c.ID] = &c
		}
	}
	for _, e := range b.Events {
		if e.Stream < 1 || e.Stream > len(r.streams) || e.Sig < 1 || e.Sig > len(r.sigs) || e.N < 1 {
			continue // not ours
		}
		k := r.streams[e.Stream-1]
		switch k.Dir {
		case Sends:
			h.pair(pairKey{k.Comm, r.n, k.Peer, k.Tag}, e, true)
		case Receives:
			h.pair(pairKey{k.Comm, k.Peer, r.n, k.Tag}, e, false)
		case Collectives:
			h.order(k.Comm).add(h, r, e)
		}
	}
	if b.State != nil {
		r.state, r.at = *b.State, time.Now()
	}
	if b.Bye {
		r.gone, r.clean, r.left = true, true, time.Now()
		r.state = State{}
	}
}

// same reports whether two events are of equal calls.
func (e *Event) same(o *Event) bool { return e.Sig == o.Sig && e.Count == o.Count && e.Got == o.Got }

// call is what an event is n times.
func (r *rank) call(e Event) *Sig {
	s := r.sigs[e.Sig-1]
	s.Count, s.Got = e.Count, e.Got
	return &s
}

// push appends a run.
func (q *half) push(e Event) {
	q.n += e.N
	if n := len(q.runs); n > 0 && q.runs[n-1].same(&e) {
		q.runs[n-1].N += e.N
		return
	}
	q.runs = append(q.runs, e)
}

// pop takes n calls, at most as many as the first run has.
func (q *half) pop(n int) {
	q.n -= n
	if q.runs[0].N -= n; q.runs[0].N == 0 {
		q.runs = q.runs[1:]
	}
}

// pair enters what one side has done, and compares what both have.
func (h *Hub) pair(k pairKey, e Event, sent bool) {
	p := h.pairs[k]
	if p == nil {
		p = &pair{}
		h.pairs[k] = p
	}
	if p.lost {
		return
	}
	if sent {
		p.sent.push(e)
	} else {
		p.received.push(e)
	}
	from, to := h.ranks[k.from], h.ranks[k.to]
	for len(p.sent.runs) > 0 && len(p.received.runs) > 0 {
		s, d := p.sent.runs[0], p.received.runs[0]
		n := min(s.N, d.N)
		p.sent.pop(n)
		p.received.pop(n)
		h.compare(k, from, to, s, d)
	}
	if len(p.sent.runs) > maxQueue || len(p.received.runs) > maxQueue {
		p.lost, p.sent, p.received = true, half{}, half{}
	}
}

// compare looks at one message.
func (h *Hub) compare(k pairKey, from, to *rank, sent, received Event) {
	if from == nil || to == nil {
		return
	}
	s, d := from.call(sent), to.call(received)
	id, text := compare(s, d, h.settings.Exact)
	if id == "" || !h.once(id+"\x00"+s.Site+"\x00"+d.Site) {
		return
	}
	h.tell(to, Finding{ID: id, Call: d.Op, Sig: received.Sig, Text: fmt.Sprintf("rank %d on %s: from rank %d with tag %d, %s; sent by %s at %s",
		h.local(k.comm, k.to), h.name(k.comm), h.local(k.comm, k.from), k.tag, text, s.Op, s.Site)})
}

// name is what a communicator is called.
func (h *Hub) name(id uint64) string {
	if c := h.comms[id]; c != nil {
		return c.Name
	}
	return "a communicator"
}

// local is a rank of the world in a communicator.
func (h *Hub) local(id uint64, world int) int {
	if c := h.comms[id]; c != nil {
		if i := slices.Index(c.Members, world); i >= 0 {
			return i
		}
	}
	return world
}

// partGrace is how long a rank that has done all waits for the others, so that messages that nobody has received are found
// before MPI ends: some libraries fail then.
const partGrace = time.Second

// part lets the ranks go that have done all, when all have. The hub is locked.
func (h *Hub) part(now time.Time) {
	all := true
	for _, r := range h.ranks {
		all = all && r.gone
	}
	if all && h.hold.IsZero() {
		h.hold = now
		if h.unreceived() {
			// Whoever ends MPI with such a message may fail, and the launcher end the others before they have said theirs.
			h.hold = now.Add(tick)
		}
	}
	for _, r := range h.ranks {
		if !r.deaf && r.clean && (all && !now.Before(h.hold) || now.Sub(r.left) > partGrace) {
			r.deaf = true
			h.send(r, Reply{Ack: true})
		}
	}
}

// unreceived reports the messages that nobody has received. All ranks have gone.
func (h *Hub) unreceived() (found bool) {
	for k, p := range h.pairs {
		from, to := h.ranks[k.from], h.ranks[k.to]
		if from == nil || to == nil || !from.clean || !to.clean || p.lost || len(p.sent.runs) == 0 {
			continue
		}
		s := from.call(p.sent.runs[0])
		f := Finding{ID: Unreceived, Call: s.Op, Sig: p.sent.runs[0].Sig, Text: fmt.Sprintf("rank %d on %s: %s to rank %d with tag %d were never received, nor were %d others",
			h.local(k.comm, k.from), h.name(k.comm), s.describe(), h.local(k.comm, k.to), k.tag, p.sent.n-1)}
		if h.once(f.ID + s.Site) {
			h.tell(from, f)
			found = true
		}
	}
	return found
}

// Close ends the hub. What is disputed is reported.
func (h *Hub) Close() {
	h.mu.Lock()
	if h.ended {
		h.mu.Unlock()
		return
	}
	h.ended = true
	close(h.stop)
	_ = h.listener.Close()
	h.settle(time.Now().Add(time.Hour))
	for _, r := range h.ranks {
		_ = r.conn.Close()
	}
	h.mu.Unlock()
	h.work.Wait()
}
