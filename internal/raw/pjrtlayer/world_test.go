package pjrtlayer_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// world is a plugin behind a layer, and what the layer found.
type world struct {
	*testing.T
	l     *pjrtlayer.Layer
	tab   *pjrtc.Table
	f     *call.Frame
	fake  *pjrtfake.Fake // nil for a real plugin
	mu    sync.Mutex
	found []*isthmus.Finding
}

const (
	addText = `func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}`
	takeText = `func.func @main(%x: tensor<4xf32> {tf.aliasing_output = 0 : i32}, %y: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %y : tensor<4xf32>
  return %0 : tensor<4xf32>
}`
)

func programs() map[string]*pjrtfake.Program {
	four := pjrtfake.Type{Type: pjrtc.BufferTypeF32, Dims: []int64{4}}
	add := &pjrtfake.Program{Params: []pjrtfake.Type{four, four}, Outputs: []pjrtfake.Type{four}, Run: func(a [][]byte) [][]byte {
		out := bytes.Clone(a[0])
		for i := 0; i < len(out); i += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(a[0][i:])) + math.Float32frombits(binary.LittleEndian.Uint32(a[1][i:]))
			binary.LittleEndian.PutUint32(out[i:], math.Float32bits(x))
		}
		return [][]byte{out}
	}}
	take := *add
	take.Donated = []int{0}
	return map[string]*pjrtfake.Program{addText: add, takeText: &take}
}

// watch puts a layer before a plugin.
func watch(t *testing.T, table *pjrtc.Table, o pjrtlayer.Options) *world {
	t.Helper()
	w := &world{T: t, f: call.Get()}
	t.Cleanup(w.f.Put)
	o.Report = func(f *isthmus.Finding) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.found = append(w.found, f)
	}
	var err error
	if w.l, err = pjrtlayer.New(table, o); err != nil {
		t.Fatal(err)
	}
	if w.tab, err = w.l.Table(); err != nil {
		t.Fatal(err)
	}
	return w
}

func onFake(t *testing.T, set func(*pjrtfake.Fake)) *world {
	t.Helper()
	f := pjrtfake.New()
	f.Programs = programs()
	if set != nil {
		set(f)
	}
	t.Cleanup(f.Close)
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, table, pjrtlayer.Options{})
	w.fake = f
	return w
}

// onReal is an XLA CPU plugin behind a layer.
func onReal(t *testing.T) *world {
	t.Helper()
	path := os.Getenv("ISTHMUS_PJRT_CPU")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("ISTHMUS_PJRT_CPU is not set; it names an XLA CPU plugin")
		}
		t.Skip("ISTHMUS_PJRT_CPU is not set; it names an XLA CPU plugin")
	}
	table, err := pjrtlayer.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return watch(t, table, pjrtlayer.Options{})
}

// call makes a call and returns the text of its error, "" for none. The error is destroyed.
func raw[A any, P interface {
	*A
	pjrtc.Args
}](w *world, a P) string {
	w.Helper()
	a.SetSize()
	return w.text(pjrtc.Ptr[pjrtc.Error](w.tab.Invoke(a.Slot(), w.f, mem.AddrOfPtr((*A)(a)))))
}

// keep moves an argument struct out of Go's heap, as every caller of C does.
func keep[A any](w *world, a A) *A {
	w.Helper()
	p, err := call.New[A](w.f)
	if err != nil {
		w.Fatal(err)
	}
	*p = a
	return p
}

func (w *world) text(e pjrtc.Ptr[pjrtc.Error]) string {
	w.Helper()
	if e == 0 {
		return ""
	}
	m := keep(w, pjrtc.ErrorMessageArgs{Error: e})
	pjrtc.Call(w.tab, w.f, m)
	text := mem.String(m.Message, m.MessageSize, 1<<16)
	pjrtc.Call(w.tab, w.f, keep(w, pjrtc.ErrorDestroyArgs{Error: e}))
	if text == "" {
		text = "an error without a text"
	}
	return text
}

// try makes a call; do fails when it does.
func try[A any, P interface {
	*A
	pjrtc.Args
}](w *world, a A) (*A, string) {
	w.Helper()
	p := keep(w, a)
	return p, raw[A, P](w, P(p))
}

func do[A any, P interface {
	*A
	pjrtc.Args
}](w *world, a A) *A {
	w.Helper()
	p, text := try[A, P](w, a)
	if text != "" {
		w.Fatalf("%s: %s", P(p).Slot(), text)
	}
	return p
}

func (w *world) client() pjrtc.Ptr[pjrtc.Client] {
	w.Helper()
	do(w, pjrtc.PluginInitializeArgs{})
	return do(w, pjrtc.ClientCreateArgs{}).Client
}

func (w *world) device(c pjrtc.Ptr[pjrtc.Client]) pjrtc.Ptr[pjrtc.Device] {
	w.Helper()
	d := do(w, pjrtc.ClientAddressableDevicesArgs{Client: c})
	all, err := d.AddressableDevices.Slice(d.NumAddressableDevices)
	if err != nil || len(all) == 0 {
		w.Fatal("no devices", err)
	}
	return all[0]
}

