// Package sample is the bridge that the tests' hosts call: every kind of type and every way for a handler to end.
package sample

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// Color is a number with a name.
type Color uint16

// Slow has the handler of mirror take long.
const Slow Color = 0x510

// Numbers has one of each.
type Numbers struct {
	A  uint8
	B  uint16
	C  uint32
	D  uint64
	E  int8
	F  int16
	G  int32
	H  int64
	I  float32
	J  float64
	K  bool
	Of Color
}

// Point is a struct in structs.
type Point struct{ X, Y float64 }

// Blob is bytes, text, a list, an option, and more that is nested.
type Blob struct {
	Data  []byte
	Tags  []uint32
	At    Point
	Note  string
	Opt   *uint16
	Path  []Point
	Names []string
}

// Tree refers to itself.
type Tree struct {
	Value uint32
	Kids  []Tree
	Left  *Tree
}

// Growing may get more options.
type Growing struct {
	_    schema.Extensible
	ID   uint32
	Note *string
	More *Point
}

// Msg is one of Ping, Pong, Text and Blob.
type Msg interface{ msg() }

// Ping is a message without fields.
type Ping struct{}

// Pong answers it.
type Pong struct{ Count uint64 }

// Text is a message.
type Text struct{ Text string }

func (Ping) msg() {}
func (Pong) msg() {}
func (Text) msg() {}
func (Blob) msg() {}

// Shape may get more alternatives.
type Shape interface{ shape() }

// Circle is a shape.
type Circle struct{ R float64 }

// Polygon is a shape.
type Polygon struct{ Corners []Point }

// OtherShape is one that newer hosts know.
type OtherShape schema.Unknown

func (Circle) shape()     {}
func (Polygon) shape()    {}
func (OtherShape) shape() {}

// All holds everything.
type All struct {
	Numbers Numbers
	Blob    Blob
	Msg     Msg
	Shape   Shape
	Tree    Tree
	Growing Growing
	Deep    []*[]*Msg
}

// Order says how a handler should end.
type Order struct {
	How   string // ok, error, panic, nil map, custom, goexit, ctx, hang, sleep
	Nanos int64
	Bytes uint64 // of the reply
}

// Count is a number of things.
type Count struct{ N uint64 }

type customError struct{ fail bool }

func (e customError) Error() string {
	if e.fail {
		panic("the Error method panics too")
	}
	return "a custom error"
}

// Handled counts the casts.
var Handled atomic.Uint64

// Limits are those of the library that the tests' hosts load.
func Limits() bridge.Options {
	return bridge.Options{MaxRequest: 2 << 20, MaxReply: 2 << 20, MaxBytes: 64 << 20, MaxInFlight: 1024}
}

// New makes the bridge.
func New(o bridge.Options) *bridge.Bridge {
	o.Name = "sample"
	b := bridge.New(o)
	bridge.Codecs(b, wireCodecs()...)
	bridge.Sum[Msg](b, Ping{}, Pong{}, Text{}, Blob{})
	bridge.OpenSum[Shape](b, OtherShape{}, Circle{}, Polygon{})
	bridge.Call(b, "echo", func(_ context.Context, m Msg) (Msg, error) {
		if _, ok := m.(Ping); ok {
			return Pong{1}, nil
		}
		return m, nil
	})
	bridge.Call(b, "mirror", func(_ context.Context, a All) (All, error) {
		if a.Numbers.Of == Slow { // so that others run beside it
			time.Sleep(time.Millisecond)
		}
		return a, nil
	}, bridge.Borrow())
	bridge.Call(b, "add", func(_ context.Context, p Point) (Count, error) { return Count{uint64(p.X + p.Y)}, nil }, bridge.Inline())
	bridge.Call(b, "obey", obey)
	bridge.Call(b, "obeyInline", obey, bridge.Inline())
	var last atomic.Uint64
	bridge.Cast(b, "tell", func(_ context.Context, c Count) error {
		last.Store(c.N)
		Handled.Add(1)
		return nil
	})
	bridge.Cast(b, "order", func(ctx context.Context, o Order) error {
		defer Handled.Add(1)
		_, err := obey(ctx, o)
		return err
	})
	bridge.Cast(b, "load", func(_ context.Context, bl Blob) error { Handled.Add(1); return nil })
	bridge.Call(b, "handled", func(context.Context, Ping) (Count, error) { return Count{Handled.Load()}, nil })
	ticks := bridge.Event[Count](b, "tick", bridge.DropOldest)
	whole := bridge.Event[Blob](b, "whole", bridge.Refuse)
	bridge.Call(b, "emit", func(_ context.Context, c Count) (Count, error) {
		for i := range c.N {
			if err := ticks.Emit(Count{i}); err != nil {
				return Count{i}, err
			}
		}
		return c, nil
	})
	flow := bridge.Event[Count](b, "flow", bridge.Block)
	bridge.Call(b, "pour", func(ctx context.Context, c Count) (Count, error) {
		for i := range c.N {
			if err := flow.Send(ctx, Count{i}); err != nil {
				return Count{i}, err
			}
		}
		return c, nil
	})
	bridge.Cast(b, "hold", func(context.Context, Blob) error { // a slow consumer
		time.Sleep(2 * time.Millisecond)
		Handled.Add(1)
		return nil
	})
	bridge.Call(b, "emitWhole", func(_ context.Context, bl Blob) (Ping, error) { return Ping{}, whole.Emit(bl) })
	return b
}

func nothing() map[string]int { return nil }

func obey(ctx context.Context, o Order) (Blob, error) {
	switch o.How {
	case "error":
		return Blob{}, errors.New("the handler says no")
	case "panic":
		panic("handler boom")
	case "nil map":
		nothing()["x"] = 1
	case "custom":
		panic(customError{})
	case "worse":
		panic(customError{true})
	case "goexit":
		runtime.Goexit()
	case "ctx":
		<-ctx.Done()
		return Blob{}, ctx.Err()
	case "hang":
		select {}
	case "sleep": // whatever the context says
		time.Sleep(time.Duration(o.Nanos))
	case "deep": // a reply that no decoder takes
		return Blob{Note: "\xff"}, nil
	case "", "ok":
	default:
		return Blob{}, fmt.Errorf("no order %q", o.How)
	}
	return Blob{Data: make([]byte, o.Bytes)}, nil
}
