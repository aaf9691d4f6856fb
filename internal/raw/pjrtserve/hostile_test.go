package pjrtserve_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/device"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// table is the embedded device's.
func table(t testing.TB) *pjrtc.Table {
	t.Helper()
	tab, err := device.Table(device.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// raw calls a function with any bytes as its argument struct, which lie at the end of their memory.
func raw(tab *pjrtc.Table, s pjrtc.Slot, arg mem.Addr) (code pjrtc.ErrorCode, msg string) {
	r := call.Call1(tab.Fn(s), arg)
	if !s.ReturnsError() || r == 0 {
		return pjrtc.ErrorCodeOK, ""
	}
	return drop(tab, pjrtc.Ptr[pjrtc.Error](r))
}

// drop reads an error and destroys it.
func drop(tab *pjrtc.Table, e pjrtc.Ptr[pjrtc.Error]) (code pjrtc.ErrorCode, msg string) {
	if e == 0 {
		return pjrtc.ErrorCodeOK, ""
	}
	f := call.Get()
	defer f.Put()
	c, _ := call.New[pjrtc.ErrorGetCodeArgs](f)
	c.Error = e
	if bad := pjrtc.Call(tab, f, c); bad != 0 {
		destroyError(tab, f, bad)
	}
	m, _ := call.New[pjrtc.ErrorMessageArgs](f)
	m.Error = e
	pjrtc.Call(tab, f, m)
	msg = mem.String(m.Message, m.MessageSize, 1<<16)
	destroyError(tab, f, e)
	return c.Code, msg
}

func destroyError(tab *pjrtc.Table, f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) {
	d, _ := call.New[pjrtc.ErrorDestroyArgs](f)
	d.Error = e
	pjrtc.Call(tab, f, d)
}

// do calls a function as a correct client does; the result is its error's code and text.
func do[A any, P interface {
	*A
	pjrtc.Args
}](tab *pjrtc.Table, a P) (pjrtc.ErrorCode, string) {
	f := call.Get()
	defer f.Put()
	n, err := call.New[A](f)
	if err != nil {
		panic(err)
	}
	*n = *a
	e := pjrtc.Call(tab, f, P(n))
	*a = *n
	return drop(tab, e)
}

// must is do that has to succeed.
func must[A any, P interface {
	*A
	pjrtc.Args
}](t testing.TB, tab *pjrtc.Table, a P) P {
	t.Helper()
	if code, msg := do[A](tab, a); code != pjrtc.ErrorCodeOK {
		t.Fatalf("%v: %v: %s", a.Slot(), code, msg)
	}
	return a
}

// objects makes one object of each kind. end destroys them.
func objects(t testing.TB, tab *pjrtc.Table) (handles map[string]uintptr, end func()) {
	t.Helper()
	f := call.Get()
	c := must(t, tab, &pjrtc.ClientCreateArgs{}).Client
	dev := must(t, tab, &pjrtc.ClientDevicesArgs{Client: c})
	list, err := dev.Devices.Slice(dev.NumDevices)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	d := list[0]
	dims, _ := call.Slice[int64](f, 1)
	dims[0] = 4
	data, _ := call.Slice[float32](f, 4)
	put := must(t, tab, &pjrtc.ClientBufferFromHostBufferArgs{
		Client: c, Data: pjrtc.Addr(mem.AddrOf(data)), Type: pjrtc.BufferTypeF32, Dims: pjrtc.ToSlice(dims), NumDims: 1, Device: d,
	})
	x := compile(t, tab, c, add)
	e := must(t, tab, &pjrtc.LoadedExecutableGetExecutableArgs{LoadedExecutable: x}).Executable
	m := must(t, tab, &pjrtc.DeviceDefaultMemoryArgs{Device: d}).Memory
	desc := must(t, tab, &pjrtc.DeviceGetDescriptionArgs{Device: d}).DeviceDescription
	top := must(t, tab, &pjrtc.ClientTopologyDescriptionArgs{Client: c}).Topology
	ctx := must(t, tab, &pjrtc.ExecuteContextCreateArgs{}).Context
	ev := put.DoneWithHostBuffer
	return map[string]uintptr{
		"client": uintptr(c), "device": uintptr(d), "buffer": uintptr(put.Buffer), "loaded": uintptr(x), "executable": uintptr(e),
		"memory": uintptr(m), "description": uintptr(desc), "topology": uintptr(top), "context": uintptr(ctx), "event": uintptr(ev),
	}, func() {
		must(t, tab, &pjrtc.EventDestroyArgs{Event: ev})
		must(t, tab, &pjrtc.ExecuteContextDestroyArgs{Context: ctx})
		must(t, tab, &pjrtc.ExecutableDestroyArgs{Executable: e})
		must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: x})
		must(t, tab, &pjrtc.BufferDestroyArgs{Buffer: put.Buffer})
		must(t, tab, &pjrtc.ClientDestroyArgs{Client: c})
		f.Put()
	}
}

