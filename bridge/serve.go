package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/raw/bridgelib"
)

// grace is how long handlers have to see that their context ended.
const grace = 20 * time.Millisecond

// link is the way to the hosts while the bridge is open.
type link struct{ g atomic.Pointer[generation] }

func (l *link) get() bridgelib.Link {
	if g := l.g.Load(); g != nil {
		return g.out
	}
	return nil
}

// program is a Bridge as its library sees it.
type program struct{ b *Bridge }

// generation is the time from an init to its deinit.
type generation struct {
	b        *Bridge
	id       uint64
	out      bridgelib.Link
	maxReply uint64
	ctx      context.Context // of all handlers
	cancel   context.CancelFunc

	mu     sync.Mutex
	active map[*method]int // handlers that run, and casts that wait for one
	total  int
	taken  int           // of those that may run; less than total while handlers that have returned tell their hosts
	idle   chan struct{} // closed when total is 0, once somebody waits for that
	left   bool          // closed: what runs still is a zombie
	calls  map[*bridgelib.Call]context.CancelFunc
	casts  map[*method]*queue
}

// Open begins a generation, if the host's schema fits.
func (p program) Open(o bridgelib.Opening, out bridgelib.Link) (bridgelib.Status, error) {
	s, err := p.b.Schema()
	if err != nil {
		return bridgelib.None, err
	}
	if schema.Print(o.Fingerprint) != s.Fingerprint() {
		if o.Schema == "" {
			return bridgelib.Schema, fmt.Errorf("schema mismatch: the host's fingerprint is %s, the library's %s, and the host gave no schema to say what differs", schema.Print(o.Fingerprint), s.Fingerprint())
		}
		host, err := schema.Parse(o.Schema)
		if err != nil {
			return bridgelib.Schema, fmt.Errorf("schema mismatch: the host's: %w", err)
		}
		if host.Fingerprint() != schema.Print(o.Fingerprint) {
			return bridgelib.Schema, fmt.Errorf("schema mismatch: the host's fingerprint %s is not that of its schema, %s", schema.Print(o.Fingerprint), host.Fingerprint())
		}
		if err := s.Accepts(host); err != nil {
			return bridgelib.Schema, err
		}
	}
	g := &generation{
		b: p.b, id: o.Generation, out: out, maxReply: o.MaxReply, active: map[*method]int{},
		calls: map[*bridgelib.Call]context.CancelFunc{}, casts: map[*method]*queue{},
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	p.b.open.g.Store(g)
	return bridgelib.OK, nil
}

// find looks a method up; a text says why it is not there.
func (b *Bridge) find(id uint32, kind schema.MethodKind) (*method, string) {
	m := b.byID[id]
	switch {
	case m == nil:
		return nil, fmt.Sprintf("there is no method with the number %#x", id)
	case m.Kind != kind:
		return nil, fmt.Sprintf("%s is used by %s, not by %s", m.Name, m.Kind, kind)
	}
	return m, ""
}

// begin counts a handler in. False: as many run as may.
func (g *generation) begin(m *method) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken >= g.b.o.MaxInFlight || g.left {
		return false
	}
	g.taken++
	g.active[m]++
	g.total++
	return true
}

// free makes room for another handler, before the host is told: one that calls again at once finds it.
func (g *generation) free() {
	g.mu.Lock()
	g.taken--
	g.mu.Unlock()
}

// end counts it out; after that closing does not wait for it.
func (g *generation) end(m *method) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.active[m]--
	if g.total--; g.total == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	if g.left {
		g.b.stats.Zombies.Add(^uint64(0))
	}
}

// Call starts a handler.
func (p program) Call(c *bridgelib.Call) {
	g := p.b.open.g.Load()
	m, why := p.b.find(c.Method, schema.Call)
	switch {
	case m == nil:
		c.Done(bridgelib.Method, []byte(why))
		return
	case !c.Deadline.IsZero() && !time.Now().Before(c.Deadline):
		p.b.stats.Deadlines.Add(1)
		c.Done(bridgelib.Deadline, []byte("it had passed before the handler began"))
		return
	case !g.begin(m):
		c.Done(bridgelib.Busy, []byte("as many handlers run as may: some go on after their deadline"))
		return
	}
	ctx, cancel := g.ctx, context.CancelFunc(nil)
	if c.Deadline.IsZero() {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithDeadline(ctx, c.Deadline)
	}
	g.mu.Lock()
	g.calls[c] = cancel
	g.mu.Unlock()
	c.Value = cancel
	go g.call(m, c, ctx, cancel)
}

