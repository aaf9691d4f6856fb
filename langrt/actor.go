package langrt

import (
	"context"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Actor has a mailbox and does one thing at a time: in C, or with a function of Go's. Whoever sends to one in Go, or waits
// for its end, waits as a goroutine.
type Actor struct{ Value }

// MailboxSize is how many messages wait in a mailbox, unless said otherwise.
const MailboxSize = 1024

// Spawn makes an actor that s owns: handle is called with each message, one after the other, on goroutines of the
// runtime's. A message is lent to handle. An error or a panic of handle's is the actor's end, and its joins get [Failed].
// The actor also ends when nobody has it any more and its mailbox is empty. capacity is how many messages may wait, 0 for
// [MailboxSize].
//
// handle may wait for anything. It must not keep its own actor counted, or the actor lives until it is stopped.
func Spawn(s *Scope, capacity int, handle func(msg Value) error) (Actor, error) {
	const op = "actor spawn"
	if err := plane(op); err != nil {
		return Actor{}, err
	}
	h, err := heap(op)
	if err != nil {
		return Actor{}, err
	}
	if handle == nil {
		return Actor{}, &Error{Op: op, Code: NoValue, Detail: "without a function"}
	}
	if capacity == 0 {
		capacity = MailboxSize
	}
	w, code := newActor(func(msg Value) (Value, error) { return Value{}, handle(msg) }, capacity)
	if code != rtheap.OK {
		return Actor{}, refusalAt(op, Value{}, int64(capacity), code)
	}
	v, err := own(s, op, h, w, code)
	return Actor{v}, err
}

// Send puts msg, which the mailbox counts, behind the messages that wait. It waits while the mailbox is full, or until the
// context ends. Messages of one sender arrive in order.
//
// Errors: [Closed], and with it isthmus.ErrClosed, of an actor that ended or was stopped; the context's.
func (a Actor) Send(ctx context.Context, msg Value) error {
	if ctx == nil {
		ctx = context.Background()
	}
	return Channel(a).waited(ctx, "actor send", sendActor(ctx, a.Value, msg))
}

// TrySend is Send if there is room, and reports whether there was.
func (a Actor) TrySend(msg Value) (bool, error) {
	code := trySendActor(a.Value, msg)
	if code == rtheap.TimedOut {
		return false, nil
	}
	return code == rtheap.OK, check("actor send", a.Value, code)
}

// Stop closes the mailbox: what is in it is still handled. Of an actor that was stopped or has ended it does nothing.
func (a Actor) Stop() error {
	if code := stopActor(a.Value); code != rtheap.IsClosed {
		return check("actor stop", a.Value, code)
	}
	return nil
}

// Join waits for the actor's end, or until the context ends.
//
// Errors: [Failed] when a handler, or the C body, failed; [NotRunning] when the runtime stopped first; the context's.
func (a Actor) Join(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	return Channel(a).waited(ctx, "actor join", joinActor(ctx, a.Value))
}

// ID is the actor's number, which no other ever has; 0 of what is no actor.
func (a Actor) ID() int64 { return actorID(a.Value) }

// Alive reports whether it has not ended; false also of what is no actor.
func (a Actor) Alive() bool { return actorAlive(a.Value) }

// Pending is how many messages wait, a moment ago.
func (a Actor) Pending() (int, error) {
	if n := actorPending(a.Value); n >= 0 {
		return n, nil
	}
	return 0, is(a.Value, TypeActor)
}
