//go:build !(cgo && linux && (amd64 || arm64))

package bridgelib

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// Serve needs cgo, Linux, and a little-endian machine of 64 bits.
func Serve(Program, Desc) error {
	return fmt.Errorf("bridge: serve: %w: it needs cgo on Linux", isthmus.ErrUnsupported)
}

// Refuse does nothing.
func Refuse(error) {}

// Call is a call of a host's.
type Call struct {
	Method uint32
	Lane   *Lane
}

// Deadline is none.
func (*Call) Deadline() time.Time { return time.Time{} }

// Begin has nothing.
func (*Call) Begin(Watcher) ([]byte, bool) { return nil, false }

// Room has none.
func (*Call) Room() ([]byte, bool) { return nil, false }

// Return does nothing.
func (*Call) Return() {}

// Done does nothing.
func (*Call) Done(Status, []byte) bool { return false }

// Cast is a message of a host's.
type Cast struct {
	Method uint32
	Lane   *Lane

	w *struct{}
}

// Message has none.
func (*Cast) Message() []byte { return nil }

// Counters are the numbers of br_stats that Go counts.
type Counters struct{ Panics, DecodeErrors, Deadlines, Running, Zombies, Closed, Inline, OK, Failed, Late *atomic.Uint64 }

// Stats counts for nobody.
func Stats() Counters {
	n := func() *atomic.Uint64 { return new(atomic.Uint64) }
	return Counters{n(), n(), n(), n(), n(), n(), n(), n(), n(), n()}
}

// Snapshot is empty.
func Snapshot() map[string]uint64 { return map[string]uint64{} }
