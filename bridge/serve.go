package bridge

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/raw/bridgelib"
)

// grace is about half of how long closing waits, when contexts have ended, for one more handler to end.
const grace = 20 * time.Millisecond

// program is a Bridge as its library sees it.
type program struct{ b *Bridge }

// generation is the time from an init to its deinit.
type generation struct {
	b        *Bridge
	id       uint64
	out      bridgelib.Link
	maxReply uint64
	ctx      context.Context // of casts, and of inline calls without a deadline
	cancel   context.CancelFunc
	lanes    []numbered    // a table by the method's number, a quarter full
	taken    atomic.Int64  // calls whose handlers run, but those that tell their hosts
	ended    atomic.Bool   // contexts are
	closing  chan struct{} // no host reads any more
}

// lane is what the workers hand back of a method.
type lane struct {
	g *generation
	m *method
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
		b: p.b, id: o.Generation, out: out, maxReply: o.MaxReply, closing: make(chan struct{}), lanes: make([]numbered, 4<<bits.Len(uint(len(p.b.methods)))),
	}
	for _, m := range p.b.methods {
		if m.Kind != schema.Event {
			at := m.id
			for g.lanes[int(at)&(len(g.lanes)-1)].Lane != nil {
				at++
			}
			g.lanes[int(at)&(len(g.lanes)-1)] = numbered{m.id, &bridgelib.Lane{Value: &lane{g, m}}}
		}
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	p.b.open.Store(g)
	return bridgelib.OK, nil
}

type numbered struct {
	id uint32
	*bridgelib.Lane
}

// lane finds a method.
func (g *generation) lane(id uint32) *bridgelib.Lane {
	for at := id; ; at++ {
		if l := &g.lanes[int(at)&(len(g.lanes)-1)]; l.Lane == nil || l.id == id {
			return l.Lane
		}
	}
}

// Lane finds a method.
func (p program) Lane(id uint32, cast bool) *bridgelib.Lane {
	if g := p.b.open.Load(); g != nil {
		if l := g.lane(id); l != nil && (l.Value.(*lane).m.Kind == schema.Cast) == cast {
			return l
		}
	}
	return nil
}

// missing says why there is no lane for a method.
func (b *Bridge) missing(id uint32, kind schema.MethodKind) string {
	if m := b.byID[id]; m != nil {
		return fmt.Sprintf("%s is used by %s, not by %s", m.Name, m.Kind, kind)
	}
	return fmt.Sprintf("there is no method with the number %#x", id)
}

// Call runs a handler.
func (p program) Call(c *bridgelib.Call) {
	if c.Lane == nil {
		c.Done(bridgelib.Method, []byte(p.b.missing(c.Method, schema.Call)))
		return
	}
	l, deadline := c.Lane.Value.(*lane), c.Deadline()
	if !deadline.IsZero() && !time.Now().Before(deadline) {
		p.b.stats.Deadlines.Add(1)
		c.Done(bridgelib.Deadline, []byte("it had passed before the handler began"))
		return
	}
	if l.g.taken.Add(1) > int64(p.b.o.MaxInFlight) {
		l.g.taken.Add(-1)
		c.Done(bridgelib.Busy, []byte("as many handlers run as may: some go on after their deadline"))
		return
	}
	l.g.call(l.m, c, deadline)
}

func (g *generation) call(m *method, c *bridgelib.Call, deadline time.Time) {
	stats := &g.b.stats
	stats.Running.Add(1)
	status, reply := bridgelib.Panic, []byte(nil)
	returned, lent := false, false
	ctx, j := &callContext{deadline: deadline}, m.job()
	defer func() {
		if lent {
			c.Return()
		}
		if !returned {
			reply = []byte(g.panicked(m, recover()))
		}
		stats.Running.Add(^uint64(0))
		g.taken.Add(-1) // before the host is told: one that calls again at once finds room
		c.Done(status, reply)
		ctx.End(context.Canceled)
		if returned {
			j.free()
		}
	}()
	var request []byte
	if request, lent = c.Begin(ctx); !lent {
		returned = true
		return // it was given up
	}
	if g.ended.Load() {
		ctx.End(context.Canceled)
	}
	err := j.decode(request)
	c.Return()
	lent = false
	if err != nil {
		stats.DecodeErrors.Add(1)
		status, reply = bridgelib.Decode, []byte(err.Error())
	} else {
		if err = j.run(ctx); err == nil {
			if reply, lent = c.Room(); lent { // where the request was
				reply, err = j.encode(reply, true)
			}
		}
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
	case err == nil && uint64(len(reply)) <= g.maxReply:
		return bridgelib.OK, reply
	case errors.Is(err, context.DeadlineExceeded):
		return bridgelib.Deadline, []byte(err.Error())
	case errors.Is(err, context.Canceled):
		return bridgelib.Cancelled, []byte(err.Error())
	case err != nil:
		return bridgelib.Handler, []byte(strings.ToValidUTF8(err.Error(), "\uFFFD"))
	}
	return bridgelib.ReplyTooBig, fmt.Appendf(nil, "the reply of %s has %d bytes, at most %d", m.Name, len(reply), g.maxReply)
}

