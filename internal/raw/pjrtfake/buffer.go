package pjrtfake

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

var bufferSlots = []entry{
	on((*Fake).fromHost),
	on((*Fake).toHost),
	on(func(f *Fake, a *pjrtc.BufferDestroyArgs) *Failure {
		if b := destroy(f, "buffer", a.Buffer); b != nil {
			f.gone(b)
		}
		return nil
	}),
	live(func(f *Fake, b *object, a *pjrtc.BufferDeleteArgs) *Failure {
		b.taken = true
		f.gone(b)
		return nil
	}, func(a *pjrtc.BufferDeleteArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferIsDeletedArgs) *Failure {
		a.IsDeleted = b.taken
		return nil
	}, func(a *pjrtc.BufferIsDeletedArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferElementTypeArgs) *Failure {
		a.Type = b.typ.Type
		return nil
	}, func(a *pjrtc.BufferElementTypeArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferDimensionsArgs) *Failure {
		a.Dims, a.NumDims = List(f, b, b.typ.Dims), uint64(len(b.typ.Dims))
		return nil
	}, func(a *pjrtc.BufferDimensionsArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferUnpaddedDimensionsArgs) *Failure {
		a.UnpaddedDims, a.NumDims = List(f, b, b.typ.Dims), uint64(len(b.typ.Dims))
		return nil
	}, func(a *pjrtc.BufferUnpaddedDimensionsArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferDynamicDimensionIndicesArgs) *Failure {
		a.DynamicDimIndices, a.NumDynamicDims = List(f, b, []uint64{}), 0
		return nil
	}, func(a *pjrtc.BufferDynamicDimensionIndicesArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferOnDeviceSizeInBytesArgs) *Failure {
		a.OnDeviceSizeInBytes = uint64(b.typ.size())
		return nil
	}, func(a *pjrtc.BufferOnDeviceSizeInBytesArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferDeviceArgs) *Failure {
		a.Device = pjrtc.Ptr[pjrtc.Device](b.device.handle)
		return nil
	}, func(a *pjrtc.BufferDeviceArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferMemoryArgs) *Failure {
		a.Memory = pjrtc.Ptr[pjrtc.Memory](b.space.handle)
		return nil
	}, func(a *pjrtc.BufferMemoryArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferReadyEventArgs) *Failure {
		taken := b.taken
		e := f.newEvent(b.parent, f.late(a.Slot()), []*object{b}, func() *Failure {
			if taken {
				return invalid("the buffer is deleted")
			}
			return b.err
		})
		a.Event = pjrtc.Ptr[pjrtc.Event](e.handle)
		return nil
	}, func(a *pjrtc.BufferReadyEventArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferCopyToDeviceArgs) *Failure {
		return f.copyOf(b, a.DstDevice, 0, &a.DstBuffer)
	}, func(a *pjrtc.BufferCopyToDeviceArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferCopyToMemoryArgs) *Failure {
		return f.copyOf(b, 0, a.DstMemory, &a.DstBuffer)
	}, func(a *pjrtc.BufferCopyToMemoryArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferIsOnCpuArgs) *Failure {
		a.IsOnCpu = f.OnCPU
		return nil
	}, func(a *pjrtc.BufferIsOnCpuArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferGetMemoryLayoutArgs) *Failure {
		a.Layout.SetSize()
		a.Layout.Type = pjrtc.BufferMemoryLayoutTypeTiled
		t := a.Layout.Tiled()
		t.SetSize()
		order := f.orderOf(b)
		t.MinorToMajor, t.MinorToMajorSize = List(f, b, order), uint64(len(order))
		return nil
	}, func(a *pjrtc.BufferGetMemoryLayoutArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
}

// live is a function of a buffer that was not destroyed.
func live[A any, P interface {
	*A
	pjrtc.Args
}](serve func(f *Fake, b *object, a P) *Failure, of func(P) pjrtc.Ptr[pjrtc.Buffer]) entry {
	return on(func(f *Fake, a P) *Failure {
		b := get(f, a.Slot().String(), "buffer", of(a))
		if b == nil {
			return bad
		}
		return serve(f, b, a)
	})
}

// orderOf is the buffer's layout: its dimensions, the fastest first.
func (f *Fake) orderOf(b *object) []int64 {
	if b.order != nil {
		return b.order
	}
	var order []int64
	for i := range b.typ.Dims {
		if !f.Strange {
			i = len(b.typ.Dims) - 1 - i
		}
		order = append(order, int64(i))
	}
	return order
}

// copyOf gives C a copy of a buffer, in a memory or in a device's default one.
func (f *Fake) copyOf(b *object, d pjrtc.Ptr[pjrtc.Device], m pjrtc.Ptr[pjrtc.Memory], to *pjrtc.Ptr[pjrtc.Buffer]) *Failure {
	space, err := f.place("copy", d, m)
	if err != nil {
		return err
	}
	n, err := f.copyTo(b, space)
	if err == nil {
		*to = pjrtc.Ptr[pjrtc.Buffer](n.handle)
	}
	return err
}

// copyTo makes a copy of a buffer in another memory.
func (f *Fake) copyTo(b, space *object) (*object, *Failure) {
	if b.taken {
		return nil, invalid("the buffer is deleted")
	}
	n, err := f.newBuffer(space, b.typ, nil)
	if err != nil {
		return nil, err
	}
	f.when([]*object{b}, func() {
		n.data = slices.Clone(b.data)
		if n.data == nil {
			n.data = []byte{}
		}
		f.settle(n, b.err)
	})
	return n, nil
}

func (f *Fake) fromHost(a *pjrtc.ClientBufferFromHostBufferArgs) *Failure {
	c := get(f, "put", "client", a.Client)
	space, err := f.place("put", a.Device, a.Memory)
	if c == nil || err != nil {
		return bad
	}
	t := Type{a.Type, append([]int64{}, array(a.Dims, a.NumDims)...)}
	for _, d := range t.Dims {
		if d < 0 {
			f.violate("put: a dimension of %d", d)
		}
	}
	if a.Type <= pjrtc.BufferTypeINVALID {
		f.violate("put: an element type of %d", a.Type)
	}
	strides := slices.Clone(array(a.ByteStrides, a.NumByteStrides))
	if len(strides) != 0 && len(strides) != len(t.Dims) {
		return invalid("strides of another rank")
	}
	b, err := f.newBuffer(space, t, nil)
	if err != nil {
		return err
	}
	if a.DeviceLayout != 0 {
		b.order = f.layout("put", t, a.DeviceLayout)
	}
	src := a.Data
	take := func() *Failure {
		b.data = gather(t, src, strides)
		f.settle(b, nil)
		return nil
	}
	var e *object
	switch a.HostBufferSemantics {
	case pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall:
		_ = take()
		// The call has read the memory, so its event has fired whatever the others do.
		hold, fault := f.hold, f.eventFault
		if f.hold = false; fault == LateEvent || fault == NeverEvent {
			f.eventFault = NoFault
		}
		e = f.newEvent(c, f.late(a.Slot()), nil, nil)
		f.hold, f.eventFault = hold, fault
	case pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes:
		e = f.newEvent(c, f.late(a.Slot()), nil, take)
	default:
		if len(strides) == 0 {
			b.data, b.pending = host(src, t.size()), false // the client's own memory
		} else {
			_ = take()
		}
		e = f.event(c)
		b.free = append(b.free, e)
	}
	a.Buffer, a.DoneWithHostBuffer = pjrtc.Ptr[pjrtc.Buffer](b.handle), pjrtc.Ptr[pjrtc.Event](e.handle)
	return nil
}

// gather reads a tensor of the client's, row by row.
func gather(t Type, p pjrtc.Addr, strides []int64) []byte {
	out := make([]byte, t.size())
	if len(out) == 0 {
		return out
	}
	if len(strides) == 0 {
		copy(out, host(p, len(out)))
		return out
	}
	size := t.element()
	each(t.Dims, func(i int, at []int64) {
		from := int64(p)
		for d, n := range at {
			from += n * strides[d]
		}
		copy(out[i*size:(i+1)*size], host(pjrtc.Addr(from), size))
	})
	return out
}

// each calls fn for each place of a tensor in row-major order.
func each(dims []int64, fn func(i int, at []int64)) {
	at := make([]int64, len(dims))
	for i := 0; ; i++ {
		fn(i, at)
		d := len(dims) - 1
		for ; d >= 0; d-- {
			if at[d]++; at[d] < dims[d] {
				break
			}
			at[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// layout reads all of a tiled layout of the client's, which must be a permutation.
func (f *Fake) layout(what string, t Type, p pjrtc.Ptr[pjrtc.BufferMemoryLayout]) []int64 {
	l := p.At()
	tiled := l.Tiled()
	if l.StructSize != pjrtc.BufferMemoryLayoutSize || l.Type != pjrtc.BufferMemoryLayoutTypeTiled ||
		tiled.StructSize != pjrtc.BufferMemoryLayoutTiledSize || tiled.MinorToMajorSize != uint64(len(t.Dims)) {
		f.violate("%s: the layout is damaged: %+v", what, l)
		return nil
	}
	order := append([]int64{}, array(tiled.MinorToMajor, tiled.MinorToMajorSize)...)
	sorted := slices.Sorted(slices.Values(order))
	for i, d := range sorted {
		if d != int64(i) {
			f.violate("%s: the layout's order is %v", what, order)
			return nil
		}
	}
	return order
}

// strides are those of a dense tensor whose dimensions have an order, the fastest first.
func (t Type) strides(order []int64) []int64 {
	out := make([]int64, len(t.Dims))
	n := int64(t.element())
	for _, d := range order {
		out[d] = n
		n *= t.Dims[d]
	}
	return out
}

func (f *Fake) toHost(a *pjrtc.BufferToHostBufferArgs) *Failure {
	b := get(f, "get", "buffer", a.Src)
	if b == nil {
		return bad
	}
	if b.taken {
		return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the buffer is deleted")
	}
	if a.Dst == 0 {
		a.DstSize = uint64(b.typ.size())
		return nil
	}
	if a.DstSize < uint64(b.typ.size()) {
		return invalid("too small")
	}
	var strides []int64
	switch {
	case a.HostLayout == 0:
		if len(b.typ.Dims) > 1 {
			f.violate("get: no layout for a tensor of rank %d", len(b.typ.Dims))
		}
		strides = b.typ.strides(f.orderOf(b))
	case a.HostLayout.At().Type == pjrtc.BufferMemoryLayoutTypeStrides:
		s := pjrtc.Ptr[pjrtc.BufferMemoryLayoutStrides](pjrtc.To(a.HostLayout.At().Tiled())).At()
		strides = slices.Clone(array(s.ByteStrides, s.NumByteStrides))
		if len(strides) != len(b.typ.Dims) {
			f.violate("get: %d strides for a tensor of rank %d", len(strides), len(b.typ.Dims))
			return invalid("strides of another rank")
		}
	default:
		order := f.layout("get", b.typ, a.HostLayout)
		if order == nil && len(b.typ.Dims) != 0 {
			return invalid("the layout is damaged")
		}
		strides = b.typ.strides(order)
	}
	dst, size := a.Dst, a.DstSize
	b.users++
	e := f.newEvent(b.parent, f.late(a.Slot()), []*object{b}, func() *Failure {
		defer f.let(b)
		b.users--
		if b.err != nil {
			return b.err
		}
		scatter(b.typ, b.data, host(dst, int(size)), strides)
		return nil
	})
	a.Event = pjrtc.Ptr[pjrtc.Event](e.handle)
	return nil
}

func scatter(t Type, data, dst []byte, strides []int64) {
	size := t.element()
	if len(data) == 0 {
		return
	}
	each(t.Dims, func(i int, at []int64) {
		to := int64(0)
		for d, n := range at {
			to += n * strides[d]
		}
		copy(dst[to:to+int64(size)], data[i*size:])
	})
}
