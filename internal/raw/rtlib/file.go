//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
// void rti_future_done(rt_value f, rt_value v, int32_t error);
// #cgo noescape rti_future_done
import "C"

import (
	"context"
	"errors"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/rtfile"
)

//export rtgo_file_create
func rtgo_file_create(path C.rt_value, mode, prefault C.int32_t, file *C.rt_value) C.int32_t {
	return guard("rtgo_file_create", C.int32_t(C.RT_E_DEFECT), func() C.int32_t {
		text, c := process().StringText(rtheap.Value(path)) // which C counts meanwhile
		if c != rtheap.OK {
			return C.int32_t(c)
		}
		p, err := rtfile.Process()
		if err != nil {
			return C.RT_E_MEMORY
		}
		v, err := p.Open(now, text, rtfile.Mode(mode), prefault != 0)
		if err != nil {
			return C.int32_t(codeOf(err))
		}
		*file = C.rt_value(v)
		return C.RT_OK
	})
}

func codeOf(err error) rtheap.Code {
	var e *rtfile.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return rtheap.IOFailed
}

//export rtgo_file
func rtgo_file(what C.int32_t, file, text C.rt_value, offset, n C.int64_t, promise C.rt_value) {
	asked := guard("rtgo_file", false, func() bool {
		p, err := rtfile.Process()
		if err != nil {
			Settle(rtheap.Value(promise), rtheap.Nil, err)
			return true
		}
		p.Do(now, rtfile.What(what), rtheap.Value(file), rtheap.Value(text), int64(offset), int64(n), func(v rtheap.Value, err error) {
			Settle(rtheap.Value(promise), v, err)
		})
		return true
	})
	if !asked {
		C.rti_future_done(promise, C.RT_NIL, C.RT_E_DEFECT)
	}
}

// now is for what does not wait for room.
var now context.Context

// Settle ends a promise with a result, whose count it takes over, or with an error: await says its code, and the reason is
// its text. It takes over a count of the promise, too.
func Settle(promise, v rtheap.Value, err error) {
	code := rtheap.OK
	if err != nil {
		code, v = codeOf(err), rtheap.Nil
		if code != rtheap.IsCancelled { // which has no reason
			v, _ = process().NewText(err.Error()) // nil when there is no memory
		}
	}
	C.rti_future_done(C.rt_value(promise), C.rt_value(v), C.int32_t(code))
}

//export rtgo_file_state
func rtgo_file_state(file C.rt_value) C.int32_t {
	return guard("rtgo_file_state", C.int32_t(C.RT_FILE_FAILED), func() C.int32_t {
		p, err := rtfile.Process()
		if err != nil {
			return C.RT_FILE_FAILED
		}
		return C.int32_t(p.State(rtheap.Value(file)))
	})
}

//export rtgo_file_end
func rtgo_file_end(id C.uint64_t) {
	guard("rtgo_file_end", false, func() bool {
		if p := rtfile.Made(); p != nil {
			p.Forget(uint64(id))
		}
		return true
	})
}

//export rtgo_files_stop
func rtgo_files_stop() {
	guard("rtgo_files_stop", false, func() bool {
		if p := rtfile.Made(); p != nil {
			p.Stop()
		}
		return true
	})
}
