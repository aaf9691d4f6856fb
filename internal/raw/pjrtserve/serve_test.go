package pjrtserve_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
)

// broken is a backend that panics wherever it can.
type broken struct{ pjrtserve.Client }

func (*broken) Platform() (string, string)                                 { return "broken", "0" }
func (*broken) Attributes() []pjrtserve.Value                              { panic("attributes") }
func (*broken) Topology([]pjrtserve.Value) ([]pjrtserve.DeviceInfo, error) { panic("topology") }
func (b *broken) NewClient(o []pjrtserve.Value) (pjrtserve.Client, error) {
	if len(o) > 0 {
		panic("client")
	}
	return b, nil
}

func (*broken) Devices() []pjrtserve.DeviceInfo { return []pjrtserve.DeviceInfo{{Kind: "broken"}} }

func (*broken) Process() int { return 0 }

func (*broken) Memories() []pjrtserve.MemoryInfo            { return []pjrtserve.MemoryInfo{{Kind: "device"}} }
func (*broken) Normalize(pjrtserve.Program) ([]byte, error) { panic("normalize") }
func (*broken) Close() error                                { return nil }
func (*broken) Compile(_ context.Context, p pjrtserve.Program, _ pjrtserve.CompileOptions) (pjrtserve.Executable, error) {
	return nil, errors.New(string(p.Code[len(p.Code)])) // past the end
}

// A panic of the backend is an error with its text, and no object is lost.
func TestPanic(t *testing.T) {
	tab, err := pjrtserve.New(&broken{}).Table()
	if err != nil {
		t.Fatal(err)
	}
	if code, msg := do(tab, &pjrtc.PluginAttributesArgs{}); code != pjrtc.ErrorCodeINTERNAL || !strings.Contains(msg, "attributes") {
		t.Errorf("%v: %s", code, msg)
	}
	c := must(t, tab, &pjrtc.ClientCreateArgs{}).Client
	f := call.Get()
	defer f.Put()
	p, _ := call.New[pjrtc.Program](f)
	p.SetSize()
	if code, msg := do(tab, &pjrtc.ClientCompileArgs{Client: c, Program: pjrtc.To(p)}); code != pjrtc.ErrorCodeINTERNAL || !strings.Contains(msg, "out of range") {
		t.Errorf("%v: %s", code, msg)
	}
	must(t, tab, &pjrtc.ClientDestroyArgs{Client: c})
	clean(t)
}

