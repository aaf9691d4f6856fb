package pjrtlayer_test

import (
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// refused checks that a call was not made, and why.
func (w *world) refused(text, rule string) {
	w.Helper()
	if !strings.Contains(text, "pjrt/"+rule) {
		w.Errorf("error %q, want one that names pjrt/%s", text, rule)
	}
}

// crimes break one rule each, on raw calls. What would harm a real plugin is refused, so they run on one too.
var crimes = []struct {
	rule   string
	name   string
	commit func(w *world)
}{
	{layer.UseAfterDestroy, "a destroyed buffer", func(w *world) {
		c := w.client()
		b := w.buffer(c)
		w.drop(b)
		_, text := try(w, pjrtc.BufferDimensionsArgs{Buffer: b})
		w.refused(text, layer.UseAfterDestroy)
		w.closeClient(c)
	}},
	{layer.UseAfterDestroy, "a destroyed argument", func(w *world) {
		c := w.client()
		x, a, b := w.compile(c, addText), w.buffer(c), w.buffer(c)
		w.drop(b)
		_, _, text := w.execute(x, a, b)
		w.refused(text, layer.UseAfterDestroy)
		w.drop(a)
		do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		w.closeClient(c)
	}},
	{layer.UseAfterDestroy, "a device of a destroyed client", func(w *world) {
		c := w.client()
		d := w.device(c)
		w.closeClient(c)
		_, text := try(w, pjrtc.DeviceGetDescriptionArgs{Device: d})
		w.refused(text, layer.UseAfterDestroy)
	}},
	{layer.UseAfterDestroy, "an awaited event", func(w *world) {
		c := w.client()
		b, e := w.put(c, w.host(4), pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes)
		w.finish(e)
		_, text := try(w, pjrtc.EventAwaitArgs{Event: e})
		w.refused(text, layer.UseAfterDestroy)
		w.drop(b)
		w.closeClient(c)
	}},
	{layer.DoubleDestroy, "a buffer", func(w *world) {
		c := w.client()
		b := w.buffer(c)
		w.drop(b)
		_, text := try(w, pjrtc.BufferDestroyArgs{Buffer: b})
		w.refused(text, layer.DoubleDestroy)
		w.closeClient(c)
	}},
	{layer.DoubleDestroy, "an error", func(w *world) {
		c := w.client()
		f := w.f
		a := keep(w, pjrtc.ClientLookupDeviceArgs{Client: c, Id: 1 << 20})
		e := pjrtc.Call(w.tab, f, a)
		if e == 0 {
			w.Fatal("there is such a device")
		}
		for range 2 {
			pjrtc.Call(w.tab, f, keep(w, pjrtc.ErrorDestroyArgs{Error: e}))
		}
		w.closeClient(c)
	}},
	{layer.UnknownHandle, "an address of nothing", func(w *world) {
		c := w.client()
		_, text := try(w, pjrtc.BufferDimensionsArgs{Buffer: 0x1230})
		w.refused(text, layer.UnknownHandle)
		w.closeClient(c)
	}},
	{layer.WrongKind, "a device for a memory", func(w *world) {
		c := w.client()
		_, text := try(w, pjrtc.MemoryIdArgs{Memory: pjrtc.Ptr[pjrtc.Memory](w.device(c))})
		w.refused(text, layer.WrongKind)
		w.closeClient(c)
	}},
	{layer.NullArgument, "a null buffer", func(w *world) {
		c := w.client()
		_, text := try(w, pjrtc.BufferDimensionsArgs{})
		w.refused(text, layer.NullArgument)
		w.closeClient(c)
	}},
	{layer.NullArgument, "a null argument struct", func(w *world) {
		text := w.text(pjrtc.Ptr[pjrtc.Error](w.tab.Invoke(pjrtc.SlotClientDevices, w.f, 0)))
		w.refused(text, layer.NullArgument)
	}},
	{layer.NullArgument, "a null program", func(w *world) {
		c := w.client()
		_, text := try(w, pjrtc.ClientCompileArgs{Client: c})
		w.refused(text, layer.NullArgument)
		w.closeClient(c)
	}},
	{layer.StructSize, "no size", func(w *world) {
		c := w.client()
		a := keep(w, pjrtc.ClientDevicesArgs{Client: c})
		text := w.text(pjrtc.Ptr[pjrtc.Error](w.tab.Invoke(a.Slot(), w.f, mem.AddrOfPtr(a))))
		w.refused(text, layer.StructSize)
		w.closeClient(c)
	}},
	{layer.StructSize, "options without a size", func(w *world) {
		c := w.client()
		x := w.compile(c, addText)
		_, text := try(w, pjrtc.LoadedExecutableExecuteArgs{Executable: x, Options: pjrtc.To(keep(w, pjrtc.ExecuteOptions{})), NumDevices: 1})
		w.refused(text, layer.StructSize)
		do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		w.closeClient(c)
	}},
	{layer.DestroyOfLent, "the client's topology", func(w *world) {
		c := w.client()
		top := do(w, pjrtc.ClientTopologyDescriptionArgs{Client: c}).Topology
		_, text := try(w, pjrtc.TopologyDescriptionDestroyArgs{Topology: top})
		w.refused(text, layer.DestroyOfLent)
		w.closeClient(c)
	}},
	{layer.UseAfterDelete, "a deleted buffer", func(w *world) {
		c := w.client()
		x, a, b := w.compile(c, addText), w.buffer(c), w.buffer(c)
		do(w, pjrtc.BufferDeleteArgs{Buffer: b})
		if _, _, text := w.execute(x, a, b); text == "" {
			w.Error("the plugin executed on a deleted buffer")
		}
		w.drop(a, b)
		do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		w.closeClient(c)
	}},
	{layer.UseAfterDelete, "a deleted executable", func(w *world) {
		c := w.client()
		x := w.compile(c, addText)
		do(w, pjrtc.LoadedExecutableDeleteArgs{Executable: x})
		if !do(w, pjrtc.LoadedExecutableIsDeletedArgs{Executable: x}).IsDeleted {
			w.Error("a deleted executable is not deleted")
		}
		w.want()
		_, _ = try(w, pjrtc.LoadedExecutableAddressableDevicesArgs{Executable: x})
		do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		w.closeClient(c)
	}},
	{layer.UseOfDonated, "an argument that was taken", func(w *world) {
		c := w.client()
		x, y, a, b := w.compile(c, takeText), w.compile(c, addText), w.buffer(c), w.buffer(c)
		out, e, text := w.execute(x, a, b)
		if text != "" {
			w.Fatal(text)
		}
		w.finish(e)
		if _, _, text := w.execute(y, a, b); text == "" {
			w.Error("the plugin executed on a donated buffer")
		}
		w.drop(a, b, out)
		for _, x := range []pjrtc.Ptr[pjrtc.LoadedExecutable]{x, y} {
			do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		}
		w.closeClient(c)
	}},
	{"donated-twice", "an argument that is taken and read", func(w *world) {
		c := w.client()
		x, a, b := w.compile(c, takeText), w.buffer(c), w.buffer(c)
		out, e, text := w.execute(x, a, w.buffer(c)) // the layer learns what the program takes
		if text != "" {
			w.Fatal(text)
		}
		w.finish(e)
		w.drop(a, out)
		if out, e, text := w.execute(x, b, b); text == "" {
			w.finish(e)
			w.drop(out)
		}
		w.drop(b)
		do(w, pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		closeAll(w, c)
	}},
	{layer.OutOfOrder, "the error of an event that has not completed", func(w *world) {
		c := w.client()
		e := do(w, pjrtc.EventCreateArgs{}).Event
		_, text := try(w, pjrtc.EventErrorArgs{Event: e})
		w.refused(text, layer.OutOfOrder)
		do(w, pjrtc.EventSetArgs{Event: e})
		w.finish(e)
		w.closeClient(c)
	}},
	{layer.OutOfOrder, "an event that is set twice", func(w *world) {
		c := w.client()
		e := do(w, pjrtc.EventCreateArgs{}).Event
		do(w, pjrtc.EventSetArgs{Event: e})
		_, text := try(w, pjrtc.EventSetArgs{Event: e})
		w.refused(text, layer.OutOfOrder)
		w.finish(e)
		w.closeClient(c)
	}},
	{layer.OutOfOrder, "an event that is the plugin's to set", func(w *world) {
		c := w.client()
		b, e := w.put(c, w.host(4), pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes)
		_, text := try(w, pjrtc.EventSetArgs{Event: e})
		w.refused(text, layer.OutOfOrder)
		w.finish(e)
		w.drop(b)
		w.closeClient(c)
	}},
	{layer.OutOfOrder, "a reference that nobody holds", func(w *world) {
		c := w.client()
		b := w.buffer(c)
		_, text := try(w, pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: b})
		w.refused(text, layer.OutOfOrder)
		w.drop(b)
		w.closeClient(c)
	}},
	{layer.MemoryChanged, "memory that is lent for a buffer's life", func(w *world) {
		c := w.client()
		data := w.host(4)
		b, e := w.put(c, data, pjrtc.HostBufferSemanticsKImmutableZeroCopy)
		data[2] = 7
		do(w, pjrtc.BufferDeleteArgs{Buffer: b})
		w.finish(e)
		w.drop(b)
		w.closeClient(c)
	}},
	{layer.MemoryOverlap, "a result over memory that is read", func(w *world) {
		c := w.client()
		data := w.host(1500)
		b, e := w.put(c, data[:1000], pjrtc.HostBufferSemanticsKImmutableZeroCopy)
		get := do(w, pjrtc.BufferToHostBufferArgs{Src: b, Dst: pjrtc.Addr(mem.AddrOf(data[500:])), DstSize: 4000})
		do(w, pjrtc.EventDestroyArgs{Event: e})
		w.finish(get.Event)
		w.drop(b)
		w.closeClient(c)
	}},
	{"wrong-client", "an argument of another client", func(w *world) {
		c, d := w.client(), do(w, pjrtc.ClientCreateArgs{}).Client
		b := w.buffer(c)
		_, _ = try(w, pjrtc.ClientCreateUninitializedBufferArgs{Client: d, Device: w.device(c), ShapeElementType: pjrtc.BufferTypeF32})
		w.drop(b)
		closeAll(w, c)
		closeAll(w, d)
	}},
}

// closeAll destroys the buffers that are left, and the client.
func closeAll(w *world, c pjrtc.Ptr[pjrtc.Client]) {
	w.Helper()
	for _, o := range w.l.Engine().Live() {
		if o.Kind == "PJRT_Buffer" {
			w.drop(pjrtc.Ptr[pjrtc.Buffer](w.l.Engine().Handle(o.ID)))
		}
	}
	w.closeClient(c)
}

// TestCrimes commits every crime on the fake and on a real plugin: one finding each, of the right rule.
func TestCrimes(t *testing.T) {
	for _, c := range crimes {
		for name, on := range map[string]func(t *testing.T) *world{
			"fake": func(t *testing.T) *world { return onFake(t, nil) },
			"real": onReal,
		} {
			t.Run(c.rule+"/"+c.name+"/"+name, func(t *testing.T) {
				w := on(t)
				c.commit(w)
				w.want(c.rule)
			})
		}
	}
}

func TestNotInitialized(t *testing.T) {
	w := onFake(t, nil)
	c := do(w, pjrtc.ClientCreateArgs{}).Client
	w.want(layer.OutOfOrder)
	w.closeClient(c)
	w.want()
}

// A client that goes before its buffers is a finding, and their end after it is refused.
func TestDestroyedEarly(t *testing.T) {
	w := onFake(t, nil)
	c := w.client()
	b := w.buffer(c)
	_, _ = try(w, pjrtc.ClientDestroyArgs{Client: c})
	w.want(layer.DestroyedEarly)
	_, text := try(w, pjrtc.BufferDimensionsArgs{Buffer: b})
	w.refused(text, layer.UseAfterDestroy)
	w.want(layer.UseAfterDestroy)
	_, text = try(w, pjrtc.BufferDestroyArgs{Buffer: b})
	w.refused(text, layer.UseAfterDestroy)
	w.want(layer.UseAfterDestroy)
}

func TestLeak(t *testing.T) {
	w := onFake(t, nil)
	c := w.client()
	b := w.buffer(c)
	if n := len(w.l.Engine().Leaks()); n != 2 {
		t.Errorf("%d objects are alive, want the client and the buffer", n)
	}
	w.want(layer.Leak, layer.Leak)
	w.drop(b)
	w.closeClient(c)
	if live := w.l.Engine().Live(); len(live) != 0 {
		t.Errorf("alive: %v", live)
	}
}

// An event that ends while another thread waits for it.
func TestDestroyedInUse(t *testing.T) {
	w := onFake(t, nil)
	c := w.client()
	e := do(w, pjrtc.EventCreateArgs{}).Event
	w.fake.Hold()
	waiting := make(chan string)
	go func() {
		f := call.Get()
		defer f.Put()
		a, _ := call.New[pjrtc.EventAwaitArgs](f)
		a.Event = e
		if pjrtc.Call(w.tab, f, a) != 0 {
			waiting <- "the wait failed"
			return
		}
		waiting <- ""
	}()
	for w.l.Engine().Find(kind(t, "Event"), uintptr(e)).Users() == 0 {
		yield()
	}
	_, text := try(w, pjrtc.EventDestroyArgs{Event: e})
	w.refused(text, layer.DestroyedInUse)
	w.want(layer.DestroyedInUse)
	do(w, pjrtc.EventSetArgs{Event: e})
	w.fake.Release()
	if text := <-waiting; text != "" {
		t.Error(text)
	}
	do(w, pjrtc.EventDestroyArgs{Event: e})
	w.closeClient(c)
	w.want()
}

// A callback that waits for another event, on the thread of the plugin that would complete it.
func TestWrongThread(t *testing.T) {
	if !threads {
		t.Skip("threads are not told apart on this platform")
	}
	w := onFake(t, nil)
	c := w.client()
	e, other := do(w, pjrtc.EventCreateArgs{}).Event, do(w, pjrtc.EventCreateArgs{}).Event
	done := make(chan struct{})
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(*cb.Args) uintptr {
		f := call.Get()
		defer f.Put()
		a, _ := call.New[pjrtc.EventAwaitArgs](f)
		a.Event = other
		pjrtc.Call(w.tab, f, a)
		close(done)
		return 0
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	on := do(w, pjrtc.EventOnReadyArgs{Event: e, Callback: pjrtc.Func(s.Fn), UserArg: pjrtc.Addr(s.Arg)})
	if on.Callback != pjrtc.Func(s.Fn) || on.UserArg != pjrtc.Addr(s.Arg) {
		t.Error("the caller's struct was left changed")
	}
	go func() {
		f := call.Get()
		defer f.Put()
		for {
			w.mu.Lock()
			n := len(w.found)
			w.mu.Unlock()
			if n > 0 {
				break
			}
			yield()
		}
		a, _ := call.New[pjrtc.EventSetArgs](f)
		a.Event = other
		pjrtc.Call(w.tab, f, a)
	}()
	do(w, pjrtc.EventSetArgs{Event: e})
	<-done
	w.want(layer.WrongThread)
	w.finish(e)
	w.finish(other)
	w.closeClient(c)
	w.want()
}