// Abandoned tells the handler.
func (p program) Abandoned(c *bridgelib.Call) {
	if cancel, ok := c.Value.(context.CancelFunc); ok {
		cancel()
	}
}

func (g *generation) call(m *method, c *bridgelib.Call, ctx context.Context, cancel context.CancelFunc) {
	stats := &g.b.stats
	stats.Running.Add(1)
	status, reply := bridgelib.Panic, []byte(nil)
	returned := false
	// The host is told when the deadline passes, whatever the handler does.
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && c.Done(bridgelib.Deadline, []byte("the handler had not replied")) {
			stats.Deadlines.Add(1)
		}
	})
	defer func() {
		if !returned {
			reply = []byte(g.panicked(m, recover()))
		}
		stop()
		stats.Running.Add(^uint64(0))
		g.free()
		c.Done(status, reply)
		cancel()
		g.mu.Lock()
		delete(g.calls, c)
		g.mu.Unlock()
		g.end(m)
	}()
	var run func(context.Context, []byte) ([]byte, error)
	var err error
	if !c.Request(func(request []byte) { run, err = m.decode(request) }) {
		returned = true
		return // it was given up
	}
	if err != nil {
		stats.DecodeErrors.Add(1)
		status, reply = bridgelib.Decode, []byte(err.Error())
	} else {
		reply, err = run(ctx, nil)
		status, reply = g.outcome(m, reply, err)
	}
	returned = true
}

const goexit = "the handler ended its goroutine: runtime.Goexit"

// panicked is the text of what a handler panicked with, for the host; its stack is reported. fmt writes down what an Error
// or String method does that panics too.
func (g *generation) panicked(m *method, v any) string {
	g.b.stats.Panics.Add(1)
	text := goexit
	if v != nil {
		text = fmt.Sprint(v)
	}
	var stack [4096]byte
	n := runtime.Stack(stack[:], false)
	isthmus.Tell(isthmus.Report{
		Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "bridge " + m.Kind.String() + " " + m.Name},
		Err: fmt.Errorf("%s: %w\n%s", text, isthmus.ErrPanic, stack[:n]),
	})
	return strings.ToValidUTF8(text, "\uFFFD")
}

// outcome is the status and the reply for what a handler returned.
func (g *generation) outcome(m *method, reply []byte, err error) (bridgelib.Status, []byte) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return bridgelib.Deadline, []byte(err.Error())
	case errors.Is(err, context.Canceled):
		return bridgelib.Cancelled, []byte(err.Error())
	case err != nil:
		return bridgelib.Handler, []byte(strings.ToValidUTF8(err.Error(), "\uFFFD"))
	case uint64(len(reply)) > g.maxReply:
		return bridgelib.ReplyTooBig, fmt.Appendf(nil, "the reply of %s has %d bytes, at most %d", m.Name, len(reply), g.maxReply)
	}
	return bridgelib.OK, reply
}

// Inline runs a handler here and now.
func (p program) Inline(id uint32, generation uint64, request, out []byte, deadline time.Time) (reply []byte, status bridgelib.Status) {
	g := p.b.open.g.Load()
	m, why := p.b.find(id, schema.Call)
	switch {
	case g == nil || g.id != generation:
		return nil, bridgelib.Closed
	case m == nil:
		return []byte(why), bridgelib.Method
	case !m.Inline:
		return []byte(m.Name + " is not inline"), bridgelib.Method
	case !g.begin(m):
		return nil, bridgelib.Busy
	}
	stats := &p.b.stats
	stats.Inline.Add(1)
	ctx, returned := g.ctx, false
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	defer func() {
		g.free()
		g.end(m)
		if returned {
			return
		}
		v := recover()
		stats.Failed.Add(1)
		if v == nil {
			panic("isthmus: bridge: the inline handler of " + m.Name + " called runtime.Goexit on a thread of the host's; register it without bridge.Inline")
		}
		reply, status = []byte(g.panicked(m, v)), bridgelib.Panic
	}()
	run, err := m.decode(request)
	if err != nil {
		stats.DecodeErrors.Add(1)
		reply, status = []byte(err.Error()), bridgelib.Decode
	} else {
		reply, err = run(ctx, out[:0:len(out)])
		status, reply = g.outcome(m, reply, err)
	}
	returned = true
	if status == bridgelib.OK {
		stats.OK.Add(1)
	} else {
		stats.Failed.Add(1)
	}
	return reply, status
}