// An event completes once; whoever waits, before or after, hears it, and a callback gets an error of its own.
func TestEvents(t *testing.T) {
	tab := table(t)
	e := must(t, tab, &pjrtc.EventCreateArgs{}).Event
	if must(t, tab, &pjrtc.EventIsReadyArgs{Event: e}).IsReady {
		t.Error("ready at once")
	}
	if code, _ := do(tab, &pjrtc.EventErrorArgs{Event: e}); code != pjrtc.ErrorCodeFAILEDPRECONDITION {
		t.Errorf("the error of an event that has not completed: %v", code)
	}
	heard := make(chan string, 4)
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(a *cb.Args) uintptr {
		code, msg := drop(tab, pjrtc.Ptr[pjrtc.Error](a[0]))
		heard <- code.String() + " " + msg
		return 0
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	on := &pjrtc.EventOnReadyArgs{Event: e, Callback: pjrtc.Func(s.Fn), UserArg: pjrtc.Addr(s.Arg)}
	must(t, tab, on)
	must(t, tab, on)
	waited := make(chan pjrtc.ErrorCode)
	go func() {
		code, _ := do(tab, &pjrtc.EventAwaitArgs{Event: e})
		waited <- code
	}()
	f := call.Get()
	defer f.Put()
	text, _ := f.Text("no luck")
	set := &pjrtc.EventSetArgs{Event: e, ErrorCode: pjrtc.ErrorCodeDATALOSS, ErrorMessage: pjrtc.Ptr[byte](text), ErrorMessageSize: 7}
	must(t, tab, set)
	if code, _ := do(tab, set); code != pjrtc.ErrorCodeFAILEDPRECONDITION {
		t.Errorf("set twice: %v", code)
	}
	if code := <-waited; code != pjrtc.ErrorCodeDATALOSS {
		t.Errorf("awaited: %v", code)
	}
	must(t, tab, on)
	for range 3 {
		if got, want := <-heard, pjrtc.ErrorCodeDATALOSS.String()+" no luck"; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	if code, msg := do(tab, &pjrtc.EventErrorArgs{Event: e}); code != pjrtc.ErrorCodeDATALOSS || !strings.Contains(msg, "no luck") {
		t.Errorf("%v: %s", code, msg)
	}
	must(t, tab, &pjrtc.EventDestroyArgs{Event: e})
	if code, _ := do(tab, &pjrtc.EventDestroyArgs{Event: e}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("destroyed twice: %v", code)
	}
	clean(t)
}

// host is a client with one device, for transfers.
type host struct {
	t   *testing.T
	tab *pjrtc.Table
	c   pjrtc.Ptr[pjrtc.Client]
	d   pjrtc.Ptr[pjrtc.Device]
	f   *call.Frame
}

func newHost(t *testing.T) *host {
	h := &host{t: t, tab: table(t), f: call.Get()}
	h.c = must(t, h.tab, &pjrtc.ClientCreateArgs{}).Client
	list, err := must(t, h.tab, &pjrtc.ClientDevicesArgs{Client: h.c}).Devices.Slice(1)
	if err != nil {
		t.Fatal(err)
	}
	h.d = list[0]
	t.Cleanup(func() {
		must(t, h.tab, &pjrtc.ClientDestroyArgs{Client: h.c})
		h.f.Put()
		clean(t)
	})
	return h
}

func ints[T any](h *host, values ...T) pjrtc.Ptr[T] {
	s, err := call.Slice[T](h.f, max(len(values), 1))
	if err != nil {
		h.t.Fatal(err)
	}
	copy(s, values)
	return pjrtc.ToSlice(s)
}

// put makes a 2x3 matrix of float32 from memory with the given strides.
func (h *host) put(data []float32, semantics pjrtc.HostBufferSemantics, strides ...int64) *pjrtc.ClientBufferFromHostBufferArgs {
	a := &pjrtc.ClientBufferFromHostBufferArgs{
		Client: h.c, Device: h.d, Data: pjrtc.Addr(ints(h, data...)), Type: pjrtc.BufferTypeF32, Dims: ints[int64](h, 2, 3), NumDims: 2,
		HostBufferSemantics: semantics,
	}
	if strides != nil {
		a.ByteStrides, a.NumByteStrides = ints(h, strides...), uint64(len(strides))
	}
	must(h.t, h.tab, a)
	return a
}

// get reads a matrix, in a layout of the host's that may be null.
func (h *host) get(b pjrtc.Ptr[pjrtc.Buffer], layout pjrtc.Ptr[pjrtc.BufferMemoryLayout]) []float32 {
	size := must(h.t, h.tab, &pjrtc.BufferToHostBufferArgs{Src: b, HostLayout: layout}).DstSize
	dst, err := call.Slice[byte](h.f, int(size))
	if err != nil {
		h.t.Fatal(err)
	}
	e := must(h.t, h.tab, &pjrtc.BufferToHostBufferArgs{Src: b, HostLayout: layout, Dst: pjrtc.Addr(mem.AddrOf(dst)), DstSize: size}).Event
	must(h.t, h.tab, &pjrtc.EventAwaitArgs{Event: e})
	must(h.t, h.tab, &pjrtc.EventDestroyArgs{Event: e})
	var out []float32
	for i := 0; i < len(dst); i += 4 {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(dst[i:])))
	}
	return out
}

func (h *host) free(b pjrtc.Ptr[pjrtc.Buffer]) { must(h.t, h.tab, &pjrtc.BufferDestroyArgs{Buffer: b}) }

func (h *host) freeEvent(e pjrtc.Ptr[pjrtc.Event]) {
	must(h.t, h.tab, &pjrtc.EventAwaitArgs{Event: e})
	must(h.t, h.tab, &pjrtc.EventDestroyArgs{Event: e})
}

