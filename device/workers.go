package device

import (
	"runtime/debug"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

// workers are the pool as executors use it: a panic on a worker, also one for a fault at an address that a client lent
// and took away too early, is a panic of the run that it works for, which makes it an error. On a worker itself it
// would end the process.
type workers struct{ pool *kernel.Pool }

// Run runs f(0) to f(n-1) and returns when all are done.
func (w workers) Run(n int, f func(i int)) {
	if n == 1 {
		f(0)
		return
	}
	var failed atomic.Pointer[any]
	w.pool.Run(n, func(i int) {
		defer caught(&failed)
		before := debug.SetPanicOnFault(true)
		f(i)
		debug.SetPanicOnFault(before)
	})
	if v := failed.Load(); v != nil {
		panic(*v)
	}
}

// caught keeps the first panic.
func caught(failed *atomic.Pointer[any]) {
	if v := recover(); v != nil {
		failed.CompareAndSwap(nil, &v)
	}
}
