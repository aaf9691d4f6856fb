package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// The functions that let a buffer be read in place.
var (
	_ = on(func(f *Fake, a *pjrtc.BufferIsOnCpuArgs) *Failure {
		if get(f, "is on cpu", "buffer", a.Buffer) == nil {
			return bad
		}
		a.IsOnCpu = f.OnCPU
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferGetMemoryLayoutArgs) *Failure {
		b := get(f, "layout", "buffer", a.Buffer)
		if b == nil {
			return bad
		}
		var order []int64
		for i := range b.typ.Dims {
			if !f.Strange {
				i = len(b.typ.Dims) - 1 - i
			}
			order = append(order, int64(i))
		}
		a.Layout.SetSize()
		a.Layout.Type = pjrtc.BufferMemoryLayoutTypeTiled
		t := a.Layout.Tiled()
		t.SetSize()
		t.MinorToMajor, t.MinorToMajorSize = list(f, order), uint64(len(order))
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferIncreaseExternalReferenceCountArgs) *Failure {
		b := get(f, "hold", "buffer", a.Buffer)
		if b == nil || b.taken {
			return bad
		}
		b.refs++
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferDecreaseExternalReferenceCountArgs) *Failure {
		b := get(f, "let go", "buffer", a.Buffer)
		if b == nil || b.refs == 0 {
			f.violate("a reference was let go that nobody held")
			return bad
		}
		b.refs--
		return nil
	})
	_ = on(func(f *Fake, a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) *Failure {
		b := get(f, "data", "buffer", a.Buffer)
		if b == nil || b.refs == 0 {
			f.violate("memory was looked at that nobody holds")
			return bad
		}
		f.views++
		a.DeviceMemoryPtr = pjrtc.Addr(mem.Addr(list(f, b.data)))
		return nil
	})
)