func (h *host) tiled(order ...int64) pjrtc.Ptr[pjrtc.BufferMemoryLayout] {
	l, err := call.New[pjrtc.BufferMemoryLayout](h.f)
	if err != nil {
		h.t.Fatal(err)
	}
	l.SetSize()
	l.Type = pjrtc.BufferMemoryLayoutTypeTiled
	l.Tiled().SetSize()
	l.Tiled().MinorToMajor, l.Tiled().MinorToMajorSize = ints(h, order...), uint64(len(order))
	return pjrtc.To(l)
}

var matrix = []float32{1, 2, 3, 4, 5, 6}

// All four promises about the host's memory, with and without strides, in both directions.
func TestHostTransfers(t *testing.T) {
	h := newHost(t)
	for s := pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall; s <= pjrtc.HostBufferSemanticsKMutableZeroCopy; s++ {
		for _, c := range []struct {
			data    []float32
			strides []int64
		}{
			{matrix, nil},
			{matrix, []int64{12, 4}},
			{[]float32{1, 4, 2, 5, 3, 6}, []int64{4, 8}},
			{[]float32{1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6}, []int64{24, 8}},
		} {
			a := h.put(c.data, s, c.strides...)
			if got := h.get(a.Buffer, 0); !slices.Equal(got, matrix) {
				t.Errorf("%v, strides %v: %v", s, c.strides, got)
			}
			if got, want := h.get(a.Buffer, h.tiled(0, 1)), []float32{1, 4, 2, 5, 3, 6}; !slices.Equal(got, want) {
				t.Errorf("column-major: %v", got)
			}
			zero := s >= pjrtc.HostBufferSemanticsKImmutableZeroCopy && (c.strides == nil || c.strides[0] == 12)
			if ready := must(t, h.tab, &pjrtc.EventIsReadyArgs{Event: a.DoneWithHostBuffer}).IsReady; ready == zero {
				t.Errorf("%v, strides %v: done with the memory %v, want %v", s, c.strides, ready, !zero)
			}
			at := must(t, h.tab, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: a.Buffer}).DeviceMemoryPtr
			if same := at == a.Data; same != zero {
				t.Errorf("%v, strides %v: the memory is the host's: %v", s, c.strides, same)
			}
			h.free(a.Buffer)
			h.freeEvent(a.DoneWithHostBuffer)
		}
	}
	for _, bad := range []pjrtc.Ptr[pjrtc.BufferMemoryLayout]{h.tiled(0, 0), h.tiled(0), h.tiled(2, 1), h.tiled(-1, 0)} {
		a := h.put(matrix, 0)
		if code, _ := do(h.tab, &pjrtc.BufferToHostBufferArgs{Src: a.Buffer, HostLayout: bad}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
			t.Errorf("a bad layout: %v", code)
		}
		h.free(a.Buffer)
		h.freeEvent(a.DoneWithHostBuffer)
	}
	a := h.put(matrix, 0)
	defer h.free(a.Buffer)
	h.freeEvent(a.DoneWithHostBuffer)
	l := must(t, h.tab, &pjrtc.BufferGetMemoryLayoutArgs{Buffer: a.Buffer}).Layout
	if order, err := l.Tiled().MinorToMajor.Slice(l.Tiled().MinorToMajorSize); err != nil || !slices.Equal(order, []int64{1, 0}) {
		t.Errorf("layout %v, %v", order, err)
	}
	if code, _ := do(h.tab, &pjrtc.BufferToHostBufferArgs{Src: a.Buffer, Dst: a.Data, DstSize: 23}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("a destination that is too small: %v", code)
	}
	if code, _ := do(h.tab, &pjrtc.BufferCopyRawToHostArgs{Buffer: a.Buffer, Dst: a.Data, Offset: 20, TransferSize: 8}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("a range past the end: %v", code)
	}
}

