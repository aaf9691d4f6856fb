//go:build cgo && (linux || darwin)

package langrt_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

// plane are the audit's tests of what runs and waits. R01 R03 R04 R05
var plane = map[string][]auditTest{"futures": futures, "channels": channels, "generators": generators, "actors": actors}

func (a audit) future(f func() (langrt.Value, error)) langrt.Future {
	a.Helper()
	return must[langrt.Future](a)(langrt.Go(a.s, f))
}

func (a audit) promise() langrt.Future {
	a.Helper()
	return must[langrt.Future](a)(langrt.NewPromise(a.s))
}

var futures = []auditTest{
	{"test_future_await", func(a audit) {
		a.is(n(42))(a.future(func() (langrt.Value, error) { return n(42), nil }).Await(a.ctx, a.s))
	}},
	{"test_future_holds_context_and_result", func(a audit) {
		f := a.future(func() (langrt.Value, error) {
			x, err := langrt.NewString(nil, "a result")
			return x.Value, err
		})
		v := must[langrt.Value](a)(f.Await(a.ctx, nil))
		gone(a, f, f.Value)
		a.is("a result")(langrt.As[string](v))
		a.ok(langrt.Release(v))
	}},
	{"test_future_resolve", func(a audit) {
		f := must[langrt.Future](a)(langrt.Resolved(a.s, n(7)))
		if !f.Ready() {
			a.Error("not ready")
		}
		a.is(n(7))(f.Await(a.ctx, a.s))
	}},
	{"test_future_many_await_once", func(a audit) {
		var runs atomic.Int64
		f := a.future(func() (langrt.Value, error) { return n(runs.Add(1)), nil })
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { a.is(n(1))(f.Await(a.ctx, nil)) })
		}
		all.Wait()
		if runs.Load() != 1 {
			a.Errorf("it ran %d times", runs.Load())
		}
	}},
	{"test_future_all", func(a audit) {
		x, y := a.promise(), a.promise()
		z := a.future(func() (langrt.Value, error) { return n(3), errors.Join(y.Complete(n(2)), x.Complete(n(1))) })
		all, err := langrt.AwaitAll(a.ctx, a.s, x, y, z)
		if err != nil || len(all) != 3 || all[0] != n(1) || all[1] != n(2) || all[2] != n(3) {
			a.Error(all, err)
		}
	}},
	{"test_future_race", func(a audit) {
		never, soon := a.promise(), a.promise()
		go func() { _ = soon.Complete(n(5)) }()
		i, v, err := langrt.AwaitAny(a.ctx, a.s, never, soon)
		if i != 1 || v != n(5) || err != nil {
			a.Error(i, v, err)
		}
	}},
	{"test_future_promise", func(a audit) {
		f := a.promise()
		if f.Ready() {
			a.Error("ready before it was completed")
		}
		a.ok(f.Complete(a.text("done")))
		a.is("done")(langrt.As[string](must[langrt.Value](a)(f.Await(a.ctx, a.s))))
		wants(a, f.Complete(n(1)), langrt.BadState)
	}},
	{"test_future_nested", func(a audit) {
		inner := a.future(func() (langrt.Value, error) { return n(1), nil })
		outer := a.future(func() (langrt.Value, error) {
			v, err := inner.Await(a.ctx, nil)
			i, _ := v.Int()
			return n(i + 1), err
		})
		a.is(n(2))(outer.Await(a.ctx, a.s))
	}},
	{"test_future_cancel_and_fail", func(a audit) {
		f, g := a.promise(), a.promise()
		a.ok(f.Cancel(), g.Fail(errors.New("why")))
		a.refused(langrt.Cancelled)(f.Await(a.ctx, a.s))
		a.refused(context.Canceled)(f.Await(a.ctx, a.s))
		a.refused(langrt.Failed)(g.Await(a.ctx, a.s))
	}},
	{"test_future_invalid", func(a audit) {
		f := a.promise()
		a.refused(isthmus.ErrInvalid)(langrt.Future{Value: a.text("x")}.Await(a.ctx, a.s))
		a.refused(isthmus.ErrClosed)(gone(a, f, f.Value).Await(a.ctx, a.s))
	}},
}

func (a audit) channel(size int) langrt.Channel {
	a.Helper()
	return must[langrt.Channel](a)(langrt.NewChannel(a.s, size))
}

