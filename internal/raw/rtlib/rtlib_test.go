//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

type (
	value = rtheap.Value
	code  = rtheap.Code
)

// half is one of the two implementations, C's or Go's, over the same heap.
type half struct {
	name string
	op   map[string]func(a, b, c uint64) (uint64, code)
}

func word(v value, c code) (uint64, code) { return uint64(v), c }
func num(n int64, c code) (uint64, code)  { return uint64(n), c }

func truth(c code) (uint64, code) {
	if c == rtheap.OK {
		return 1, c
	}
	return 0, c
}

func bit(b bool, c code) (uint64, code) {
	if b {
		return 1, c
	}
	return 0, c
}

// goHalf are the twins.
func goHalf(h *rtheap.Heap) half {
	v := func(w uint64) value { return value(w) }
	return half{"Go", map[string]func(a, b, c uint64) (uint64, code){
		"rt_array_new":   func(n, _, _ uint64) (uint64, code) { return word(h.NewArray(int64(n))) },
		"rt_array_len":   func(a, _, _ uint64) (uint64, code) { return num(h.ArrayLen(v(a))) },
		"rt_array_get":   func(a, i, _ uint64) (uint64, code) { return word(h.ArrayGet(v(a), int64(i))) },
		"rt_array_set":   func(a, i, x uint64) (uint64, code) { return truth(h.ArraySet(v(a), int64(i), v(x))) },
		"rt_array_push":  func(a, x, _ uint64) (uint64, code) { return truth(h.ArrayPush(v(a), v(x))) },
		"rt_array_pop":   func(a, _, _ uint64) (uint64, code) { return word(h.ArrayPop(v(a))) },
		"rt_array_clear": func(a, _, _ uint64) (uint64, code) { return truth(h.ArrayClear(v(a))) },
		"rt_tuple_new":   func(n, _, _ uint64) (uint64, code) { return word(h.NewTuple(n)) },
		"rt_tuple_len":   func(a, _, _ uint64) (uint64, code) { return num(h.TupleLen(v(a))) },
		"rt_tuple_get":   func(a, i, _ uint64) (uint64, code) { return word(h.TupleGet(v(a), i)) },
		"rt_tuple_set":   func(a, i, x uint64) (uint64, code) { return truth(h.TupleSet(v(a), i, v(x))) },
		"rt_object_new":  func(k, n, _ uint64) (uint64, code) { return word(h.NewObject(uint32(k), uint32(n))) },
		"rt_object_field_get": func(a, i, _ uint64) (uint64, code) {
			return word(h.ObjectGet(v(a), uint32(i)))
		},
		"rt_object_field_set": func(a, i, x uint64) (uint64, code) {
			return truth(h.ObjectSet(v(a), uint32(i), v(x)))
		},
		"rt_object_class_id":     func(a, _, _ uint64) (uint64, code) { return num(h.ObjectClass(v(a))) },
		"rt_object_field_count":  func(a, _, _ uint64) (uint64, code) { return num(h.ObjectFields(v(a))) },
		"rt_closure_new":         func(f, n, _ uint64) (uint64, code) { return word(h.NewClosure(uintptr(f), uint32(n))) },
		"rt_closure_get_capture": func(a, i, _ uint64) (uint64, code) { return word(h.ClosureGet(v(a), uint32(i))) },
		"rt_closure_set_capture": func(a, i, x uint64) (uint64, code) { return truth(h.ClosureSet(v(a), uint32(i), v(x))) },
		"rt_closure_func_ptr": func(a, _, _ uint64) (uint64, code) {
			f, c := h.ClosureFunc(v(a))
			return uint64(f), c
		},
		"rt_enum_new":          func(e, d, p uint64) (uint64, code) { return word(h.NewEnum(uint32(e), uint32(d), v(p))) },
		"rt_enum_discriminant": func(a, _, _ uint64) (uint64, code) { return num(h.EnumDiscriminant(v(a))) },
		"rt_enum_id":           func(a, _, _ uint64) (uint64, code) { return num(h.EnumID(v(a))) },
		"rt_enum_payload":      func(a, _, _ uint64) (uint64, code) { return word(h.EnumPayload(v(a))) },
		"rt_unique_new":        func(x, _, _ uint64) (uint64, code) { return word(h.NewUnique(v(x))) },
		"rt_unique_get":        func(a, _, _ uint64) (uint64, code) { return word(h.UniqueGet(v(a))) },
		"rt_unique_set": func(a, x, _ uint64) (uint64, code) {
			c := h.UniqueSet(v(a), v(x))
			return uint64(rtheap.Bool(c == rtheap.OK)), c
		},
		"rt_string_new": func(p, n, _ uint64) (uint64, code) {
			if p == 0 && n > 0 {
				return uint64(rtheap.Nil), rtheap.BadSize
			}
			b, err := mem.Slice[byte](uintptr(p), n)
			if err != nil {
				return uint64(rtheap.Nil), rtheap.BadSize
			}
			return word(h.NewString(b))
		},
		"rt_string_len": func(a, _, _ uint64) (uint64, code) { return num(h.StringLen(v(a))) },
		"rt_string_data": func(a, _, _ uint64) (uint64, code) {
			p, c := h.StringAddr(v(a))
			return uint64(p), c
		},
		"rt_string_concat": func(a, b, _ uint64) (uint64, code) { return word(h.Concat(v(a), v(b))) },
		"rt_dict_new":      func(n, _, _ uint64) (uint64, code) { return word(h.NewDict(int64(n))) },
		"rt_dict_len":      func(a, _, _ uint64) (uint64, code) { return num(h.DictLen(v(a))) },
		"rt_dict_get":      func(a, k, _ uint64) (uint64, code) { return word(h.DictGet(v(a), v(k))) },
		"rt_dict_has":      func(a, k, _ uint64) (uint64, code) { return bit(h.DictHas(v(a), v(k))) },
		"rt_dict_set":      func(a, k, x uint64) (uint64, code) { return truth(h.DictSet(v(a), v(k), v(x))) },
		"rt_dict_remove":   func(a, k, _ uint64) (uint64, code) { return truth(h.DictRemove(v(a), v(k))) },
		"rt_dict_clear":    func(a, _, _ uint64) (uint64, code) { return truth(h.DictClear(v(a))) },
		"rt_retain":        func(a, _, _ uint64) (uint64, code) { return bit(h.Retain(v(a)), rtheap.OK) },
		"rt_release":       func(a, _, _ uint64) (uint64, code) { return bit(h.Release(v(a)), rtheap.OK) },
		"rt_type":          func(a, _, _ uint64) (uint64, code) { return uint64(h.TypeOf(v(a))), rtheap.OK },
	}}
}

