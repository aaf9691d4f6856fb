// Package cb makes C function pointers.
//
// A [Signal] is a callback that never enters Go: a few instructions that note the call and wake one goroutine. It
// is right wherever native code only says that something is done, from any of its threads.
//
// A served callback ([Serve], [Static], [Static1]) runs Go code and returns its result to C.
//
// Both take generation-checked numbers as their user argument, never addresses: native code that calls late, twice
// or with a wrong argument is noticed and counted, and touches nothing.
package cb

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

const (
	signalBits = 18
	// MaxSignals is how many signals may be armed at one time.
	MaxSignals = 1<<signalBits - 1

	signalMask = 1<<signalBits - 1
	slotBytes  = 64
	blockSlots = 1 << 10
)

// slot is the off-heap part of a signal, which the C side writes. Its layout is known to the assembly.
type slot struct {
	state atomic.Uint64 // the token while armed, else 0
	value uintptr       // the callback's first argument
	next  uintptr       // the slot that fired before it
	_     [slotBytes - 24]byte
}

// What the C side reads and writes. The assembly files know them by name.
var (
	signalBase  uintptr        // the table of slots
	signalHead  atomic.Uintptr // the slots that fired, newest first
	signalStray atomic.Uint64  // calls with a token that is not armed
)

// signals is the Go side of the table: one in a process, because C code holds its address for ever.
var signals struct {
	start sync.Once
	err   error
	mu    sync.Mutex
	free  []uint32
	next  uint32
	gen   []*[blockSlots]uint64
	done  []*[blockSlots]func(mem.Addr)
}

// Signal is one expected call of a C callback of the form void (*)(void *value, void *user_arg).
type Signal struct {
	Fn  call.Fn // the function to give to native code
	Arg uintptr // the user argument to give with it
}

// Arm prepares one call: when native code calls Fn(value, Arg), done runs once with value on the goroutine of all
// signals. done must not block; it completes an event or hands the value on. A panic in it is reported.
//
// Errors: [isthmus.ErrLimit] when [MaxSignals] are armed, and when the system lacks what is needed to wait.
func Arm(done func(value mem.Addr)) (Signal, error) {
	s := &signals
	s.start.Do(func() { s.err = startSignals() })
	if s.err != nil {
		return Signal{}, s.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var i uint32
	if n := len(s.free); n > 0 {
		i = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		if s.next > MaxSignals {
			return Signal{}, fmt.Errorf("cb: %d signals are armed: %w", MaxSignals, isthmus.ErrLimit)
		}
		i = s.next
		s.next++
		if int(i/blockSlots) == len(s.gen) {
			s.gen = append(s.gen, new([blockSlots]uint64))
			s.done = append(s.done, new([blockSlots]func(mem.Addr)))
		}
	}
	gen := &s.gen[i/blockSlots][i%blockSlots]
	*gen++
	token := uint64(uintptr(*gen<<signalBits | uint64(i))) // what C can carry
	s.done[i/blockSlots][i%blockSlots] = done
	slotAt(uint64(i)).state.Store(token)
	return Signal{Fn: signalFn(), Arg: uintptr(token)}, nil
}

// Disarm takes the signal back when native code did not take the callback after all. It reports whether done will
// never run; a call that comes later is a stray.
func (s Signal) Disarm() bool {
	i := uint64(s.Arg) & signalMask
	if s.Arg == 0 || signalBase == 0 || !slotAt(i).state.CompareAndSwap(uint64(s.Arg), 0) {
		return false
	}
	signals.mu.Lock()
	release(i)
	signals.mu.Unlock()
	return true
}

// release gives a slot's index back, with signals.mu held, and returns its function.
func release(i uint64) func(mem.Addr) {
	f := &signals.done[i/blockSlots][i%blockSlots]
	done := *f
	*f = nil
	signals.free = append(signals.free, uint32(i))
	return done
}

// Strays returns how many calls came with an argument that was not armed: late, repeated or wrong ones.
func Strays() uint64 { return signalStray.Load() }

// Armed returns how many signals are armed or about to be delivered.
func Armed() int {
	signals.mu.Lock()
	defer signals.mu.Unlock()
	if signals.next == 0 {
		return 0
	}
	return int(signals.next) - 1 - len(signals.free)
}

func slotAt(i uint64) *slot {
	// SAFETY: owner: the table, which is never unmapped; bounds: i is masked to the table's size; alignment: slots
	// are 64 bytes from a page's start; thread: any, state by atomics, the rest by whoever took state to 0.
	return mem.At[slot](signalBase + uintptr(i)*slotBytes)
}

// startSignals makes the table and the goroutine that serves it.
func startSignals() error {
	base, err := mem.Pages(slotBytes << signalBits)
	if err != nil {
		return fmt.Errorf("cb: table of signals: %w", err)
	}
	signalBase = uintptr(base)
	// Index 0 is never armed and never matches, so that a user argument of NULL is a stray.
	slotAt(0).state.Store(^uint64(0))
	signals.next = 1
	wait, err := startWait()
	if err != nil {
		return err
	}
	go serveSignals(wait, 0)
	return nil
}

// serveSignals delivers what fired. It runs as long as the process, because native code may call at any time: where a
// function of a signal ends the goroutine, another goes on with the signals after it.
func serveSignals(wait func() error, fired uintptr) {
	over := false
	defer func() {
		if !over {
			go serveSignals(wait, fired)
		}
	}()
	for {
		deliver(&fired)
		if err := wait(); err != nil {
			over = true
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: isthmus.Object{Kind: "cb.Signal"}, Err: err})
			return
		}
		fired = takeFired()
	}
}

// takeFired takes the list of fired signals and returns the oldest, from which next leads to the newest.
func takeFired() (first uintptr) {
	for a := signalHead.Swap(0); a != 0; {
		s := slotAt(uint64(a-signalBase) / slotBytes)
		a, s.next, first = s.next, first, a
	}
	return first
}

// deliver runs the functions of the fired signals from *first on. A signal is taken off before its function runs.
func deliver(first *uintptr) {
	for *first != 0 {
		i := uint64(*first-signalBase) / slotBytes
		s := slotAt(i)
		value := mem.Addr(s.value)
		*first = s.next
		signals.mu.Lock()
		done := release(i)
		signals.mu.Unlock()
		protect(done, value)
	}
}

func protect(done func(mem.Addr), value mem.Addr) {
	ok := false
	defer func() {
		if !ok {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "cb.Signal"}, Err: panicError(recover())})
		}
	}()
	done(value)
	ok = true
}

// panicError describes what ended a function; nil is runtime.Goexit.
func panicError(v any) error {
	if v == nil {
		return fmt.Errorf("%w: it ended its goroutine", isthmus.ErrPanic)
	}
	if err, ok := v.(error); ok {
		return fmt.Errorf("%w: %w", isthmus.ErrPanic, err)
	}
	return fmt.Errorf("%w: %v", isthmus.ErrPanic, v)
}
