//go:build cgo && (linux || darwin)

package langrt_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/langrt"
)

func TestR01GoFutures(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		f := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) {
			v, err := langrt.NewString(nil, "made by a goroutine")
			return v.Value, err
		}))
		for range 3 { // all get it
			if v, err := f.Await(ctx, s); err != nil || must[string](t)(langrt.As[string](v)) != "made by a goroutine" {
				t.Errorf("%v, %v", v, err)
			}
		}
		if !f.Ready() {
			t.Error("not ready after it was awaited")
		}
		wants(t, f.Complete(langrt.Nil()), langrt.BadState)
		wants(t, f.Cancel(), langrt.BadState)

		failed := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { return langrt.Nil(), errors.New("no such luck") }))
		_, err := failed.Await(ctx, s)
		wants(t, err, langrt.Failed)
		if want := "no such luck"; err == nil || !contains(err, want) {
			t.Errorf("%v, want %q", err, want)
		}
		panics := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { panic("on purpose") }))
		_, err = panics.Await(ctx, s)
		wants(t, err, isthmus.ErrPanic)
		if !contains(err, "on purpose") {
			t.Errorf("%v does not say what panicked", err)
		}
		exits := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { runtime.Goexit(); return langrt.Nil(), nil }))
		_, err = exits.Await(ctx, s)
		wants(t, err, isthmus.ErrPanic)

		p := must[langrt.Future](t)(langrt.NewPromise(s))
		if p.Ready() {
			t.Error("a promise is ready")
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		_, err = p.Await(short, s)
		wants(t, err, context.Canceled)
		wants(t, err, langrt.Cancelled)
		if err := p.Complete(langrt.Int(5)); err != nil {
			return err
		}
		if v, err := p.Await(ctx, s); v != langrt.Int(5) || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		q := must[langrt.Future](t)(langrt.NewPromise(s))
		if err := q.Fail(errors.New("the reason")); err != nil {
			return err
		}
		_, err = q.Await(ctx, s)
		wants(t, err, langrt.Failed)
		c := must[langrt.Future](t)(langrt.NewPromise(s))
		if err := c.Cancel(); err != nil {
			return err
		}
		_, err = c.Await(ctx, s)
		wants(t, err, langrt.Cancelled)
		r := must[langrt.Future](t)(langrt.Resolved(s, langrt.Int(9)))
		if v, err := r.Await(ctx, s); v != langrt.Int(9) || err != nil || !r.Ready() {
			t.Errorf("%v, %v", v, err)
		}
		_, err = langrt.Resolved(s, langrt.FromWord(5))
		wants(t, err, isthmus.ErrInvalid)
		_, err = langrt.Future{Value: langrt.Int(3)}.Await(ctx, s)
		wants(t, err, isthmus.ErrClosed)
		return nil
	})
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

func TestGoAllAndAny(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		var futures []langrt.Future
		for i := range int64(100) {
			futures = append(futures, must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { return langrt.Int(i * i), nil })))
		}
		all, err := langrt.AwaitAll(ctx, s, futures...)
		if err != nil {
			return err
		}
		for i, v := range all {
			if v != langrt.Int(int64(i*i)) {
				t.Errorf("result %d is %v", i, v)
			}
		}
		never := must[langrt.Future](t)(langrt.NewPromise(s))
		bad := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { return langrt.Nil(), errors.New("bad") }))
		i, v, err := langrt.AwaitAny(ctx, s, never, bad, futures[7])
		if i != 2 || v != langrt.Int(49) || err != nil {
			t.Errorf("%d, %v, %v", i, v, err)
		}
		_, err = langrt.AwaitAll(ctx, s, futures[1], bad)
		wants(t, err, langrt.Failed)
		_, _, err = langrt.AwaitAny(ctx, s, bad, bad)
		wants(t, err, langrt.Failed)
		_, _, err = langrt.AwaitAny(ctx, s)
		wants(t, err, langrt.Empty)
		return nil
	})
}

// Goroutines that wait hold no threads.
func TestGoWaitsHoldNoThreads(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		p := must[langrt.Future](t)(langrt.NewPromise(s))
		var all sync.WaitGroup
		for range 3000 {
			all.Go(func() {
				if v, err := p.Await(ctx, nil); err != nil || v != langrt.Int(1) {
					t.Errorf("%v, %v", v, err)
				}
			})
		}
		for range 100 {
			runtime.Gosched()
		}
		err := p.Complete(langrt.Int(1))
		all.Wait()
		return err
	})
}

