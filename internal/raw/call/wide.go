package call

import "github.com/isthmus-ffi/isthmus/internal/raw/mem"

// Wide is one call of a C function of any kind: with integers, floating-point numbers and structs among its arguments and as its
// result. Who fills it knows the calling convention. It lies outside Go's heap, as all that its arguments point to must.
type Wide struct {
	Fn     Fn
	Ints   [8]uintptr // the registers for integers and pointers: six on amd64
	Floats [8]uint64  // the registers for floating-point numbers, by their bits
	X8     uintptr    // on arm64: where a struct of more than two words is returned
	Stack  [8]uintptr // what goes on the stack
	Few    uintptr    // not 0: nothing goes on the stack
	Thread uintptr    // the only thread that may call, or 0
	At     uintptr    // the thread that called, or that would have
	R0, R1 uintptr    // the result
	F      [4]uint64  // the result in floating-point registers: two on amd64
	exc    mem.Addr   // the note of an exception that the call ended with, or 0
}

// Run makes the call and reports true, or reports false and makes none: the thread is not the one that it is for.
//
// Preconditions: w is off-heap; Fn is a C function that takes what is filled in, and Stack if Few is 0. Of exceptions:
// [Wide.Thrown].
func (w *Wide) Run() bool {
	if w.Fn == 0 {
		panic(errNilFn)
	}
	w.exc = 0
	w.run()
	return w.Thread == 0 || w.Thread == w.At
}
