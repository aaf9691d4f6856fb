//go:build cgo && (linux || darwin)

package rtlib

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// none is what a function that answers nothing answers.
type none struct{}

// defect is called with the name of each function that C calls, before it does anything; tests have it panic.
var defect atomic.Pointer[func(name string)]

// guard is around all that C calls: no panic goes on into C. The answer is then broken, which C takes for RT_E_DEFECT
// where the function has a place for it, and the panic is reported.
func guard[T any](name string, broken T, f func() T) (r T) {
	defer func() {
		if p := recover(); p != nil {
			r = broken
			isthmus.Tell(isthmus.Report{
				Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "libisthmus " + name},
				Err: fmt.Errorf("%v\n%s", p, debug.Stack()),
			})
		}
	}()
	if test := defect.Load(); test != nil {
		(*test)(name)
	}
	return f()
}