const add = `func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %a, %b : tensor<4xf32>
  return %0 : tensor<4xf32>
}`

func compile(t testing.TB, tab *pjrtc.Table, c pjrtc.Ptr[pjrtc.Client], code string) pjrtc.Ptr[pjrtc.LoadedExecutable] {
	t.Helper()
	f := call.Get()
	defer f.Put()
	p, _ := call.New[pjrtc.Program](f)
	p.SetSize()
	at, _ := f.Text(code)
	format, _ := f.Text("mlir")
	p.Code, p.CodeSize = pjrtc.Ptr[byte](at), uint64(len(code))
	p.Format, p.FormatSize = pjrtc.Ptr[byte](format), 4
	return must(t, tab, &pjrtc.ClientCompileArgs{Client: c, Program: pjrtc.To(p)}).Executable
}

// clean checks that C has destroyed everything.
func clean(t testing.TB) {
	t.Helper()
	if live := pjrtserve.Live(); len(live) > 0 {
		t.Errorf("still alive: %v", live)
	}
}

// Every function refuses a null and a misaligned argument struct, and one that says it is too short, and has a name in
// what it says.
func TestArgumentStructs(t *testing.T) {
	tab := table(t)
	if missing := tab.Missing(); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	f := call.Get()
	defer f.Put()
	block, _ := call.Slice[uint64](f, 64)
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		for _, c := range []struct {
			arg  mem.Addr
			says string
		}{
			{0, "null"},
			{mem.AddrOf(block) + 1, "misaligned"},
			{mem.AddrOf(block), "size"},
		} {
			code, msg := raw(tab, s, c.arg)
			if !s.ReturnsError() {
				continue
			}
			if code == pjrtc.ErrorCodeUNIMPLEMENTED && strings.Contains(msg, s.String()) {
				continue
			}
			if code != pjrtc.ErrorCodeINVALIDARGUMENT || !strings.Contains(msg, s.String()) || !strings.Contains(msg, c.says) {
				t.Errorf("%v with %s arguments: %v: %s", s, c.says, code, msg)
			}
		}
	}
	clean(t)
}

// sizes are the struct sizes that the functions want, as they say themselves.
func sizes(t testing.TB, tab *pjrtc.Table) map[pjrtc.Slot]uint64 {
	t.Helper()
	f := call.Get()
	defer f.Put()
	block, _ := call.Slice[uint64](f, 1)
	all := map[pjrtc.Slot]uint64{}
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		_, msg := raw(tab, s, mem.AddrOf(block))
		var n uint64
		if _, after, ok := strings.Cut(msg, "expected "); ok {
			fmt.Sscanf(after, "%d", &n)
		}
		if n == 0 {
			n = 64
		}
		all[s] = n
	}
	return all
}

