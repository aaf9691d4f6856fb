package mem

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
)

// Twin is a second mapping of memory that somebody else has mapped to be shared, such as a message passing library. It
// stays mapped when the other mapping goes: until [Twin.End] it is the same memory, and memory of its own from then on,
// never unmapped, so that a slice of it that somebody kept is memory whatever the library does.
type Twin struct {
	data  []byte // the twin of what was given
	whole []byte // in whole pages
	shift int    // from whole to data
	ended atomic.Bool
}

// NewTwin maps b's memory a second time: in the place of an ended twin of the same size and place in its page, if over is
// one, else in a new one.
//
// Preconditions: b is mapped, not Go heap memory, and not unmapped meanwhile. Errors: [isthmus.ErrUnsupported] for memory
// that is not mapped to be shared, and on systems that cannot.
func NewTwin(b []byte, over *Twin) (*Twin, error) {
	if len(b) == 0 {
		return &Twin{}, nil
	}
	page := os.Getpagesize()
	shift := int(AddrOf(b) % Addr(page))
	size := (shift + len(b) + page - 1) &^ (page - 1)
	t := &Twin{shift: shift}
	var at []byte
	if over != nil && over.ended.Load() && over.shift == shift && len(over.whole) == size {
		at = over.whole
	}
	var err error
	if t.whole, err = sysTwin(AddrOf(b)-Addr(shift), size, at); err != nil {
		return nil, fmt.Errorf("mem: map %d bytes again: %w", len(b), err)
	}
	t.data = t.whole[shift : shift+len(b) : shift+len(b)]
	return t, nil
}

// Bytes is the memory.
func (t *Twin) Bytes() []byte {
	if t == nil {
		return nil
	}
	return t.data
}

// Protect lets nobody touch the memory by the twin, or everybody again. Who does touches memory that is not there: a fault
// at the line that does it.
func (t *Twin) Protect(on bool) error {
	if t == nil || len(t.whole) == 0 || t.ended.Load() {
		return nil
	}
	return sysProtect(t.whole, on)
}

// End parts the twin from the other memory. With guard nobody may touch it any more; else it is zeroed memory that
// nothing else refers to. A second call is [isthmus.ErrClosed].
func (t *Twin) End(guard bool) error {
	if t == nil || t.ended.Swap(true) {
		return fmt.Errorf("mem: end a twin: %w", isthmus.ErrClosed)
	}
	if len(t.whole) == 0 {
		return nil
	}
	return sysPart(t.whole, guard)
}
