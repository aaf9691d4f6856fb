//go:build (linux || darwin) && (amd64 || arm64) && !isthmus_portable && !race && !go1.28

package call

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Short says whether [Step.RunShort] keeps the processor on this platform: on those, and with the Go releases, that the
// assembly was tried with. The race detector has to hear of each call.
const Short = true

// callbacks is not 0 when C may call Go. The assembly reads it.
var callbacks uint32

// shortCall calls fn(arg) as runtime.asmcgocall does, on the thread's system stack, without leaving the scheduler. It
// reports false, and has done nothing, when C may call Go: a thread that has not left the scheduler cannot enter it. Being
// assembly, it is not preempted between looking and calling.
//
//go:noescape
func shortCall(fn, arg unsafe.Pointer) bool

func (s *Step) runShort() {
	// SAFETY: as for run; asmcgocall holds the thread while C runs, and the goroutine is not preempted.
	if !shortCall(stepsAddr, unsafe.Pointer(s)) {
		s.run()
	}
}

var expect sync.Once

// ExpectCallbacks is called before C gets the address of a function that enters Go. When it returns, no short call is
// under way and none begins any more.
func ExpectCallbacks() {
	expect.Do(func() {
		atomic.StoreUint32(&callbacks, 1)
		// The world stops when all goroutines are where they can be preempted, so in no short call; those that go on have
		// seen the flag.
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
	})
}
