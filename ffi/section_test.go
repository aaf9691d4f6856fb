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
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestI05SectionsNameBothSides(t *testing.T) {
	u := make([]float64, 100)
	var left, right, reader ffi.Section[float64]
	b, err := left.Write(u[:10])
	if err != nil || len(b) != 10 || cap(b) != 10 || &b[0] != &u[0] {
		t.Fatalf("%d of %d elements: %v", len(b), cap(b), err)
	}
	if _, err := right.Write(u[10:20]); err != nil {
		t.Errorf("beside a writer: %v", err)
	}
	var e *ffi.BorrowedError
	for name, f := range map[string]func([]float64) ([]float64, error){"a reader": reader.Read, "a writer": reader.Write} {
		_, err := f(u[9:11])
		if !errors.As(err, &e) || e.Have != ffi.Exclusive || e.Bytes != 16 {
			t.Errorf("%s over a writer: %v", name, err)
			continue
		}
		if n := strings.Count(err.Error(), "section_test.go:"); n != 2 || !strings.Contains(err.Error(), "10 of float64, written") {
			t.Errorf("%s: %q does not name both places", name, err)
		}
	}
	if _, err := left.Read(u[50:]); !errors.Is(err, isthmus.ErrBusy) || !strings.Contains(err.Error(), "section_test.go:") {
		t.Errorf("checked out twice: %v", err)
	}
	left.Return()
	left.Return()
	if _, err := left.Slice(); !errors.Is(err, isthmus.ErrClosed) || left.Out() {
		t.Errorf("after Return: %v", err)
	}
	if _, err := left.Read(u[:10]); err != nil {
		t.Error(err)
	}
	if _, err := reader.Read(u[5:10]); err != nil {
		t.Errorf("two readers: %v", err)
	}
	if _, err := (&ffi.Section[float64]{}).Write(u[9:10]); !errors.As(err, &e) || e.Have != ffi.Shared {
		t.Errorf("a writer over readers: %v", err)
	}
	for _, s := range []*ffi.Section[float64]{&left, &right, &reader} {
		s.Return()
	}
	if err := ffi.Free(mem.Bytes(u), ffi.Exclusive); err != nil {
		t.Error(err)
	}
	var p ffi.Section[*int]
	if _, err := p.Read(make([]*int, 1)); !errors.Is(err, isthmus.ErrInvalid) || p.Out() {
		t.Errorf("pointers: %v", err)
	}
	if b, err := left.Write(nil); err != nil || b != nil || !left.Out() {
		t.Errorf("nothing: %v, %v", b, err)
	}
	left.Return()
	if n := testing.AllocsPerRun(100, func() {
		_, err = left.Write(u)
		left.Return()
	}); err != nil || n != 0 && !mem.RaceEnabled {
		t.Errorf("%v allocations, %v", n, err)
	}
}

// What a section has may be passed on to native code, by whoever has its slice: for its access, and wholly inside it only.
func TestI05SectionsArePassedOn(t *testing.T) {
	u := make([]byte, 100)
	var w, r ffi.Section[byte]
	part, err := w.Write(u[10:20])
	if err != nil {
		t.Fatal(err)
	}
	a, b := &borrower{name: "native"}, &borrower{name: "other"}
	if err := a.lease.Take(part[2:5], ffi.Exclusive, a); err != nil {
		t.Fatalf("passed on: %v", err)
	}
	if err := b.lease.Take(part[4:6], ffi.Shared, b); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "native") {
		t.Errorf("two natives in one section: %v", err)
	}
	for name, outside := range map[string][]byte{"before": u[9:11], "after": u[19:21], "around": u} {
		for _, access := range []ffi.Access{ffi.Shared, ffi.Exclusive} {
			if err := b.lease.Take(outside, access, b); !errors.Is(err, isthmus.ErrBorrowed) {
				t.Errorf("%s, %v: %v", name, access, err)
			}
		}
	}
	if _, err := w.Slice(); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "native") {
		t.Errorf("the slice while native code has a part: %v", err)
	}
	// Returned meanwhile, the part is the native code's alone.
	w.Return()
	if _, err := r.Read(u[14:15]); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "native") {
		t.Errorf("what native code writes to is read: %v", err)
	}
	a.lease.Return()
	if part, err = r.Read(u[10:20]); err != nil {
		t.Fatal(err)
	}
	if err := a.lease.Take(part, ffi.Exclusive, a); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "read") {
		t.Errorf("a reader's part is lent to be written: %v", err)
	}
	if err := a.lease.Take(u, ffi.Shared, a); err != nil {
		t.Errorf("read by native code too: %v", err)
	}
	if _, err := r.Slice(); err != nil {
		t.Errorf("two readers: %v", err)
	}
	a.lease.Return()
	r.Return()
}

