package ffi_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestLoanConflictIsNamed(t *testing.T) { // I05
	leaktest.Check(t)
	b := make([]byte, 100)
	reader, err := ffi.Lend(b[10:20], ffi.Shared)
	if err != nil {
		t.Fatal(err)
	}
	second, err := ffi.Lend(b[15:30], ffi.Shared)
	if err != nil {
		t.Fatalf("two readers: %v", err)
	}
	second.Return()
	_, err = ffi.Lend(b[19:21], ffi.Exclusive)
	var borrowed *ffi.BorrowedError
	if !errors.As(err, &borrowed) || !errors.Is(err, isthmus.ErrBorrowed) {
		t.Fatalf("overlapping writer: %v", err)
	}
	if borrowed.Want != ffi.Exclusive || borrowed.Have != ffi.Shared || borrowed.Bytes != 2 || borrowed.By.ID != reader.Object().ID {
		t.Errorf("%+v", borrowed)
	}
	if !strings.Contains(err.Error(), "loan_test.go:") {
		t.Errorf("%q does not name the place of the other loan", err)
	}
	writer, err := ffi.Lend(b[20:30], ffi.Exclusive)
	if err != nil {
		t.Fatalf("a writer beside a reader: %v", err)
	}
	if _, err := ffi.Lend(b[29:30], ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("a reader under a writer: %v", err)
	}
	reader.Return()
	writer.Return()
	all, err := ffi.Lend(b, ffi.Exclusive)
	if err != nil {
		t.Fatalf("after all came back: %v", err)
	}
	if len(all.Bytes()) != 100 || all.Returned() || all.Access() != ffi.Exclusive {
		t.Errorf("the loan has %d bytes, returned %v, %v", len(all.Bytes()), all.Returned(), all.Access())
	}
	all.Return()
	all.Return()
	if all.Bytes() != nil || !all.Returned() {
		t.Error("the loan is not over")
	}
	var none *ffi.Loan
	none.Return()
	if none.Bytes() != nil || !none.Returned() {
		t.Error("no loan has bytes")
	}
}

func TestLendRefusesWhatCannotBe(t *testing.T) {
	if _, err := ffi.Lend([]byte{1}, 0); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("no access: %v", err)
	}
	if _, err := ffi.LendSlice([]*int{nil}, ffi.Shared); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("pointers: %v", err)
	}
	var empty [2]*ffi.Loan
	for i := range empty {
		l, err := ffi.Lend(nil, ffi.Exclusive)
		if err != nil {
			t.Errorf("empty: %v", err)
		}
		empty[i] = l
	}
	for _, l := range empty {
		l.Return()
	}
	floats := make([]float32, 8)
	l, err := ffi.LendSlice(floats, ffi.Exclusive)
	if err != nil || len(l.Bytes()) != 32 {
		t.Fatalf("LendSlice: %d bytes, %v", len(l.Bytes()), err)
	}
	if _, err := ffi.LendSlice(floats[7:], ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("overlap by another type: %v", err)
	}
	l.Return()
}

