package pjrt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/device/embedded"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// hammerLong reports whether the hammers go on for as long as they can be of use.
func hammerLong() bool { return os.Getenv("ISTHMUS_HAMMER") == "long" }

// namedPlugin is the embedded device, or the plugin that an environment variable names.
func namedPlugin(t *testing.T, name string) *pjrt.Plugin {
	t.Helper()
	if name != "embedded" {
		return real(t, name)
	}
	p, err := embedded.Plugin(device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestP11Hammer executes from eight goroutines while others close what they use: buffers, programs, clients.
// ISTHMUS_HAMMER=long makes it 100,000 executions for each of the eight.
func TestP11Hammer(t *testing.T) {
	n := 2000
	switch {
	case hammerLong():
		n = 100_000
	case testing.Short():
		n = 300
	}
	each(t, func(t *testing.T, p *pjrt.Plugin) {
		h := &hammer{t: t, p: p}
		h.open()
		var workers, closers sync.WaitGroup
		stop := make(chan struct{})
		for g := range 8 {
			workers.Go(func() { h.work(g, n) })
		}
		for g := range 3 {
			closers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						h.disturb(g)
					}
				}
			})
		}
		workers.Wait()
		close(stop)
		closers.Wait()
		h.shut(h.now.Load())
		t.Logf("%d executions done, %d refused because something was closed; %d buffers, %d programs and %d clients were closed under them",
			h.done.Load(), h.refused.Load(), h.closed[0].Load(), h.closed[1].Load(), h.closed[2].Load())
		if h.done.Load() == 0 {
			t.Error("nothing was executed")
		}
	})
}

// hammer is a client with a program and buffers, all of which come and go.
type hammer struct {
	t             *testing.T
	p             *pjrt.Plugin
	mu            sync.Mutex // of those who open
	now           atomic.Pointer[generation]
	done, refused atomic.Int64
	closed        [3]atomic.Int64
}

// generation is a client and what belongs to it.
type generation struct {
	c    *pjrt.Client
	x    atomic.Pointer[pjrt.Executable]
	args [4]atomic.Pointer[pjrt.Buffer]
	dead atomic.Bool // it is being closed: who has put something in closes it
}

func (h *hammer) fail(what string, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, isthmus.ErrClosed), errors.Is(err, isthmus.ErrBusy):
		return true
	}
	h.t.Errorf("%s: %v", what, err)
	return true
}

// open makes a new client, and has all use it.
func (h *hammer) open() {
	ctx := context.Background()
	g := &generation{}
	var err error
	if g.c, err = h.p.NewClient(ctx, pjrt.ClientOptions{}); err != nil {
		h.t.Error(err)
		return
	}
	h.program(g)
	for i := range g.args {
		h.put(g, i)
	}
	h.now.Store(g)
}

func (h *hammer) program(g *generation) {
	x, err := g.c.Compile(context.Background(), pjrt.MLIR(add), pjrt.CompileOptions{})
	if !h.fail("compile", err) {
		h.end(1, "close program", swap(&g.x, x))
		if g.dead.Load() {
			h.end(1, "close program", swap(&g.x, nil))
		}
	}
}

func (h *hammer) put(g *generation, i int) {
	b, err := pjrt.Put(context.Background(), g.c.Device(), []float32{1, 2, 3, 4}, 4)
	if !h.fail("put", err) {
		h.end(0, "close buffer", swap(&g.args[i], b))
		if g.dead.Load() {
			h.end(0, "close buffer", swap(&g.args[i], nil))
		}
	}
}

type closer interface{ Close() error }

func swap[T any](p *atomic.Pointer[T], v *T) closer {
	old := p.Swap(v)
	if old == nil {
		return nil
	}
	return any(old).(closer)
}

// end closes something that others may be using, until it is closed.
func (h *hammer) end(kind int, what string, v closer) {
	if v == nil {
		return
	}
	for {
		err := v.Close()
		if err == nil {
			h.closed[kind].Add(1)
			return
		}
		if !errors.Is(err, isthmus.ErrBusy) {
			h.t.Errorf("%s: %v", what, err)
			return
		}
	}
}

// shut closes a client and all that belongs to it.
func (h *hammer) shut(g *generation) {
	g.dead.Store(true)
	for i := range g.args {
		h.end(0, "close buffer", swap(&g.args[i], nil))
	}
	h.end(1, "close program", swap(&g.x, nil))
	h.end(2, "close client", g.c)
}

// disturb closes something.
func (h *hammer) disturb(kind int) {
	g := h.now.Load()
	switch kind {
	case 0:
		for i := range g.args {
			h.put(g, i)
		}
	case 1:
		h.program(g)
	case 2:
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open()
		// The others may be making something in the old one still: it is busy until they have closed it.
		h.shut(g)
	}
}

// work executes n times, in each of the ways.
func (h *hammer) work(seed, n int) {
	outs := []*pjrt.Buffer{{}}
	cancelled, cancel := context.WithCancel(context.Background())
	defer cancel()
	got := make([]float32, 4)
	for i := range n {
		g := h.now.Load()
		x, a, b := g.x.Load(), g.args[(i+seed)%4].Load(), g.args[(i/4)%4].Load()
		var err error
		switch i % 16 {
		case 15: // another goroutine waits
			var made []*pjrt.Buffer
			if made, err = x.Execute(cancelled, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{}); err == nil {
				h.end(0, "close output", made[0])
			}
		case 7: // given up
			ctx, stop := context.WithCancel(context.Background())
			go stop()
			var made []*pjrt.Buffer
			if made, err = x.Execute(ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{}); err == nil {
				h.end(0, "close output", made[0])
			} else if errors.Is(err, context.Canceled) {
				err = nil
			}
		default:
			if err = x.ExecuteInto(context.Background(), []*pjrt.Buffer{a, b}, outs, pjrt.ExecuteOptions{}); err == nil {
				if err = pjrt.GetInto(context.Background(), outs[0], got); err == nil && [4]float32(got) != [4]float32{2, 4, 6, 8} {
					err = fmt.Errorf("got %v", got)
				}
				h.end(0, "close output", outs[0])
			}
		}
		switch {
		case err == nil:
			h.done.Add(1)
		case errors.Is(err, isthmus.ErrClosed), errors.Is(err, isthmus.ErrInvalid) && (x == nil || a == nil || b == nil || a.Client() != x.Client() || b.Client() != x.Client()):
			h.refused.Add(1)
		default:
			h.t.Errorf("execute: %v", err)
			return
		}
	}
}

// TestP11AliasOfLent gives an alias a buffer whose memory is lent in place. XLA ends the process there: it expects to
// get the memory and does not.
func TestP11AliasOfLent(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		c := client(t, p)
		b := put(t, c, []float32{1, 2, 3, 4}, 2, 2)
		lent, err := b.DLPack(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		alias, promise, err := c.Device().Memory().Alias(pairShape)
		if err != nil {
			t.Fatal(err)
		}
		defer alias.Close()
		defer promise.Close()
		want(t, "an alias of what is lent", promise.Fulfill(b), isthmus.ErrBusy)
		if err := lent.Close(); err != nil {
			t.Fatal(err)
		}
		if err := promise.Fulfill(b); err != nil {
			t.Fatal(err)
		}
		got, err := pjrt.Get[float32](t.Context(), alias)
		if err != nil || [4]float32(got) != [4]float32{1, 2, 3, 4} {
			t.Errorf("the alias has %v, %v", got, err)
		}
	})
}
