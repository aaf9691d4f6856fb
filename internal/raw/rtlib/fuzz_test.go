//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

// What a program has to know of a function besides its probe: whether the caller gets a count with the answer (own), which
// argument is moved in, and what a stream of calls must not call: what waits for ever.
var (
	moves = map[string]int{"rt_unique_new": 0, "rt_unique_set": 1}
	never = []string{
		"rt_float", // its argument is no word
		"rt_shutdown", "rt_future_await", "rt_future_all", "rt_future_race", "rt_channel_send", "rt_channel_recv",
		"rt_actor_join",
	}
)

func own(name string) bool {
	switch name {
	case "rt_string_concat", "rt_array_pop", "rt_future_resolve", "rt_channel_new_cap", "rt_async_file_create", "rt_async_file_read",
		"rt_async_file_write", "rt_async_file_prefault", "rt_async_file_size", "rt_async_file_sync":
		return true
	}
	return strings.HasSuffix(name, "_new") || strings.HasPrefix(name, "rt_actor_spawn") || name == "rt_generator_new_co"
}

// machine runs streams of bytes as calls: some registers, each of which holds a word and perhaps a count of it. It counts as
// an honest program does; what it passes is what the bytes say, so most of it is wrong.
type machine struct {
	h     *rtheap.Heap
	names []string
	fns   map[string]call.Fn
	kinds map[string][]string
	regs  [16]atomic.Uint64 // what they own
	lent  [16]atomic.Uint64 // what somebody lent, and may have taken away since
}

func newMachine(t testing.TB) *machine {
	m := &machine{h: heap(t), fns: map[string]call.Fn{}, kinds: map[string][]string{}}
	for name, p := range probes {
		if fn := rtlib.Function(name); fn != 0 && !slices.Contains(never, name) {
			m.names = append(m.names, name)
			m.fns[name], m.kinds[name] = fn, strings.Fields(p.params)
		}
	}
	slices.Sort(m.names)
	for i := range m.regs {
		m.regs[i].Store(3)
		m.lent[i].Store(3)
	}
	return m
}

// run makes the calls of one stream on a thread of its own.
func (m *machine) run(data []byte) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	next := func() byte {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return b
	}
	var pin mem.Pin
	defer pin.Unpin()
	out := make([]uint64, 16) // what functions write to; four words an argument
	at := uintptr(mem.PinSlice(&pin, out))
	text := []byte("of words and bytes\x00")
	name := uintptr(mem.PinSlice(&pin, text))
	pop := rtlib.Function("rt_array_pop")
	depth := 0
	drop := func(w uint64) {
		if w != 3 {
			m.h.Release(value(w))
		}
	}
	for len(data) > 0 {
		f := m.names[int(next())%len(m.names)]
		kinds := m.kinds[f]
		args := make([]uintptr, len(kinds))
		moved, from, taken := -1, 0, -1
		if i, ok := moves[f]; ok {
			moved = i
		}
		for i, k := range kinds {
			b := next()
			switch k {
			case "task":
				args[i] = uintptr(rtlib.Function("rt_count"))
			case "body":
				if args[i] = uintptr(pop); b < 64 {
					args[i] = 0
				}
			case "ns":
				args[i] = uintptr(b) * 16
			case "take":
				args[i] = at + uintptr(i%4*32)
				out[i%4*4], taken = 3, i%4*4
			case "out":
				args[i] = at + uintptr(i%4*32)
				if b&31 == 0 {
					out[i%4*4] = uint64(next()) << 3
				}
			case "name":
				args[i] = name
			case "bytes":
				if args[i] = name; b == 0 {
					args[i] = 0
				}
			case "word", "at32":
				args[i] = uintptr(b & 15)
			case "count": // what there is room for
				args[i] = 0
			case "size", "usize", "index", "at":
				args[i] = uintptr(b & 15)
				if b > 240 {
					args[i] = uintptr(notWhole[int(b)%len(notWhole)])
				}
				if i > 0 && kinds[i-1] == "bytes" {
					args[i] &= 15 // the text's own
				}
			default:
				from = int(b & 15)
				switch w := m.regs[from].Load(); {
				case i == moved:
					w = m.regs[from].Swap(3) // the count goes with it
					args[i] = uintptr(w)
				case b < 160:
					args[i] = uintptr(w)
				case b < 200:
					args[i] = uintptr(m.lent[from].Load())
				case b < 230:
					args[i] = uintptr(b) << 3
				default:
					args[i] = uintptr(w ^ 1<<(next()&63))
				}
			}
		}
		switch f {
		case "rt_scope_push":
			if depth++; depth > 20 {
				depth--
				continue
			}
		case "rt_scope_pop":
			if depth > 0 {
				depth--
			}
		case "rt_release", "rt_retain", "rt_freeze", "rt_collect": // a count of its own, for the first; the others are rare
			if f == "rt_release" {
				m.h.Retain(value(args[0]))
			} else if f != "rt_retain" && next() > 8 {
				continue
			}
		case "rt_tuple_new": // a long one is written
			args[0] &= 1<<20 - 1
		}
		r := uint64(call.Call(m.fns[f], args...))
		switch {
		case f == "rt_retain" && r&0xff != 0:
			drop(uint64(args[0]))
		case moved >= 0 && (f == "rt_unique_set" && r != 11 || f == "rt_unique_new" && r == 3):
			drop(m.regs[from].Swap(uint64(args[moved]))) // refused: it is ours still
		}
		switch to := int(next() & 15); {
		case taken >= 0:
			if depth == 0 {
				drop(m.regs[to].Swap(out[taken]))
			} else {
				m.lent[to].Store(out[taken])
			}
		case own(f) && depth == 0, f == "rt_scope_pop" && depth == 0:
			drop(m.regs[to].Swap(r))
		case value(r).IsHandle():
			m.lent[to].Store(r)
		}
	}
	for ; depth > 0; depth-- {
		call.Call(m.fns["rt_scope_pop"], 3)
	}
}

// calls runs data, by up to three threads at once on the same registers, and looks whether anything is left.
func calls(t *testing.T, data []byte) {
	if len(data) < 2 {
		return
	}
	m := newMachine(t)
	before := m.h.Objects()
	threads := int(data[0]%8)/3 + 1
	data = data[1:]
	var all sync.WaitGroup
	for i := range threads {
		part := data[len(data)*i/threads : len(data)*(i+1)/threads]
		all.Go(func() { m.run(part) })
	}
	all.Wait()
	for i := range m.regs {
		m.h.Release(value(m.regs[i].Load()))
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) { // what other threads are at ends in a moment
		for m.h.Collect() > 0 {
		}
		if n := m.h.Objects(); n <= before { // fewer: what a test before this one had under way has ended too
			return
		} else if time.Now().After(limit) {
			t.Fatalf("%d objects are left, %d were before:\n%s", n, before, m.h.Report())
		}
	}
}

// FuzzR15Calls takes bytes for a program: calls of every function there is, in any order, with any word, by one thread or by
// three. Nothing faults, and at the end nothing is left.
func FuzzR15Calls(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 12 {
		b := make([]byte, 40<<i/2)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(calls)
}

// TestR15Calls runs random programs, as the fuzzer does.
func TestR15Calls(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 50
	}
	r := rand.New(rand.NewPCG(8, 9))
	for range n {
		b := make([]byte, 2000+r.IntN(8000))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		calls(t, b)
	}
}
