//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

// TestR14PanicsAreContained has each Go function that C calls panic: the program goes on, whoever called is told, and so
// is the reporter.
func TestR14PanicsAreContained(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	told := map[string]bool{}
	before := isthmus.SetReporter(func(r isthmus.Report) {
		mu.Lock()
		told[strings.TrimPrefix(r.Object.Kind, "libisthmus ")] = true
		mu.Unlock()
	})
	defer func() { isthmus.SetReporter(before) }()
	defer rtlib.SetDefect(nil)
	var pin mem.Pin
	defer pin.Unpin()
	name := uintptr(mem.PinSlice(&pin, []byte("a file\x00")))
	c := func(fn string, args ...uintptr) int64 { return int64(call.Call(rtlib.Function(fn), args...)) }
	small := int64(^uint32(0))
	for _, k := range []struct {
		export string
		call   func() int64
		want   int64
		reason code
	}{
		{"rtgo_freeze", func() int64 { return c("rt_freeze", uintptr(w.live["tuple"])) & 0xff }, 0, rtheap.Panicked},
		{"rtgo_collect", func() int64 { return c("rt_collect") }, -1, rtheap.Panicked},
		{"rtgo_objects", func() int64 { return c("rt_objects") }, -1, rtheap.Panicked},
		{"rtgo_census", func() int64 { return c("rt_census", 0, 0) }, -1, rtheap.Panicked},
		{"rtgo_site", func() int64 { return c("rt_site", name, 1) & small }, 0, rtheap.OK},
		{"rtgo_site_text", func() int64 { c("rt_site_text", 1); return 0 }, 0, rtheap.OK},
		{"rtgo_take_blocks", func() int64 { return c("rt_array_new", 1<<20) }, 3, rtheap.NoMemory},
	} {
		t.Run(k.export, func(t *testing.T) {
			onThread(t)
			rtlib.SetDefect(func(name string) {
				if name == k.export {
					panic("for a test")
				}
			})
			got := k.call()
			rtlib.SetDefect(nil)
			if reason := code(int32(call.Call(w.last))); got != k.want || k.reason != rtheap.OK && reason != k.reason {
				t.Errorf("%d, %q; want %d, %q", got, reason, k.want, k.reason)
			}
			if !told[k.export] {
				t.Error("nobody was told")
			}
			if k.want != 0 || k.reason != rtheap.OK { // without the defect it works
				if got := k.call(); got == k.want {
					t.Error("it does not work any more")
				} else if k.export == "rtgo_take_blocks" {
					w.h.Release(value(got))
				}
			}
		})
	}
	// All of them now and then, under calls of everything: what is lost by it is lost, and nothing else happens.
	r := rand.New(rand.NewPCG(1, 1))
	m := newMachine(t)
	for range 30 {
		b := make([]byte, 4000)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		n := 0
		rtlib.SetDefect(func(string) {
			mu.Lock()
			n++
			bad := n%3 == 0
			mu.Unlock()
			if bad {
				panic("for a test")
			}
		})
		m.run(b)
		rtlib.SetDefect(nil)
	}
	for i := range m.regs {
		w.h.Release(value(m.regs[i].Load()))
	}
	for _, export := range []string{"rtgo_take_slots", "rtgo_take_blocks", "rtgo_give_slots"} {
		if !told[export] {
			t.Errorf("%s was not reached", export)
		}
	}
}

// Every Go function that C calls is guarded, or recovers by itself.
func TestEveryExportIsGuarded(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?ms)^//export (\w+)\nfunc .*?(\n}|[^\n]* }\n)`).FindAllStringSubmatch(string(text), -1) {
			n++
			if !strings.Contains(m[0], `guard("`+m[1]+`"`) && !strings.Contains(m[0], "recover()") {
				t.Errorf("%s: %s lets panics out into C", file, m[1])
			}
		}
	}
	if n < 13 {
		t.Errorf("%d functions found", n)
	}
}