// results are as C has them: int32 and bool are not whole words.
var (
	bools = []string{"rt_array_set", "rt_array_push", "rt_array_clear", "rt_tuple_set", "rt_object_field_set", "rt_closure_set_capture", "rt_dict_has", "rt_dict_set", "rt_dict_remove", "rt_dict_clear", "rt_retain", "rt_release"}
	names = func() []string {
		var n []string
		for k := range goHalf(nil).op {
			n = append(n, k)
		}
		slices.Sort(n)
		return n
	}()
)

// cHalf are the functions of the library.
func cHalf(t testing.TB) half {
	t.Helper()
	onThread(t)
	last := rtlib.Function("rt_last_error")
	h := half{"C", map[string]func(a, b, c uint64) (uint64, code){}}
	for _, name := range names {
		fn := rtlib.Function(name)
		if fn == 0 {
			t.Fatalf("no C function %s", name)
		}
		h.op[name] = func(a, b, c uint64) (uint64, code) {
			r := uint64(call.Call(fn, uintptr(a), uintptr(b), uintptr(c)))
			switch {
			case slices.Contains(bools, name):
				r &= 0xff
			case name == "rt_type":
				r &= 0xffffffff
			}
			return r, code(int32(call.Call(last)))
		}
	}
	return h
}

func heap(t testing.TB) *rtheap.Heap {
	t.Helper()
	if c := rtlib.Start(); c != rtheap.OK {
		t.Fatal(c)
	}
	return rtheap.Made()
}

