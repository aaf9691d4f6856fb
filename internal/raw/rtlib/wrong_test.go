//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

// probes says of each function that the header declares what its arguments are, and what it answers when one is wrong.
//
//	array, tuple, …  a live object of that type
//	value            what may be stored: a word with a value's tag, or a handle of a live object
//	any              a live object of any type
//	key              as value, and not nil
//	index, at        an index of 64 bits that may count from the end; one that may not
//	at32             one of 32 bits
//	size             how many, as int64_t; usize as uint64_t; count how many the caller has room for
//	out              memory of the caller's that is written; take: with a value that is the caller's from then on
//	body             a function that takes and gives a value; task: one that gives none
//	ns               how long to wait
//	word             anything goes
//	name             a C string
//	bytes            NULL, where the size that follows is not 0
//
// The answer is nil, -1, 0, 1, false (a C bool), FALSE (a value), error (an rt_error, not RT_OK); "-" says that no argument can be wrong, or that the function
// is not called here: the text after it says which.
var probes = map[string]struct{ params, answer string }{
	"rt_abi_version":         {"", "- takes nothing"},
	"rt_last_error":          {"", "- takes nothing"},
	"rt_error_text":          {"word", "- answers for every number"},
	"rt_float":               {"word", "- takes every double"},
	"rt_as_float":            {"boxed out", "false"},
	"rt_type":                {"any", "0 quiet"},
	"rt_retain":              {"value", "false"},
	"rt_release":             {"value", "false"},
	"rt_count":               {"any", "0"},
	"rt_freeze":              {"value", "false"},
	"rt_collect":             {"", "- takes nothing"},
	"rt_objects":             {"", "- takes nothing"},
	"rt_census":              {"out count", "-1"},
	"rt_site":                {"name word", "0"},
	"rt_site_text":           {"word", "- answers for every number"},
	"rt_made_at":             {"word word", "- answers what it was given"},
	"rt_scope_push":          {"", "- takes nothing"},
	"rt_scope_pop":           {"word", "nil"}, // none is open
	"rt_array_new":           {"size", "nil"},
	"rt_array_len":           {"array", "-1"},
	"rt_array_get":           {"array index", "nil"},
	"rt_array_set":           {"array index value", "false"},
	"rt_array_push":          {"array value", "false"},
	"rt_array_pop":           {"array", "nil"},
	"rt_array_clear":         {"array", "false"},
	"rt_tuple_new":           {"usize", "nil"},
	"rt_tuple_len":           {"tuple", "-1"},
	"rt_tuple_get":           {"tuple at", "nil"},
	"rt_tuple_set":           {"tuple at value", "false"},
	"rt_string_new":          {"bytes usize", "nil"},
	"rt_string_len":          {"string", "-1"},
	"rt_string_data":         {"string", "0"},
	"rt_string_concat":       {"string string", "nil"},
	"rt_dict_new":            {"size", "nil"},
	"rt_dict_len":            {"dict", "-1"},
	"rt_dict_get":            {"dict key", "nil"},
	"rt_dict_set":            {"dict key value", "false"},
	"rt_dict_has":            {"dict key", "false"},
	"rt_dict_remove":         {"dict key", "false"},
	"rt_dict_clear":          {"dict", "false"},
	"rt_dict_next":           {"dict out out out", "false"},
	"rt_object_new":          {"word word", "- a wrong class or count is not told from a large one"},
	"rt_object_field_get":    {"object at32", "nil"},
	"rt_object_field_set":    {"object at32 value", "false"},
	"rt_object_class_id":     {"object", "-1"},
	"rt_object_field_count":  {"object", "-1"},
	"rt_closure_new":         {"word word", "- takes every function"},
	"rt_closure_set_capture": {"closure at32 value", "false"},
	"rt_closure_get_capture": {"closure at32", "nil"},
	"rt_closure_func_ptr":    {"closure", "0"},
	"rt_enum_new":            {"word word value", "nil"},
	"rt_enum_discriminant":   {"enum", "-1"},
	"rt_enum_id":             {"enum", "-1"},
	"rt_enum_payload":        {"enum", "nil"},
	"rt_unique_new":          {"value", "nil"},
	"rt_unique_get":          {"unique", "nil"},
	"rt_unique_set":          {"unique value", "FALSE"},
	"rt_shutdown":            {"word", "- ends all; TestR14AfterTheEnd"},
	"rt_future_new":          {"body value", "nil"},
	"rt_future_await":        {"future", "nil"},
	"rt_future_await_ex":     {"future ns take", "error"},
	"rt_future_is_ready":     {"future", "0"},
	"rt_future_resolve":      {"value", "nil"},
	"rt_future_all":          {"array", "nil"},
	"rt_future_all_ex":       {"array ns take", "error"},
	"rt_future_race":         {"array", "nil"},
	"rt_future_race_ex":      {"array ns take", "error"},
	"rt_future_start":        {"future", "false"},
	"rt_future_complete":     {"future value", "false"},
	"rt_future_fail":         {"future value", "false"},
	"rt_future_cancel":       {"future", "false"},
	"rt_future_reason":       {"future", "nil"},
	"rt_channel_new":         {"", "- takes nothing"},
	"rt_channel_new_cap":     {"size", "nil"},
	"rt_channel_send":        {"channel value", "0"},
	"rt_channel_send_ex":     {"channel value ns", "error"},
	"rt_channel_try_send":    {"channel value", "error"},
	"rt_channel_recv":        {"channel", "nil"},
	"rt_channel_recv_ex":     {"channel ns take", "error"},
	"rt_channel_try_recv":    {"channel take", "error"},
	"rt_channel_close":       {"channel", "false"},
	"rt_channel_is_closed":   {"channel", "1"},
	"rt_channel_len":         {"channel", "-1"},
	"rt_channel_cap":         {"channel", "-1"},

	"rt_generator_new":        {"body size value", "nil"},
	"rt_generator_new_co":     {"body size value", "nil"},
	"rt_generator_next":       {"generator", "nil"},
	"rt_generator_yield":      {"generator word", "nil"},
	"rt_generator_get_slot":   {"generator at", "nil"},
	"rt_generator_set_slot":   {"generator at value", "false"},
	"rt_generator_is_done":    {"generator", "1"},
	"rt_generator_get_state":  {"generator", "0"},
	"rt_generator_set_state":  {"generator word", "false"},
	"rt_generator_get_ctx":    {"generator", "nil"},
	"rt_generator_mark_done":  {"generator", "false"},
	"rt_generator_load_slot":  {"generator at", "nil"},
	"rt_generator_store_slot": {"generator at value", "false"},

	"rt_actor_spawn":              {"task value", "nil"},
	"rt_actor_spawn_cap":          {"task value size", "nil"},
	"rt_actor_spawn_handler":      {"task value", "nil"},
	"rt_actor_spawn_handler_cap":  {"task value size", "nil"},
	"rt_actor_send":               {"actor value", "0"},
	"rt_actor_send_ex":            {"actor value ns", "error"},
	"rt_actor_try_send":           {"actor value", "error"},
	"rt_actor_recv":               {"", "- takes nothing"},
	"rt_actor_recv_ex":            {"ns take", "- for an actor's body"},
	"rt_actor_try_recv":           {"take", "- for an actor's body"},
	"rt_actor_self":               {"", "- takes nothing"},
	"rt_actor_fail":               {"", "- takes nothing"},
	"rt_actor_join":               {"actor", "0"},
	"rt_actor_join_ex":            {"actor ns", "error"},
	"rt_actor_stop":               {"actor", "0"},
	"rt_actor_id":                 {"actor", "0"},
	"rt_actor_is_alive":           {"actor", "0"},
	"rt_actor_death_reason":       {"actor", "-1"},
	"rt_actor_pending":            {"actor", "-1"},
	"rt_async_file_create":        {"string word word", "nil"},
	"rt_async_file_close":         {"file", "0"},
	"rt_async_file_read":          {"file word word", "nil"},
	"rt_async_file_write":         {"file word string", "nil"},
	"rt_async_file_prefault":      {"file word word", "nil"},
	"rt_async_file_size":          {"file", "nil"},
	"rt_async_file_sync":          {"file", "nil"},
	"rt_async_file_wait":          {"file", "0"},
	"rt_async_file_start_loading": {"file", "false"},
	"rt_async_file_is_ready":      {"file", "0"},
	"rt_async_file_get_state":     {"word", "- answers RT_FILE_FAILED, which the audit's tests look at"},
}

