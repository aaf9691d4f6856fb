//go:build cgo && (linux || darwin)

package rtlib

// #cgo CFLAGS: -O2 -Werror=implicit-function-declaration
// #cgo noescape isthmus_rt_function
// #cgo nocallback isthmus_rt_function
// #define RT_NO_INLINE
// #include "isthmus_rt.h"
// uintptr_t isthmus_rt_function(const char *name);
// uint64_t isthmus_rt_end(int32_t type, uint32_t slot);
import "C"

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/rtfile"
)

// numbers are n numbers that C lends for the call.
//
// SAFETY: owner: the C caller's thread, which waits; lifetime: the call; bounds: the caller's n, the size of its own
// array; alignment: uint32_t; thread: the caller's.
func numbers(p *C.uint32_t, n C.uint32_t) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(p)), int(n))
}

// process is the heap of the process; nil before it is made.
func process() *rtheap.Heap { return rtheap.Made() }

//export rtgo_take_slots
func rtgo_take_slots(dst *C.uint32_t, n C.uint32_t) C.uint32_t {
	return guard("rtgo_take_slots", 0, func() C.uint32_t {
		h := process()
		if h == nil {
			return 0
		}
		return C.uint32_t(h.TakeSlots(numbers(dst, n)))
	})
}

//export rtgo_give_slots
func rtgo_give_slots(src *C.uint32_t, n C.uint32_t) {
	guard("rtgo_give_slots", none{}, func() none { process().GiveSlots(numbers(src, n)); return none{} })
}

//export rtgo_take_blocks
func rtgo_take_blocks(c C.int32_t, dst *C.uint32_t, n C.uint32_t) C.uint32_t {
	return guard("rtgo_take_blocks", 0, func() C.uint32_t {
		h := process()
		if h == nil {
			return 0
		}
		return C.uint32_t(h.TakeBlocks(int(c), numbers(dst, n)))
	})
}

//export rtgo_give_blocks
func rtgo_give_blocks(c C.int32_t, src *C.uint32_t, n C.uint32_t) {
	guard("rtgo_give_blocks", none{}, func() none { process().GiveBlocks(int(c), numbers(src, n)); return none{} })
}

//export rtgo_start
func rtgo_start(heap *C.rt_heap_) C.int32_t {
	return guard("rtgo_start", C.RT_E_DEFECT, func() C.int32_t { return start(heap) })
}

func start(heap *C.rt_heap_) C.int32_t {
	h, err := rtheap.Process()
	if err != nil {
		if errors.Is(err, isthmus.ErrLimit) {
			return C.RT_E_MEMORY
		}
		return C.RT_E_STATE
	}
	h.SetEnd(end)
	if p := rtfile.Made(); p != nil {
		p.Start()
	}
	base, mask, seed, most := h.Geometry()
	// SAFETY: the address is off the Go heap and stays; C keeps it for as long as the process lives.
	heap.base = mem.At[C.rt_slot_](base)
	heap.mask, heap.seed, heap.max_len = C.uint64_t(mask), C.uint64_t(seed), C.uint64_t(most)
	return C.RT_OK
}

//export rtgo_freeze
func rtgo_freeze(v C.rt_value) C.int32_t {
	return guard("rtgo_freeze", C.RT_E_DEFECT, func() C.int32_t { return C.int32_t(process().Freeze(rtheap.Value(v))) })
}

//export rtgo_collect
func rtgo_collect() C.int64_t {
	return guard("rtgo_collect", -1, func() C.int64_t { return C.int64_t(process().Collect()) })
}

//export rtgo_objects
func rtgo_objects() C.int64_t {
	return guard("rtgo_objects", -1, func() C.int64_t { return C.int64_t(process().Objects()) })
}

// rtgo_clear ends all objects. ISTHMUS_CHECK has it say what they were; without, a program may leave the end to the system.
//
//export rtgo_clear
func rtgo_clear() C.int64_t { return guard("rtgo_clear", -1, clearAll) }

func clearAll() C.int64_t {
	asked := os.Getenv("ISTHMUS_CHECK")
	if check, err := isthmus.ParseCheck(asked); asked != "" && err == nil && check != isthmus.CheckOff {
		if left := process().Report(); left != "" {
			fmt.Fprintf(os.Stderr, "isthmus: objects were alive at rt_shutdown:\n%s", left)
		}
	}
	return C.int64_t(process().Clear())
}

//export rtgo_wake
func rtgo_wake(token C.uint64_t, why C.int32_t) {
	guard("rtgo_wake", none{}, func() none { waits.wake(uint64(token), rtheap.Code(why)); return none{} })
}

//export rtgo_census
func rtgo_census(lines *C.rt_census_line, n C.int64_t) C.int64_t {
	return guard("rtgo_census", -1, func() C.int64_t { return census(lines, n) })
}

// census writes what there is room for.
//
// SAFETY: owner: the C caller, which waits; lifetime: the call; bounds: its own n; alignment: the struct's; thread: the
// caller's.
func census(lines *C.rt_census_line, n C.int64_t) C.int64_t {
	counts := process().Census()
	to := unsafe.Slice(lines, min(int(n), len(counts)))
	for i, c := range counts[:len(to)] {
		to[i] = C.rt_census_line{_type: C.int32_t(c.Type), site: C.uint32_t(c.Site), objects: C.int64_t(c.Objects), bytes: C.int64_t(c.Bytes)}
	}
	return C.int64_t(len(counts))
}

// end ends an object that is more than words, and returns the size of its block.
func end(t rtheap.Type, slot uint32) uint64 {
	return uint64(C.isthmus_rt_end(C.int32_t(t), C.uint32_t(slot)))
}

// Function is the C function of that name, 0 when there is none: for programs that hand them to C code of their own.
func Function(name string) call.Fn {
	c := append([]byte(name), 0)
	// SAFETY: owner: this call; lifetime: the call, C keeps nothing; bounds: it ends with a NUL; thread: this one.
	return call.Fn(C.isthmus_rt_function((*C.char)(unsafe.Pointer(&c[0]))))
}

// Start starts the runtime for the C functions of this program.
func Start() rtheap.Code {
	return rtheap.Code(C.rt_start_(C.RT_ABI_VERSION, &C.rt_h_))
}
