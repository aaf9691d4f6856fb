package pjrt_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/pjrt"
)

// model is what a correct plugin binding does, without one: which values are open, and what is in the tensors.
type model struct {
	t       *rapid.T
	ctx     context.Context
	plugin  *pjrt.Plugin
	fake    *pjrtfake.Fake // nil on a real plugin
	add     string
	donate  string
	clients []*modelClient
	exes    []*modelExe
	bufs    []*modelBuf
	events  []*modelEvent
}

type modelClient struct {
	c    *pjrt.Client
	open bool
}

type modelExe struct {
	x       *pjrt.Executable
	of      *modelClient
	open    bool
	donates bool
}

type modelBuf struct {
	b       *pjrt.Buffer
	of      *modelClient
	device  int
	v       float32 // each of its 4 elements
	open    bool
	deleted bool
}

type modelEvent struct {
	e    *pjrt.Event
	b    *modelBuf
	of   *modelClient
	open bool
}

func pick[T any](m *model, list []T) (v T) {
	if len(list) == 0 {
		m.t.Skip("there is none")
	}
	return rapid.SampledFrom(list).Draw(m.t, "which")
}

// expect checks an error: is nil means that there must be none.
func (m *model) expect(what string, err error, is ...error) bool {
	if len(is) == 0 {
		if err != nil {
			m.t.Fatalf("%s: %v", what, err)
		}
		return true
	}
	for _, s := range is {
		if errors.Is(err, s) {
			return false
		}
	}
	m.t.Fatalf("%s: got %v, want one of %v", what, err, is)
	return false
}

func (m *model) children(c *modelClient) int {
	n := 0
	for _, x := range m.exes {
		if x.of == c && x.open {
			n++
		}
	}
	for _, b := range m.bufs {
		if b.of == c && b.open {
			n++
		}
	}
	for _, e := range m.events {
		if e.of == c && e.open {
			n++
		}
	}
	return n
}

func (m *model) newClient(t *rapid.T) {
	m.t = t
	if len(m.clients) == 3 {
		t.Skip("enough clients")
	}
	c, err := m.plugin.NewClient(m.ctx, pjrt.ClientOptions{})
	m.expect("new client", err)
	m.clients = append(m.clients, &modelClient{c, true})
}

func (m *model) closeClient(t *rapid.T) {
	m.t = t
	c := pick(m, m.clients)
	err := c.c.Close()
	if c.open && m.children(c) > 0 {
		m.expect("close client", err, isthmus.ErrBusy)
		return
	}
	m.expect("close client", err)
	c.open = false
}

func (m *model) compile(t *rapid.T) {
	m.t = t
	c, donates := pick(m, m.clients), rapid.Bool().Draw(t, "donates")
	code := m.add
	if donates {
		code = m.donate
	}
	x, err := c.c.Compile(m.ctx, pjrt.MLIR(code), pjrt.CompileOptions{})
	if !c.open {
		m.expect("compile", err, isthmus.ErrClosed)
		return
	}
	m.expect("compile", err)
	m.exes = append(m.exes, &modelExe{x, c, true, donates})
}

func (m *model) put(t *rapid.T) {
	m.t = t
	c, d := pick(m, m.clients), rapid.IntRange(0, 1).Draw(t, "device")
	v := float32(rapid.IntRange(-9, 9).Draw(t, "value"))
	data := []float32{v, v, v, v}
	how := pjrt.Lend(rapid.IntRange(0, 3).Draw(t, "how"))
	b, e, err := pjrt.PutLent(c.c.Devices()[d], data, how, 4)
	if !c.open {
		m.expect("put", err, isthmus.ErrClosed)
		return
	}
	m.expect("put", err)
	mb := &modelBuf{b: b, of: c, device: d, v: v, open: true}
	m.bufs = append(m.bufs, mb)
	if e != nil {
		m.events = append(m.events, &modelEvent{e, mb, c, true})
	}
}

