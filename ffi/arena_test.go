package ffi_test

import (
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

func TestArenaModel(t *testing.T) {
	leaktest.Check(t)
	type piece struct {
		b    []byte
		mark byte
	}
	rapid.Check(t, func(t *rapid.T) {
		a, err := ffi.NewArena(rapid.SampledFrom([]int{0, 64, 256}).Draw(t, "chunk"))
		if err != nil {
			t.Fatal(err)
		}
		var pieces []piece
		var holds []func()
		mark := byte(0)
		add := func(t *rapid.T, b []byte, align int) {
			if mem.AddrOf(b)%mem.Addr(align) != 0 {
				t.Fatalf("%d bytes are not aligned to %d", len(b), align)
			}
			mark++
			for i := range b {
				if b[i] != 0 {
					t.Fatalf("byte %d of a new value is %#x", i, b[i])
				}
				b[i] = mark
			}
			pieces = append(pieces, piece{b, mark})
		}
		t.Repeat(map[string]func(*rapid.T){
			"bytes": func(t *rapid.T) {
				n := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(200, 40_000)).Draw(t, "n")
				b, err := ffi.MakeSlice[byte](a, n)
				if err != nil || len(b) != n {
					t.Fatalf("MakeSlice(%d): %d, %v", n, len(b), err)
				}
				add(t, b, 1)
			},
			"complex": func(t *rapid.T) {
				n := rapid.IntRange(1, 10).Draw(t, "n")
				s, err := ffi.MakeSlice[complex128](a, n)
				if err != nil {
					t.Fatal(err)
				}
				add(t, mem.Bytes(s), 16)
			},
			"one": func(t *rapid.T) {
				v, err := ffi.Make[struct {
					a int8
					b int64
					c [3]int16
				}](a)
				if err != nil {
					t.Fatal(err)
				}
				if v.a != 0 || v.b != 0 || v.c != [3]int16{} {
					t.Fatalf("a new value is %v", *v)
				}
			},
			"hold": func(t *rapid.T) {
				release, err := a.Hold()
				if err != nil {
					t.Fatal(err)
				}
				holds = append(holds, release)
			},
			"release": func(t *rapid.T) {
				if len(holds) == 0 {
					t.Skip()
				}
				holds[0]()
				holds[0]()
				holds = holds[1:]
			},
			"reset": func(t *rapid.T) {
				err := a.Reset()
				if len(holds) > 0 {
					if !errors.Is(err, isthmus.ErrBorrowed) {
						t.Fatalf("Reset while held: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				pieces = nil
			},
			"": func(t *rapid.T) {
				for _, p := range pieces {
					for i, v := range p.b {
						if v != p.mark {
							t.Fatalf("value %d was overwritten at %d by %d", p.mark, i, v)
						}
					}
				}
			},
		})
		if len(holds) > 0 {
			if err := a.Close(); !errors.Is(err, isthmus.ErrBorrowed) {
				t.Fatalf("Close while held: %v", err)
			}
		}
		for _, release := range holds {
			release()
		}
		if err := errors.Join(a.Close(), a.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := ffi.Make[int](a); !errors.Is(err, isthmus.ErrClosed) {
			t.Fatalf("Make after Close: %v", err)
		}
		if err := a.Reset(); !errors.Is(err, isthmus.ErrClosed) {
			t.Fatalf("Reset after Close: %v", err)
		}
		if _, err := a.Hold(); !errors.Is(err, isthmus.ErrClosed) {
			t.Fatalf("Hold after Close: %v", err)
		}
		runtime.GC()
		for _, p := range pieces { // kept values are memory still
			for i, v := range p.b {
				if v != p.mark {
					t.Fatalf("value %d changed at %d after Close", p.mark, i)
				}
			}
		}
	})
}

func TestArenaRefusesWhatCannotBe(t *testing.T) {
	a, err := ffi.NewArena(0)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := ffi.Make[string](a); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("a string: %v", err)
	}
	if _, err := ffi.Make[struct{}](a); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("nothing: %v", err)
	}
	for _, n := range []int{-1, math.MaxInt, math.MaxInt / 8, 1 << 60} {
		if _, err := ffi.MakeSlice[int64](a, n); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("MakeSlice(%d): %v", n, err)
		}
	}
	var none *ffi.Arena
	if _, err := ffi.Make[int](none); !errors.Is(err, isthmus.ErrClosed) || none.Close() != nil || none.Bytes() != 0 {
		t.Errorf("no arena: %v", err)
	}
	for _, chunk := range []int{-1, 1, math.MaxInt} {
		if _, err := ffi.NewArena(chunk); !errors.Is(err, isthmus.ErrBounds) {
			t.Errorf("NewArena(%d): %v", chunk, err)
		}
	}
}

func TestArenaForgottenIsReported(t *testing.T) { // P11
	leaktest.Check(t)
	log := leaktest.Capture(t)
	func() {
		a, err := ffi.NewArena(0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ffi.Make[int](a); err != nil {
			t.Fatal(err)
		}
	}()
	if r := log.Wait(t, 1)[0]; r.Problem != isthmus.ProblemLeak || !strings.Contains(r.Error(), "arena_test.go:") {
		t.Errorf("report %v", r)
	}
}

func TestArenaPoolHammer(t *testing.T) {
	leaktest.Check(t)
	var pool ffi.ArenaPool
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				a, err := pool.Get()
				if err != nil {
					t.Error(err)
					return
				}
				s, err := ffi.MakeSlice[int](a, 10+i%50)
				if err != nil {
					t.Error(err)
					return
				}
				for j := range s {
					if s[j] != 0 {
						t.Error("not zeroed")
					}
					s[j] = g + 1
				}
				release, err := a.Hold()
				if err != nil {
					t.Error(err)
					return
				}
				if err := pool.Put(a); !errors.Is(err, isthmus.ErrBorrowed) {
					t.Errorf("Put while held: %v", err)
				}
				runtime.Gosched()
				for j := range s {
					if s[j] != g+1 {
						t.Error("a held arena was given to another")
					}
				}
				release()
				if err := pool.Put(a); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	big, err := pool.Get()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ffi.MakeSlice[byte](big, 4<<20); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pool.Put(big), pool.Close()); err != nil {
		t.Error(err)
	}
	late, err := pool.Get()
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Put(late); err != nil {
		t.Error(err)
	}
}

func TestArenaPoolTakesAnArenaOnce(t *testing.T) {
	var pool ffi.ArenaPool
	defer pool.Close()
	a, err := pool.Get()
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Put(a); err != nil {
		t.Fatal(err)
	}
	if err := pool.Put(a); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("the second Put: %v, want ErrClosed", err)
	}
	b, _ := pool.Get()
	c, _ := pool.Get()
	if b == c {
		t.Error("two users have one arena")
	}
	if err := errors.Join(b.Close(), c.Close()); err != nil {
		t.Error(err)
	}
}

func BenchmarkArena(b *testing.B) {
	a, err := ffi.NewArena(0)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = ffi.MakeSlice[int64](a, 8)
		_ = a.Reset()
	}
}