// TestI05LeaseModel compares leases, sections and loans with a plain list.
func TestI05LeaseModel(t *testing.T) {
	type holding struct {
		from, to int
		write    bool
		section  bool
		end      func()
	}
	overlaps := func(h holding, from, to int) bool { return max(from, h.from) < min(to, h.to) }
	rapid.Check(t, func(t *rapid.T) {
		m := make([]byte, 48)
		var out []holding
		leases, sections := make([]borrower, 6), make([]ffi.Section[byte], 6)
		defer func() {
			for _, h := range out {
				h.end()
			}
		}()
		// free says whether a holding may begin: the rules, stated once more.
		free := func(from, to int, write, section bool) bool {
			for _, h := range out {
				switch {
				case !overlaps(h, from, to), !write && !h.write:
				case h.section && h.write && !section && from >= h.from && to <= h.to: // passed on by the writer
				default:
					return false
				}
			}
			return true
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				from := rapid.IntRange(0, 48).Draw(t, "from")
				to := rapid.IntRange(from, min(48, from+12)).Draw(t, "to")
				write := rapid.Bool().Draw(t, "write")
				kind := rapid.SampledFrom([]string{"lease", "late", "loan", "section"}).Draw(t, "kind")
				i := rapid.IntRange(0, 5).Draw(t, "which")
				access := ffi.Shared
				if write {
					access = ffi.Exclusive
				}
				may := free(from, to, write, kind == "section")
				if err := ffi.Free(m[from:to], access); (err == nil) != (from == to || free(from, to, write, false)) {
					t.Fatalf("Free of [%d,%d) %v: %v", from, to, access, err)
				}
				h := holding{from, to, write, kind == "section", nil}
				var err error
				switch kind {
				case "lease", "late":
					l := &leases[i].lease
					if l.Out() {
						if err := l.Take(m[from:to], access, &leases[i]); !errors.Is(err, isthmus.ErrBusy) {
							t.Fatalf("taken twice: %v", err)
						}
						return
					}
					take := l.Take
					if kind == "late" && may { // where it is not free, the race detector would say so
						take = l.TakeLate
					}
					err = take(m[from:to], access, &leases[i])
					if err == nil && from == to {
						return // of nothing: not out
					}
					h.end = l.Return
				case "loan":
					var l *ffi.Loan
					l, err = ffi.Lend(m[from:to], access)
					h.end = l.Return
				default:
					s := &sections[i]
					if s.Out() {
						if _, err := s.Read(m); !errors.Is(err, isthmus.ErrBusy) {
							t.Fatalf("checked out twice: %v", err)
						}
						return
					}
					if write {
						_, err = s.Write(m[from:to])
					} else {
						_, err = s.Read(m[from:to])
					}
					h.end = s.Return
				}
				if (err == nil) != (may || from == to) || err != nil && !errors.Is(err, isthmus.ErrBorrowed) {
					t.Fatalf("%s [%d,%d) %v: %v, free %v; out: %+v", kind, from, to, access, err, may, out)
				}
				if err == nil {
					out = append(out, h)
				}
			},
			"end": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				out[i].end()
				out[i].end()
				out = slices.Delete(out, i, i+1)
			},
			"": func(t *rapid.T) {
				want := 0
				for _, h := range out {
					if h.from < h.to {
						want++
					}
				}
				if n := ffi.Lent(); n != want {
					t.Fatalf("%d in the table, want %d", n, want)
				}
				for i := range sections {
					b, err := sections[i].Slice()
					if !sections[i].Out() {
						if !errors.Is(err, isthmus.ErrClosed) {
							t.Fatalf("the slice of a section that is not out: %v", err)
						}
						continue
					}
					mine := slices.IndexFunc(out, func(h holding) bool {
						return h.section && len(b) > 0 && h.from < h.to && &m[h.from] == &b[0] && h.to-h.from == len(b)
					})
					if err == nil && len(b) > 0 && out[mine].write && slices.ContainsFunc(out, func(h holding) bool { return !h.section && overlaps(h, out[mine].from, out[mine].to) }) {
						t.Fatal("a writer's slice while native code has a part of it")
					}
					if err != nil && !errors.Is(err, isthmus.ErrBorrowed) {
						t.Fatal(err)
					}
				}
			},
		})
	})
}

