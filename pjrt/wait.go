package pjrt

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// WaitAll waits until all events have fired and returns what they carry, joined, or the context's cause when that
// ends first. None, and nil ones, count as fired.
func WaitAll(ctx context.Context, events ...*Event) error {
	var all error
	for _, e := range events {
		if e == nil {
			continue
		}
		if err := e.Wait(ctx); err != nil {
			all = errors.Join(all, err)
			if ctx.Err() != nil && !e.done.Completed() {
				return all
			}
		}
	}
	return all
}

// WaitAny waits until one of the events has fired and returns its index and what it carries. The error is the context's
// cause, and the index -1, when that ends first. Nil events never fire; no events at all are an error.
func WaitAny(ctx context.Context, events ...*Event) (int, error) {
	for i, err := range Completions(ctx, events...) {
		return i, err
	}
	return -1, invalid("wait", "no event to wait for")
}

// Completions goes over the events as they fire, each once: its index and what it carries. When ctx ends first, -1 and
// its cause are the last. Nil events are left out.
//
//	for i, err := range pjrt.Completions(ctx, events...) {
func Completions(ctx context.Context, events ...*Event) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		left := 0
		// Room for all, so that nobody who reports waits for a loop that was left.
		ready := make(chan int, len(events))
		for i, e := range events {
			if e == nil {
				continue
			}
			left++
			if e.done == nil || e.start() != nil {
				ready <- i
				continue
			}
			defer e.done.OnDone(func(error) { ready <- i })()
		}
		for ; left > 0; left-- {
			select {
			case i := <-ready:
				if !yield(i, events[i].outcome()) {
					return
				}
			case <-ctx.Done():
				yield(-1, fmt.Errorf("pjrt: wait: %w", context.Cause(ctx)))
				return
			}
		}
	}
}

// outcome is what an event carries that has fired, or why it cannot be waited for.
func (e *Event) outcome() error {
	if e.done == nil {
		return invalid("wait", "no event")
	}
	if e.done.Completed() {
		return e.done.Err()
	}
	return e.start()
}