// declared are the functions of the header's contract, and how many parameters each has.
func declared(t testing.TB) map[string]int {
	t.Helper()
	contract, _, ok := strings.Cut(string(header), "/* ---- What follows is how")
	if !ok {
		t.Fatal("the header's contract has no end")
	}
	found := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^RT_(?:API|FN)_ .*?\b(rt_[a-z0-9_]+)\(((?:[^()]|\([^()]*\))*)\);`).FindAllStringSubmatch(contract, -1) {
		params := regexp.MustCompile(`\([^()]*\)`).ReplaceAllString(m[2], "") // of a function pointer
		found[m[1]] = strings.Count(params, ",") + 1
		if strings.TrimSpace(m[2]) == "void" {
			found[m[1]] = 0
		}
	}
	return found
}

// world is a heap with an object of every type, and words that are none.
type world struct {
	h      *rtheap.Heap
	live   map[string]value // by kind; "boxed" is a float
	dead   []uint64
	memory []uint64 // what functions write to
	pin    mem.Pin
	r      *rand.Rand
	last   call.Fn
}

// onThread keeps the test's goroutine on one thread: errors are the thread's. Each subtest is a goroutine of its own.
func onThread(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	onThread(t)
	h := heap(t)
	must := func(v value, c code) value {
		t.Helper()
		if c != rtheap.OK {
			t.Fatal(c)
		}
		return v
	}
	text := func(s string) value { return must(h.NewString([]byte(s))) }
	w := &world{h: h, live: map[string]value{}, memory: make([]uint64, 64), r: rand.New(rand.NewPCG(5, 6)), last: rtlib.Function("rt_last_error")}
	array, dict := must(h.NewArray(2)), must(h.NewDict(2))
	h.ArrayPush(array, 8)
	h.DictSet(dict, 8, 16)
	w.live["array"], w.live["dict"], w.live["string"] = array, dict, text("of another type")
	w.live["tuple"], w.live["object"] = must(h.NewTuple(2)), must(h.NewObject(7, 2))
	w.live["closure"], w.live["enum"] = must(h.NewClosure(0, 2)), must(h.NewEnum(1, 2, 24))
	w.live["unique"], w.live["boxed"] = must(h.NewUnique(32)), must(h.NewFloat(1e300))
	for name, make := range map[string]func() value{
		"channel":   w.maker("rt_channel_new"),
		"future":    w.maker("rt_future_resolve", 8),
		"generator": w.maker("rt_generator_new", 0, 2, 8),
		"actor":     w.maker("rt_actor_spawn", 0, 8),
		"file":      w.maker("rt_async_file_create", uintptr(w.live["string"]), 0, 0), // which is no file's name
	} {
		if v := make(); v != rtheap.Nil {
			w.live[name] = v
		}
	}
	for name, v := range w.live { // freed once, and freed twice
		_ = name
		w.dead = append(w.dead, uint64(v)+1<<36, uint64(v)^1<<3, uint64(v)^31<<31, uint64(v)&^(31<<31), uint64(v)&^(1<<36-1)|uint64(v)>>3&0xff)
	}
	for i := range 8 {
		v := must(h.NewTuple(uint64(i)))
		w.dead = append(w.dead, uint64(v))
		h.Release(v)
		h.Release(v)
	}
	w.dead = slices.DeleteFunc(w.dead, func(x uint64) bool { return !value(x).IsHandle() || h.Live(value(x)) })
	w.dead = append(w.dead, 1, 9, 1<<3|1, 1<<61+1, 0xdeadbee9, 0x7ffffffffffffff9, ^uint64(6))
	t.Cleanup(func() {
		for _, v := range w.live {
			h.Release(v)
		}
	})
	return w
}

// maker calls a C function that may not be there yet.
func (w *world) maker(name string, args ...uintptr) func() value {
	return func() value {
		if fn := rtlib.Function(name); fn != 0 {
			return value(call.Call(fn, args...))
		}
		return rtheap.Nil
	}
}

// state is all that the objects hold: a call that is refused changes nothing of it.
func (w *world) state() string {
	var s strings.Builder
	h := w.h
	p := func(args ...any) { fmt.Fprintln(&s, args...) }
	for _, kind := range slices.Sorted(func(yield func(string) bool) {
		for k := range w.live {
			if !yield(k) {
				return
			}
		}
	}) {
		v := w.live[kind]
		p(kind, h.TypeOf(v), call.Call(rtlib.Function("rt_count"), uintptr(v)))
	}
	for i := range int64(3) {
		for _, f := range []func() (value, code){
			func() (value, code) { return h.ArrayGet(w.live["array"], i) },
			func() (value, code) { return h.TupleGet(w.live["tuple"], uint64(i)) },
			func() (value, code) { return h.ObjectGet(w.live["object"], uint32(i)) },
			func() (value, code) { return h.ClosureGet(w.live["closure"], uint32(i)) },
			func() (value, code) { return h.DictGet(w.live["dict"], value(i<<3)) },
		} {
			p(f())
		}
	}
	p(h.StringBytes(w.live["string"]))
	p(h.ObjectClass(w.live["object"]))
	p(h.EnumPayload(w.live["enum"]))
	p(h.UniqueGet(w.live["unique"]))
	p(h.AsFloat(w.live["boxed"]))
	p(h.DictLen(w.live["dict"]))
	p(h.Objects())
	return s.String()
}

var (
	notWhole = []uint64{1 << 31, 1<<31 + 1, 1 << 32, 1<<32 + 1, 1 << 60, 1 << 61, 1<<62 + 1, 1<<63 - 1, 1 << 63, 1<<63 + 1, ^uint64(0)}
	noTags   = []uint64{4, 5, 7, 12, 13, 15, ^uint64(0), 0x8000000000000004}
	noObject = []uint64{3, 0, 8, 11, 19, 1 << 31, 1 << 63, 2, 0x8000000000000002, 1<<63 - 8}
)

// good is an argument of that kind as it should be.
func (w *world) good(kind string) uint64 {
	switch kind {
	case "value":
		return 48
	case "key":
		return 8
	case "any":
		return uint64(w.live["string"])
	case "index", "at", "at32", "size", "usize", "count", "bytes":
		return 0
	case "body":
		return uint64(rtlib.Function("rt_array_pop"))
	case "task":
		return uint64(rtlib.Function("rt_count"))
	case "ns":
		return 0
	case "out", "name", "take":
		clear(w.memory)
		return uint64(mem.PinSlice(&w.pin, w.memory))
	case "word":
		return uint64(w.r.Uint32())
	}
	return uint64(w.live[kind])
}

// bad are the words that are wrong there.
func (w *world) bad(kind string) []uint64 {
	switch kind {
	case "value":
		return append(slices.Clone(noTags), w.dead...)
	case "key":
		return append(append([]uint64{3}, noTags...), w.dead...)
	case "index":
		return append(append([]uint64{2, 1 << 20}, notWhole[:len(notWhole)-1]...), ^uint64(1), ^uint64(100))
	case "at":
		return append([]uint64{2, 1 << 20}, notWhole...)
	case "at32":
		return []uint64{2, 1 << 20, 1 << 31, 1<<31 + 1, 1<<32 - 1}
	case "size":
		return notWhole
	case "usize":
		return notWhole
	case "count":
		return notWhole[8:]
	case "name":
		return []uint64{0}
	case "out", "word", "bytes", "body", "task", "ns", "take":
		return nil
	}
	words := append(append(slices.Clone(noTags), noObject...), w.dead...)
	if kind == "boxed" {
		words = slices.DeleteFunc(words, func(x uint64) bool { return x&3 == 2 })
	}
	for k, v := range w.live {
		if k != kind && kind != "any" {
			words = append(words, uint64(v))
		}
	}
	return words
}

// TestR14WrongWords gives every function of the header every kind of wrong word at every place, alone and together: nil,
// numbers, words of no tag, forged and stale handles, objects of another type, what was freed twice, sizes from 2^31 to
// 2^63. It gives the answer that is documented, says why, nothing faults, and no object changes.
func TestR14WrongWords(t *testing.T) {
	for name, n := range declared(t) {
		p, ok := probes[name]
		if !ok {
			t.Errorf("%s is not among the probes of this test: say what its arguments are", name)
		} else if kinds := len(strings.Fields(p.params)); kinds != n {
			t.Errorf("%s has %d parameters; its probe says %d", name, n, kinds)
		}
	}
	w := newWorld(t)
	calls := 0
	for name, p := range probes {
		answer, quiet := strings.CutSuffix(p.answer, " quiet")
		if strings.HasPrefix(answer, "-") && answer != "-1" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			onThread(t)
			fn := rtlib.Function(name)
			if fn == 0 {
				t.Fatal("not in the library")
			}
			kinds := strings.Fields(p.params)
			before := w.state()
			try := func(args []uintptr) {
				t.Helper()
				calls++
				call.Call(rtlib.Function("rt_array_pop"), uintptr(w.live["dict"])) // a reason that is known
				got := uint64(call.Call(fn, args...))
				if !refused(name, answer, got) {
					t.Fatalf("%s(%#x) is %#x, want %s", name, args, got, answer)
				}
				if c := code(int32(call.Call(w.last))); c == rtheap.OK && !quiet {
					t.Fatalf("%s(%#x): no reason", name, args)
				}
			}
			args := make([]uintptr, len(kinds))
			set := func() {
				w.pin.Unpin()
				for i, k := range kinds {
					args[i] = uintptr(w.good(k))
				}
			}
			for i, k := range kinds {
				for _, x := range w.bad(k) {
					set()
					args[i] = uintptr(x)
					try(args)
					for range 20 { // and others beside it
						set()
						args[i] = uintptr(x)
						for j, kind := range kinds {
							if b := w.bad(kind); j != i && len(b) > 0 && w.r.IntN(2) == 0 {
								args[j] = uintptr(b[w.r.IntN(len(b))])
							}
						}
						try(args)
					}
				}
			}
			if answer == "nil" && len(kinds) > 0 && kinds[0] == "word" && len(kinds) == 1 {
				try([]uintptr{3})
			}
			if after := w.state(); after != before {
				t.Errorf("something was written:\n%s\nwas\n%s", after, before)
			}
			w.pin.Unpin()
		})
	}
	t.Logf("%d calls", calls)
}

// refused reports whether a function gave the answer that it has for wrong arguments.
func refused(name, answer string, got uint64) bool {
	switch answer {
	case "false":
		got &= 0xff
	case "error":
		return uint32(got) > 0 && uint32(got) < 100
	case "0":
		if name == "rt_type" || name == "rt_site" {
			got &= 0xffffffff
		}
	}
	return got == map[string]uint64{"nil": 3, "-1": ^uint64(0), "0": 0, "false": 0, "FALSE": 19, "1": 1}[answer]
}

// TestR14AfterTheEnd calls every function after rt_shutdown, with what was right before: nothing that was alive is known, nothing is
// made, nothing waits, and the runtime begins again.
func TestR14AfterTheEnd(t *testing.T) {
	w := newWorld(t)
	defer w.pin.Unpin()
	args := map[string][]uintptr{}
	for name, p := range probes {
		for _, k := range strings.Fields(p.params) {
			if k == "value" || k == "any" {
				k = "array" // a number lives for ever
			}
			args[name] = append(args[name], uintptr(w.good(k)))
		}
	}
	if left, c := rtlib.Shutdown(-1); c != rtheap.OK || left < int64(len(w.live)) {
		t.Fatalf("%d objects were alive, %v; want %d or more", left, c, len(w.live))
	}
	defer heap(t) // the tests after this one find it running
	for name, p := range probes {
		answer, _ := strings.CutSuffix(p.answer, " quiet")
		if strings.HasPrefix(answer, "- ") {
			continue
		}
		if got := uint64(call.Call(rtlib.Function(name), args[name]...)); !refused(name, answer, got) {
			t.Errorf("%s(%#x) is %#x, want %s", name, args[name], got, answer)
		}
		if c := code(int32(call.Call(w.last))); c == rtheap.OK {
			t.Errorf("%s(%#x): no reason", name, args[name])
		}
	}
	if n := w.h.Objects(); n != 0 {
		t.Errorf("%d objects were made:\n%s", n, w.h.Report())
	}
}
