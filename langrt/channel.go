package langrt

import (
	"context"
	"iter"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Channel carries values between any number of senders and receivers, in Go and in C. What is in it is counted by it.
type Channel struct{ Value }

// NewChannel makes a channel with room for capacity values, which s owns; 0 is the runtime's choice, 256.
func NewChannel(s *Scope, capacity int) (Channel, error) {
	const op = "channel new"
	if err := plane(op); err != nil {
		return Channel{}, err
	}
	h, err := heap(op)
	if err != nil {
		return Channel{}, err
	}
	w, code := newChannel(capacity)
	if code != rtheap.OK {
		return Channel{}, refusalAt(op, Value{}, int64(capacity), code)
	}
	v, err := own(s, op, h, w, code)
	return Channel{v}, err
}

// Send sends v, which the channel counts. It waits while the channel is full, or until the context ends.
//
// Errors: [Closed], and with it isthmus.ErrClosed; the context's.
func (c Channel) Send(ctx context.Context, v Value) error {
	if ctx == nil {
		ctx = context.Background()
	}
	return c.waited(ctx, "channel send", send(ctx, c.Value, v))
}

func (c Channel) waited(ctx context.Context, op string, code rtheap.Code) error {
	if code == rtheap.TimedOut && ctx.Err() != nil {
		return &Error{Op: op, Code: Code(contextCode(ctx)), Value: c.Value, Err: context.Cause(ctx)}
	}
	return check(op, c.Value, code)
}

// Receive takes the oldest value out, which s owns. It waits while there is none, or until the context ends.
//
// Errors: [Closed] when it is closed and nothing is left; the context's.
func (c Channel) Receive(ctx context.Context, s *Scope) (Value, error) {
	const op = "channel receive"
	if ctx == nil {
		ctx = context.Background()
	}
	w, code := receive(ctx, c.Value)
	if code != rtheap.OK {
		return Value{}, c.waited(ctx, op, code)
	}
	return own(s, op, rtheap.Made(), w, code)
}

// TrySend sends v if there is room, and reports whether there was.
func (c Channel) TrySend(v Value) (bool, error) {
	code := trySend(c.Value, v)
	if code == rtheap.TimedOut {
		return false, nil
	}
	return code == rtheap.OK, check("channel send", c.Value, code)
}

// TryReceive takes a value out if there is one, and reports whether there was.
func (c Channel) TryReceive(s *Scope) (Value, bool, error) {
	const op = "channel receive"
	w, code := tryReceive(c.Value)
	switch code {
	case rtheap.OK:
		v, err := own(s, op, rtheap.Made(), w, code)
		return v, err == nil, err
	case rtheap.TimedOut:
		return Value{}, false, nil
	}
	return Value{}, false, check(op, c.Value, code)
}

// Close ends sending; what is in the channel may still be received. Of a channel that is closed, or gone, it does nothing.
func (c Channel) Close() error {
	switch code := closeChannel(c.Value); code {
	case rtheap.OK, rtheap.IsClosed, rtheap.BadState, rtheap.BadHandle, rtheap.NotStarted:
		return nil
	default:
		return check("channel close", c.Value, code)
	}
}

// Closed reports whether nothing more can be sent; true also of what is no channel.
func (c Channel) Closed() bool { return channelClosed(c.Value) }

// Len is how many values are in the channel, a moment ago.
func (c Channel) Len() (int, error) {
	n, _ := channelSize(c.Value)
	if n < 0 {
		return 0, is(c.Value, TypeChannel)
	}
	return n, nil
}

// Cap is how many values there is room for.
func (c Channel) Cap() (int, error) {
	_, n := channelSize(c.Value)
	if n < 0 {
		return 0, is(c.Value, TypeChannel)
	}
	return n, nil
}

// All receives until the channel is closed and empty, or the context ends. A value is let go after its turn of the loop:
// [Retain] it to have it for longer.
func (c Channel) All(ctx context.Context) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		for {
			v, err := c.Receive(ctx, nil)
			if err != nil || !lent(v, yield) {
				return
			}
		}
	}
}
