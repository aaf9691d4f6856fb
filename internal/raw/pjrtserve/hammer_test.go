package pjrtserve_test

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtserve"
)

// Of many who destroy one object, exactly one does; who uses it meanwhile gets an answer or an error.
func TestHammer(t *testing.T) {
	h := newHost(t)
	for range 50 {
		a := h.put(matrix, pjrtc.HostBufferSemanticsKImmutableZeroCopy)
		var destroyed, events atomic.Int32
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for range 5 {
					do(h.tab, &pjrtc.BufferDimensionsArgs{Buffer: a.Buffer})
					do(h.tab, &pjrtc.BufferIncreaseExternalReferenceCountArgs{Buffer: a.Buffer})
					do(h.tab, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: a.Buffer})
					if r := (&pjrtc.BufferReadyEventArgs{Buffer: a.Buffer}); g%2 == 0 {
						if code, _ := do(h.tab, r); code == pjrtc.ErrorCodeOK {
							do(h.tab, &pjrtc.EventDestroyArgs{Event: r.Event})
						}
					}
				}
				if code, _ := do(h.tab, &pjrtc.BufferDestroyArgs{Buffer: a.Buffer}); code == pjrtc.ErrorCodeOK {
					destroyed.Add(1)
				}
				// The lent memory is free now, whatever external references were forgotten.
				do(h.tab, &pjrtc.EventAwaitArgs{Event: a.DoneWithHostBuffer})
				if code, _ := do(h.tab, &pjrtc.EventDestroyArgs{Event: a.DoneWithHostBuffer}); code == pjrtc.ErrorCodeOK {
					events.Add(1)
				}
			})
		}
		wg.Wait()
		if destroyed.Load() != 1 || events.Load() != 1 {
			t.Fatalf("the buffer was destroyed %d times, the event %d times", destroyed.Load(), events.Load())
		}
		h.f.Reset()
	}
}

// Handles are never used twice.
func TestGenerations(t *testing.T) {
	tab := table(t)
	seen := map[pjrtc.Ptr[pjrtc.Event]]bool{}
	for range 10_000 {
		e := must(t, tab, &pjrtc.EventCreateArgs{}).Event
		if seen[e] {
			t.Fatalf("the handle %#x came again", uintptr(e))
		}
		seen[e] = true
		must(t, tab, &pjrtc.EventDestroyArgs{Event: e})
	}
}

// Errors that are used after their end, or destroyed twice, harm nobody.
func TestErrors(t *testing.T) {
	tab := table(t)
	f := call.Get()
	defer f.Put()
	bad, _ := call.New[pjrtc.EventAwaitArgs](f)
	var last pjrtc.Ptr[pjrtc.Error]
	for range 100 {
		e := pjrtc.Call(tab, f, bad)
		if e == 0 || e == last {
			t.Fatalf("the error %#x came again, or none", uintptr(e))
		}
		last = e
		// By its own table, as who has no PJRT_Api at hand.
		own := e.At().Vtable.At()
		if code := call.Call(call.Fn(own.GetCode), uintptr(e)); pjrtc.ErrorCode(code) != pjrtc.ErrorCodeINVALIDARGUMENT {
			t.Errorf("code %d", code)
		}
		out, _ := call.Slice[uint64](f, 2)
		call.Call(call.Fn(own.Message), uintptr(e), uintptr(mem.AddrOf(out)), uintptr(mem.AddrOf(out[1:])))
		if msg := mem.String(mem.Addr(out[0]), out[1], 1000); msg == "" {
			t.Error("no text")
		}
		call.Call(call.Fn(own.Destroy), uintptr(e))
		for range 2 {
			if code, msg := drop(tab, e); code != pjrtc.ErrorCodeOK || msg != "" {
				t.Errorf("an error that was destroyed says %v, %q", code, msg)
			}
		}
		f.Reset()
		bad, _ = call.New[pjrtc.EventAwaitArgs](f)
	}
	if n := pjrtserve.Live()["PJRT_Error"]; n != 0 {
		t.Errorf("%d errors alive", n)
	}
}

// Whatever bytes are given as compile options or as a serialized executable, there is an executable or an error.
func FuzzBytes(f *testing.F) {
	f.Add([]byte{0x1a, 0x04, 0x20, 0x01, 0x28, 0x01})
	f.Add([]byte("\x0a\x01x"))
	f.Add([]byte{0x1a, 0x0c, 0x4a, 0x0a, 0x08, 0x01, 0x10, 0x01, 0x1a, 0x04, 0x0a, 0x02, 0x00, 0x00})
	tab := table(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		c := must(t, tab, &pjrtc.ClientCreateArgs{}).Client
		fr := call.Get()
		defer fr.Put()
		b, _ := call.Slice[byte](fr, max(len(in), 1))
		copy(b, in)
		p, _ := call.New[pjrtc.Program](fr)
		p.SetSize()
		code, _ := fr.Text(add)
		format, _ := fr.Text("mlir")
		p.Code, p.CodeSize, p.Format, p.FormatSize = pjrtc.Ptr[byte](code), uint64(len(add)), pjrtc.Ptr[byte](format), 4
		a := &pjrtc.ClientCompileArgs{Client: c, Program: pjrtc.To(p), CompileOptions: pjrtc.ToSlice(b), CompileOptionsSize: uint64(len(in))}
		if code, _ := do(tab, a); code == pjrtc.ErrorCodeOK {
			must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: a.Executable})
		}
		sum := sha256.Sum256(in)
		whole := append(append([]byte("isthmus executable 2\n"), sum[:]...), in...)
		x, _ := call.Slice[byte](fr, len(whole))
		copy(x, whole)
		d := &pjrtc.ExecutableDeserializeAndLoadArgs{Client: c, SerializedExecutable: pjrtc.ToSlice(x), SerializedExecutableSize: uint64(len(x))}
		if code, _ := do(tab, d); code == pjrtc.ErrorCodeOK {
			must(t, tab, &pjrtc.LoadedExecutableDestroyArgs{Executable: d.LoadedExecutable})
		}
		tp := &pjrtc.TopologyDescriptionDeserializeArgs{SerializedTopology: pjrtc.ToSlice(b), SerializedTopologySize: uint64(len(in))}
		if code, _ := do(tab, tp); code == pjrtc.ErrorCodeOK {
			must(t, tab, &pjrtc.TopologyDescriptionDestroyArgs{Topology: tp.Topology})
		}
		must(t, tab, &pjrtc.ClientDestroyArgs{Client: c})
	})
}