var channels = []auditTest{
	{"test_channel_new", func(a audit) {
		a.is(0)(a.channel(0).Len())
		a.is(256)(a.channel(0).Cap())
	}},
	{"test_channel_send_recv", func(a audit) {
		c := a.channel(1)
		a.ok(c.Send(a.ctx, a.text("sent")))
		a.is("sent")(langrt.As[string](must[langrt.Value](a)(c.Receive(a.ctx, a.s))))
	}},
	{"test_channel_order", func(a audit) {
		c := a.channel(100)
		for i := range int64(100) {
			a.ok(c.Send(a.ctx, n(i)))
		}
		for i := range int64(100) {
			a.is(n(i))(c.Receive(a.ctx, a.s))
		}
	}},
	{"test_channel_goroutines", func(a audit) {
		c := a.channel(2)
		go func() {
			for i := range int64(1000) {
				_ = c.Send(a.ctx, n(i)) // told by what arrives
			}
			_ = c.Close()
		}()
		next := int64(0)
		for v := range c.All(a.ctx) {
			if v != n(next) {
				a.Fatalf("%v, want %d", v, next)
			}
			next++
		}
		if next != 1000 {
			a.Errorf("%d values", next)
		}
	}},
	{"test_channel_close", func(a audit) {
		c := a.channel(2)
		a.ok(c.Send(a.ctx, n(1)), c.Close())
		wants(a, c.Send(a.ctx, n(2)), isthmus.ErrClosed)
		a.is(n(1))(c.Receive(a.ctx, a.s))
		a.refused(langrt.Closed)(c.Receive(a.ctx, a.s))
	}},
	{"test_channel_lets_go_of_what_is_left", func(a audit) {
		c, v := a.channel(2), a.text("left")
		a.ok(c.Send(a.ctx, v), a.s.Keep(v), langrt.Release(v))
		gone(a, c, c.Value)
		a.refused(isthmus.ErrClosed)(langrt.As[string](v))
	}},
	{"test_channel_invalid", func(a audit) {
		c := a.channel(1)
		wants(a, langrt.Channel{Value: a.text("x")}.Send(a.ctx, n(1)), isthmus.ErrInvalid)
		wants(a, c.Send(a.ctx, langrt.FromWord(5)), isthmus.ErrInvalid)
		wants(a, gone(a, c, c.Value).Send(a.ctx, n(1)), isthmus.ErrClosed)
	}},
}

// count is a sequence of n numbers; made counts how many were asked for.
func count(to int64, made *atomic.Int64) func(func(langrt.Value) bool) {
	return func(yield func(langrt.Value) bool) {
		for i := range to {
			if made.Add(1); !yield(n(i)) {
				return
			}
		}
	}
}

func (a audit) generator(seq func(func(langrt.Value) bool)) langrt.Generator {
	a.Helper()
	return must[langrt.Generator](a)(langrt.NewGenerator(a.s, seq))
}

// next wants a value, end wants that there is none.
func (a audit) next(g langrt.Generator, want langrt.Value) {
	a.Helper()
	if v, ok, err := g.Next(a.s); v != want || !ok || err != nil {
		a.Errorf("%v, %v, %v, want %v", v, ok, err, want)
	}
}

func (a audit) end(g langrt.Generator) {
	a.Helper()
	if v, ok, err := g.Next(a.s); ok || err != nil || !g.Done() {
		a.Errorf("%v, %v, %v, want the end", v, ok, err)
	}
}

var generators = []auditTest{
	{"test_generator_new", func(a audit) {
		var made atomic.Int64
		if g := a.generator(count(3, &made)); g.Done() || made.Load() != 0 {
			a.Errorf("done %v, %d made before anybody asked", g.Done(), made.Load())
		}
	}},
	{"test_generator_simple_yield_sequence", func(a audit) {
		var made atomic.Int64
		g := a.generator(count(3, &made))
		a.next(g, n(0))
		a.next(g, n(1))
		a.next(g, n(2))
		a.end(g)
		a.end(g)
	}},
	{"test_generator_context", func(a audit) {
		list := a.array(n(4), n(5))
		g := a.generator(func(yield func(langrt.Value) bool) {
			for _, v := range list.All() {
				if !yield(v) {
					return
				}
			}
		})
		a.next(g, n(4))
		a.next(g, n(5))
		a.end(g)
	}},
	{"test_generator_execution_count", func(a audit) {
		var made atomic.Int64
		g := a.generator(count(1000, &made))
		for i := range int64(10) {
			a.next(g, n(i))
			if made.Load() != i+1 {
				a.Fatalf("%d made, want %d", made.Load(), i+1)
			}
		}
	}},
	{"test_generator_empty", func(a audit) { a.end(a.generator(func(func(langrt.Value) bool) {})) }},
	{"test_generator_of_objects", func(a audit) {
		g := a.generator(func(yield func(langrt.Value) bool) { yield(a.text("an object")) })
		v, ok, err := g.Next(a.s)
		if !ok || err != nil {
			a.Error(ok, err)
		}
		a.is("an object")(langrt.As[string](v))
	}},
	{"test_generator_many", func(a audit) {
		var made atomic.Int64
		var all []langrt.Generator
		for range 50 {
			all = append(all, a.generator(count(5, &made)))
		}
		for i := range int64(5) {
			for _, g := range all {
				a.next(g, n(i))
			}
		}
	}},
	{"test_generator_break", func(a audit) {
		var made atomic.Int64
		g := a.generator(count(100, &made))
		for v := range g.All() {
			if v == n(2) {
				break
			}
		}
		a.next(g, n(3))
	}},
	{"test_generator_invalid_value", func(a audit) {
		_, _, err := langrt.Generator{Value: a.text("x")}.Next(a.s)
		wants(a, err, isthmus.ErrInvalid)
		var made atomic.Int64
		g := a.generator(count(1, &made))
		_, _, err = gone(a, g, g.Value).Next(a.s)
		wants(a, err, isthmus.ErrClosed)
		_, err = langrt.NewGenerator(a.s, nil)
		wants(a, err, isthmus.ErrInvalid)
	}},
}

