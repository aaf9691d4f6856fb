//go:build !cgo || !(linux || darwin)

package langrt

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Futures, channels, actors and generators share their scheduler with C. Without cgo none of them can be made, so no Value
// is one, and what is asked of one is refused as of any other value.

func plane(op string) error {
	return fmt.Errorf("langrt: %s: %w: its scheduler is C's, and this program was built without cgo; build it with CGO_ENABLED=1", op, isthmus.ErrUnsupported)
}

func restart() error { return nil }

func running(op string) error { return plane(op) }

func none(v Value) (rtheap.Value, rtheap.Code) {
	return rtheap.Nil, refusedAs(v)
}

func refusedAs(v Value) rtheap.Code {
	if w := v.raw(); w.IsHandle() && v.Live() {
		return rtheap.BadType
	}
	return rtheap.BadHandle
}

func newPromise() (rtheap.Value, rtheap.Code) { return rtheap.Nil, rtheap.NotStarted }

func resolved(Value) (rtheap.Value, rtheap.Code)                      { return rtheap.Nil, rtheap.NotStarted }
func await(_ context.Context, f Value) (rtheap.Value, rtheap.Code)    { return none(f) }
func settle(rtheap.Value, rtheap.Value, error)                        {}
func complete(f, _ Value) rtheap.Code                                 { return refusedAs(f) }
func failFuture(f, _ Value) rtheap.Code                               { return refusedAs(f) }
func cancelFuture(f Value) rtheap.Code                                { return refusedAs(f) }
func startFuture(f Value) rtheap.Code                                 { return refusedAs(f) }
func futureReady(Value) bool                                          { return false }
func futureReason(Value) Value                                        { return Value{} }
func newChannel(int) (rtheap.Value, rtheap.Code)                      { return rtheap.Nil, rtheap.NotStarted }
func send(_ context.Context, ch, _ Value) rtheap.Code                 { return refusedAs(ch) }
func receive(_ context.Context, ch Value) (rtheap.Value, rtheap.Code) { return none(ch) }
func trySend(ch, _ Value) rtheap.Code                                 { return refusedAs(ch) }
func tryReceive(ch Value) (rtheap.Value, rtheap.Code)                 { return none(ch) }
func closeChannel(ch Value) rtheap.Code                               { return refusedAs(ch) }
func channelClosed(Value) bool                                        { return true }
func channelSize(Value) (length, capacity int)                        { return -1, -1 }
func shutdown(int64) (int64, rtheap.Code)                             { return 0, rtheap.NotStarted }

func newActor(func(Value) (Value, error), int) (rtheap.Value, rtheap.Code) {
	return rtheap.Nil, rtheap.NotStarted
}
func sendActor(_ context.Context, a, _ Value) rtheap.Code { return refusedAs(a) }
func joinActor(_ context.Context, a Value) rtheap.Code    { return refusedAs(a) }
func trySendActor(a, _ Value) rtheap.Code                 { return refusedAs(a) }
func stopActor(a Value) rtheap.Code                       { return refusedAs(a) }
func actorID(Value) int64                                 { return 0 }
func actorAlive(Value) bool                               { return false }
func actorPending(Value) int                              { return -1 }
func newGenerator(func(Value) (Value, error), func()) (rtheap.Value, rtheap.Code) {
	return rtheap.Nil, rtheap.NotStarted
}
func nextOf(g Value) (rtheap.Value, rtheap.Code) { return none(g) }
func generatorDone(Value) bool                   { return true }
