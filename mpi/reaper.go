package mpi

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// reaper keeps the operations that were given up on, until the library is done with them. It is a goroutine while there
// are any.
type reaper struct {
	mu  sync.Mutex
	ops []*operation
	run bool

	requests []*operation // that belong to Requests, whether under way or not
}

// watch lists an operation of a Request, to be named when the World cannot be closed.
func (r *reaper) watch(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, o)
}

// open names at most limit requests that are under way.
func (r *reaper) open(limit int) []string {
	all := r.objects()
	var out []string
	for _, o := range all[:min(limit, len(all))] {
		out = append(out, o.String())
	}
	return out
}

// objects are the requests that are under way.
func (r *reaper) objects() []isthmus.Object {
	r.mu.Lock()
	all := slices.Clone(r.requests)
	r.mu.Unlock()
	var out []isthmus.Object
	for _, o := range all {
		o.mu.Lock()
		if o.out && !o.over {
			out = append(out, o.Object())
		}
		o.mu.Unlock()
	}
	return out
}

// keep takes over an operation that is not over.
func (r *reaper) keep(o *operation) {
	o.mu.Lock()
	if o.kept || o.over {
		over := o.over && o.alone && !o.kept
		o.alone = o.alone && o.kept
		o.mu.Unlock()
		if over { // it ended before it could be kept
			o.entry.Leave()
			o.recycle()
		}
		return
	}
	o.kept = true
	o.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
	if !r.run {
		r.run = true
		go r.serve()
	}
}

// serve looks after all operations, one look each, less often the longer nothing happens.
func (r *reaper) serve() {
	for pause := 20 * time.Microsecond; ; {
		r.mu.Lock()
		ops := append([]*operation(nil), r.ops...)
		r.mu.Unlock()
		ended := 0
		for _, o := range ops {
			o.mu.Lock()
			o.poll(1)
			over, alone := o.over, o.over && o.alone
			if over {
				o.kept, o.alone = false, false
			}
			o.mu.Unlock()
			if over {
				ended++
				r.remove(o)
			}
			if alone {
				o.entry.Leave()
				o.recycle()
			}
		}
		r.mu.Lock()
		if len(r.ops) == 0 {
			r.run = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		if ended > 0 {
			pause = 20 * time.Microsecond
		} else {
			pause = min(2*pause, 2*time.Millisecond)
		}
		time.Sleep(pause)
	}
}

func (r *reaper) remove(o *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, x := range r.ops {
		if x == o {
			r.ops[i] = r.ops[len(r.ops)-1]
			r.ops = r.ops[:len(r.ops)-1]
			return
		}
	}
}

// drain waits until no operation is kept any more.
func (r *reaper) drain(ctx context.Context, limit time.Duration) error {
	if limit > 0 {
		var stop func()
		ctx, stop = context.WithTimeout(ctx, limit)
		defer stop()
	}
	var p patience
	for {
		r.mu.Lock()
		n := len(r.ops)
		var first string
		if n > 0 {
			first = r.ops[0].Object().String()
		}
		r.mu.Unlock()
		if n == 0 {
			return nil
		}
		if err := p.pause(ctx); err != nil {
			return fmt.Errorf("mpi: close: the library still works on %d requests that were given up, such as %s: %w: %w", n, first, isthmus.ErrBusy, err)
		}
	}
}
