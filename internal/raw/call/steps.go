package call

import "github.com/isthmus-ffi/isthmus/internal/raw/mem"

// MaxStepArgs is how many arguments a [Step] passes.
const MaxStepArgs = 14

// Step is one call of a sequence that runs in one crossing: a function of up to [MaxStepArgs] integer or pointer
// arguments that returns a C int, 0 for success. It lies outside Go's heap, as all that its arguments point to must.
//
// A step with a flag is repeated until the C int at that address is not 0, at most spins times: so that waiting for
// something that is about to happen costs one crossing and not one a look.
type Step struct {
	Fn    Fn
	Args  [MaxStepArgs]uintptr
	Ret   uintptr  // of the last call, a C int in the low half
	Flag  mem.Addr // of a C int, or 0
	Spins int64    // calls left while the flag is 0
	Next  mem.Addr // of the Step after this one, or 0
	exc   mem.Addr // the note of an exception that the call ended with, or 0

	// Few is not 0 for a function of at most six arguments: what would go on the stack is not put there, which counts where
	// a flag is looked at again and again.
	Few uintptr
}

// Run makes the calls of s and of the steps after it, until one returns non-zero or has no spins left. Each step's Ret
// and Spins say how far it came.
//
// Preconditions: s and the steps after it are off-heap; each Fn is a C function that takes what Args holds and returns
// int; flags are addresses of C ints that live for the call.
func (s *Step) Run() {
	s.check()
	s.run()
}

// RunShort is Run for calls that return soon: the goroutine keeps its processor while C runs, as it does in Go code, which
// saves telling the scheduler that it leaves and comes back. Until C returns the world cannot be stopped and no other
// goroutine has the processor. Where that is not known to work, and once Go functions have been given to C
// ([ExpectCallbacks]), it is Run.
//
// Preconditions: as for Run; no call waits for another thread of this process that may wait for the Go scheduler, or calls
// a Go function that [ExpectCallbacks] was not told of.
func (s *Step) RunShort() {
	s.check()
	s.runShort()
}

func (s *Step) check() {
	for t := s; t != nil; t = mem.At[Step](t.Next) {
		if t.Fn == 0 {
			panic(errNilFn)
		}
	}
}

// Failed is the C int that the step's last call returned, 0 if it has made none.
func (s *Step) Failed() int32 { return int32(uint32(s.Ret)) }