// External references keep the memory readable after the buffer is deleted.
func TestExternalReferences(t *testing.T) {
	h := newHost(t)
	a := h.put(matrix, 0)
	h.freeEvent(a.DoneWithHostBuffer)
	must(t, h.tab, &pjrtc.BufferIncreaseExternalReferenceCountArgs{Buffer: a.Buffer})
	at := must(t, h.tab, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: a.Buffer}).DeviceMemoryPtr
	must(t, h.tab, &pjrtc.BufferDeleteArgs{Buffer: a.Buffer})
	if !must(t, h.tab, &pjrtc.BufferIsDeletedArgs{Buffer: a.Buffer}).IsDeleted {
		t.Error("not deleted")
	}
	view, err := mem.Slice[float32](at, 6)
	if err != nil || !slices.Equal(view, matrix) {
		t.Errorf("%v, %v", view, err)
	}
	if n := must(t, h.tab, &pjrtc.DeviceMemoryStatsArgs{Device: h.d}).BytesInUse; n == 0 {
		t.Error("the memory is free while it is referred to")
	}
	must(t, h.tab, &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: a.Buffer})
	if n := must(t, h.tab, &pjrtc.DeviceMemoryStatsArgs{Device: h.d}).BytesInUse; n != 0 {
		t.Errorf("%d bytes in use", n)
	}
	if code, _ := do(h.tab, &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: a.Buffer}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("one reference too many given back: %v", code)
	}
	if code, _ := do(h.tab, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: a.Buffer}); code != pjrtc.ErrorCodeFAILEDPRECONDITION {
		t.Errorf("the address of a deleted buffer: %v", code)
	}
	h.free(a.Buffer)
}

// A buffer whose content comes in parts is ready after the last, and fails when its manager goes before.
func TestTransferManager(t *testing.T) {
	h := newHost(t)
	spec := func() pjrtc.ShapeSpec {
		s := pjrtc.ShapeSpec{Dims: ints[int64](h, 2, 3), NumDims: 2, ElementType: pjrtc.BufferTypeF32}
		s.SetSize()
		return s
	}
	m := must(t, h.tab, &pjrtc.DeviceDefaultMemoryArgs{Device: h.d}).Memory
	mgr := must(t, h.tab, &pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs{
		Client: h.c, Memory: m, ShapeSpecs: ints(h, spec(), spec(), spec()), NumShapeSpecs: 3,
	}).TransferManager
	var bufs [3]pjrtc.Ptr[pjrtc.Buffer]
	for i := range int32(2) {
		bufs[i] = must(t, h.tab, &pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs{TransferManager: mgr, BufferIndex: i}).BufferOut
	}
	data := ints(h, matrix...)
	part := func(i int32, offset, n int64, last bool) *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs {
		return &pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs{
			TransferManager: mgr, BufferIndex: i, Data: pjrtc.Addr(data) + pjrtc.Addr(offset), Offset: offset, TransferSize: n, IsLastTransfer: last,
		}
	}
	h.freeEvent(must(t, h.tab, part(0, 12, 12, false)).DoneWithH2dTransfer)
	ready := must(t, h.tab, &pjrtc.BufferReadyEventArgs{Buffer: bufs[0]}).Event
	if must(t, h.tab, &pjrtc.EventIsReadyArgs{Event: ready}).IsReady {
		t.Error("ready before its last part")
	}
	h.freeEvent(must(t, h.tab, part(0, 0, 12, true)).DoneWithH2dTransfer)
	h.freeEvent(ready)
	if got := h.get(bufs[0], 0); !slices.Equal(got, matrix) {
		t.Errorf("got %v", got)
	}
	for what, a := range map[string]*pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs{
		"after the last": part(0, 0, 4, false), "past the end": part(1, 20, 8, false), "before": part(1, -4, 4, false), "no buffer": part(3, 0, 4, false),
	} {
		if code, _ := do(h.tab, a); code == pjrtc.ErrorCodeOK {
			t.Errorf("a part %s was taken", what)
		}
	}
	must(t, h.tab, &pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs{TransferManager: mgr})
	ready = must(t, h.tab, &pjrtc.BufferReadyEventArgs{Buffer: bufs[1]}).Event
	if code, msg := do(h.tab, &pjrtc.EventAwaitArgs{Event: ready}); code != pjrtc.ErrorCodeFAILEDPRECONDITION {
		t.Errorf("a buffer that got no content: %v: %s", code, msg)
	}
	must(t, h.tab, &pjrtc.EventDestroyArgs{Event: ready})
	h.free(bufs[0])
	h.free(bufs[1])
}

