//go:build cgo && (linux || darwin)

package rtlib

// #define RT_NO_INLINE
// #include "isthmus_rt.h"
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlayer"
)

// checks is the layer for code that was compiled with RT_CHECK, nil under ISTHMUS_CHECK=off. It is made by the first call.
var checks = sync.OnceValue(func() *rtlayer.Layer {
	if mode, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK")); err == nil && mode == isthmus.CheckOff {
		return nil
	}
	if name := os.Getenv("ISTHMUS_REPORT"); name != "" {
		if before := isthmus.SetReporter(nil); before != nil {
			isthmus.SetReporter(before) // the program's own
		} else if f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err == nil {
			isthmus.SetReporter(isthmus.JSONReporter(f))
		} else {
			fmt.Fprintln(os.Stderr, "isthmus: ISTHMUS_REPORT:", err)
		}
	}
	l, err := rtlayer.New(func(f *isthmus.Finding) {
		o := f.Object
		if o.Kind == "" {
			o = isthmus.Object{Kind: f.Call, Site: f.Site}
		}
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: o, Err: f})
	})
	if err != nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: isthmus.Object{Kind: "rtlayer"}, Err: err})
		return nil
	}
	return l
})

//export rtgo_check
func rtgo_check(fn *C.char, words *C.uint64_t, n C.int32_t, file *C.char, line, flags C.int32_t) {
	guard("rtgo_check", none{}, func() none {
		l := checks()
		if l == nil {
			return none{}
		}
		k := rtlayer.Call{
			Name: C.GoString(fn), File: C.GoString(file), Line: int(line),
			After: flags&1 != 0, OK: flags&2 != 0, Scoped: flags&4 != 0, Stopped: flags&8 != 0, Callers: goCallers(),
		}
		// SAFETY: owner: the C caller's stack; lifetime: the call; bounds: its own n; alignment: uint64_t; thread: the caller's.
		for _, w := range unsafe.Slice((*uint64)(unsafe.Pointer(words)), int(n)) {
			k.Words = append(k.Words, uintptr(w))
		}
		l.Check(&k)
		return none{}
	})
}

// goCallers is the stack of the Go code that has called the C code that calls here, nil where there is none.
func goCallers() (out []runtime.Frame) {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	below := false
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "runtime.cgocallback"):
			below = true
		case below && !strings.HasPrefix(f.Function, "runtime.") && !strings.Contains(f.Function, "._Cfunc_"):
			out = append(out, f)
		}
	}
	return out
}
