//go:build race

package mem

import (
	"runtime"
	"unsafe"
)

// RaceEnabled reports whether the program was built with the race detector.
const RaceEnabled = true

// Watch is memory whose use by native code the race detector knows of. The zero value is none.
type Watch struct{ token *byte }

// Begin tells the race detector that native code reads b, or writes it, from now until [Watch.End]: a Go access that
// conflicts is reported as a data race, with both stacks.
//
// The access is made by a goroutine of its own, and the way back from it is hidden from the detector: what the caller did
// before is ordered before it, and only End orders it before what the caller does later.
func (w *Watch) Begin(b []byte, write bool) {
	if len(b) == 0 || w.token != nil { // it has begun: a second access would be a race with the first
		return
	}
	token := new(byte)
	w.token = token
	// SAFETY: owner: the caller, which keeps b until End; bounds: b's; thread: any. The memory is not accessed.
	p, n := unsafe.Pointer(unsafe.SliceData(b)), len(b)
	made := make(chan struct{})
	go nativeAccess(p, n, write, token, made)
	runtime.RaceDisable()
	<-made
	runtime.RaceEnable()
}

// nativeAccess stands for the access that native code makes: it is one of the two stacks of a report.
//
// SAFETY: owner: whoever lends the memory, which is alive until End; bounds: n bytes from p; the detector looks at its own
// records and not at the memory; thread: any.
func nativeAccess(p unsafe.Pointer, n int, write bool, token *byte, made chan struct{}) {
	if write {
		runtime.RaceWriteRange(p, n)
	} else {
		runtime.RaceReadRange(p, n)
	}
	runtime.RaceRelease(unsafe.Pointer(token))
	runtime.RaceDisable()
	close(made)
	runtime.RaceEnable()
}

// End says that native code is done.
func (w *Watch) End() {
	if w.token != nil {
		// SAFETY: the token is a byte of the heap that w keeps; it is not accessed.
		runtime.RaceAcquire(unsafe.Pointer(w.token))
		w.token = nil
	}
}