// Memory of the caller's becomes a buffer, and is given back by a call.
func TestView(t *testing.T) {
	h := newHost(t)
	var gone atomic.Int32
	s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(*cb.Args) uintptr { gone.Add(1); return 0 }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	b := must(t, h.tab, &pjrtc.ClientCreateViewOfDeviceBufferArgs{
		Client: h.c, Device: h.d, DeviceBufferPtr: pjrtc.Addr(ints(h, matrix...)), Dims: ints[int64](h, 2, 3), NumDims: 2, ElementType: pjrtc.BufferTypeF32,
		OnDeleteCallback: pjrtc.Func(s.Fn), OnDeleteCallbackArg: pjrtc.Addr(s.Arg),
	}).Buffer
	if got := h.get(b, 0); !slices.Equal(got, matrix) || gone.Load() != 0 {
		t.Errorf("got %v, given back %d times", got, gone.Load())
	}
	h.free(b)
	if n := gone.Load(); n != 1 {
		t.Errorf("given back %d times", n)
	}
}

// An alias gets the content of the buffer that fulfills it, and so does what was cast of it before; an error buffer never has
// one, a copy to the other memory has the same.
func TestOtherBuffers(t *testing.T) {
	h := newHost(t)
	m := must(t, h.tab, &pjrtc.ClientAddressableMemoriesArgs{Client: h.c})
	memories, err := m.AddressableMemories.Slice(m.NumAddressableMemories)
	if err != nil || len(memories) != 2 {
		t.Fatal(memories, err)
	}
	a := h.put(matrix, 0)
	h.freeEvent(a.DoneWithHostBuffer)
	alias := must(t, h.tab, &pjrtc.ClientCreateAliasBufferArgs{
		Client: h.c, Memory: memories[1], ShapeDims: ints[int64](h, 3, 2), ShapeNumDims: 2, ShapeElementType: pjrtc.BufferTypeF32,
	})
	flat := must(t, h.tab, &pjrtc.BufferBitcastArgs{Buffer: alias.AliasBuffer, ElementType: pjrtc.BufferTypeF32, Dims: ints[int64](h, 6), NumDims: 1}).OutBuffer
	must(t, h.tab, &pjrtc.ClientFulfillAliasBufferArgs{Client: h.c, Buffer: a.Buffer, FulfillAliasBufferCb: alias.FulfillAliasBufferCb})
	for _, b := range []pjrtc.Ptr[pjrtc.Buffer]{alias.AliasBuffer, flat} {
		if got := h.get(b, 0); !slices.Equal(got, matrix) {
			t.Errorf("the alias has %v", got)
		}
	}
	c := must(t, h.tab, &pjrtc.BufferCopyToMemoryArgs{Buffer: alias.AliasBuffer, DstMemory: memories[1]}).DstBuffer
	if got := h.get(c, 0); !slices.Equal(got, matrix) {
		t.Errorf("the copy has %v", got)
	}
	if got := must(t, h.tab, &pjrtc.BufferMemoryArgs{Buffer: c}).Memory; got != memories[1] {
		t.Error("the copy is in another memory")
	}
	text, _ := h.f.Text("burnt")
	e := must(t, h.tab, &pjrtc.ClientCreateErrorBufferArgs{
		Client: h.c, Memory: memories[0], ShapeDims: ints[int64](h, 3), ShapeNumDims: 1, ShapeElementType: pjrtc.BufferTypeS8,
		ErrorCode: pjrtc.ErrorCodeDATALOSS, ErrorMessage: pjrtc.Ptr[byte](text), ErrorMessageSize: 5,
	}).Buffer
	if code, msg := do(h.tab, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: e}); code != pjrtc.ErrorCodeDATALOSS || !strings.Contains(msg, "burnt") {
		t.Errorf("%v: %s", code, msg)
	}
	for _, b := range []pjrtc.Ptr[pjrtc.Buffer]{a.Buffer, alias.AliasBuffer, flat, c, e} {
		h.free(b)
	}
}

