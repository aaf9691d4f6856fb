package main

import (
	"slices"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// sends are the ways to send one message of no arguments: the class NSObject's hash.
func sends(t testing.TB) (names []string, ways map[string]func(), inPool func(func(*objc.Pool))) {
	t.Helper()
	r, err := objc.Open()
	if err != nil {
		t.Skip(err)
	}
	table, err := r.Bind([]objc.Fact{{Class: "NSObject", Selector: "hash", Encoding: "Q@:", Meta: true}})
	if err != nil {
		t.Fatal(err)
	}
	class, err := table.Class("NSObject")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := purego.Dlopen(r.Path(), purego.RTLD_NOW)
	if err != nil {
		t.Fatal(err)
	}
	var getClass, selector func(string) uintptr
	purego.RegisterLibFunc(&getClass, lib, "objc_getClass")
	purego.RegisterLibFunc(&selector, lib, "sel_registerName")
	object, hash, entry := getClass("NSObject"), selector("hash"), uintptr(r.Entry())
	var generic func(object, selector uintptr, args ...any) uintptr
	purego.RegisterFunc(&generic, entry)
	var pool *objc.Pool
	ways = map[string]func(){
		"protected": func() {
			if _, err := pool.ClassUint(class, 0); err != nil {
				panic(err)
			}
		},
		"bare call":           func() { call.Call(call.Fn(entry), object, hash) },
		"bare SyscallN":       func() { purego.SyscallN(entry, object, hash) },
		"generic, as ID.Send": func() { generic(object, hash) },
		"generic, as Send[T]": func() {
			var fn func(object, selector uintptr, args ...any) uintptr
			purego.RegisterFunc(&fn, entry)
			fn(object, hash)
		},
	}
	inPool = func(f func(*objc.Pool)) {
		if err := r.Pool(func(p *objc.Pool) error { pool = p; f(p); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"protected", "bare call", "bare SyscallN", "generic, as ID.Send", "generic, as Send[T]"}, ways, inPool
}

// BenchmarkSend sends a message with everything that package objc does around it, and without.
func BenchmarkSend(b *testing.B) {
	names, ways, inPool := sends(b)
	for _, n := range names {
		b.Run(n, func(b *testing.B) {
			b.ReportAllocs()
			inPool(func(*objc.Pool) {
				for b.Loop() {
					ways[n]()
				}
			})
		})
	}
}

// TestSend tells the ways apart in turn, the shortest of many rounds each, so that what else the machine does counts less.
func TestSend(t *testing.T) {
	names, ways, inPool := sends(t)
	best := map[string]time.Duration{}
	const each = 2000
	inPool(func(*objc.Pool) {
		for range 50 {
			for _, n := range names {
				start := time.Now()
				for range each {
					ways[n]()
				}
				if d := time.Since(start); best[n] == 0 || d < best[n] {
					best[n] = d
				}
			}
		}
		if n := testing.AllocsPerRun(100, ways["protected"]); n > 1 {
			t.Errorf("a protected send allocates %v times", n)
		}
	})
	slices.SortFunc(names, func(a, b string) int { return int(best[a] - best[b]) })
	for _, n := range names {
		t.Logf("%-20s %4d ns", n, best[n].Nanoseconds()/each)
	}
}