func TestGoChannels(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		c := must[langrt.Channel](t)(langrt.NewChannel(s, 2))
		if n, err := c.Cap(); n != 2 || err != nil {
			t.Errorf("capacity %d, %v", n, err)
		}
		x := text(t, s, "sent")
		if err := errors.Join(c.Send(ctx, x.Value), c.Send(ctx, langrt.Int(2))); err != nil {
			return err
		}
		if ok, err := c.TrySend(langrt.Int(3)); ok || err != nil {
			t.Errorf("sent to a full channel: %v, %v", ok, err)
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		wants(t, c.Send(short, langrt.Int(3)), context.Canceled)
		if n, err := c.Len(); n != 2 || err != nil {
			t.Errorf("length %d, %v", n, err)
		}
		if v, err := c.Receive(ctx, s); v != x.Value || err != nil {
			t.Errorf("%v, %v", v, err)
		}
		if v, ok, err := c.TryReceive(s); v != langrt.Int(2) || !ok || err != nil {
			t.Errorf("%v, %v, %v", v, ok, err)
		}
		if v, ok, err := c.TryReceive(s); ok || err != nil {
			t.Errorf("%v, %v, %v from an empty channel", v, ok, err)
		}
		_, err := c.Receive(short, s)
		wants(t, err, context.Canceled)
		if err := errors.Join(c.Send(ctx, langrt.Int(4)), c.Close(), c.Close()); err != nil {
			return err
		}
		wants(t, c.Send(ctx, langrt.Int(5)), isthmus.ErrClosed)
		if v, err := c.Receive(ctx, s); v != langrt.Int(4) || err != nil || !c.Closed() {
			t.Errorf("%v, %v", v, err)
		}
		_, err = c.Receive(ctx, s)
		wants(t, err, langrt.Closed)
		_, err = langrt.NewChannel(s, -1)
		wants(t, err, isthmus.ErrBounds)
		return nil
	})
}

