package mpi

import (
	"context"
	"errors"
	"fmt"
)

// Pending is what can be waited for together with others: a [Request] or a [Repeat] of any element type.
type Pending interface {
	// pending is the operation, nil when there is none.
	pending() *operation
}

// check looks once, or n times, whether p is over. One without an operation under way is.
func check(p Pending, n int64) bool {
	if p == nil {
		return true
	}
	o := p.pending()
	if o == nil {
		return true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.out {
		return true
	}
	o.poll(n)
	return o.over
}

// TestAny returns the index of the first of rs that is over, -1 when none is. Its own Wait or Test then gives back the slice
// and says how it went. One that has given its slice back, or has no operation, counts as over.
func TestAny(rs ...Pending) int {
	for i, r := range rs {
		if check(r, 1) {
			return i
		}
	}
	return -1
}

// TestSome returns the indices of all that are over.
func TestSome(rs ...Pending) []int {
	var out []int
	for i, r := range rs {
		if check(r, 1) {
			out = append(out, i)
		}
	}
	return out
}

// TestAll reports whether all are over.
func TestAll(rs ...Pending) bool {
	for _, r := range rs {
		if !check(r, 1) {
			return false
		}
	}
	return true
}

// WaitAny waits until one of rs is over and returns its index. When ctx ends first, the requests go on and keep their
// slices. No requests at all are [isthmus.ErrInvalid], since none will ever be over.
func WaitAny(ctx context.Context, rs ...Pending) (int, error) {
	if len(rs) == 0 {
		return -1, invalid("wait for any", "no requests")
	}
	p := patienceForAll(rs, true)
	for {
		for range 20 {
			if i := TestAny(rs...); i >= 0 {
				return i, nil
			}
		}
		if err := p.pause(ctx); err != nil {
			return -1, fmt.Errorf("mpi: wait for any of %d requests: %w", len(rs), err)
		}
	}
}

// WaitSome waits until at least one of rs is over and returns the indices of all that are.
func WaitSome(ctx context.Context, rs ...Pending) ([]int, error) {
	if _, err := WaitAny(ctx, rs...); err != nil {
		return nil, err
	}
	return TestSome(rs...), nil
}

// WaitAll waits until all of rs are over. The error joins those of the operations; each one's Wait gives its own again, and
// the slice back. When ctx ends first, the requests go on and keep their slices.
func WaitAll(ctx context.Context, rs ...Pending) error {
	var errs error
	for i, r := range rs {
		p := patienceForAll(rs[i:i+1], false)
		for !check(r, spins) {
			if err := p.pause(ctx); err != nil {
				return fmt.Errorf("mpi: wait for all of %d requests, the first %d of which are over: %w", len(rs), i, err)
			}
		}
		if r == nil {
			continue
		}
		if o := r.pending(); o != nil {
			o.mu.Lock()
			if o.out && o.err != nil {
				errs = errors.Join(errs, o.err)
			}
			o.mu.Unlock()
		}
	}
	return errs
}

// patienceForAll is how to wait for several.
func patienceForAll(rs []Pending, anyOne bool) patience {
	for _, r := range rs {
		if r == nil || r.pending() == nil {
			continue
		}
		w := r.pending().world
		if w.watch != nil {
			return w.patienceFor(many{rs, anyOne})
		}
		break
	}
	return patience{}
}