// actor hands each message to a Go channel.
func (a audit) actor(size int) (langrt.Actor, chan int64) {
	a.Helper()
	got := make(chan int64, 10_000)
	x := must[langrt.Actor](a)(langrt.Spawn(a.s, size, func(msg langrt.Value) error {
		i, err := langrt.As[int64](msg)
		got <- i
		return err
	}))
	return x, got
}

func (a audit) stopped(x langrt.Actor) {
	a.Helper()
	a.ok(x.Stop(), x.Join(a.ctx))
}

var actors = []auditTest{
	{"test_actor_spawn", func(a audit) {
		x, _ := a.actor(0)
		a.stopped(x)
	}},
	{"test_actor_spawn_null_body", func(a audit) { a.refused(isthmus.ErrInvalid)(langrt.Spawn(a.s, 0, nil)) }},
	{"test_actor_id", func(a audit) {
		x, _ := a.actor(0)
		y, _ := a.actor(0)
		if x.ID() <= 0 || x.ID() == y.ID() {
			a.Error(x.ID(), y.ID())
		}
	}},
	{"test_actor_id_invalid_value", func(a audit) {
		if id := (langrt.Actor{Value: n(3)}).ID(); id != 0 {
			a.Error(id)
		}
	}},
	{"test_actor_send_and_recv", func(a audit) {
		x, got := a.actor(0)
		a.ok(x.Send(a.ctx, n(5)))
		a.is(int64(5))(<-got, nil)
	}},
	{"test_actor_send_invalid_actor", func(a audit) {
		wants(a, langrt.Actor{Value: n(3)}.Send(a.ctx, n(1)), isthmus.ErrClosed)
		wants(a, langrt.Actor{Value: a.text("x")}.Send(a.ctx, n(1)), isthmus.ErrInvalid)
	}},
	{"test_actor_multiple_messages", func(a audit) {
		x, got := a.actor(0)
		for i := range int64(10) {
			a.ok(x.Send(a.ctx, n(i)))
		}
		a.stopped(x)
		a.is(10)(len(got), nil)
	}},
	{"test_actor_join", func(a audit) {
		x, _ := a.actor(0)
		go func() { _ = x.Stop() }()
		a.ok(x.Join(a.ctx), x.Join(a.ctx))
	}},
	{"test_actor_join_invalid_actor", func(a audit) {
		wants(a, langrt.Actor{}.Join(a.ctx), isthmus.ErrClosed)
		wants(a, langrt.Actor{Value: a.text("x")}.Join(a.ctx), isthmus.ErrInvalid)
	}},
	{"test_actor_is_alive", func(a audit) {
		x, _ := a.actor(0)
		a.is(true)(x.Alive(), nil)
		a.stopped(x)
		a.is(false)(x.Alive(), nil)
	}},
	{"test_actor_is_alive_invalid", func(a audit) { a.is(false)(langrt.Actor{Value: n(1)}.Alive(), nil) }},
	{"test_actor_concurrent_spawns", func(a audit) {
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				x, got := a.actor(0)
				a.ok(x.Send(a.ctx, n(1)))
				a.is(int64(1))(<-got, nil)
				a.stopped(x)
			})
		}
		all.Wait()
	}},
	{"test_actor_message_ordering", func(a audit) {
		x, got := a.actor(4) // less room than messages
		for i := range int64(500) {
			a.ok(x.Send(a.ctx, n(i)))
		}
		a.stopped(x)
		for i := range int64(500) {
			a.is(i)(<-got, nil)
		}
	}},
	{"test_actor_recv_timeout", func(a audit) {
		x, _ := a.actor(0)
		ended, cancel := context.WithTimeout(a.ctx, 0)
		defer cancel()
		wants(a, x.Join(ended), context.DeadlineExceeded)
		wants(a, x.Join(ended), langrt.TimedOut)
	}},
	{"test_actor_with_context", func(a audit) {
		sum := a.array()
		x := must[langrt.Actor](a)(langrt.Spawn(a.s, 0, func(msg langrt.Value) error { return sum.Push(msg) }))
		a.ok(x.Send(a.ctx, a.text("kept")))
		a.stopped(x)
		a.is("kept")(langrt.As[string](must[langrt.Value](a)(sum.Get(0))))
	}},
}
