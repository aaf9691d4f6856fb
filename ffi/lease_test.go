package ffi_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

type borrower struct {
	lease ffi.Lease
	name  string
}

func (b *borrower) Object() isthmus.Object { return isthmus.Object{Kind: b.name} }

// A lease keeps to the rules of loans, against leases and against loans, and can be taken again.
func TestI05Lease(t *testing.T) {
	m := make([]byte, 100)
	var a, b borrower
	a.name, b.name = "first", "second"
	for range 3 {
		if err := a.lease.Take(m[:50], ffi.Exclusive, &a); err != nil {
			t.Fatal(err)
		}
		if err := a.lease.Take(m[60:], ffi.Shared, &a); !errors.Is(err, isthmus.ErrBusy) {
			t.Errorf("taken twice: %v", err)
		}
		var e *ffi.BorrowedError
		if err := b.lease.Take(m[49:], ffi.Shared, &b); !errors.As(err, &e) || e.By.Kind != "first" || b.lease.Out() {
			t.Errorf("overlap: %v", err)
		}
		if _, err := ffi.Lend(m[49:], ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
			t.Errorf("a loan over a lease: %v", err)
		}
		if err := ffi.Free(m[:1], ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
			t.Errorf("lent memory is free: %v", err)
		}
		if err := ffi.Free(m[50:], ffi.Exclusive); err != nil {
			t.Error(err)
		}
		late := m[49:]
		if mem.RaceEnabled {
			late = m[50:] // the race detector would see the conflict, and report it as it should
		}
		if err := b.lease.TakeLate(late, ffi.Shared, &b); err != nil || !b.lease.Out() {
			t.Error(err)
		}
		b.lease.Return()
		a.lease.Return()
		a.lease.Return()
		if err := ffi.Free(m, ffi.Exclusive); err != nil {
			t.Error(err)
		}
	}
	l, err := ffi.Lend(m, ffi.Shared)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.lease.Take(m, ffi.Exclusive, &a); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("a lease over a loan: %v", err)
	}
	if err := a.lease.Take(m, ffi.Shared, &a); err != nil {
		t.Error(err)
	}
	a.lease.Return()
	l.Return()
	if n := testing.AllocsPerRun(100, func() {
		if a.lease.Take(m, ffi.Exclusive, &a) == nil {
			a.lease.Return()
		}
	}); n != 0 && !mem.RaceEnabled {
		t.Errorf("%v allocations", n)
	}
}

// What a lease has is not collected, nor is the object that it is part of.
func TestI08LeaseKeepsItsMemory(t *testing.T) {
	gone := make(chan struct{})
	addr := func() *ffi.Lease {
		x := &struct {
			borrower
			m *[4096]byte
		}{m: new([4096]byte)}
		runtime.AddCleanup(x.m, func(int) { close(gone) }, 0)
		if err := x.lease.Take(x.m[:], ffi.Exclusive, &x.borrower); err != nil {
			t.Fatal(err)
		}
		x.m = nil
		return &x.lease
	}()
	for range 5 {
		runtime.GC()
	}
	select {
	case <-gone:
		t.Fatal("the memory was collected while it was lent")
	default:
	}
	addr.Return()
	for {
		runtime.GC()
		select {
		case <-gone:
			return
		default:
			runtime.Gosched()
		}
	}
}
