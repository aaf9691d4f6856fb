package cb

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// MaxSlots is how many callbacks without a user argument may be served at one time.
const MaxSlots = 256

// Slot is a registered handler whose C function carries no user argument: the function itself tells which one is
// meant. There are few of them, because each is a C function of its own; they are used again.
type Slot struct {
	Fn    call.Fn
	index int
	h     *Handler
}

// slots are the C functions that were made so far, and what each serves. One table in a process, as handlers.
var slots struct {
	mu   sync.Mutex
	fns  []call.Fn
	free []int
	at   [MaxSlots]atomic.Pointer[Handler]
}

// ServeSlot registers a handler for a C function of up to [call.MaxArgs] integer or pointer arguments, none of which
// says whose call it is. The Args beyond those that C passes hold anything. Errors: [isthmus.ErrLimit] when [MaxSlots]
// are registered.
//
// Preconditions: native code does not call Fn after Release. Such a call does nothing while the place is free, and reaches
// another handler once the place is used again: there is no argument to know it by.
func ServeSlot(h Handler) (Slot, error) {
	if h.Serve == nil {
		return Slot{}, fmt.Errorf("cb: no function to serve: %w", isthmus.ErrInvalid)
	}
	t := &slots
	t.mu.Lock()
	defer t.mu.Unlock()
	var i int
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		i = len(t.fns)
		if i == MaxSlots {
			return Slot{}, fmt.Errorf("cb: %d callbacks without a user argument are registered: %w", MaxSlots, isthmus.ErrLimit)
		}
		place := &t.at[i]
		fn, err := Static(func(a, b, c, d, e, f uintptr) uintptr {
			h := place.Load()
			if h == nil {
				signalStray.Add(1)
				return 0
			}
			return h.run(&Args{a, b, c, d, e, f})
		})
		if err != nil {
			return Slot{}, err
		}
		t.fns = append(t.fns, fn)
	}
	t.at[i].Store(&h)
	return Slot{Fn: t.fns[i], index: i, h: &h}, nil
}

// Release ends the registration. It reports whether this call did: a second one does nothing. Calls in progress go on.
func (s Slot) Release() bool {
	if s.h == nil || !slots.at[s.index].CompareAndSwap(s.h, nil) {
		return false
	}
	slots.mu.Lock()
	slots.free = append(slots.free, s.index)
	slots.mu.Unlock()
	return true
}
