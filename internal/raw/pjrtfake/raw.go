package pjrtfake

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

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
		var order []int64
		if a.Layout != 0 {
			order = f.layout("view", t, a.Layout)
			for i, d := range order {
				if d != int64(len(order)-1-i) {
					return failed(pjrtc.ErrorCodeUNIMPLEMENTED, "memory that is looked at must be row-major")
				}
			}
		}
		b, err := f.newBuffer(space, t, nil)
		if err != nil {
			return err
		}
		b.data = host(a.DeviceBufferPtr, t.size())
		b.native = b.data
		f.settle(b, nil)
		b.order = order
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