// queue is the casts of one method: one runs at a time.
type queue struct {
	g       *generation
	m       *method
	waiting []*bridgelib.Cast // guarded by g.mu
	busy    bool
}

// Cast puts a cast into its method's queue.
func (p program) Cast(c *bridgelib.Cast) {
	g := p.b.open.g.Load()
	m, why := p.b.find(c.Method, schema.Cast)
	if m == nil {
		g.lost(c, fmt.Sprintf("cast %#x", c.Method), isthmus.ProblemStray, fmt.Errorf("%s: %w", why, isthmus.ErrNotFound))
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.casts[m]
	if q == nil {
		q = &queue{g: g, m: m}
		g.casts[m] = q
	}
	q.waiting = append(q.waiting, c)
	g.active[m]++
	g.total++
	if !q.busy {
		q.busy = true
		go q.drain()
	}
}

// lost ends a cast that failed, and reports why.
func (g *generation) lost(c *bridgelib.Cast, name string, p isthmus.Problem, err error) {
	g.b.stats.Failed.Add(1)
	isthmus.Tell(isthmus.Report{Problem: p, Object: isthmus.Object{Kind: "bridge " + name}, Err: err})
	c.Done()
}

func (q *queue) drain() {
	done := false
	defer func() {
		if !done { // a handler called runtime.Goexit
			go q.drain()
		}
	}()
	for {
		q.g.mu.Lock()
		if len(q.waiting) == 0 {
			q.busy, done = false, true
			q.g.mu.Unlock()
			return
		}
		c := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.g.mu.Unlock()
		q.one(c)
	}
}

func (q *queue) one(c *bridgelib.Cast) {
	g, stats := q.g, &q.g.b.stats
	stats.Running.Add(1)
	returned := false
	defer func() {
		stats.Running.Add(^uint64(0))
		g.end(q.m)
		if !returned {
			g.panicked(q.m, recover())
			stats.Failed.Add(1)
		}
		c.Done()
	}()
	run, err := q.m.decode(c.Message())
	if err != nil {
		stats.DecodeErrors.Add(1)
	} else {
		_, err = run(g.ctx, nil)
	}
	returned = true
	if err != nil {
		g.lost(c, "cast "+q.m.Name, isthmus.ProblemMisuse, err)
	} else {
		stats.OK.Add(1)
	}
}

// wait returns when no handler runs, or after d.
func (g *generation) wait(d time.Duration) {
	g.mu.Lock()
	if g.total == 0 {
		g.mu.Unlock()
		return
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
	}
}

// Close ends the generation.
func (p program) Close(drain time.Duration, ring func()) bridgelib.Report {
	g, began := p.b.open.g.Load(), time.Now()
	if drain == 0 {
		drain = p.b.o.Drain
	}
	ring()
	g.mu.Lock()
	before := g.total
	g.mu.Unlock()
	g.wait(drain - time.Since(began))
	g.cancel()
	// Casts that wait will not run.
	g.mu.Lock()
	var dropped []*bridgelib.Cast
	for m, q := range g.casts {
		dropped = append(dropped, q.waiting...)
		g.active[m] -= len(q.waiting)
		g.total -= len(q.waiting)
		q.waiting = nil
	}
	if g.total == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
	g.mu.Unlock()
	for _, c := range dropped {
		c.Done()
	}
	g.wait(grace)
	g.mu.Lock()
	g.left = true
	calls := make([]*bridgelib.Call, 0, len(g.calls))
	for c := range g.calls {
		calls = append(calls, c)
	}
	r := bridgelib.Report{CastsDropped: uint64(len(dropped)), Zombies: uint64(g.total), Finished: uint64(before - g.total - len(dropped))}
	var names []string
	for m, n := range g.active {
		if n > 0 {
			names = append(names, fmt.Sprintf("%s x%d", m.Name, n))
		}
	}
	g.mu.Unlock()
	slices.Sort(names)
	r.Methods = strings.Join(names, ", ")
	p.b.stats.Zombies.Add(r.Zombies)
	for _, c := range calls {
		if c.Done(bridgelib.Closed, []byte("the bridge was closed while the handler ran")) {
			r.Closed++
		}
	}
	p.b.stats.Closed.Add(r.Closed)
	p.b.open.g.Store(nil)
	r.Waited = time.Since(began)
	return r
}