// Leases, loans and sections of many goroutines. What native code has, by a lease, nobody touches; what Go code has, by a
// loan or a section, it reads or writes; and the race detector, which is told what native code has, finds nothing to report.
func TestI05LeaseHammer(t *testing.T) {
	leaktest.Check(t)
	m := make([]byte, 64)
	var sum, refused atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(11, uint64(g)))
			x := &borrower{name: fmt.Sprint(g)}
			var s ffi.Section[byte]
			for range 2000 {
				from := r.IntN(32)
				if g%2 == 0 {
					from += 32 // each half has its own way of borrowing for Go code
				}
				b := m[from : from+r.IntN(min(8, 64-from))+1]
				write := r.IntN(3) == 0
				access := ffi.Shared
				if write {
					access = ffi.Exclusive
				}
				var err error
				var l *ffi.Loan
				switch native := r.IntN(2) == 0; {
				case native && g%2 == 1:
					if err = x.lease.Take(b, access, x); err == nil {
						x.lease.Return()
					}
				case g%2 == 1:
					if l, err = ffi.Lend(b, access); err == nil {
						use(b, write, &sum)
						l.Return()
					}
				default:
					take := s.Read
					if write {
						take = s.Write
					}
					if b, err = take(b); err == nil {
						use(b, write, &sum)
						if native { // passed on, and back
							if err := x.lease.Take(b, access, x); err != nil {
								t.Error(err)
							}
							x.lease.Return()
							use(b, write, &sum)
						}
						s.Return()
					}
				}
				if err != nil {
					refused.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if sum.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d written, %d refused: the test shows nothing", sum.Load(), refused.Load())
	}
	if n := ffi.Lent(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// use reads b, or writes it, and lets others try meanwhile.
func use(b []byte, write bool, sum *atomic.Int64) {
	defer runtime.Gosched()
	if write {
		b[0]++
		sum.Add(1)
		return
	}
	sum.Add(int64(b[0] & 1))
}

// A Section that was forgotten stays checked out, and its place is reported. In a process of its own: the memory is out
// for good.
func TestI03SectionForgottenIsNeverReturned(t *testing.T) {
	if inside, out, err := leaktest.Alone(t); !inside {
		if err != nil || !strings.Contains(out, "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	log := leaktest.Capture(t)
	b := make([]int32, 1<<14)
	func() {
		var s ffi.Section[int32]
		if _, err := s.Write(b); err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(&s)
	}()
	r := log.Wait(t, 1)[0]
	if r.Problem != isthmus.ProblemLostLoan || !errors.Is(r, isthmus.ErrLeak) || !strings.Contains(r.Error(), "section_test.go:") {
		t.Errorf("report %v", r)
	}
	var s ffi.Section[int32]
	if _, err := s.Read(b[5:6]); !errors.Is(err, isthmus.ErrBorrowed) || !strings.Contains(err.Error(), "section_test.go:") {
		t.Errorf("the lost memory is free again: %v", err)
	}
}
