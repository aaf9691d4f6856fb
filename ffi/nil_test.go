package ffi_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/niltest"
)

// No method panics on a nil or a zero value, whatever it is given. It runs alone, because a reaper that is given no
// event keeps what it was given for good.
func TestNilAndZero(t *testing.T) {
	inside, out, _ := leaktest.Alone(t)
	if !inside {
		if !strings.Contains(out, "--- PASS: TestNilAndZero ") {
			t.Errorf("it did not pass:\n%s", out)
		}
		return
	}
	access := ffi.Access(0)
	niltest.Methods(t, &access, &ffi.Arena{}, &ffi.ArenaPool{}, &ffi.BorrowedError{}, &ffi.BusyError{}, &ffi.Callback{},
		&ffi.Event{}, &ffi.Lease{}, &ffi.Library{}, &ffi.Loan{}, &ffi.Owned[int]{}, &ffi.Reaper{}, &ffi.Region{}, &ffi.Scope{}, &ffi.Section[byte]{}, &ffi.Symbol{})
}

// A nil event answers as one that failed, and nothing takes it for the end of native work.
func TestNilEvent(t *testing.T) {
	var e *ffi.Event
	<-e.Done()
	if !e.Completed() || e.Complete(nil) {
		t.Error("it can complete")
	}
	if err := e.Wait(t.Context()); !errors.Is(err, isthmus.ErrInvalid) || !errors.Is(e.Err(), isthmus.ErrInvalid) {
		t.Errorf("wait: %v, err: %v, want ErrInvalid", err, e.Err())
	}
	got := make(chan error, 1)
	if stop := e.OnDone(func(err error) { got <- err }); stop() {
		t.Error("the function was taken back")
	}
	if err := <-got; !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("on done: %v, want ErrInvalid", err)
	}
	l, err := ffi.Lend(make([]byte, 8), ffi.Shared)
	if err != nil {
		t.Fatal(err)
	}
	if l.ReturnOn(nil); l.Returned() {
		t.Error("the loan came back without an event")
	}
	l.Return()
	if err := ffi.Within(t.Context(), ffi.ScopeOptions{}, func(s *ffi.Scope) error { return s.Add("work", nil, nil) }); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("add: %v, want ErrInvalid", err)
	}
}

// What a nil reaper is given is released when its event says so.
func TestNilReaper(t *testing.T) {
	var r *ffi.Reaper
	e, got := &ffi.Event{}, make(chan error, 1)
	r.Adopt(e, "work", func(err error) { got <- err })
	e.Complete(context.Canceled)
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("released with %v", err)
	}
	if err := r.Wait(t.Context()); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("wait: %v, want ErrInvalid", err)
	}
}

// An Init that cannot own destroys what it was given, if it knows how.
func TestNilInit(t *testing.T) {
	var destroyed []int
	class := &ffi.Class[int]{Name: "test.Thing", Destroy: func(h int) error { destroyed = append(destroyed, h); return nil }}
	var o *ffi.Owned[int]
	if err := o.Init(class, 7); !errors.Is(err, isthmus.ErrInvalid) || len(destroyed) != 1 || destroyed[0] != 7 {
		t.Errorf("nil owner: %v, destroyed %v; want ErrInvalid and 7", err, destroyed)
	}
	var own ffi.Owned[int]
	for name, c := range map[string]*ffi.Class[int]{"nil": nil, "zero": {}} {
		if err := own.Init(c, 1); !errors.Is(err, isthmus.ErrInvalid) || own.Live() {
			t.Errorf("%s class: %v, live %t; want ErrInvalid", name, err, own.Live())
		}
	}
	if err := own.Init(class, 8); err != nil {
		t.Fatal(err)
	}
	var none context.Context
	if err := own.CloseWait(none); !errors.Is(err, isthmus.ErrInvalid) || !own.Live() {
		t.Errorf("close in a nil context: %v, want ErrInvalid and an open object", err)
	}
	if err := own.With(nil); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("with nothing: %v, want ErrInvalid", err)
	}
	if err := own.Close(); err != nil {
		t.Error(err)
	}
}