// A compiled program survives being written down and read again, and describes itself.
func TestSerialize(t *testing.T) {
	h := newHost(t)
	x := compile(t, h.tab, h.c, add)
	e := must(t, h.tab, &pjrtc.LoadedExecutableGetExecutableArgs{LoadedExecutable: x}).Executable
	s := must(t, h.tab, &pjrtc.ExecutableSerializeArgs{Executable: e})
	y := must(t, h.tab, &pjrtc.ExecutableDeserializeAndLoadArgs{Client: h.c, SerializedExecutable: s.SerializedBytes, SerializedExecutableSize: s.SerializedBytesSize}).LoadedExecutable
	if code, _ := do(h.tab, &pjrtc.ExecutableDeserializeAndLoadArgs{Client: h.c, SerializedExecutable: s.SerializedBytes, SerializedExecutableSize: s.SerializedBytesSize / 2}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("half of an executable: %v", code)
	}
	// One bit that is another.
	b, err := s.SerializedBytes.Slice(s.SerializedBytesSize)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 1 << (i % 8)
		if code, _ := do(h.tab, &pjrtc.ExecutableDeserializeAndLoadArgs{Client: h.c, SerializedExecutable: s.SerializedBytes, SerializedExecutableSize: s.SerializedBytesSize}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
			t.Errorf("bit %d of byte %d of an executable turned: %v", i%8, i, code)
		}
		b[i] ^= 1 << (i % 8)
	}
	call.Call1(call.Fn(s.SerializedExecutableDeleter), mem.Addr(s.SerializedExecutable))
	print1 := must(t, h.tab, &pjrtc.LoadedExecutableFingerprintArgs{Executable: x})
	print2 := must(t, h.tab, &pjrtc.LoadedExecutableFingerprintArgs{Executable: y})
	if a, b := mem.String(print1.ExecutableFingerprint, print1.ExecutableFingerprintSize, 100), mem.String(print2.ExecutableFingerprint, print2.ExecutableFingerprintSize, 100); a != b || a == "" {
		t.Errorf("fingerprints %q and %q", a, b)
	}
	if n := must(t, h.tab, &pjrtc.ExecutableGetCompiledMemoryStatsArgs{Executable: e}); n.ArgumentSizeInBytes != 32 || n.OutputSizeInBytes != 16 {
		t.Errorf("%+v", n)
	}
	if n := must(t, h.tab, &pjrtc.ExecutableGetCostAnalysisArgs{Executable: e}).NumProperties; n == 0 {
		t.Error("no cost analysis")
	}
	must(t, h.tab, &pjrtc.ExecutableOutputMemoryKindsArgs{Executable: e})
	must(t, h.tab, &pjrtc.ExecutableDestroyArgs{Executable: e})
	must(t, h.tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
	must(t, h.tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: y})
}