// TestLoanModel compares the table of loans with a plain list.
func TestLoanModel(t *testing.T) { // I05
	type section struct {
		l        *ffi.Loan
		from, to int
		a        ffi.Access
	}
	rapid.Check(t, func(t *rapid.T) {
		b := make([]byte, 64)
		region, err := ffi.NewRegion(b)
		if err != nil {
			t.Fatal(err)
		}
		var out []section
		defer func() {
			for _, s := range out {
				s.l.Return()
			}
		}()
		regional := map[*ffi.Loan]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"lend": func(t *rapid.T) {
				from := rapid.IntRange(0, 64).Draw(t, "from")
				to := rapid.IntRange(from, min(64, from+16)).Draw(t, "to")
				a := rapid.SampledFrom([]ffi.Access{ffi.Shared, ffi.Exclusive}).Draw(t, "access")
				byRegion := rapid.Bool().Draw(t, "by region")
				free := true
				for _, s := range out {
					if max(from, s.from) < min(to, s.to) && (a == ffi.Exclusive || s.a == ffi.Exclusive) {
						free = false
					}
				}
				var l *ffi.Loan
				var err error
				switch {
				case !byRegion:
					l, err = ffi.Lend(b[from:to], a)
				case a == ffi.Shared:
					l, err = region.Read(from, to-from)
				default:
					l, err = region.Write(from, to-from)
				}
				if (err == nil) != free || err != nil && !errors.Is(err, isthmus.ErrBorrowed) {
					t.Fatalf("lend [%d,%d) %v: %v, free %v; out: %v", from, to, a, err, free, out)
				}
				if err == nil {
					out = append(out, section{l, from, to, a})
					regional[l] = byRegion
				}
			},
			"return": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				out[i].l.Return()
				delete(regional, out[i].l)
				out = slices.Delete(out, i, i+1)
			},
			"": func(t *rapid.T) {
				want, busy := 0, false
				for _, s := range out {
					if s.from < s.to {
						want++
					}
					busy = busy || regional[s.l]
				}
				if n := ffi.Lent(); n != want {
					t.Fatalf("%d loans in the table, want %d", n, want)
				}
				if busy {
					if err := region.Close(); !errors.Is(err, isthmus.ErrBorrowed) || !errors.Is(err, isthmus.ErrBusy) {
						t.Fatalf("Close with sections out: %v", err)
					}
				}
			},
		})
		for _, s := range out {
			s.l.Return()
		}
		if err := region.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := region.Read(0, 1); !errors.Is(err, isthmus.ErrClosed) {
			t.Fatalf("Read after Close: %v", err)
		}
	})
}

func TestLoanHammer(t *testing.T) {
	leaktest.Check(t)
	region, err := ffi.Alloc(64, 64)
	if err != nil {
		t.Fatal(err)
	}
	var readers, writers [64]atomic.Int32
	var lent, refused atomic.Int32
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(g)))
			for range 3000 {
				from := r.IntN(64)
				n := r.IntN(min(8, 64-from)) + 1
				write := r.IntN(3) == 0
				var l *ffi.Loan
				var err error
				if write {
					l, err = region.Write(from, n)
				} else {
					l, err = region.Read(from, n)
				}
				if err != nil {
					refused.Add(1)
					continue
				}
				lent.Add(1)
				if r.IntN(50) == 0 {
					runtime.Gosched() // others come meanwhile, on one processor too
				}
				for i := from; i < from+n; i++ {
					if write {
						if w := writers[i].Add(1); w != 1 || readers[i].Load() != 0 {
							t.Errorf("byte %d has %d writers and %d readers", i, w, readers[i].Load())
						}
					} else {
						readers[i].Add(1)
						if writers[i].Load() != 0 {
							t.Errorf("byte %d is read under a writer", i)
						}
					}
				}
				// The race detector checks the same on the memory itself.
				b := l.Bytes()
				if write {
					b[0]++
				} else {
					_ = b[0]
				}
				for i := from; i < from+n; i++ {
					if write {
						writers[i].Add(-1)
					} else {
						readers[i].Add(-1)
					}
				}
				if r.IntN(10) == 0 {
					go l.Return() // a race of two returns
				}
				l.Return()
			}
		})
	}
	wg.Wait()
	if lent.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d lent, %d refused: the test shows nothing", lent.Load(), refused.Load())
	}
	for region.Close() != nil { // the last of the racing returns
		runtime.Gosched()
	}
}

func TestRegion(t *testing.T) { // P13
	for _, align := range []int{0, 1, 4096, ffi.MaxAlign} {
		r, err := ffi.Alloc(100, align)
		if err != nil {
			t.Fatalf("align %d: %v", align, err)
		}
		if r.Len() != 100 {
			t.Errorf("Len = %d", r.Len())
		}
		w, err := r.Write(10, 90)
		if err != nil {
			t.Fatal(err)
		}
		b := w.Bytes()
		b[0] = 7
		if cap(b) != 90 {
			t.Errorf("a section reaches past its end: cap %d", cap(b))
		}
		w.Return()
		// A slice that was kept is memory still, whatever happens to the region.
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		runtime.GC()
		if b[0] != 7 {
			t.Error("the kept slice changed")
		}
	}
	r, err := ffi.NewRegion(make([]byte, 10))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][2]int{{-1, 1}, {0, -1}, {0, 11}, {11, 0}, {5, 6}, {1 << 62, 1 << 62}} {
		if _, err := r.Read(s[0], s[1]); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("section %v: %v", s, err)
		}
	}
	l, err := r.Read(10, 0)
	if err != nil {
		t.Errorf("the empty section at the end: %v", err)
	}
	if err := r.Close(); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("Close with an empty section out: %v", err)
	}
	l.Return()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	var none *ffi.Region
	if _, err := none.Write(0, 0); !errors.Is(err, isthmus.ErrClosed) || none.Close() != nil || none.Len() != 0 {
		t.Errorf("no region: %v", err)
	}
	for _, tt := range []struct {
		size, align int
		want        error
	}{{-1, 0, isthmus.ErrBounds}, {1, 3, isthmus.ErrInvalid}, {1, -1, isthmus.ErrInvalid}, {1 << 62, 0, isthmus.ErrBounds}, {1, 2 * ffi.MaxAlign, isthmus.ErrInvalid}} {
		if _, err := ffi.Alloc(tt.size, tt.align); !errors.Is(err, tt.want) {
			t.Errorf("Alloc(%d, %d): %v, want %v", tt.size, tt.align, err, tt.want)
		}
	}
}