func (m *model) execute(t *rapid.T) {
	m.t = t
	x, a, b := pick(m, m.exes), pick(m, m.bufs), pick(m, m.bufs)
	keep := rapid.Bool().Draw(t, "keep")
	var o pjrt.ExecuteOptions
	if keep {
		o.Keep = []int{0}
	}
	outs, err := x.x.Execute(m.ctx, []*pjrt.Buffer{a.b, b.b}, o)
	takes := x.donates && !keep
	switch {
	case !x.open || !a.open || !b.open:
		m.expect("execute closed", err, isthmus.ErrClosed, isthmus.ErrInvalid)
		return
	case a.of != x.of || b.of != x.of || a.device != 0 || b.device != 0:
		if a.deleted || b.deleted {
			m.expect("execute deleted or foreign", err, isthmus.ErrInvalid, isthmus.ErrClosed)
		} else {
			m.expect("execute foreign", err, isthmus.ErrInvalid)
		}
		return
	case a.deleted || b.deleted || takes && a == b:
		if err == nil && !(takes && a == b && !a.deleted) {
			t.Fatalf("executing on a deleted buffer worked")
		}
		if err != nil {
			return
		}
	default:
		m.expect("execute", err)
	}
	if takes {
		if a.b.Live() == a.b.Donated() {
			t.Fatalf("%s is neither taken nor whole", a.b)
		}
		a.open = a.b.Live()
	}
	v := a.v + b.v
	if x.donates && m.fake != nil {
		v = 0 // the fake's program of that name makes zeros
	}
	m.bufs = append(m.bufs, &modelBuf{b: outs[0], of: x.of, v: v, open: true})
}

// abandon gives an execution up while it runs, and lets it end.
func (m *model) abandon(t *rapid.T) {
	m.t = t
	if m.fake == nil {
		t.Skip("a real plugin is not held")
	}
	x, a, b := pick(m, m.exes), pick(m, m.bufs), pick(m, m.bufs)
	if !x.open || !a.open || !b.open || a.of != x.of || b.of != x.of || a.device != 0 || b.device != 0 || a.deleted || b.deleted || a == b {
		t.Skip("this would not run")
	}
	m.fake.Hold()
	begun := func() int { return m.fake.Calls(pjrtc.SlotLoadedExecutableExecute.String()) } // events of earlier work may end meanwhile
	before := begun()
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	go func() {
		for begun() == before {
			time.Sleep(10 * time.Microsecond)
		}
		cancel()
	}()
	_, err := x.x.Execute(ctx, []*pjrt.Buffer{a.b, b.b}, pjrt.ExecuteOptions{})
	m.expect("abandon", err, context.Canceled)
	m.expect("close running executable", x.x.Close(), isthmus.ErrBusy)
	// The plugin's function may be about to return still: what it takes is taken then.
	for i := 0; i < 1<<20 && a.b.Live() == x.donates; i++ {
		time.Sleep(10 * time.Microsecond)
	}
	a.open = a.b.Live()
	if a.open == x.donates {
		t.Fatalf("%s after an execution that takes: %v", a.b, x.donates)
	}
	m.fake.Release()
	for x.of.c.Detached() > 0 {
		time.Sleep(10 * time.Microsecond)
	}
}

func (m *model) get(t *rapid.T) {
	m.t = t
	b := pick(m, m.bufs)
	got, err := pjrt.Get[float32](m.ctx, b.b)
	switch {
	case !b.open:
		m.expect("get", err, isthmus.ErrClosed)
	case b.deleted:
		if err == nil {
			t.Fatal("reading a deleted buffer worked")
		}
	default:
		m.expect("get", err)
		for _, v := range got {
			if v != b.v {
				t.Fatalf("got %v, want %v", got, b.v)
			}
		}
	}
}

func (m *model) copy(t *rapid.T) {
	m.t = t
	b, d := pick(m, m.bufs), rapid.IntRange(0, 1).Draw(t, "device")
	c, err := b.b.CopyTo(b.of.c.Devices()[d])
	switch {
	case !b.open:
		m.expect("copy", err, isthmus.ErrClosed)
	case b.deleted:
		if err == nil { // a plugin may hand out a copy that never has content
			m.bufs = append(m.bufs, &modelBuf{b: c, of: b.of, device: d, open: true, deleted: true})
		}
	default:
		m.expect("copy", err)
		m.bufs = append(m.bufs, &modelBuf{b: c, of: b.of, device: d, v: b.v, open: true})
	}
}

func (m *model) delete(t *rapid.T) {
	m.t = t
	b := pick(m, m.bufs)
	err := b.b.Delete()
	if !b.open {
		m.expect("delete", err, isthmus.ErrClosed)
		return
	}
	m.expect("delete", err)
	b.deleted = true
}

func (m *model) closeBuffer(t *rapid.T) {
	m.t = t
	b := pick(m, m.bufs)
	m.expect("close buffer", b.b.Close())
	b.open = false
}

func (m *model) closeExe(t *rapid.T) {
	m.t = t
	x := pick(m, m.exes)
	m.expect("close executable", x.x.Close())
	x.open = false
}