// wrong are words that are no object, or not the one that is wanted.
func wrong(h *rtheap.Heap, s value, r *rand.Rand) uint64 {
	stale, _ := h.NewTuple(1)
	h.Release(stale)
	words := []uint64{
		3, 0, 11, 19, 7, 4, 5, 1, 1 << 3, ^uint64(0), ^uint64(0) - 6, 0xdeadbeef, 0xdeadbee9, 0x7fffffffffffffff, 1 << 63,
		uint64(stale), uint64(stale) + 1<<36, uint64(stale) ^ 1<<31, uint64(s), uint64(s) &^ (31 << 31), uint64(s) ^ 1<<3, r.Uint64(), r.Uint64()&^7 | 1,
		1 << 31, 1 << 32, 1<<61 + 1, 1 << 60,
	}
	return words[r.IntN(len(words))]
}

// TestR14Twins gives every twin every kind of wrong word at every place: both halves give the same answer, the
// same reason, and nothing faults.
func TestR14Twins(t *testing.T) {
	h := heap(t)
	r := rand.New(rand.NewPCG(1, 2))
	s, _ := h.NewString([]byte("of another type"))
	defer h.Release(s)
	sizes := []uint64{0, 1, 3, 1 << 31, 1<<31 - 1, 1 << 32, 1 << 60, 1 << 61, 1<<63 - 1, 1 << 63, ^uint64(0)}
	for _, name := range names {
		makes := strings.HasSuffix(name, "_new") || name == "rt_string_concat"
		t.Run(name, func(t *testing.T) {
			c, g := cHalf(t), goHalf(h)
			for range 3000 {
				a, b, x := wrong(h, s, r), wrong(h, s, r), wrong(h, s, r)
				switch name {
				case "rt_array_new", "rt_dict_new":
					a = sizes[r.IntN(len(sizes))]
				case "rt_tuple_new": // a long one is all nils, not only room
					if a = sizes[r.IntN(len(sizes))]; a == 1<<31-1 {
						continue
					}
				case "rt_string_new":
					a, b = 0, sizes[r.IntN(len(sizes))]
				case "rt_object_new", "rt_closure_new":
					a, b = uint64(r.Uint32()), uint64(r.IntN(100))
				case "rt_unique_new", "rt_enum_new", "rt_retain", "rt_release":
					a, x = wrong(h, s, r)&^(1<<31-1), wrong(h, s, r)&^7 // what takes or counts must not take the string
					b = uint64(uint32(b))
				}
				if name == "rt_enum_new" {
					a = uint64(uint32(a))
				}
				made := func(w uint64) bool { // what was made is let go, and not compared
					return makes && value(w).IsHandle() && h.Release(value(w))
				}
				rc, ec := c.op[name](a, b, x)
				cMade := made(rc)
				rg, eg := g.op[name](a, b, x)
				if gMade := made(rg); cMade && gMade {
					continue
				}
				if rc != rg {
					t.Fatalf("%s(%#x, %#x, %#x): C says %#x, Go %#x", name, a, b, x, rc, rg)
				}
				if eg != rtheap.OK && ec != eg {
					t.Fatalf("%s(%#x, %#x, %#x): C's reason is %q, Go's %q", name, a, b, x, ec, eg)
				}
			}
		})
	}
}