// host is memory outside Go's heap.
func (w *world) host(n int) []float32 {
	w.Helper()
	b, err := mem.Alloc(4*n, 64)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = b.Free() })
	out, err := mem.View[float32](b.Bytes())
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) put(c pjrtc.Ptr[pjrtc.Client], data []float32, s pjrtc.HostBufferSemantics) (pjrtc.Ptr[pjrtc.Buffer], pjrtc.Ptr[pjrtc.Event]) {
	w.Helper()
	dims, err := call.Slice[int64](w.f, 1)
	if err != nil {
		w.Fatal(err)
	}
	dims[0] = int64(len(data))
	a := do(w, pjrtc.ClientBufferFromHostBufferArgs{
		Client: c, Data: pjrtc.Addr(mem.AddrOf(data)), Type: pjrtc.BufferTypeF32, Dims: pjrtc.ToSlice(dims), NumDims: 1,
		HostBufferSemantics: s, Device: w.device(c),
	})
	return a.Buffer, a.DoneWithHostBuffer
}

// buffer makes one of four elements.
func (w *world) buffer(c pjrtc.Ptr[pjrtc.Client]) pjrtc.Ptr[pjrtc.Buffer] {
	w.Helper()
	b, e := w.put(c, w.host(4), pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall)
	do(w, pjrtc.EventDestroyArgs{Event: e})
	return b
}

func (w *world) compile(c pjrtc.Ptr[pjrtc.Client], code string) pjrtc.Ptr[pjrtc.LoadedExecutable] {
	w.Helper()
	text, err := w.f.Text(code)
	if err != nil {
		w.Fatal(err)
	}
	format, _ := w.f.Text("mlir")
	options, _ := w.f.Text("\x1a\x04\x20\x01\x28\x01") // one replica, one partition
	p := keep(w, pjrtc.Program{Code: pjrtc.Ptr[byte](text), CodeSize: uint64(len(code)), Format: pjrtc.Ptr[byte](format), FormatSize: 4})
	p.SetSize()
	return do(w, pjrtc.ClientCompileArgs{Client: c, Program: pjrtc.To(p), CompileOptions: pjrtc.Ptr[byte](options), CompileOptionsSize: 6}).Executable
}

// execute runs a program on one device. It returns the output and the event, which the caller destroys.
func (w *world) execute(x pjrtc.Ptr[pjrtc.LoadedExecutable], in ...pjrtc.Ptr[pjrtc.Buffer]) (pjrtc.Ptr[pjrtc.Buffer], pjrtc.Ptr[pjrtc.Event], string) {
	w.Helper()
	o := keep(w, pjrtc.ExecuteOptions{})
	o.SetSize()
	args, err := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](w.f, len(in)+1)
	if err != nil {
		w.Fatal(err)
	}
	copy(args, in)
	out := keep(w, [1]pjrtc.Ptr[pjrtc.Buffer]{})
	events := keep(w, [1]pjrtc.Ptr[pjrtc.Event]{})
	ins, outs := keep(w, [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]{pjrtc.ToSlice(args)}), keep(w, [1]pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]{pjrtc.ToSlice(out[:])})
	_, text := try(w, pjrtc.LoadedExecutableExecuteArgs{
		Executable: x, Options: pjrtc.To(o), ArgumentLists: pjrtc.ToSlice(ins[:]), OutputLists: pjrtc.ToSlice(outs[:]), NumDevices: 1,
		NumArgs: uint64(len(in)), DeviceCompleteEvents: pjrtc.ToSlice(events[:]),
	})
	return out[0], events[0], text
}

// finish waits for an event and destroys it.
func (w *world) finish(e pjrtc.Ptr[pjrtc.Event]) {
	w.Helper()
	do(w, pjrtc.EventAwaitArgs{Event: e})
	do(w, pjrtc.EventDestroyArgs{Event: e})
}

func (w *world) drop(all ...pjrtc.Ptr[pjrtc.Buffer]) {
	w.Helper()
	for _, b := range all {
		do(w, pjrtc.BufferDestroyArgs{Buffer: b})
	}
}

func (w *world) closeClient(c pjrtc.Ptr[pjrtc.Client]) {
	w.Helper()
	do(w, pjrtc.ClientDestroyArgs{Client: c})
}

// want checks what was found so far, by rule, and forgets it.
func (w *world) want(rules ...string) {
	w.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, f := range w.found {
		got = append(got, strings.TrimPrefix(f.ID, "pjrt/"))
		if f.Text == "" || f.Call == "" || f.Error() == "" {
			w.Errorf("a finding that says little: %+v", f)
		}
	}
	if strings.Join(got, " ") != strings.Join(rules, " ") {
		w.Errorf("found %q, want %q", got, rules)
		for _, f := range w.found {
			w.Log(f)
		}
	}
	w.found = nil
}