// No function is served with a handle of the wrong kind, one that was destroyed, or a number that never was one.
func TestHandles(t *testing.T) {
	tab := table(t)
	live, end := objects(t, tab)
	stale, gone := objects(t, tab)
	gone()
	size := sizes(t, tab)
	f := call.Get()
	defer f.Put()
	keep := kept(live)
	bad := map[string]uintptr{"no handle": 0xdeadbeef, "wild": 0x5fffffffffffffff, "negative": ^uintptr(0)}
	for k, h := range stale {
		bad["stale "+k] = h
	}
	free := map[pjrtc.Slot]bool{ // their first field is no handle
		pjrtc.SlotPluginInitialize: true, pjrtc.SlotPluginAttributes: true, pjrtc.SlotClientCreate: true, pjrtc.SlotEventCreate: true,
		pjrtc.SlotExecuteContextCreate: true, pjrtc.SlotTopologyDescriptionCreate: true, pjrtc.SlotTopologyDescriptionDeserialize: true,
	}
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		if free[s] || !s.ReturnsError() {
			continue
		}
		for what, h := range bad {
			block, _ := call.Slice[uint64](f, int(size[s]+7)/8)
			block[0], block[2] = size[s], uint64(h)
			code, msg := raw(tab, s, mem.AddrOf(block))
			if code != pjrtc.ErrorCodeINVALIDARGUMENT && code != pjrtc.ErrorCodeUNIMPLEMENTED {
				t.Errorf("%v with %s: %v: %s", s, what, code, msg)
			}
			f.Reset()
		}
		wrong := 0
		for _, h := range live {
			block, _ := call.Slice[uint64](f, int(size[s]+7)/8)
			block[0], block[2] = size[s], uint64(h)
			if strings.Contains(s.String(), "Destroy") || strings.Contains(s.String(), "Delete") {
				f.Reset()
				continue
			}
			code, _ := raw(tab, s, mem.AddrOf(block))
			if code == pjrtc.ErrorCodeINVALIDARGUMENT || code == pjrtc.ErrorCodeUNIMPLEMENTED {
				wrong++
			}
			// What a function made of a right handle is destroyed below, with the rest.
			reap(tab, s, block, code == pjrtc.ErrorCodeOK, keep)
			f.Reset()
		}
		if !strings.Contains(s.String(), "Destroy") && !strings.Contains(s.String(), "Delete") && wrong < len(live)-1 {
			t.Errorf("%v took %d kinds of handles", s, len(live)-wrong)
		}
	}
	// Destroying twice, or as another kind.
	for _, h := range live {
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			if !strings.HasSuffix(s.String(), "_Destroy") || s == pjrtc.SlotErrorDestroy {
				continue
			}
			block, _ := call.Slice[uint64](f, 3)
			block[0], block[2] = 24, uint64(h)
			kind := strings.TrimSuffix(strings.TrimPrefix(s.String(), "PJRT_"), "_Destroy")
			own := map[string]uintptr{
				"Client": live["client"], "Buffer": live["buffer"], "LoadedExecutable": live["loaded"], "Executable": live["executable"],
				"Event": live["event"], "ExecuteContext": live["context"],
			}
			if own[kind] == h {
				continue
			}
			if code, msg := raw(tab, s, mem.AddrOf(block)); code == pjrtc.ErrorCodeOK {
				t.Errorf("%v took a handle of another kind: %s", s, msg)
			}
			f.Reset()
		}
	}
	end()
	clean(t)
}

// reap destroys what a call, that succeeded if fresh, may have made: any word of the struct that is a live handle of a kind that callers own.
func reap(tab *pjrtc.Table, s pjrtc.Slot, block []uint64, fresh bool, keep map[uint64]bool) {
	if strings.Contains(s.String(), "Client_TopologyDescription") {
		return
	}
	// A promise to call back is kept, with an error.
	at := map[pjrtc.Slot]int{pjrtc.SlotBufferCopyRawToHostFuture: 6, pjrtc.SlotBufferDonateWithControlDependency: 3}[s]
	if at > 0 && block[at]>>60 == 5 && block[at+1] > 1<<16 && block[at+1]>>47 == 0 && fresh {
		f := call.Get()
		c, _ := call.New[pjrtc.BufferCopyRawToHostFutureCallbackArgs](f)
		c.SetSize()
		c.CallbackData, c.ErrorCode = pjrtc.Addr(block[at]), pjrtc.ErrorCodeCANCELLED
		call.Call1(call.Fn(block[at+1]), mem.AddrOfPtr(c))
		f.Put()
	}
	for i, w := range block[2:] {
		if i == 0 || w == 0 || keep[w] {
			continue
		}
		do(tab, &pjrtc.EventDestroyArgs{Event: pjrtc.Ptr[pjrtc.Event](w)})
		do(tab, &pjrtc.BufferDestroyArgs{Buffer: pjrtc.Ptr[pjrtc.Buffer](w)})
		do(tab, &pjrtc.ExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.Executable](w)})
		do(tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: pjrtc.Ptr[pjrtc.LoadedExecutable](w)})
		do(tab, &pjrtc.ExecuteContextDestroyArgs{Context: pjrtc.Ptr[pjrtc.ExecuteContext](w)})
		do(tab, &pjrtc.AsyncTrackingEventDestroyArgs{Event: pjrtc.Ptr[pjrtc.AsyncTrackingEvent](w)})
		do(tab, &pjrtc.TopologyDescriptionDestroyArgs{Topology: pjrtc.Ptr[pjrtc.TopologyDescription](w)})
		do(tab, &pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs{TransferManager: pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager](w)})
		do(tab, &pjrtc.ClientDestroyArgs{Client: pjrtc.Ptr[pjrtc.Client](w)})
		if i+1 < len(block[2:]) && block[2+i+1] != 0 && (strings.Contains(s.String(), "erialize") || strings.Contains(s.String(), "GetAttributes") ||
			strings.Contains(s.String(), "GetCompileOptions") || strings.Contains(s.String(), "GetDeviceAssignment")) && w>>60 == 5 && fresh {
			call.Call1(call.Fn(block[2+i+1]), mem.Addr(w)) // a holder and its deleter
		}
	}
}