// TestR06Twins drives arrays, tuples, dictionaries and strings with random calls, each made by C or by Go on the same
// objects, and compares with slices and maps of Go.
func TestR06Twins(t *testing.T) {
	h := heap(t)
	halves := []half{cHalf(t), goHalf(h)}
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 7))
		do := func(name string, a ...uint64) uint64 {
			t.Helper()
			a = append(a, 0, 0, 0)
			w, _ := halves[r.IntN(2)].op[name](a[0], a[1], a[2])
			return w
		}
		str := func(s string) uint64 {
			b := []byte(s)
			pin := new(mem.Pin)
			defer pin.Unpin()
			if len(b) == 0 {
				return do("rt_string_new", 0, 0)
			}
			return do("rt_string_new", uint64(mem.PinSlice(pin, b)), uint64(len(b)))
		}
		random := func() uint64 { // a value, with a count of ours if it is a handle
			if r.IntN(2) == 0 {
				return uint64(r.IntN(50)) << 3
			}
			return str(fmt.Sprint("s", r.IntN(50)))
		}
		text := func(w uint64) string {
			if b, c := h.StringBytes(value(w)); c == rtheap.OK {
				return string(b)
			}
			return fmt.Sprintf("%#x", w)
		}
		array, dict := do("rt_array_new", uint64(r.IntN(3))), do("rt_dict_new", uint64(r.IntN(3)))
		var list []string
		var order []string
		entries := map[string]string{}
		for step := range 3000 {
			var got, want any
			switch v := random(); r.IntN(10) {
			case 0, 1, 2:
				got, want = do("rt_array_push", array, v), uint64(1)
				list = append(list, text(v))
				do("rt_release", v)
			case 3:
				i := r.IntN(len(list)*2+1) - len(list)
				want = uint64(0)
				if at := i; at < len(list) {
					if at < 0 {
						at += len(list)
					}
					list[at], want = text(v), uint64(1)
				}
				got = do("rt_array_set", array, uint64(i), v)
				do("rt_release", v)
			case 4:
				do("rt_release", v)
				i := r.IntN(len(list)+2) - 1
				want = "0x3"
				if i < 0 && len(list) > 0 {
					want = list[len(list)+i]
				} else if i >= 0 && i < len(list) {
					want = list[i]
				}
				got = text(do("rt_array_get", array, uint64(i)))
			case 5:
				do("rt_release", v)
				w := do("rt_array_pop", array)
				got, want = text(w), "0x3"
				if n := len(list); n > 0 {
					want, list = list[n-1], list[:n-1]
				}
				do("rt_release", w)
				if r.IntN(20) == 0 {
					do("rt_array_clear", array)
					list = nil
				}
			case 6, 7:
				k := random()
				got, want = do("rt_dict_set", dict, k, v), uint64(1)
				if _, ok := entries[text(k)]; !ok {
					order = append(order, text(k))
				}
				entries[text(k)] = text(v)
				do("rt_release", k)
				do("rt_release", v)
			case 8:
				want = "0x3"
				if e, ok := entries[text(v)]; ok {
					want = e
				}
				got = text(do("rt_dict_get", dict, v))
				do("rt_release", v)
			case 9:
				want = uint64(0)
				if _, ok := entries[text(v)]; ok {
					want = uint64(1)
					delete(entries, text(v))
					order = slices.DeleteFunc(order, func(s string) bool { return s == text(v) })
				}
				got = do("rt_dict_remove", dict, v)
				do("rt_release", v)
				if r.IntN(100) == 0 {
					do("rt_dict_clear", dict)
					clear(entries)
					order = nil
				}
			}
			if got != want {
				t.Fatalf("seed %d, step %d: got %v, want %v", seed, step, got, want)
			}
			if n := do("rt_array_len", array); n != uint64(len(list)) {
				t.Fatalf("seed %d, step %d: %d elements, want %d", seed, step, n, len(list))
			}
			if n := do("rt_dict_len", dict); n != uint64(len(entries)) {
				t.Fatalf("seed %d, step %d: %d entries, want %d", seed, step, n, len(entries))
			}
		}
		var walked []string
		for cursor := uint64(0); ; {
			next, k, v, c := h.DictNext(value(dict), cursor)
			if c != rtheap.OK {
				break
			}
			if entries[text(uint64(k))] != text(uint64(v)) {
				t.Fatalf("seed %d: walked %s", seed, text(uint64(k)))
			}
			walked, cursor = append(walked, text(uint64(k))), next
		}
		if !slices.Equal(walked, order) {
			t.Fatalf("seed %d: walked %v, want %v", seed, walked, order)
		}
		for _, v := range []uint64{array, dict} {
			if do("rt_release", v) != 1 || do("rt_release", v) != 0 {
				t.Fatal("a second release must be refused")
			}
		}
	}
}
