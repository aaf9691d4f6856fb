package langrt

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Generator gives one value after the other, made by C or by Go when it is asked for the next.
type Generator struct{ Value }

// NewGenerator makes a generator of the values of seq, which s owns. seq runs on goroutines of the runtime's, a step at a
// time; a value that it yields is counted for whoever asked. When nobody has the generator any more, seq's loop ends.
func NewGenerator(s *Scope, seq iter.Seq[Value]) (Generator, error) {
	const op = "generator new"
	if err := plane(op); err != nil {
		return Generator{}, err
	}
	h, err := heap(op)
	if err != nil {
		return Generator{}, err
	}
	if seq == nil {
		return Generator{}, &Error{Op: op, Code: NoValue, Detail: "without a sequence"}
	}
	p := &pulled{seq: seq}
	w, code := newGenerator(p.step, p.end)
	v, err := own(s, op, h, w, code)
	return Generator{v}, err
}

// pulled is a sequence that a goroutine of its own runs a step at a time. (iter.Pull is for the thread that began it, when
// that was locked to its goroutine: here anybody asks.)
type pulled struct {
	seq    iter.Seq[Value]
	mu     sync.Mutex    // of who asks
	ask    chan struct{} // nil before the first step
	answer chan pull
	over   bool
}

// pull is a value, whose count goes along, or the end.
type pull struct {
	v        Value
	err      error
	over     bool
	panicked any
}

// step makes the next value; its count is the caller's.
func (p *pulled) step(Value) (Value, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		return Value{}, &Error{Op: "generator next", Code: Empty}
	case p.ask == nil:
		p.ask, p.answer = make(chan struct{}), make(chan pull)
		go p.run()
	default:
		p.ask <- struct{}{}
	}
	r := <-p.answer
	p.over = r.over
	if r.panicked != nil {
		panic(r.panicked)
	}
	return r.v, r.err
}

func (p *pulled) run() {
	last := pull{over: true, panicked: "the sequence ended its goroutine"}
	var ended atomic.Bool // and yield is called nevertheless
	defer func() {
		if x := recover(); x != nil {
			last.panicked = x
		}
		if ended.CompareAndSwap(false, true) {
			p.answer <- last
		}
	}()
	p.seq(func(v Value) bool {
		if ended.Load() {
			return false
		}
		p.answer <- pull{v: v, err: Retain(v)} // the sequence has it until the next step
		_, more := <-p.ask
		if !more {
			ended.Store(true)
		}
		return more
	})
	last = pull{over: true, err: &Error{Op: "generator next", Code: Empty}}
}

func (p *pulled) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ask != nil && !p.over {
		close(p.ask)
	}
	p.over = true
}

// Next is the next value, which s owns, and whether there was one. A body in C runs on this thread.
//
// Errors: [BadState] while another is at it; [Defect] when a sequence of Go's panicked.
func (g Generator) Next(s *Scope) (Value, bool, error) {
	const op = "generator next"
	w, code := nextOf(g.Value)
	switch code {
	case rtheap.OK:
		v, err := own(s, op, rtheap.Made(), w, code)
		return v, err == nil, err
	case rtheap.IsEmpty:
		return Value{}, false, nil
	}
	return Value{}, false, refusal(op, g.Value, code)
}

// Done reports whether there is nothing more; true also of what is no generator.
func (g Generator) Done() bool { return generatorDone(g.Value) }

// All are the values that are left. A value is let go after its turn of the loop: [Retain] it to have it for longer.
func (g Generator) All() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for {
			v, ok, err := g.Next(nil)
			if err != nil || !ok || !lent(v, yield) {
				return
			}
		}
	}
}

// lent gives yield a value whose count is ours, and lets it go afterwards, also when the loop's body panics.
func lent(v Value, yield func(Value) bool) bool {
	defer func() { _ = Release(v) }()
	return yield(v)
}
