//go:build cgo && (linux || darwin) && (amd64 || arm64)

package langrt_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
	"github.com/isthmus-ffi/isthmus/langrt"
)

// c calls a function of the C library.
func c(t testing.TB, name string, args ...uint64) langrt.Value {
	t.Helper()
	fn := rtlib.Function(name)
	if fn == 0 {
		t.Fatalf("no C function %s", name)
	}
	words := make([]uintptr, len(args))
	for i, a := range args {
		words[i] = uintptr(a)
	}
	return langrt.FromWord(uint64(call.Call(fn, words...)))
}

// Go and C in one process have the same values: what one makes the other reads, changes, waits for and lets go.
func TestShared(t *testing.T) {
	if err := langrt.Start(langrt.Options{}); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
	runtime.LockOSThread() // C's errors are the thread's
	defer runtime.UnlockOSThread()
	ctx := t.Context()
	within(t, func(s *langrt.Scope) error {
		// An array of Go's that C fills, and one of C's that Go fills.
		a := must[langrt.Array](t)(langrt.NewArray(s, 0))
		for i := range int64(100) {
			c(t, "rt_array_push", a.Word(), langrt.Int(i).Word())
		}
		if n, err := a.Len(); n != 100 || err != nil {
			t.Errorf("%d elements, %v", n, err)
		}
		b := must[langrt.Array](t)(langrt.As[langrt.Array](c(t, "rt_array_new", 0)))
		if err := s.Take(b.Value); err != nil { // it was made for us
			return err
		}
		if err := b.Push(text(t, s, "from Go").Value); err != nil {
			return err
		}
		if v := c(t, "rt_array_get", b.Word(), 0); v.String() != `"from Go"` {
			t.Errorf("C has %v", v)
		}
		// Keys by content, whoever made them.
		d := must[langrt.Dict](t)(langrt.NewDict(s, 0))
		if err := d.SetText("key", langrt.Int(1)); err != nil {
			return err
		}
		bytes := []byte("key")
		var pin mem.Pin
		key := c(t, "rt_string_new", uint64(mem.PinSlice(&pin, bytes)), 3)
		pin.Unpin()
		if err := s.Take(key); err != nil {
			return err
		}
		if v := c(t, "rt_dict_get", d.Word(), key.Word()); v != langrt.Int(1) {
			t.Errorf("C has %v", v)
		}
		if v, err := d.Get(key); v != langrt.Int(1) || err != nil {
			t.Errorf("Go has %v, %v", v, err)
		}
		// What C lets go is gone for Go, and the other way round.
		x := must[langrt.Array](t)(langrt.NewArray(nil, 0))
		c(t, "rt_release", x.Word())
		wants(t, x.Push(langrt.Nil()), isthmus.ErrClosed)
		y := must[langrt.Array](t)(langrt.NewArray(nil, 0))
		if err := langrt.Release(y.Value); err != nil {
			return err
		}
		if v := c(t, "rt_array_len", y.Word()); v.Word() != 1<<64-1 {
			t.Errorf("C says %d elements of what is gone", v.Word())
		}
		// A future of Go's that C awaits, a channel, an actor and a generator of Go's that C uses.
		f := must[langrt.Future](t)(langrt.Go(s, func() (langrt.Value, error) { return langrt.Int(42), nil }))
		if v := c(t, "rt_future_await", f.Word()); v != langrt.Int(42) {
			t.Errorf("C awaited %v", v)
		}
		ch := must[langrt.Channel](t)(langrt.NewChannel(s, 1))
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := range int64(100) {
				if err := ch.Send(ctx, langrt.Int(i)); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range int64(100) {
			if v := c(t, "rt_channel_recv", ch.Word()); v != langrt.Int(i) {
				t.Errorf("C received %v, want %d", v, i)
			}
		}
		wait.Wait()
		sum := int64(0)
		actor := must[langrt.Actor](t)(langrt.Spawn(s, 0, func(msg langrt.Value) error {
			n, err := langrt.As[int64](msg)
			sum += n
			return err
		}))
		for i := range int64(101) {
			c(t, "rt_actor_send", actor.Word(), langrt.Int(i).Word())
		}
		c(t, "rt_actor_stop", actor.Word())
		if v := c(t, "rt_actor_join", actor.Word()); v.Word() != 1 || sum != 5050 {
			t.Errorf("join %d, sum %d", v.Word(), sum)
		}
		g := must[langrt.Generator](t)(langrt.NewGenerator(s, func(yield func(langrt.Value) bool) {
			for i := range int64(3) {
				if !yield(langrt.Int(i)) {
					return
				}
			}
		}))
		for i := range int64(3) {
			if v := c(t, "rt_generator_next", g.Word()); v != langrt.Int(i) {
				t.Errorf("C got %v, want %d", v, i)
			}
		}
		if v := c(t, "rt_generator_next", g.Word()); !v.IsNil() || !g.Done() {
			t.Errorf("C got %v, want the end", v)
		}
		return nil
	})
}

// BenchmarkBodiesFromC is a step of a body that is a Go function, asked for by C.
func BenchmarkBodiesFromC(b *testing.B) {
	g := must[langrt.Generator](b)(langrt.NewGenerator(nil, func(yield func(langrt.Value) bool) {
		for yield(langrt.Int(1)) {
		}
	}))
	b.Run("generator next", func(b *testing.B) {
		for b.Loop() {
			if c(b, "rt_generator_next", g.Word()) != langrt.Int(1) {
				b.Fatal("another value")
			}
		}
	})
	_ = langrt.Release(g.Value)
	a := must[langrt.Actor](b)(langrt.Spawn(nil, 0, func(msg langrt.Value) error { return nil }))
	b.Run("actor message", func(b *testing.B) {
		for b.Loop() {
			c(b, "rt_actor_send", a.Word(), langrt.Int(1).Word())
		}
	})
	_ = langrt.Release(a.Value)
}