//go:noinline
func forgetLoan(t *testing.T, b []byte) {
	if _, err := ffi.Lend(b, ffi.Exclusive); err != nil {
		t.Fatal(err)
	}
}

// TestLoanForgottenIsNeverReturned loses a loan for good, so it does that in a process of its own: leaktest must
// fail it.
func TestLoanForgottenIsNeverReturned(t *testing.T) { // I03
	if !leaksAlone(t, "1 native objects leaked", "ffi.Loan made at ffi/loan_test.go:") {
		return
	}
	log := leaktest.Capture(t)
	b := make([]byte, 1<<16)
	forgetLoan(t, b)
	r := log.Wait(t, 1)[0]
	if r.Problem != isthmus.ProblemLostLoan || !errors.Is(r, isthmus.ErrLeak) || !strings.Contains(r.Error(), "loan_test.go:") {
		t.Errorf("report %v", r)
	}
	for range 3 {
		runtime.GC() // a pin that was collected would end the process here
	}
	if _, err := ffi.Lend(b, ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("the lost memory is free again: %v", err)
	}
}

// TestLoanWatchTwice is for the race detector: memory that native code has is watched once, however often that is said.
func TestLoanWatchTwice(t *testing.T) {
	b := make([]byte, 64)
	l, err := ffi.Lend(b, ffi.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	l.Watch()
	l.Watch()
	l.Unwatch()
	b[0]++ // Go's for now
	l.Watch()
	l.Return()
	if b[0]++; b[0] != 2 {
		t.Errorf("got %d, want 2", b[0])
	}
}

func TestLoanReturnOn(t *testing.T) {
	leaktest.Check(t)
	var e ffi.Event
	b := make([]byte, 8)
	func() {
		l, err := ffi.Lend(b, ffi.Exclusive)
		if err != nil {
			t.Fatal(err)
		}
		l.ReturnOn(&e)
	}()
	log := leaktest.Capture(t)
	for range 3 {
		runtime.GC()
	}
	if _, err := ffi.Lend(b, ffi.Shared); !errors.Is(err, isthmus.ErrBorrowed) {
		t.Errorf("back before the event: %v", err)
	}
	e.Complete(errNative)
	if n := ffi.Lent(); n != 0 {
		t.Errorf("%d bytes are not back although the event has completed", n)
	}
	late, err := ffi.Lend(b, ffi.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	if late.ReturnOn(&e); !late.Returned() {
		t.Error("the event has completed, and the loan is not over")
	}
	if all := log.All(); len(all) != 0 {
		t.Errorf("a loan that an event holds was reported: %v", all)
	}
}

func BenchmarkLend(b *testing.B) {
	for _, out := range []int{0, 1000} {
		b.Run(fmt.Sprintf("out=%d", out), func(b *testing.B) {
			buf := make([]byte, 64*(out+1))
			held := make([]*ffi.Loan, out)
			for i := range held {
				l, err := ffi.Lend(buf[64*i:64*i+64], ffi.Exclusive)
				if err != nil {
					b.Fatal(err)
				}
				held[i] = l
			}
			b.ReportAllocs()
			for b.Loop() {
				l, _ := ffi.Lend(buf[64*out:], ffi.Shared)
				l.Return()
			}
			for _, l := range held {
				l.Return()
			}
		})
	}
}
