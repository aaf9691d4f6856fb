package pjrtfake

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
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
		space, err := f.place("copy", a.DstDevice, 0)
		if err != nil {
			return err
		}
		n, err := f.copyTo(b, space)
		if err == nil {
			a.DstBuffer = pjrtc.Ptr[pjrtc.Buffer](n.handle)
		}
		return err
	}, func(a *pjrtc.BufferCopyToDeviceArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferCopyToMemoryArgs) *Failure {
		space, err := f.place("copy", 0, a.DstMemory)
		if err != nil {
			return err
		}
		n, err := f.copyTo(b, space)
		if err == nil {
			a.DstBuffer = pjrtc.Ptr[pjrtc.Buffer](n.handle)
		}
		return err
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

// rawSlots are what reaches into buffers.
var rawSlots = []entry{
	live(func(f *Fake, b *object, a *pjrtc.BufferUnsafePointerArgs) *Failure {
		if b.taken {
			return invalid("the buffer is deleted")
		}
		a.BufferPointer = uint64(f.pointer(b))
		return nil
	}, func(a *pjrtc.BufferUnsafePointerArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferIncreaseExternalReferenceCountArgs) *Failure {
		if b.taken {
			return bad
		}
		b.refs++
		return nil
	}, func(a *pjrtc.BufferIncreaseExternalReferenceCountArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferDecreaseExternalReferenceCountArgs) *Failure {
		if b.refs == 0 {
			f.violate("a reference was let go that nobody held")
			return bad
		}
		b.refs--
		return nil
	}, func(a *pjrtc.BufferDecreaseExternalReferenceCountArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) *Failure {
		if b.refs == 0 {
			f.violate("memory was looked at that nobody holds")
			return bad
		}
		f.views++
		a.DeviceMemoryPtr = f.pointer(b)
		return nil
	}, func(a *pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live((*Fake).copyRaw, func(a *pjrtc.BufferCopyRawToHostArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferCopyRawToHostFutureArgs) *Failure {
		if a.Offset < 0 || a.TransferSize < 0 || a.Offset+a.TransferSize > int64(b.typ.size()) {
			return failed(pjrtc.ErrorCodeOUTOFRANGE, "out of the buffer")
		}
		e := f.event(b.parent)
		o := f.make(&object{kind: "future", parent: b.parent})
		offset, size := a.Offset, a.TransferSize
		o.act = func(err *Failure) {
			if err != nil {
				f.complete(e, err)
				return
			}
			dst := pjrtc.Addr(o.total)
			f.later([]*object{b}, func() {
				if b.err == nil {
					copy(host(dst, int(size)), f.physical(b)[offset:])
				}
				f.complete(e, b.err)
			})
		}
		a.Event, a.CallbackData = pjrtc.Ptr[pjrtc.Event](e.handle), pjrtc.Addr(o.handle)
		a.FutureReadyCallback = f.Func("raw copy ready", 1, func(p []uintptr) uintptr {
			in := pjrtc.Ptr[pjrtc.BufferCopyRawToHostFutureCallbackArgs](p[0]).At()
			f.mu.Lock()
			defer f.mu.Unlock()
			if in.StructSize != pjrtc.BufferCopyRawToHostFutureCallbackArgsSize {
				f.violate("raw copy ready: a struct of %d bytes", in.StructSize)
			}
			if o := destroy(f, "future", pjrtc.Ptr[byte](in.CallbackData)); o != nil {
				o.total = int64(in.Dst)
				o.act(status(in.ErrorCode, in.ErrorMessage, in.ErrorMessageSize))
			}
			return 0
		})
		return nil
	}, func(a *pjrtc.BufferCopyRawToHostFutureArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferDonateWithControlDependencyArgs) *Failure {
		if b.taken {
			return invalid("the buffer is deleted")
		}
		n, err := f.newBuffer(b.space, b.typ, nil)
		if err != nil {
			return err
		}
		o := f.make(&object{kind: "dependency", parent: b.parent})
		data, was := b.data, b
		o.act = func(err *Failure) {
			f.when([]*object{was}, func() {
				if err == nil {
					err = was.err
				}
				if n.data = slices.Clone(data); was.data != nil {
					n.data = slices.Clone(was.data)
				}
				f.settle(n, err)
			})
		}
		b.taken = true
		f.gone(b)
		a.OutBuffer, a.CallbackData = pjrtc.Ptr[pjrtc.Buffer](n.handle), pjrtc.Addr(o.handle)
		a.DependencyReadyCallback = f.Func("dependency ready", 1, func(p []uintptr) uintptr {
			in := pjrtc.Ptr[pjrtc.BufferDonateWithControlDependencyCallbackArgs](p[0]).At()
			f.mu.Lock()
			defer f.mu.Unlock()
			if in.StructSize != pjrtc.BufferDonateWithControlDependencyCallbackArgsSize {
				f.violate("dependency ready: a struct of %d bytes", in.StructSize)
			}
			if o := destroy(f, "dependency", pjrtc.Ptr[byte](in.CallbackData)); o != nil {
				o.act(status(in.ErrorCode, in.ErrorMessage, in.ErrorMessageSize))
			}
			return 0
		})
		return nil
	}, func(a *pjrtc.BufferDonateWithControlDependencyArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	live(func(f *Fake, b *object, a *pjrtc.BufferBitcastArgs) *Failure {
		t := Type{a.ElementType, append([]int64{}, array(a.Dims, a.NumDims)...)}
		if b.taken || t.size() != b.typ.size() {
			return invalid("the types have different sizes")
		}
		n, err := f.copyTo(b, b.space)
		if err != nil {
			return err
		}
		if n.typ = t; a.DeviceLayout != 0 {
			n.order = f.layout("bitcast", t, a.DeviceLayout)
		}
		a.OutBuffer = pjrtc.Ptr[pjrtc.Buffer](n.handle)
		return nil
	}, func(a *pjrtc.BufferBitcastArgs) pjrtc.Ptr[pjrtc.Buffer] { return a.Buffer }),
	on(func(f *Fake, a *pjrtc.ClientCreateUninitializedBufferArgs) *Failure {
		get(f, "uninitialized", "client", a.Client)
		space, err := f.place("uninitialized", a.Device, a.Memory)
		if err != nil {
			return err
		}
		t := Type{a.ShapeElementType, append([]int64{}, array(a.ShapeDims, a.ShapeNumDims)...)}
		b, err := f.newBuffer(space, t, slices.Repeat([]byte{0xa5}, t.size()))
		if err != nil {
			return err
		}
		if a.ShapeLayout != 0 {
			b.order = f.layout("uninitialized", t, a.ShapeLayout)
		}
		f.settle(b, nil)
		a.Buffer = pjrtc.Ptr[pjrtc.Buffer](b.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientCreateErrorBufferArgs) *Failure {
		get(f, "error buffer", "client", a.Client)
		space, err := f.place("error buffer", 0, a.Memory)
		if err != nil {
			return err
		}
		b, err := f.newBuffer(space, Type{a.ShapeElementType, append([]int64{}, array(a.ShapeDims, a.ShapeNumDims)...)}, nil)
		if err != nil {
			return err
		}
		how := status(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if how == nil {
			f.violate("an error buffer without an error")
			how = failed(pjrtc.ErrorCodeUNKNOWN, "")
		}
		how.Payload = f.read("error buffer", a.Payload, a.NumPayload)
		b.data = []byte{}
		f.settle(b, how)
		a.Buffer = pjrtc.Ptr[pjrtc.Buffer](b.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientCreateAliasBufferArgs) *Failure {
		get(f, "alias", "client", a.Client)
		space, err := f.place("alias", 0, a.Memory)
		if err != nil {
			return err
		}
		b, err := f.newBuffer(space, Type{a.ShapeElementType, append([]int64{}, array(a.ShapeDims, a.ShapeNumDims)...)}, nil)
		if err != nil {
			return err
		}
		o := f.make(&object{kind: "alias", parent: space.parent, value: b})
		a.AliasBuffer, a.FulfillAliasBufferCb = pjrtc.Ptr[pjrtc.Buffer](b.handle), pjrtc.Ptr[pjrtc.FulfillAliasBufferCallback](o.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientFulfillAliasBufferArgs) *Failure {
		get(f, "fulfill", "client", a.Client)
		var b *object
		if a.StatusCode == pjrtc.ErrorCodeOK {
			if b = get(f, "fulfill", "buffer", a.Buffer); b == nil {
				return bad
			}
		}
		o := destroy(f, "alias", a.FulfillAliasBufferCb)
		if o == nil {
			return bad
		}
		alias := o.value.(*object)
		if b == nil {
			f.settle(alias, status(a.StatusCode, a.ErrorMessage, a.ErrorMessageSize))
			return nil
		}
		if alias.typ.size() != b.typ.size() {
			f.settle(alias, invalid("the alias has another size"))
			return invalid("the alias has another size")
		}
		f.when([]*object{b}, func() {
			alias.data = slices.Clone(b.data)
			f.settle(alias, b.err)
		})
		return nil
	}),
	on(func(f *Fake, a *pjrtc.ClientCreateViewOfDeviceBufferArgs) *Failure {
		get(f, "view", "client", a.Client)
		space, err := f.place("view", a.Device, a.Memory)
		if err != nil {
			return err
		}
		t := Type{a.ElementType, append([]int64{}, array(a.Dims, a.NumDims)...)}
		b, err := f.newBuffer(space, t, nil)
		if err != nil {
			return err
		}
		b.data = host(a.DeviceBufferPtr, t.size())
		b.native = b.data
		f.settle(b, nil)
		if a.Layout != 0 {
			b.order = f.layout("view", t, a.Layout)
		}
		if fn, p, arg := a.OnDeleteCallback, a.DeviceBufferPtr, a.OnDeleteCallbackArg; fn != 0 {
			b.onDelete = func() { call.Call(call.Fn(fn), uintptr(p), uintptr(arg)) }
		}
		a.Buffer = pjrtc.Ptr[pjrtc.Buffer](b.handle)
		return nil
	}),
}

// pointer is where the device has the buffer's data.
func (f *Fake) pointer(b *object) pjrtc.Addr {
	if b.native == nil {
		d := f.physical(b)
		p := List(f, b, d)
		b.native = array(p, uint64(len(d)))
		if len(d) == len(b.data) && slices.Equal(d, b.data) {
			b.data = b.native // what is written there is seen
		}
	}
	return addr(b.native)
}

// physical is the data in the order of the buffer's layout.
func (f *Fake) physical(b *object) []byte {
	order := f.orderOf(b)
	for i, d := range order {
		if d != int64(len(order)-1-i) {
			out := make([]byte, len(b.data))
			scatter(b.typ, b.data, out, b.typ.strides(order))
			return out
		}
	}
	return b.data
}

func (f *Fake) copyRaw(b *object, a *pjrtc.BufferCopyRawToHostArgs) *Failure {
	if b.taken {
		return invalid("the buffer is deleted")
	}
	if a.Offset < 0 || a.TransferSize < 0 || a.Offset+a.TransferSize > int64(b.typ.size()) {
		return failed(pjrtc.ErrorCodeOUTOFRANGE, "out of the buffer")
	}
	dst, offset, size := a.Dst, a.Offset, a.TransferSize
	b.users++
	e := f.newEvent(b.parent, f.late(a.Slot()), []*object{b}, func() *Failure {
		defer f.let(b)
		b.users--
		if b.err == nil {
			copy(host(dst, int(size)), f.physical(b)[offset:])
		}
		return b.err
	})
	a.Event = pjrtc.Ptr[pjrtc.Event](e.handle)
	return nil
}