func (m *model) closeEvent(t *rapid.T) {
	m.t = t
	e := pick(m, m.events)
	if e.b.open && !e.b.deleted {
		t.Skip("its buffer is alive: the event may never fire")
	}
	if e.open {
		m.expect("wait", e.e.Wait(m.ctx))
	}
	m.expect("close event", e.e.Close())
	e.open = false
}

// finish closes everything, in a random order that is tried again where it is wrong.
func (m *model) finish(t *rapid.T) {
	m.t = t
	for _, b := range m.bufs {
		m.expect("close buffer", b.b.Close())
		_ = b.b.String()
	}
	for _, x := range m.exes {
		m.expect("close executable", x.x.Close())
	}
	for _, e := range m.events {
		if e.open {
			m.expect("wait", e.e.Wait(m.ctx))
		}
		m.expect("close event", e.e.Close())
	}
	for _, c := range m.clients {
		ctx, cancel := context.WithTimeout(m.ctx, time.Minute)
		m.expect("close client", c.c.CloseWait(ctx))
		cancel()
	}
}

func (m *model) run(t *rapid.T) {
	m.t = t
	m.newClient(t)
	t.Repeat(map[string]func(*rapid.T){
		"new client": m.newClient, "close client": m.closeClient, "compile": m.compile, "put": m.put, "execute": m.execute, "abandon": m.abandon,
		"get": m.get, "copy": m.copy, "delete": m.delete, "close buffer": m.closeBuffer, "close executable": m.closeExe, "close event": m.closeEvent,
	})
	m.finish(t)
}

// TestModelFake runs random sequences of calls on the fake, whose books must balance.
func TestModelFake(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := pjrtfake.New()
		f.Programs = programs()
		table, err := f.Table()
		if err != nil {
			rt.Fatal(err)
		}
		p, err := pjrt.FromTable("fake", table)
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{ctx: t.Context(), plugin: p, fake: f, add: "add", donate: "donate"}
		m.run(rt)
		f.Quiet()
		for _, v := range f.Violations() {
			rt.Errorf("the plugin saw: %s", v)
		}
		for kind, n := range f.Alive() {
			rt.Errorf("%d of kind %s were never destroyed", n, kind)
		}
		f.Close()
	})
}

// TestModelReal runs random sequences of calls on the real plugins.
func TestModelReal(t *testing.T) {
	both(t, func(t *testing.T, p *pjrt.Plugin) {
		if testing.Short() {
			t.Skip("short")
		}
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			if n++; n > 15 {
				return // a client has threads to start, a program to compile
			}
			m := &model{ctx: t.Context(), plugin: p, add: add, donate: donate}
			m.run(rt)
		})
	})
}

// TestHammer shares everything between goroutines that do everything.
func TestHammer(t *testing.T) {
	anyPlugin(t, func(t *testing.T, p *pjrt.Plugin, code string) {
		c := client(t, p)
		x := compile(t, c, code)
		shared := make([]*pjrt.Buffer, 4)
		var mu sync.Mutex
		var old []*pjrt.Buffer
		for i := range shared {
			shared[i] = &pjrt.Buffer{}
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(g), 1))
				for range 150 {
					mu.Lock()
					a, b := shared[r.IntN(4)], shared[r.IntN(4)]
					mu.Unlock()
					ctx, cancel := context.WithCancel(context.Background())
					if r.IntN(4) == 0 {
						time.AfterFunc(time.Duration(r.IntN(50))*time.Microsecond, cancel)
					}
					var err error
					switch r.IntN(6) {
					case 0:
						var n *pjrt.Buffer
						if n, err = pjrt.Put(ctx, c.Device(), []float32{1, 2, 3, 4}, 4); err == nil {
							i := r.IntN(4)
							mu.Lock()
							old = append(old, shared[i])
							shared[i] = n
							mu.Unlock()
						}
					case 1:
						err = a.Close()
					case 2:
						_, err = pjrt.Get[float32](ctx, a)
						if errors.Is(err, isthmus.ErrInvalid) {
							err = nil // a zero buffer
						}
					default:
						var outs []*pjrt.Buffer
						outs, err = x.Execute(ctx, []*pjrt.Buffer{a, b}, pjrt.ExecuteOptions{})
						for _, o := range outs {
							err = errors.Join(err, o.Close())
						}
					}
					cancel()
					if err != nil && !errors.Is(err, isthmus.ErrClosed) && !errors.Is(err, isthmus.ErrBusy) && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for c.Detached() > 0 {
			time.Sleep(time.Millisecond)
		}
		for _, b := range append(old, shared...) {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