// Inline runs a handler here and now.
func (p program) Inline(id uint32, generation uint64, request, out []byte, deadline time.Time) (reply []byte, status bridgelib.Status) {
	g := p.b.open.Load()
	if g == nil || g.id != generation {
		return nil, bridgelib.Closed
	}
	counted := g.lane(id)
	if counted == nil || counted.Value.(*lane).m.Kind != schema.Call {
		return []byte(p.b.missing(id, schema.Call)), bridgelib.Method
	}
	m := counted.Value.(*lane).m
	if !m.Inline {
		return []byte(m.Name + " is not inline"), bridgelib.Method
	}
	if counted.Active.Add(1) <= 0 {
		counted.Active.Add(-1)
		return nil, bridgelib.Closed
	}
	stats := &p.b.stats
	stats.Inline.Add(1)
	ctx, returned := g.ctx, false
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	j := m.job()
	defer func() {
		g.out.Leave(counted, 1)
		if returned {
			j.free()
			return
		}
		v := recover()
		stats.Failed.Add(1)
		if v == nil {
			// Not here: a recover of Go's above the host would leave the host's frames.
			go panic("isthmus: bridge: the inline handler of " + m.Name + " called runtime.Goexit on a thread of the host's; register it without bridge.Inline")
			select {}
		}
		reply, status = []byte(g.panicked(m, v)), bridgelib.Panic
	}()
	if err := j.decode(request); err != nil {
		stats.DecodeErrors.Add(1)
		reply, status = []byte(err.Error()), bridgelib.Decode
	} else {
		if err = j.run(ctx); err == nil {
			reply, err = j.encode(out[:0:len(out)], false)
		}
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

// Cast runs a handler.
func (p program) Cast(c *bridgelib.Cast) {
	if c.Lane == nil {
		p.b.lost(fmt.Sprintf("cast %#x", c.Method), isthmus.ProblemStray, fmt.Errorf("%s: %w", p.b.missing(c.Method, schema.Cast), isthmus.ErrNotFound))
		return
	}
	l, stats, returned := c.Lane.Value.(*lane), &p.b.stats, false
	stats.Running.Add(1)
	j := l.m.job()
	defer func() {
		stats.Running.Add(^uint64(0))
		if returned {
			j.free()
			return
		}
		l.g.panicked(l.m, recover())
		stats.Failed.Add(1)
	}()
	err := j.decode(c.Message())
	if err != nil {
		stats.DecodeErrors.Add(1)
	} else {
		err = j.run(l.g.ctx)
	}
	returned = true
	if err != nil {
		p.b.lost("cast "+l.m.Name, isthmus.ProblemMisuse, err)
	} else {
		stats.OK.Add(1)
	}
}

// lost counts and reports a cast that failed.
func (b *Bridge) lost(name string, p isthmus.Problem, err error) {
	b.stats.Failed.Add(1)
	isthmus.Tell(isthmus.Report{Problem: p, Object: isthmus.Object{Kind: "bridge " + name}, Err: err})
}

// active is how many calls and casts are under way.
func (g *generation) active() (n int64) {
	for _, l := range g.lanes {
		if l.Lane != nil {
			n += l.Active.Load()
		}
	}
	return n
}

// wait returns when nothing is under way, or after d.
func (g *generation) wait(quiet <-chan struct{}, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	for g.active() > 0 {
		select {
		case <-quiet:
		case <-t.C:
			return
		}
	}
}

// Close ends the generation.
func (p program) Close(drain time.Duration) bridgelib.Report {
	g, began := p.b.open.Load(), time.Now()
	if drain == 0 {
		drain = p.b.o.Drain
	}
	close(g.closing)
	g.out.Settle()
	quiet, before := g.out.Quiet(), g.active()
	g.wait(quiet, drain-time.Since(began))
	g.ended.Store(true)
	g.cancel()
	for _, w := range g.out.Watchers() {
		w.End(context.Canceled)
	}
	var r bridgelib.Report
	for _, l := range g.lanes { // casts that wait will not run
		if l.Lane != nil {
			r.CastsDropped += g.out.Drop(l.Lane)
		}
	}
	// As long as handlers end, and a few looks more: on a loaded machine time passes while nothing of this process runs.
	for n, looks := g.active(), 0; n > 0 && looks < 8; looks++ {
		if g.wait(quiet, grace/4); g.active() < n {
			n, looks = g.active(), 0
		}
	}
	var names []string
	for _, l := range g.lanes {
		if l.Lane == nil {
			continue
		}
		if n := l.Active.Add(-bridgelib.Zombie) + bridgelib.Zombie; n > 0 {
			r.Zombies += uint64(n)
			names = append(names, fmt.Sprintf("%s x%d", l.Value.(*lane).m.Name, n))
		}
	}
	slices.Sort(names)
	r.Methods = strings.Join(names, ", ")
	r.Finished = uint64(before) - r.Zombies - r.CastsDropped
	p.b.stats.Zombies.Add(r.Zombies)
	r.Closed = g.out.Finish(bridgelib.Closed, "the bridge was closed while the handler ran")
	p.b.stats.Closed.Add(r.Closed)
	p.b.open.Store(nil)
	r.Waited = time.Since(began)
	return r
}
