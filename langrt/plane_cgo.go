//go:build cgo && (linux || darwin)

package langrt

import (
	"context"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

var started sync.Once

// plane starts C's half of the runtime, once: after a shutdown it is started by Start alone.
func plane(op string) error {
	code := rtheap.OK
	started.Do(func() {
		if !rtlib.Running() {
			code = rtlib.Start()
		}
	})
	if code == rtheap.OK && !rtlib.Running() {
		code = rtheap.NotStarted
	}
	if code != rtheap.OK {
		return fmt.Errorf("langrt: %w", refusal(op, Value{}, code))
	}
	return nil
}

// restart starts it also after a shutdown.
func restart() error {
	started.Do(func() {})
	return check("start", Value{}, rtlib.Start())
}

func running(op string) error {
	if !rtlib.Running() {
		return refusal(op, Value{}, rtheap.NotStarted)
	}
	return nil
}

func newPromise() (rtheap.Value, rtheap.Code)      { return rtlib.NewPromise() }
func resolved(v Value) (rtheap.Value, rtheap.Code) { return rtlib.Resolve(v.raw()) }

func await(ctx context.Context, f Value) (rtheap.Value, rtheap.Code) {
	return rtlib.Await(ctx, f.raw())
}

func settle(promise, v rtheap.Value, err error) { rtlib.Settle(promise, v, err) }
func complete(f, v Value) rtheap.Code           { return rtlib.Complete(f.raw(), v.raw()) }
func failFuture(f, reason Value) rtheap.Code    { return rtlib.Fail(f.raw(), reason.raw()) }
func cancelFuture(f Value) rtheap.Code          { return rtlib.Cancel(f.raw()) }
func startFuture(f Value) rtheap.Code           { return rtlib.StartFuture(f.raw()) }
func futureReady(f Value) bool                  { return rtlib.Ready(f.raw()) }
func futureReason(f Value) Value                { return wrap(rtlib.Reason(f.raw())) }

func newChannel(capacity int) (rtheap.Value, rtheap.Code) { return rtlib.NewChannel(capacity) }

func send(ctx context.Context, ch, v Value) rtheap.Code { return rtlib.Send(ctx, ch.raw(), v.raw()) }

func receive(ctx context.Context, ch Value) (rtheap.Value, rtheap.Code) {
	return rtlib.Recv(ctx, ch.raw())
}

func trySend(ch, v Value) rtheap.Code                 { return rtlib.TrySend(ch.raw(), v.raw()) }
func tryReceive(ch Value) (rtheap.Value, rtheap.Code) { return rtlib.TryRecv(ch.raw()) }
func closeChannel(ch Value) rtheap.Code               { return rtlib.CloseChannel(ch.raw()) }
func channelClosed(ch Value) bool                     { return rtlib.ChannelClosed(ch.raw()) }
func channelSize(ch Value) (length, capacity int) {
	return rtlib.ChannelLen(ch.raw()), rtlib.ChannelCap(ch.raw())
}
func shutdown(timeout int64) (int64, rtheap.Code) { return rtlib.Shutdown(timeout) }

// step is how a body of Go's is given to C: with one argument, lent, and a result that is C's.
func step(f func(Value) (Value, error), end func()) *rtlib.Hosted {
	return &rtlib.Hosted{End: end, Step: func(arg rtheap.Value) (rtheap.Value, error) {
		v, err := f(wrap(arg))
		return v.raw(), coded(err)
	}}
}

func newActor(f func(Value) (Value, error), capacity int) (rtheap.Value, rtheap.Code) {
	return rtlib.NewActor(step(f, nil), int64(capacity))
}

func sendActor(ctx context.Context, a, msg Value) rtheap.Code {
	return rtlib.SendActor(ctx, a.raw(), msg.raw())
}

func joinActor(ctx context.Context, a Value) rtheap.Code { return rtlib.JoinActor(ctx, a.raw()) }
func trySendActor(a, msg Value) rtheap.Code              { return rtlib.TrySendActor(a.raw(), msg.raw()) }
func stopActor(a Value) rtheap.Code                      { return rtlib.StopActor(a.raw()) }
func actorID(a Value) int64                              { return rtlib.ActorID(a.raw()) }
func actorAlive(a Value) bool                            { return rtlib.ActorAlive(a.raw()) }
func actorPending(a Value) int                           { return rtlib.ActorPending(a.raw()) }

func newGenerator(f func(Value) (Value, error), end func()) (rtheap.Value, rtheap.Code) {
	return rtlib.NewGenerator(step(f, end))
}

func nextOf(g Value) (rtheap.Value, rtheap.Code) { return rtlib.NextOf(g.raw()) }
func generatorDone(g Value) bool                 { return rtlib.GeneratorDone(g.raw()) }