// kept are the handles that a test destroys itself.
func kept(live map[string]uintptr) map[uint64]bool {
	keep := map[uint64]bool{}
	for _, h := range live {
		keep[uint64(h)] = true
	}
	return keep
}

// words are what a hostile or broken caller has lying around.
func words(live map[string]uintptr, valid mem.Addr) []uint64 {
	w := []uint64{
		0, 1, 2, 3, 4, 7, 8, 16, 23, 24, 63, 64, 255, 256, 1 << 16, 1 << 20, 1 << 31, 1<<31 - 1, 1 << 32, 1 << 40, 1 << 47, 1 << 62, 1 << 63,
		^uint64(0), ^uint64(7), 0xdeadbeef, 0x1000, 0x7fffffffffff, 0x800000000000,
	}
	for _, h := range live {
		w = append(w, uint64(h), uint64(h)+1, uint64(h)^1<<30)
	}
	for range 8 {
		w = append(w, uint64(valid))
	}
	return w
}

// fuzzOne calls one function with a struct of hostile words.
func fuzzOne(tab *pjrtc.Table, s pjrtc.Slot, size uint64, keep map[uint64]bool, pick func() uint64) {
	f := call.Get()
	defer f.Put()
	block, _ := call.Slice[uint64](f, int(size+7)/8)
	for i := range block {
		block[i] = pick()
	}
	block[0] = size
	code, _ := raw(tab, s, mem.AddrOf(block))
	reap(tab, s, block, code == pjrtc.ErrorCodeOK && s.ReturnsError(), keep)
}

// callbacks are the functions that call what the caller names: a wild function ends the process, whoever calls it.
var callbacks = map[pjrtc.Slot]bool{
	pjrtc.SlotEventOnReady: true, pjrtc.SlotErrorForEachPayload: true, pjrtc.SlotClientCreateViewOfDeviceBuffer: true, pjrtc.SlotEventAwait: true,
}

// Whatever words are in the argument structs, no function crashes, hangs or loses an object.
func TestHostileWords(t *testing.T) {
	tab := table(t)
	size := sizes(t, tab)
	rounds := 80
	if testing.Short() {
		rounds = 10
	}
	for seed := range uint64(3) {
		live, end := objects(t, tab)
		keep := kept(live)
		rnd := rand.New(rand.NewPCG(seed, 1))
		// Memory that may be read and written: bytes that say little.
		room, err := mem.Alloc(1<<16, 64)
		if err != nil {
			t.Fatal(err)
		}
		w := words(live, mem.AddrOf(room.Bytes()))
		for s := range pjrtc.Slot(pjrtc.NumSlots) {
			if callbacks[s] || strings.HasSuffix(s.String(), "_Destroy") || strings.HasSuffix(s.String(), "_Create") {
				continue
			}
			for range rounds {
				for i := range 32 {
					binary.LittleEndian.PutUint64(room.Bytes()[8*i:], w[rnd.IntN(len(w))])
				}
				fuzzOne(tab, s, size[s], keep, func() uint64 { return w[rnd.IntN(len(w))] })
			}
		}
		end()
		if err := room.Free(); err != nil {
			t.Error(err)
		}
	}
	clean(t)
}

// Each byte picks a word of the argument struct, the first the function.
func FuzzSlots(f *testing.F) {
	for s := range pjrtc.NumSlots {
		f.Add([]byte{byte(s), 30, 33, 36, 39, 42, 45, 48, 51, 54, 57, 60, 0, 1, 2})
	}
	tab := table(f)
	size := sizes(f, tab)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 || int(in[0]) >= pjrtc.NumSlots {
			return
		}
		s := pjrtc.Slot(in[0])
		if callbacks[s] || strings.HasSuffix(s.String(), "_Destroy") || strings.HasSuffix(s.String(), "_Create") {
			return
		}
		live, end := objects(t, tab)
		defer end()
		f := call.Get()
		defer f.Put()
		room, _ := call.Slice[uint64](f, 256)
		w := words(live, mem.AddrOf(room))
		i := 0
		pick := func() uint64 {
			i++
			return w[int(in[i%len(in)])%len(w)]
		}
		for j := range room[:32] {
			room[j] = pick()
		}
		fuzzOne(tab, s, size[s], kept(live), pick)
	})
}
