package ffi_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestScopeWaitsForItsWork(t *testing.T) {
	leaktest.Check(t)
	b := make([]byte, 16)
	var e ffi.Event
	var kept *ffi.Scope
	var idle *ffi.Loan
	err := ffi.Within(t.Context(), ffi.ScopeOptions{}, func(s *ffi.Scope) error {
		kept = s
		l, err := s.Lend(b[:8], ffi.Exclusive)
		if err != nil {
			return err
		}
		if idle, err = s.Lend(b[8:], ffi.Shared); err != nil {
			return err
		}
		if err := s.Add("execution", &e, nil, l); err != nil {
			return err
		}
		time.AfterFunc(5*time.Millisecond, func() { e.Complete(nil) })
		return nil
	})
	if err != nil || !e.Completed() || !idle.Returned() || ffi.Lent() != 0 {
		t.Errorf("Within = %v, completed %v, %d still lent", err, e.Completed(), ffi.Lent())
	}
	if _, err := kept.Lend(b, ffi.Shared); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Lend after the end: %v", err)
	}
	if err := kept.Add("late", &e, nil); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("Add after the end: %v", err)
	}
}

func TestScopeStopsItsWork(t *testing.T) {
	leaktest.Check(t)
	failed := errors.New("failed")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		f    func() error
	}{
		{"f fails", t.Context(), func() error { return failed }},
		{"f panics", t.Context(), func() error { panic(failed) }},
		{"the context ended", ended, func() error { return failed }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var e ffi.Event
			var asked atomic.Int32
			defer func() {
				if v := recover(); v != nil && v != failed {
					t.Errorf("panic %v", v)
				}
				if asked.Load() != 1 || ffi.Lent() != 0 {
					t.Errorf("asked to stop %d times, %d still lent", asked.Load(), ffi.Lent())
				}
			}()
			err := ffi.Within(tt.ctx, ffi.ScopeOptions{}, func(s *ffi.Scope) error {
				l, err := s.Lend(make([]byte, 8), ffi.Exclusive)
				if err != nil {
					return err
				}
				stop := func() {
					asked.Add(1)
					go e.Complete(context.Canceled)
				}
				if err := s.Add("execution", &e, stop, l); err != nil {
					return err
				}
				return tt.f()
			})
			if !errors.Is(err, failed) {
				t.Errorf("Within = %v", err)
			}
		})
	}
}

func TestScopeReportsWorkThatDoesNotEnd(t *testing.T) { // I03
	leaktest.Check(t)
	log := leaktest.Capture(t)
	var e ffi.Event
	b := make([]byte, 8)
	ctx, cancel := context.WithCancel(t.Context())
	err := ffi.Within(ctx, ffi.ScopeOptions{Grace: time.Millisecond}, func(s *ffi.Scope) error {
		l, err := s.Lend(b, ffi.Exclusive)
		if err != nil {
			return err
		}
		defer cancel()
		return s.Add("stuck execution", &e, nil, l)
	})
	if !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "stuck execution") || !strings.Contains(err.Error(), "scope_test.go:") {
		t.Errorf("Within = %v", err)
	}
	if r := log.Wait(t, 1)[0]; r.Problem != isthmus.ProblemLate {
		t.Errorf("report %v", r)
	}
	if _, err := ffi.Lend(b, ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("the memory came back under the work: %v", err)
	}
	// When the work ends at last, the memory comes back.
	e.Complete(nil)
}

// TestScopeModel leaves scopes with work in any state and compares what is lent afterwards with what must be.
func TestScopeModel(t *testing.T) {
	log := leaktest.Capture(t)
	rapid.Check(t, func(t *rapid.T) {
		b := make([]byte, 8*10)
		n := rapid.IntRange(0, 10).Draw(t, "loans")
		events := make([]ffi.Event, rapid.IntRange(0, 4).Draw(t, "events"))
		stuck := make([]bool, len(events))
		uses := make([][]int, n)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		loans := make([]*ffi.Loan, n)
		err := ffi.Within(ctx, ffi.ScopeOptions{Grace: time.Microsecond}, func(s *ffi.Scope) error {
			for i := range n {
				l, err := s.Lend(b[8*i:8*i+8], ffi.Exclusive)
				if err != nil {
					return err
				}
				loans[i] = l
			}
			for i := range events {
				var with []*ffi.Loan
				for j := range n {
					if loans[j].Returned() {
						if err := s.Add("work", &events[i], nil, loans[j]); !errors.Is(err, isthmus.ErrClosed) {
							t.Fatalf("Add with a returned loan: %v", err)
						}
						continue
					}
					if rapid.Bool().Draw(t, "uses") {
						with = append(with, loans[j])
						uses[j] = append(uses[j], i)
					}
				}
				if err := s.Add("work", &events[i], nil, with...); err != nil {
					return err
				}
				switch rapid.IntRange(0, 2).Draw(t, "state") {
				case 0:
					events[i].Complete(nil)
				case 1:
					stuck[i] = true
				case 2:
					stuck[i] = true
					if rapid.Bool().Draw(t, "return by hand") && len(with) > 0 {
						with[0].Return()
						j := slices.Index(loans, with[0])
						uses[j] = nil
					}
				}
			}
			if slices.Contains(stuck, true) {
				cancel()
			}
			return nil
		})
		if (err != nil) != slices.Contains(stuck, true) {
			t.Fatalf("Within = %v, stuck %v", err, stuck)
		}
		for j, l := range loans {
			want := true
			for _, i := range uses[j] {
				want = want && !stuck[i]
			}
			if l.Returned() != want {
				t.Fatalf("loan %d returned %v, want %v (uses %v, stuck %v)", j, l.Returned(), want, uses[j], stuck)
			}
		}
		for i := range events {
			events[i].Complete(nil)
		}
		for end := time.Now().Add(time.Minute); ffi.Lent() > 0; time.Sleep(time.Microsecond) {
			if time.Now().After(end) {
				t.Fatal("not all came back when the work ended")
			}
		}
	})
	for _, r := range log.All() {
		if r.Problem != isthmus.ProblemLate {
			t.Errorf("report %v", r)
		}
	}
}

func TestScopeHammer(t *testing.T) {
	leaktest.Check(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(g)))
			b := make([]byte, 64)
			for range 100 {
				err := ffi.Within(t.Context(), ffi.ScopeOptions{}, func(s *ffi.Scope) error {
					var inner sync.WaitGroup
					for i := range 4 {
						inner.Go(func() {
							l, err := s.Lend(b[16*i:16*i+16], ffi.Exclusive)
							if err != nil {
								t.Error(err)
								return
							}
							e := &ffi.Event{}
							if err := s.Add("work", e, func() { e.Complete(context.Canceled) }, l); err != nil {
								t.Error(err)
							}
							go func() {
								l.Bytes()[0]++
								e.Complete(nil)
							}()
						})
					}
					inner.Wait()
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				// Everything is back: the memory is this goroutine's again, as the race detector sees.
				b[16*r.IntN(4)] = 0
			}
		})
	}
	wg.Wait()
}
