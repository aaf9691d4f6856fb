package pjrt

import (
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// loans keeps the pins of memory that plugins still use, whatever became of the values that the caller holds: a pin
// that is collected ends the process.
var loans loanTable

type loanTable struct {
	mu   sync.Mutex
	pins map[*mem.Pin]struct{}
}

// hold keeps pin until e fires.
func (l *loanTable) hold(pin *mem.Pin, e *Event) {
	l.mu.Lock()
	if l.pins == nil {
		l.pins = map[*mem.Pin]struct{}{}
	}
	l.pins[pin] = struct{}{}
	l.mu.Unlock()
	e.done.OnDone(func(error) {
		l.mu.Lock()
		delete(l.pins, pin)
		l.mu.Unlock()
		pin.Unpin()
	})
}

// Lent counts host memory that plugins still use.
func Lent() int {
	loans.mu.Lock()
	defer loans.mu.Unlock()
	return len(loans.pins)
}