// A topology is written down, read again, and compiles without a client.
func TestTopology(t *testing.T) {
	h := newHost(t)
	own := must(t, h.tab, &pjrtc.ClientTopologyDescriptionArgs{Client: h.c}).Topology
	if code, _ := do(h.tab, &pjrtc.TopologyDescriptionDestroyArgs{Topology: own}); code != pjrtc.ErrorCodeFAILEDPRECONDITION {
		t.Errorf("destroy the client's topology: %v", code)
	}
	s := must(t, h.tab, &pjrtc.TopologyDescriptionSerializeArgs{Topology: own})
	top := must(t, h.tab, &pjrtc.TopologyDescriptionDeserializeArgs{SerializedTopology: s.SerializedBytes, SerializedTopologySize: s.SerializedBytesSize}).Topology
	call.Call1(call.Fn(s.SerializedTopologyDeleter), mem.Addr(s.SerializedTopology))
	if a, b := must(t, h.tab, &pjrtc.TopologyDescriptionFingerprintArgs{Topology: own}).Fingerprint, must(t, h.tab, &pjrtc.TopologyDescriptionFingerprintArgs{Topology: top}).Fingerprint; a != b {
		t.Errorf("fingerprints %x and %x", a, b)
	}
	p, _ := call.New[pjrtc.Program](h.f)
	p.SetSize()
	code, _ := h.f.Text(add)
	format, _ := h.f.Text("mlir")
	p.Code, p.CodeSize, p.Format, p.FormatSize = pjrtc.Ptr[byte](code), uint64(len(add)), pjrtc.Ptr[byte](format), 4
	e := must(t, h.tab, &pjrtc.CompileArgs{Topology: top, Program: pjrtc.To(p)}).Executable
	x := must(t, h.tab, &pjrtc.ClientLoadArgs{Client: h.c, Executable: e}).LoadedExecutable
	must(t, h.tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
	must(t, h.tab, &pjrtc.ExecutableDestroyArgs{Executable: e})
	must(t, h.tab, &pjrtc.TopologyDescriptionDestroyArgs{Topology: top})
}

// What is made of a client outlives it as something that can only be destroyed.
func TestClientFirst(t *testing.T) {
	tab := table(t)
	live, _ := objects(t, tab)
	c := pjrtc.Ptr[pjrtc.Client](live["client"])
	must(t, tab, &pjrtc.ClientDestroyArgs{Client: c})
	for what, code := range map[string]pjrtc.ErrorCode{
		"buffer": first(do(tab, &pjrtc.BufferElementTypeArgs{Buffer: pjrtc.Ptr[pjrtc.Buffer](live["buffer"])})),
		"loaded": first(do(tab, &pjrtc.LoadedExecutableGetExecutableArgs{LoadedExecutable: pjrtc.Ptr[pjrtc.LoadedExecutable](live["loaded"])})),
	} {
		if code != pjrtc.ErrorCodeFAILEDPRECONDITION {
			t.Errorf("%s of a destroyed client: %v", what, code)
		}
	}
	if code, _ := do(tab, &pjrtc.DeviceMemoryStatsArgs{Device: pjrtc.Ptr[pjrtc.Device](live["device"])}); code != pjrtc.ErrorCodeINVALIDARGUMENT {
		t.Errorf("device of a destroyed client: %v", code)
	}
	must(t, tab, &pjrtc.EventDestroyArgs{Event: pjrtc.Ptr[pjrtc.Event](live["event"])})
	must(t, tab, &pjrtc.ExecuteContextDestroyArgs{Context: pjrtc.Ptr[pjrtc.ExecuteContext](live["context"])})
	must(t, tab, &pjrtc.ExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.Executable](live["executable"])})
	must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.LoadedExecutable](live["loaded"])})
	must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: pjrtc.Ptr[pjrtc.Buffer](live["buffer"])})
	clean(t)
}

func first(code pjrtc.ErrorCode, _ string) pjrtc.ErrorCode { return code }

// forever never ends by itself.
const forever = `func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %r = stablehlo.while(%x = %a) : tensor<4xf32>
   cond {
    %c = stablehlo.constant dense<true> : tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %1 = stablehlo.add %x, %b : tensor<4xf32>
    stablehlo.return %1 : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}`

// An endless execution ends when its outputs are destroyed, or its client is, and its event tells why.
func TestAbandon(t *testing.T) {
	tab := table(t)
	for what, code := range map[string]pjrtc.ErrorCode{"outputs": pjrtc.ErrorCodeCANCELLED, "client": pjrtc.ErrorCodeFAILEDPRECONDITION} {
		live, end := objects(t, tab)
		c := pjrtc.Ptr[pjrtc.Client](live["client"])
		x := compile(t, tab, c, forever)
		f := call.Get()
		arg := pjrtc.Ptr[pjrtc.Buffer](live["buffer"])
		args, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 2)
		args[0], args[1] = arg, arg
		outs, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 1)
		events, _ := call.Slice[pjrtc.Ptr[pjrtc.Event]](f, 1)
		lists, _ := call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, 2)
		lists[0], lists[1] = pjrtc.ToSlice(args), pjrtc.ToSlice(outs)
		must(t, tab, &pjrtc.LoadedExecutableExecuteArgs{
			Executable: x, ArgumentLists: pjrtc.ToSlice(lists), NumDevices: 1, NumArgs: 2, OutputLists: pjrtc.ToSlice(lists[1:]),
			DeviceCompleteEvents: pjrtc.ToSlice(events),
		})
		if must(t, tab, &pjrtc.EventIsReadyArgs{Event: events[0]}).IsReady {
			t.Error("the endless execution has ended")
		}
		if what == "client" {
			must(t, tab, &pjrtc.ClientDestroyArgs{Client: c})
		} else {
			must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: outs[0]})
		}
		if got, msg := do(tab, &pjrtc.EventAwaitArgs{Event: events[0]}); got != code {
			t.Errorf("%s: %v: %s", what, got, msg)
		}
		if what == "client" {
			must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: outs[0]})
		}
		must(t, tab, &pjrtc.EventDestroyArgs{Event: events[0]})
		must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		f.Put()
		if what == "outputs" {
			end()
			continue
		}
		must(t, tab, &pjrtc.EventDestroyArgs{Event: pjrtc.Ptr[pjrtc.Event](live["event"])})
		must(t, tab, &pjrtc.ExecuteContextDestroyArgs{Context: pjrtc.Ptr[pjrtc.ExecuteContext](live["context"])})
		must(t, tab, &pjrtc.ExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.Executable](live["executable"])})
		must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.LoadedExecutable](live["loaded"])})
		must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: pjrtc.Ptr[pjrtc.Buffer](live["buffer"])})
	}
	clean(t)
}