// Many goroutines send and receive at once, some with contexts that end: each value arrives once.
func TestR04GoChannelHammer(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	const senders, each = 4, 2000
	within(t, func(s *langrt.Scope) error {
		c := must[langrt.Channel](t)(langrt.NewChannel(s, 8))
		var mu sync.Mutex
		seen := map[int64]int{}
		var receivers, sending sync.WaitGroup
		for range 3 {
			receivers.Go(func() {
				for v := range c.All(ctx) {
					n, err := langrt.As[int64](must[langrt.Value](t)(langrt.Tuple{Value: v}.Get(0)))
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					seen[n]++
					mu.Unlock()
				}
			})
		}
		receivers.Go(func() { // one that gives up at once, most of the time
			for {
				short, cancel := context.WithCancel(ctx)
				go cancel()
				v, err := c.Receive(short, nil)
				cancel()
				switch {
				case err == nil:
					n, _ := langrt.As[int64](must[langrt.Value](t)(langrt.Tuple{Value: v}.Get(0)))
					mu.Lock()
					seen[n]++
					mu.Unlock()
					_ = langrt.Release(v)
				case !errors.Is(err, context.Canceled):
					return
				}
			}
		})
		for g := range int64(senders) {
			sending.Go(func() {
				for i := range int64(each) {
					v, err := langrt.TupleOf(nil, langrt.Int(g*each+i))
					if err == nil {
						err = c.Send(ctx, v.Value)
						_ = langrt.Release(v.Value)
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		sending.Wait()
		if err := c.Close(); err != nil {
			return err
		}
		receivers.Wait()
		if len(seen) != senders*each {
			t.Errorf("%d values arrived, want %d", len(seen), senders*each)
		}
		for n, times := range seen {
			if times != 1 {
				t.Errorf("%d arrived %d times", n, times)
			}
		}
		return nil
	})
}

// A pipeline of goroutines over files, channels and dictionaries.
func Example_pipeline() {
	ctx := context.Background()
	dir, err := filepath.Abs("testdata")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = langrt.Do(func(s *langrt.Scope) error {
		words, err := langrt.NewChannel(s, 0)
		if err != nil {
			return err
		}
		reader, err := langrt.Go(s, func() (langrt.Value, error) {
			defer words.Close()
			return langrt.Nil(), langrt.Do(func(s *langrt.Scope) error {
				f, err := langrt.OpenFile(ctx, s, filepath.Join(dir, "words.txt"), langrt.FileRead)
				if err != nil {
					return err
				}
				x, err := f.Read(ctx, s, 0, 1<<20)
				if err != nil {
					return err
				}
				b, err := x.Bytes()
				if err != nil {
					return err
				}
				for _, word := range strings.Fields(string(b)) {
					v, err := langrt.NewString(s, word)
					if err != nil {
						return err
					}
					if err := words.Send(ctx, v.Value); err != nil {
						return err
					}
				}
				return f.Close()
			})
		})
		if err != nil {
			return err
		}
		counts, err := langrt.NewDict(s, 0)
		if err != nil {
			return err
		}
		for word := range words.All(ctx) {
			n := int64(0)
			if v, err := counts.Get(word); err == nil {
				n, _ = v.Int()
			}
			if err := counts.Set(word, langrt.Int(n+1)); err != nil {
				return err
			}
		}
		for word, n := range counts.All() {
			fmt.Println(word, n)
		}
		_, err = reader.Await(ctx, s)
		return err
	})
	fmt.Println(err)
	// Output:
	// "to" 2
	// "be" 2
	// "or" 1
	// "not" 1
	// <nil>
}

func TestGoActors(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		var got []int64 // by one goroutine at a time
		a := must[langrt.Actor](t)(langrt.Spawn(s, 0, func(msg langrt.Value) error {
			n, err := langrt.As[int64](msg)
			got = append(got, n)
			return err
		}))
		if a.ID() <= 0 || !a.Alive() {
			t.Errorf("actor %d, alive %v", a.ID(), a.Alive())
		}
		for i := range int64(3000) { // more than the mailbox has room for
			if err := a.Send(ctx, langrt.Int(i)); err != nil {
				return err
			}
		}
		if err := errors.Join(a.Stop(), a.Stop(), a.Join(ctx), a.Join(ctx)); err != nil {
			return err
		}
		for i, n := range got {
			if n != int64(i) {
				t.Fatalf("message %d is %d", i, n)
			}
		}
		if len(got) != 3000 || a.Alive() {
			t.Errorf("%d messages, alive %v", len(got), a.Alive())
		}
		wants(t, a.Send(ctx, langrt.Nil()), isthmus.ErrClosed)

		for _, fails := range []func(langrt.Value) error{
			func(langrt.Value) error { return errors.New("failed") },
			func(langrt.Value) error { panic("on purpose") },
			func(langrt.Value) error { runtime.Goexit(); return nil },
		} {
			f := must[langrt.Actor](t)(langrt.Spawn(s, 1, fails))
			if err := f.Send(ctx, langrt.Nil()); err != nil {
				return err
			}
			wants(t, f.Join(ctx), langrt.Failed)
		}

		block, entered := make(chan struct{}), make(chan struct{}, 10)
		slow := must[langrt.Actor](t)(langrt.Spawn(s, 1, func(langrt.Value) error { entered <- struct{}{}; <-block; return nil }))
		if err := slow.Send(ctx, langrt.Nil()); err != nil {
			return err
		}
		<-entered
		for ok := true; ok; { // until it is full
			var err error
			if ok, err = slow.TrySend(langrt.Nil()); err != nil {
				return err
			}
		}
		short, cancel := context.WithCancel(ctx)
		cancel()
		wants(t, slow.Send(short, langrt.Nil()), context.Canceled)
		wants(t, slow.Join(short), context.Canceled)
		close(block)
		if err := errors.Join(slow.Send(ctx, langrt.Nil()), slow.Stop(), slow.Join(ctx)); err != nil {
			return err
		}
		_, err := langrt.Spawn(s, -1, func(langrt.Value) error { return nil })
		wants(t, err, isthmus.ErrBounds)
		_, err = langrt.Spawn(s, 1, nil)
		wants(t, err, isthmus.ErrInvalid)
		return nil
	})
}

// A ring of actors passes a message around: a thousand actors, twenty thousand hops, and no thread waits.
func TestGoActorRing(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	n, hops := 1000, int64(20_000)
	if testing.Short() {
		n, hops = 100, 5000
	}
	within(t, func(s *langrt.Scope) error {
		done := must[langrt.Future](t)(langrt.NewPromise(s))
		ring := make([]langrt.Actor, n)
		for i := range ring {
			ring[i] = must[langrt.Actor](t)(langrt.Spawn(s, 2, func(msg langrt.Value) error {
				left, _ := msg.Int()
				if left == 0 {
					return done.Complete(langrt.Bool(true))
				}
				return ring[(i+1)%n].Send(ctx, langrt.Int(left-1))
			}))
		}
		if err := ring[0].Send(ctx, langrt.Int(hops)); err != nil {
			return err
		}
		_, err := done.Await(ctx, s)
		return err
	})
}

func TestGoGenerators(t *testing.T) {
	nothingLeft(t)
	within(t, func(s *langrt.Scope) error {
		ended := make(chan struct{})
		words := func(yield func(langrt.Value) bool) {
			defer close(ended)
			_ = langrt.Do(func(s *langrt.Scope) error {
				for _, w := range []string{"one", "two", "three"} {
					if !yield(text(t, s, w).Value) {
						break
					}
				}
				return nil
			})
		}
		g := must[langrt.Generator](t)(langrt.NewGenerator(s, words))
		var got []string
		for v := range g.All() {
			got = append(got, must[string](t)(langrt.As[string](v)))
		}
		if fmt.Sprint(got) != "[one two three]" || !g.Done() {
			t.Errorf("%v, done %v", got, g.Done())
		}
		if _, ok, err := g.Next(s); ok || err != nil {
			t.Errorf("more: %v, %v", ok, err)
		}
		<-ended
		// One that is let go in the middle ends its loop.
		ended = make(chan struct{})
		if err := langrt.Do(func(s *langrt.Scope) error {
			g, err := langrt.NewGenerator(s, words)
			if err != nil {
				return err
			}
			v, ok, err := g.Next(s)
			if !ok || must[string](t)(langrt.As[string](v)) != "one" {
				t.Errorf("%v, %v", v, ok)
			}
			return err
		}); err != nil {
			return err
		}
		<-ended
		bad := must[langrt.Generator](t)(langrt.NewGenerator(s, func(func(langrt.Value) bool) { panic("on purpose") }))
		_, _, err := bad.Next(s)
		wants(t, err, isthmus.ErrPanic)
		nils := must[langrt.Generator](t)(langrt.NewGenerator(s, func(yield func(langrt.Value) bool) { yield(langrt.Nil()) }))
		if v, ok, err := nils.Next(s); !v.IsNil() || !ok || err != nil {
			t.Errorf("%v, %v, %v, want a nil", v, ok, err)
		}
		if v, ok, err := nils.Next(s); ok || err != nil {
			t.Errorf("%v, %v, %v, want the end", v, ok, err)
		}
		return nil
	})
}

// Bodies of Go's under a host that means no good: asked from threads that belong to a goroutine, and by themselves; let go,
// stopped and ended in the middle of a step.
func TestGoBodiesHostile(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		var self langrt.Generator
		self = must[langrt.Generator](t)(langrt.NewGenerator(s, func(yield func(langrt.Value) bool) {
			_, _, err := self.Next(nil)
			wants(t, err, langrt.BadState)
			for i := int64(0); yield(langrt.Int(i)); i++ {
			}
			if yield(langrt.Nil()) {
				t.Error("it goes on after it was let go")
			}
		}))
		next := func(want int64) {
			if v, ok, err := self.Next(nil); v != langrt.Int(want) || !ok || err != nil {
				t.Errorf("%v, %v, %v, want %d", v, ok, err, want)
			}
		}
		for i := range int64(10) {
			var wait sync.WaitGroup
			wait.Go(func() {
				runtime.LockOSThread()
				next(2 * i)
			})
			wait.Wait()
			next(2*i + 1)
		}
		gone := must[langrt.Generator](t)(langrt.NewGenerator(s, func(func(langrt.Value) bool) { runtime.Goexit() }))
		_, _, err := gone.Next(nil)
		wants(t, err, langrt.Defect)
		if _, ok, err := gone.Next(nil); ok || err != nil || !gone.Done() {
			t.Errorf("%v, %v, done %v, want the end", ok, err, gone.Done())
		}

		entered, goOn, handled := make(chan struct{}, 3), make(chan struct{}), make(chan langrt.Value, 3)
		a := must[langrt.Actor](t)(langrt.Spawn(nil, 4, func(msg langrt.Value) error {
			entered <- struct{}{}
			<-goOn
			handled <- msg
			return nil
		}))
		for i := range int64(3) {
			if ok, err := a.TrySend(langrt.Int(i)); !ok || err != nil {
				return fmt.Errorf("message %d: %v, %w", i, ok, err)
			}
		}
		<-entered
		if err := langrt.Release(a.Value); err != nil { // it lives until it has handled what it was sent
			return err
		}
		close(goOn)
		for i := range int64(3) {
			if v := <-handled; v != langrt.Int(i) {
				t.Errorf("message %d is %v", i, v)
			}
		}
		for a.Alive() {
			runtime.Gosched()
		}
		_, err = a.TrySend(langrt.Nil())
		wants(t, err, isthmus.ErrClosed)

		// What it did not handle is let go with it.
		var ends langrt.Actor
		begin := make(chan struct{})
		ends = must[langrt.Actor](t)(langrt.Spawn(s, 4, func(langrt.Value) error {
			<-begin
			if err := errors.Join(ends.Stop(), ends.Send(ctx, langrt.Nil())); !errors.Is(err, isthmus.ErrClosed) {
				t.Errorf("send to itself after a stop: %v", err)
			}
			runtime.Goexit()
			return nil
		}))
		for range 3 {
			if err := ends.Send(ctx, text(t, s, "a message").Value); err != nil {
				return err
			}
		}
		close(begin)
		wants(t, ends.Join(ctx), langrt.Failed)
		return nil
	})
}

// The runtime stops with everything in flight, says what was forgotten, and starts anew.
func TestShutdown(t *testing.T) {
	nothingLeft(t)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "file")
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	for range rounds {
		if err := langrt.Start(langrt.Options{}); err != nil {
			t.Fatal(err)
		}
		before := langrt.Objects()
		p := must[langrt.Future](t)(langrt.NewPromise(nil))
		c := must[langrt.Channel](t)(langrt.NewChannel(nil, 1))
		f := must[langrt.File](t)(langrt.OpenFile(ctx, nil, path, langrt.FileReadWrite|langrt.FileCreate))
		a := must[langrt.Actor](t)(langrt.Spawn(nil, 4, func(langrt.Value) error {
			_, err := p.Await(ctx, nil)
			return err
		}))
		g := must[langrt.Generator](t)(langrt.NewGenerator(nil, func(yield func(langrt.Value) bool) {
			for yield(langrt.Int(1)) {
			}
		}))
		if _, ok, err := g.Next(nil); !ok || err != nil {
			t.Error(ok, err)
		}
		var all sync.WaitGroup
		ends := func(what string, f func() error) {
			all.Go(func() {
				if err := f(); !errors.Is(err, isthmus.ErrClosed) && !errors.Is(err, langrt.Failed) {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		for range 3 {
			ends("await", func() error { _, err := p.Await(ctx, nil); return err })
			ends("receive", func() error { _, err := c.Receive(ctx, nil); return err })
			ends("send to an actor", func() error {
				for {
					if err := a.Send(ctx, langrt.Nil()); err != nil {
						return err
					}
				}
			})
			ends("join", func() error { return a.Join(ctx) })
			ends("read", func() error {
				for {
					x, err := f.Read(ctx, nil, 0, 10)
					if err != nil {
						return err
					}
					_ = langrt.Release(x.Value) // it may have been freed with the rest
				}
			})
		}
		runtime.Gosched()
		left, err := langrt.Shutdown(-1)
		if err != nil || left < before+5 {
			t.Errorf("%d objects were left, %v, want 5 or more", left, err)
		}
		all.Wait()
		if p.Live() || c.Live() || f.Live() || a.Live() || g.Live() {
			t.Error("something lives on")
		}
		_, err = langrt.NewPromise(nil)
		wants(t, err, langrt.NotRunning)
		_, err = langrt.Shutdown(-1)
		wants(t, err, isthmus.ErrClosed)
	}
	if err := langrt.Start(langrt.Options{}); err != nil {
		t.Fatal(err)
	}
}
