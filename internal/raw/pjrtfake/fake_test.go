package pjrtfake_test

import (
	"slices"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtfake"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// open makes a fake and checks its books at the end.
func open(t *testing.T, set func(*pjrtfake.Fake)) (*pjrtfake.Fake, *pjrtc.Table) {
	t.Helper()
	f := pjrtfake.New()
	if set != nil {
		set(f)
	}
	table, err := f.Table()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		for _, v := range f.Violations() {
			t.Errorf("violation: %s", v)
		}
		for kind, n := range f.Alive() {
			t.Errorf("%d of kind %s are alive", n, kind)
		}
	})
	return f, table
}

// do calls a function as C does and fails for an error.
func do[A any, P interface {
	*A
	pjrtc.Args
}](t *testing.T, table *pjrtc.Table, fill func(P)) A {
	t.Helper()
	f := call.Get()
	defer f.Put()
	a, err := call.New[A](f)
	if err != nil {
		t.Fatal(err)
	}
	if fill != nil {
		fill(P(a))
	}
	if e := pjrtc.Call(table, f, P(a)); e != 0 {
		m := do(t, table, func(a *pjrtc.ErrorMessageArgs) { a.Error = e })
		text := mem.String(m.Message, m.MessageSize, 100)
		do(t, table, func(a *pjrtc.ErrorDestroyArgs) { a.Error = e })
		t.Fatalf("%s: %s", P(a).Slot(), text)
	}
	return *a
}

// TestEverySlotIsServed calls every function with an empty argument: none is unknown to the fake.
func TestEverySlotIsServed(t *testing.T) {
	f := pjrtfake.New()
	defer f.Close()
	if _, err := f.Table(); err != nil {
		t.Fatal(err)
	}
	block, err := mem.Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Free()
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		clear(block.Bytes())
		e := f.Dispatch(s, mem.AddrOf(block.Bytes()))
		if e == 0 {
			continue
		}
		m := pjrtc.To(mem.At[pjrtc.ErrorMessageArgs](mem.AddrOf(block.Bytes()))).At()
		*m = pjrtc.ErrorMessageArgs{Error: e}
		m.SetSize()
		f.Dispatch(pjrtc.SlotErrorMessage, mem.AddrOf(block.Bytes()))
		if text := mem.String(m.Message, m.MessageSize, 100); text == s.String()+" is not in the fake" {
			t.Error(text)
		}
	}
	if slices.ContainsFunc(f.Violations(), func(v string) bool { return len(v) > 17 && v[:17] == "the fake panicked" }) {
		t.Errorf("%q", f.Violations())
	}
}

// TestExtension calls a function of an extension that a test made, twice, with an object whose end is in the books.
func TestExtension(t *testing.T) {
	_, table := open(t, func(f *pjrtfake.Fake) {
		f.Extend(19, map[string]pjrtfake.Func{
			"PJRT_Shardings_PJRT_Executable_ParameterShardings": pjrtfake.On(func(f *pjrtfake.Fake, a *pjrtc.ShardingsPJRTExecutableParameterShardingsArgs) *pjrtfake.Failure {
				a.NumParameters = 7
				return nil
			}),
		})
	})
	chain, err := table.Chain()
	if err != nil || len(chain) != 1 {
		t.Fatalf("%v, %v", chain, err)
	}
	for _, d := range pjrtc.Extensions()[19].Funcs {
		fn := chain[0].Func(d.Offset)
		if fn == 0 {
			continue
		}
		f := call.Get()
		a, err := call.New[pjrtc.ShardingsPJRTExecutableParameterShardingsArgs](f)
		if err != nil {
			t.Fatal(err)
		}
		a.SetSize()
		if e := f.Call1(call.Fn(fn), mem.AddrOfPtr(a)); e != 0 || a.NumParameters != 7 {
			t.Errorf("%s: error %#x, %d parameters", d.Name, e, a.NumParameters)
		}
		f.Put()
	}
}

// TestTransferManager moves a tensor in two pieces, held, and reads it back.
func TestTransferManager(t *testing.T) {
	f, table := open(t, nil)
	c := do[pjrtc.ClientCreateArgs](t, table, nil).Client
	defer do(t, table, func(a *pjrtc.ClientDestroyArgs) { a.Client = c })
	memories := do(t, table, func(a *pjrtc.ClientAddressableMemoriesArgs) { a.Client = c })
	block, err := mem.Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Free()
	b := block.Bytes()
	copy(b, "abcdefgh")
	dims := b[64:72]
	dims[0] = 8
	spec := mem.At[pjrtc.ShapeSpec](mem.AddrOf(b[128:]))
	spec.SetSize()
	spec.Dims, spec.NumDims, spec.ElementType = pjrtc.Ptr[int64](mem.AddrOf(dims)), 1, pjrtc.BufferTypeU8
	m := do(t, table, func(a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) {
		a.Client, a.ShapeSpecs, a.NumShapeSpecs, a.Memory = c, pjrtc.To(spec), 1, *memories.AddressableMemories.At()
	}).TransferManager
	buffer := do(t, table, func(a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) { a.TransferManager = m }).BufferOut
	ready := do(t, table, func(a *pjrtc.BufferReadyEventArgs) { a.Buffer = buffer }).Event
	f.Hold()
	var events []pjrtc.Ptr[pjrtc.Event]
	for i := range int64(2) {
		events = append(events, do(t, table, func(a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) {
			a.TransferManager, a.Data, a.Offset, a.TransferSize, a.IsLastTransfer = m, pjrtc.Addr(mem.AddrOf(b))+pjrtc.Addr(4*i), 4*i, 4, i == 1
		}).DoneWithH2dTransfer)
	}
	if do(t, table, func(a *pjrtc.EventIsReadyArgs) { a.Event = ready }).IsReady {
		t.Error("the buffer is ready before its data came")
	}
	f.Release()
	for _, e := range append(events, ready) {
		do(t, table, func(a *pjrtc.EventAwaitArgs) { a.Event = e })
		do(t, table, func(a *pjrtc.EventDestroyArgs) { a.Event = e })
	}
	got := do(t, table, func(a *pjrtc.BufferToHostBufferArgs) {
		a.Src, a.Dst, a.DstSize = buffer, pjrtc.Addr(mem.AddrOf(b[256:])), 8
	})
	do(t, table, func(a *pjrtc.EventDestroyArgs) { a.Event = got.Event })
	if s := string(b[256:264]); s != "abcdefgh" {
		t.Errorf("got %q", s)
	}
	do(t, table, func(a *pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs) { a.TransferManager = m })
	do(t, table, func(a *pjrtc.BufferDestroyArgs) { a.Buffer = buffer })
}
