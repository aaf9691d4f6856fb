package langrt

import (
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Scope owns what is made in it, and lets it go at its end. What a container counts by then, or [Scope.Keep] took out,
// lives on. Every function that makes an object, or gives one away, takes the scope that shall own it; with a nil *Scope
// the caller owns it, and has to [Release] it.
//
// The methods may be called from several goroutines. Scopes may be inside each other, and end in any order.
type Scope struct {
	mu    sync.Mutex
	made  []rtheap.Value
	ended bool
}

// Do calls f with a scope that ends when f returns, also when it panics. What a scope owns must not be released by hand.
func Do(f func(s *Scope) error) error {
	s := &Scope{}
	defer s.end()
	return f(s)
}

func (s *Scope) end() {
	s.mu.Lock()
	made := s.made
	s.made, s.ended = nil, true
	s.mu.Unlock()
	if h := rtheap.Made(); h != nil {
		for _, v := range slices.Backward(made) {
			h.Release(v)
		}
	}
}

// Take gives the scope a count of v that the caller has, such as that of a value that C gave away.
func (s *Scope) Take(v Value) error {
	if s == nil {
		return nil
	}
	if w := v.raw(); w.IsHandle() {
		if !v.Live() {
			return notAlive("scope take", v)
		}
		if !s.take(w) {
			return errEnded("scope take")
		}
	}
	return nil
}

func (s *Scope) take(w rtheap.Value) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.made = append(s.made, w)
	}
	return !s.ended
}

// Keep takes v out of the scope: its count is the caller's, who has to [Release] it or put it into another scope. What
// is no object is nobody's, and kept as it is.
//
// Errors: isthmus.ErrNotFound when the scope does not own v, isthmus.ErrClosed when it has ended.
func (s *Scope) Keep(v Value) error {
	w := v.raw()
	if s == nil || !w.IsHandle() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return errEnded("scope keep")
	}
	for i, m := range slices.Backward(s.made) {
		if m == w {
			s.made = slices.Delete(s.made, i, i+1)
			return nil
		}
	}
	return fmt.Errorf("langrt: scope keep: %v was not made in it: %w", v, isthmus.ErrNotFound)
}

// owns reports whether the scope owns v.
func (s *Scope) owns(w rtheap.Value) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.made, w)
}

func errEnded(op string) error {
	return fmt.Errorf("langrt: %s: the scope has ended: %w", op, isthmus.ErrClosed)
}

// own makes the scope the owner of what was made, or says why nothing was.
func own(s *Scope, op string, h *rtheap.Heap, w rtheap.Value, code rtheap.Code) (Value, error) {
	if code != rtheap.OK {
		return Value{}, refusal(op, Value{}, code)
	}
	if s != nil && w.IsHandle() && !s.take(w) {
		h.Release(w)
		return Value{}, errEnded(op)
	}
	return wrap(w), nil
}