// A broken argument list is an error that says what is wrong, and nothing runs.
func TestExecuteArguments(t *testing.T) {
	tab := table(t)
	live, end := objects(t, tab)
	f := call.Get()
	defer f.Put()
	arg := pjrtc.Ptr[pjrtc.Buffer](live["buffer"])
	args, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 2)
	outs, _ := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, 1)
	lists, _ := call.Slice[pjrtc.Ptr[pjrtc.Ptr[pjrtc.Buffer]]](f, 2)
	lists[0], lists[1] = pjrtc.ToSlice(args), pjrtc.ToSlice(outs)
	opt, _ := call.New[pjrtc.ExecuteOptions](f)
	opt.SetSize()
	keep, _ := call.Slice[int64](f, 1)
	good := pjrtc.LoadedExecutableExecuteArgs{
		Executable: pjrtc.Ptr[pjrtc.LoadedExecutable](live["loaded"]), Options: pjrtc.To(opt), ArgumentLists: pjrtc.ToSlice(lists),
		NumDevices: 1, NumArgs: 2, OutputLists: pjrtc.ToSlice(lists[1:]),
	}
	for _, c := range []struct {
		what, says string
		change     func(a *pjrtc.LoadedExecutableExecuteArgs)
	}{
		{"a null argument", "argument 1", func(*pjrtc.LoadedExecutableExecuteArgs) { args[1] = 0 }},
		{"an event as argument", "PJRT_Event", func(*pjrtc.LoadedExecutableExecuteArgs) { args[0] = pjrtc.Ptr[pjrtc.Buffer](live["event"]) }},
		{"one argument", "1 arguments", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.NumArgs = 1 }},
		{"very many arguments", "arguments", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.NumArgs = 1 << 62 }},
		{"no devices", "0 devices", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.NumDevices = 0 }},
		{"no argument list", "nil", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.ArgumentLists = 0 }},
		{"no output list", "nil", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.OutputLists = 0 }},
		{"an output list nowhere", "no memory", func(*pjrtc.LoadedExecutableExecuteArgs) { lists[1] = 8 << 40 }},
		{"an input to keep that is none", "input 9", func(*pjrtc.LoadedExecutableExecuteArgs) {
			keep[0] = 9
			opt.NonDonatableInputIndices, opt.NumNonDonatableInputIndices = pjrtc.ToSlice(keep), 1
		}},
		{"a device of nobody", "PJRT_Device", func(a *pjrtc.LoadedExecutableExecuteArgs) { a.ExecuteDevice = 77 }},
		{"short options", "PJRT_ExecuteOptions", func(*pjrtc.LoadedExecutableExecuteArgs) { opt.StructSize = 40 }},
	} {
		args[0], args[1], lists[1] = arg, arg, pjrtc.ToSlice(outs)
		*opt = pjrtc.ExecuteOptions{}
		opt.SetSize()
		a := good
		c.change(&a)
		if code, msg := do(tab, &a); code != pjrtc.ErrorCodeINVALIDARGUMENT || !strings.Contains(msg, c.says) {
			t.Errorf("%s: %v: %s", c.what, code, msg)
		}
	}
	args[0], args[1], lists[1] = arg, arg, pjrtc.ToSlice(outs)
	*opt = pjrtc.ExecuteOptions{}
	opt.SetSize()
	must(t, tab, &good)
	must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: outs[0]})
	end()
	clean(t)
}
