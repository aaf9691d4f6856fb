package pjrttest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func bufferChecks() []check {
	semantics := func(id string, how pjrtc.HostBufferSemantics, about string) check {
		return check{"buffer.put-" + id, about, func(t *probe) {
			v := iota(1024)
			b, done := t.putWith(v, func(a *pjrtc.ClientBufferFromHostBufferArgs) { a.Device, a.HostBufferSemantics = t.device(), how })
			if how == pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall || how == pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes {
				t.must(t.await(done))
			} else if done != 0 {
				// The event of a zero-copy buffer fires when the buffer is gone, so it is waited for after that.
				t.after(func() { quiet(t, &pjrtc.EventDestroyArgs{Event: done}) })
			}
			t.must(t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event))
			t.holds(b, v)
		}}
	}
	zeroCopy := func(t *probe, how pjrtc.HostBufferSemantics) {
		a := do(t, &pjrtc.ClientBufferFromHostBufferArgs{
			Client: t.shared(), Data: t.host(iota(1024).data), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 1024), NumDims: 1,
			HostBufferSemantics: how, Device: t.device(),
		})
		_, err := try(t, &pjrtc.BufferDestroyArgs{Buffer: a.Buffer})
		t.must(err)
		t.must(t.await(a.DoneWithHostBuffer))
	}
	layoutOf := func(t *probe, b pjrtc.Ptr[pjrtc.Buffer]) []int64 {
		l := do(t, &pjrtc.BufferGetMemoryLayoutArgs{Buffer: b})
		if l.Layout.Type != pjrtc.BufferMemoryLayoutTypeTiled {
			t.lacks("the layout is given by strides")
		}
		tiled := l.Layout.Tiled()
		return items(t, "minor to major", tiled.MinorToMajor, tiled.MinorToMajorSize)
	}
	return []check{
		semantics("during-call", pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall, "host memory lent for the call"),
		semantics("until-transferred", pjrtc.HostBufferSemanticsKImmutableUntilTransferCompletes, "host memory lent until the event fires"),
		semantics("zero-copy", pjrtc.HostBufferSemanticsKImmutableZeroCopy, "host memory lent while the buffer lives"),
		semantics("mutable-zero-copy", pjrtc.HostBufferSemanticsKMutableZeroCopy, "host memory given while the buffer lives"),
		{"buffer.during-call-copies", "memory that is lent for the call may change afterwards", func(t *probe) {
			v := iota(4096)
			host := t.host(v.data)
			a := do(t, &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: host, Type: v.typ, Dims: list(t, v.dims...), NumDims: 1, Device: t.device()})
			t.destroyLater(a.Buffer)
			s, err := mem.Slice[byte](host, len(v.data))
			t.must(err)
			clear(s)
			t.must(t.await(a.DoneWithHostBuffer))
			t.holds(a.Buffer, v)
		}},
		{"buffer.zero-copy-done", "the event of a zero-copy buffer fires when the buffer is gone", func(t *probe) { zeroCopy(t, pjrtc.HostBufferSemanticsKImmutableZeroCopy) }},
		{"buffer.mutable-zero-copy-done", "and so for memory that is given", func(t *probe) { zeroCopy(t, pjrtc.HostBufferSemanticsKMutableZeroCopy) }},
		{"buffer.scalar", "a tensor without dimensions", func(t *probe) { t.holds(t.put(f32(nil, 3)), f32(nil, 3)) }},
		{"buffer.empty", "a tensor without elements", func(t *probe) { t.holds(t.put(f32([]int64{0})), f32([]int64{0})) }},
		{"buffer.empty-middle", "a tensor with a dimension of nothing in the middle", func(t *probe) { t.holds(t.put(f32([]int64{2, 0, 3})), f32([]int64{2, 0, 3})) }},
		{"buffer.rank-8", "a tensor of eight dimensions", func(t *probe) { t.holds(t.put(iota(2, 1, 3, 1, 2, 1, 2, 2)), iota(2, 1, 3, 1, 2, 1, 2, 2)) }},
		{"buffer.large", "a tensor of 32 MiB", func(t *probe) {
			data := make([]byte, 32<<20)
			r := rand.New(rand.NewPCG(1, 2))
			for i := 0; i < len(data); i += 8 {
				binary.LittleEndian.PutUint64(data[i:], r.Uint64())
			}
			v := tensor{pjrtc.BufferTypeU8, []int64{32 << 20}, data}
			t.holds(t.put(v), v)
		}},
		{"buffer.unknown-type", "an element type that does not exist is an error", func(t *probe) {
			refuse(t, "element type 1000", &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: t.host(make([]byte, 16)), Type: 1000, Dims: list[int64](t, 4), NumDims: 1, Device: t.device()})
		}},
		{"buffer.negative-dimension", "a negative dimension is an error", func(t *probe) {
			refuse(t, "dimension -4", &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: t.host(make([]byte, 16)), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, -4), NumDims: 1, Device: t.device()})
		}},
		{"buffer.element-type", "a buffer knows its element type", func(t *probe) {
			typ := do(t, &pjrtc.BufferElementTypeArgs{Buffer: t.put(vec(1))}).Type
			t.want(typ == pjrtc.BufferTypeF32, "it is %v", typ)
		}},
		{"buffer.dimensions", "a buffer knows its dimensions", func(t *probe) {
			a := do(t, &pjrtc.BufferDimensionsArgs{Buffer: t.put(iota(2, 3, 4))})
			d := items(t, "dimensions", a.Dims, a.NumDims)
			t.want(slices.Equal(d, []int64{2, 3, 4}), "they are %v", d)
		}},
		{"buffer.unpadded-dimensions", "without padding they are the same", func(t *probe) {
			a := do(t, &pjrtc.BufferUnpaddedDimensionsArgs{Buffer: t.put(iota(2, 3, 4))})
			d := items(t, "dimensions", a.UnpaddedDims, a.NumDims)
			t.want(slices.Equal(d, []int64{2, 3, 4}), "they are %v", d)
		}},
		{"buffer.dynamic-dimensions", "a static buffer has no dynamic dimensions", func(t *probe) {
			a := do(t, &pjrtc.BufferDynamicDimensionIndicesArgs{Buffer: t.put(iota(2, 3))})
			t.want(a.NumDynamicDims == 0, "it has %d", a.NumDynamicDims)
		}},
		{"buffer.layout", "a buffer knows its layout: each dimension once", func(t *probe) {
			l := layoutOf(t, t.put(iota(2, 3, 4)))
			t.note("%v", l)
			slices.Sort(l)
			t.want(slices.Equal(l, []int64{0, 1, 2}), "the dimensions are %v", l)
		}},
		{"buffer.size", "a buffer takes at least its elements' bytes", func(t *probe) {
			n := do(t, &pjrtc.BufferOnDeviceSizeInBytesArgs{Buffer: t.put(iota(100))}).OnDeviceSizeInBytes
			t.want(n >= 400, "it takes %d", n)
		}},
		{"buffer.device", "a buffer knows its device", func(t *probe) {
			for _, d := range t.devices() {
				t.want(do(t, &pjrtc.BufferDeviceArgs{Buffer: t.putOn(d, vec(1))}).Device == d, "it says another")
			}
		}},
		{"buffer.memory", "a buffer is in the default memory of its device", func(t *probe) {
			t.want(do(t, &pjrtc.BufferMemoryArgs{Buffer: t.put(vec(1))}).Memory == t.defaultMemory(), "it says another")
		}},
		{"buffer.is-on-cpu", "a buffer says whether it is in the host's memory", func(t *probe) {
			t.note("%v", do(t, &pjrtc.BufferIsOnCpuArgs{Buffer: t.put(vec(1))}).IsOnCpu)
		}},
		{"buffer.ready", "a buffer has an event for its content, each time another", func(t *probe) {
			b := t.put(vec(1))
			e, f := do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event, do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event
			t.must(t.await(e))
			t.must(t.await(f))
		}},
		{"buffer.get-size", "asking without memory gives the size that is needed", func(t *probe) {
			a := do(t, &pjrtc.BufferToHostBufferArgs{Src: t.put(iota(2, 3)), HostLayout: t.layout(rowMajor(2)...)})
			t.want(a.DstSize == 24, "it is %d bytes, want 24", a.DstSize)
		}},
		{"buffer.get-default-layout", "reading without a layout gives the buffer's own", func(t *probe) {
			b, dst := t.put(iota(100)), t.host(make([]byte, 400))
			a := do(t, &pjrtc.BufferToHostBufferArgs{Src: b, Dst: dst, DstSize: 400})
			t.must(t.await(a.Event))
			t.want(bytes.Equal(bytesAt(t, dst, 400), iota(100).data), "the content differs")
		}},
		{"buffer.get-too-small", "memory that is too small is an error", func(t *probe) {
			dst := t.host(bytes.Repeat([]byte{0xa5}, 64))
			a, err := try(t, &pjrtc.BufferToHostBufferArgs{Src: t.put(iota(100)), Dst: dst, DstSize: 8})
			if err == nil {
				err = t.await(a.Event)
			}
			t.want(err != nil, "the plugin writes into it")
			t.must(notMissing(t, err))
			t.want(bytes.Equal(bytesAt(t, dst, 64)[8:], bytes.Repeat([]byte{0xa5}, 56)), "the plugin wrote past the memory's end")
		}},
		{"buffer.get-twice", "reading does not change a buffer", func(t *probe) {
			b := t.put(iota(64))
			for range 3 {
				t.holds(b, iota(64))
			}
		}},
		{"buffer.raw", "a part of the raw bytes can be copied", func(t *probe) {
			dst := t.host(make([]byte, 16))
			a := optional(t, &pjrtc.BufferCopyRawToHostArgs{Buffer: t.put(iota(16)), Dst: dst, Offset: 8, TransferSize: 16})
			t.must(t.await(a.Event))
			t.want(bytes.Equal(bytesAt(t, dst, 16), iota(16).data[8:24]), "the bytes differ")
		}},
		{"buffer.raw-outside", "raw bytes past the end are an error", func(t *probe) {
			b := t.put(iota(16))
			n := int64(do(t, &pjrtc.BufferOnDeviceSizeInBytesArgs{Buffer: b}).OnDeviceSizeInBytes)
			for _, at := range [][2]int64{{n - 8, 16}, {n + 4096, 8}, {-8, 8}, {0, n + 4096}} {
				a, err := try(t, &pjrtc.BufferCopyRawToHostArgs{Buffer: b, Dst: t.host(make([]byte, n+8192)), Offset: at[0], TransferSize: at[1]})
				if err == nil {
					err = t.await(a.Event)
				}
				t.must(notMissing(t, err))
				t.want(err != nil, "%d bytes from %d of %d are copied", at[1], at[0], n)
			}
		}},
		{"buffer.raw-later", "the raw bytes are copied to memory that is named later", func(t *probe) {
			dst := t.host(make([]byte, 64))
			a := optional(t, &pjrtc.BufferCopyRawToHostFutureArgs{Buffer: t.put(iota(16)), TransferSize: 64})
			t.want(a.FutureReadyCallback != 0, "there is no callback")
			there := place(t, &pjrtc.BufferCopyRawToHostFutureCallbackArgs{StructSize: pjrtc.BufferCopyRawToHostFutureCallbackArgsSize, CallbackData: a.CallbackData, Dst: dst})
			t.frame.Call1(call.Fn(a.FutureReadyCallback), mem.AddrOfPtr(there))
			t.must(t.await(a.Event))
			t.want(bytes.Equal(bytesAt(t, dst, 64), iota(16).data), "the bytes differ")
		}},
		{"buffer.raw-never", "an error instead of the memory ends the copy", func(t *probe) {
			a := optional(t, &pjrtc.BufferCopyRawToHostFutureArgs{Buffer: t.put(iota(16)), TransferSize: 64})
			t.want(a.FutureReadyCallback != 0, "there is no callback")
			there := place(t, &pjrtc.BufferCopyRawToHostFutureCallbackArgs{
				StructSize: pjrtc.BufferCopyRawToHostFutureCallbackArgsSize, CallbackData: a.CallbackData,
				ErrorCode: pjrtc.ErrorCodeCANCELLED, ErrorMessage: text(t, "given up"), ErrorMessageSize: 8,
			})
			t.frame.Call1(call.Fn(a.FutureReadyCallback), mem.AddrOfPtr(there))
			t.want(t.await(a.Event) != nil, "its event carries no error")
		}},
		{"buffer.delete", "a deleted buffer says so; deleting it again is no crash", func(t *probe) {
			b := t.put(vec(1))
			t.want(!do(t, &pjrtc.BufferIsDeletedArgs{Buffer: b}).IsDeleted, "a new one is deleted")
			do(t, &pjrtc.BufferDeleteArgs{Buffer: b})
			t.want(do(t, &pjrtc.BufferIsDeletedArgs{Buffer: b}).IsDeleted, "it says that it is not")
			_, err := try(t, &pjrtc.BufferDeleteArgs{Buffer: b})
			t.note("again: %v", err)
		}},
		{"buffer.get-deleted", "reading a deleted buffer is an error", func(t *probe) {
			b := t.put(vec(1))
			do(t, &pjrtc.BufferDeleteArgs{Buffer: b})
			_, err := t.read(b, 4, 1)
			t.want(err != nil, "it is read")
			t.must(notMissing(t, err))
		}},
		{"buffer.describe-deleted", "a deleted buffer still knows its type and dimensions, or says that it is deleted", func(t *probe) {
			b := t.put(vec(1, 2))
			do(t, &pjrtc.BufferDeleteArgs{Buffer: b})
			if a, err := try(t, &pjrtc.BufferDimensionsArgs{Buffer: b}); err == nil {
				t.want(a.NumDims == 1, "it has %d dimensions", a.NumDims)
			}
			quiet(t, &pjrtc.BufferElementTypeArgs{Buffer: b})
			quiet(t, &pjrtc.BufferOnDeviceSizeInBytesArgs{Buffer: b})
			quiet(t, &pjrtc.BufferIsOnCpuArgs{Buffer: b})
			if a, err := try(t, &pjrtc.BufferReadyEventArgs{Buffer: b}); err == nil {
				t.note("ready: %v", t.await(a.Event))
			}
		}},
		{"buffer.copy-to-device", "a copy on each device has the content", func(t *probe) {
			b := t.put(vec(1, 2, 3))
			for i, d := range t.devices() {
				a, err := try(t, &pjrtc.BufferCopyToDeviceArgs{Buffer: b, DstDevice: d})
				if err != nil && i == 0 {
					t.note("to its own device: %v", err) // some refuse what would be the buffer itself
					t.must(notMissing(t, err))
					continue
				}
				t.must(err)
				t.destroyLater(a.DstBuffer)
				t.holds(a.DstBuffer, vec(1, 2, 3))
			}
		}},
		{"buffer.copy-outlives", "a copy lives on when its source is destroyed", func(t *probe) {
			a := do(t, &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: t.host(iota(1000).data), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 1000), NumDims: 1, Device: t.device()})
			t.must(t.await(a.DoneWithHostBuffer))
			c := do(t, &pjrtc.BufferCopyToMemoryArgs{Buffer: a.Buffer, DstMemory: t.defaultMemory()}).DstBuffer
			t.destroyLater(c)
			do(t, &pjrtc.BufferDestroyArgs{Buffer: a.Buffer})
			t.holds(c, iota(1000))
		}},
		{"buffer.external-reference", "an external reference can be taken and given back", func(t *probe) {
			b := t.put(vec(1))
			optional(t, &pjrtc.BufferIncreaseExternalReferenceCountArgs{Buffer: b})
			do(t, &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: b})
		}},
		{"buffer.external-reference-too-many", "giving back what was not taken is an error", func(t *probe) {
			b := t.put(vec(1))
			optional(t, &pjrtc.BufferIncreaseExternalReferenceCountArgs{Buffer: b})
			do(t, &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: b})
			refuse(t, "a second decrease", &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: b})
		}},
		{"buffer.data-pointer", "on the host, the data pointer leads to the content", func(t *probe) {
			b := t.put(iota(16))
			if !do(t, &pjrtc.BufferIsOnCpuArgs{Buffer: b}).IsOnCpu {
				t.skip("the buffer is not in the host's memory")
			}
			optional(t, &pjrtc.BufferIncreaseExternalReferenceCountArgs{Buffer: b})
			defer quiet(t, &pjrtc.BufferDecreaseExternalReferenceCountArgs{Buffer: b})
			p := optional(t, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: b}).DeviceMemoryPtr
			t.want(p != 0, "it is null")
			t.want(bytes.Equal(bytesAt(t, p, 64), iota(16).data), "it does not")
		}},
		{"buffer.unsafe-pointer", "the unsafe pointer is the data pointer", func(t *probe) {
			b := t.put(iota(16))
			p := optional(t, &pjrtc.BufferUnsafePointerArgs{Buffer: b}).BufferPointer
			q := optional(t, &pjrtc.BufferOpaqueDeviceMemoryDataPointerArgs{Buffer: b}).DeviceMemoryPtr
			t.want(p == uint64(q), "%x and %x", p, uint64(q))
		}},
		{"buffer.uninitialized", "a buffer without content has its type", func(t *probe) {
			b := optional(t, &pjrtc.ClientCreateUninitializedBufferArgs{
				Client: t.shared(), ShapeDims: list[int64](t, 2, 3), ShapeNumDims: 2, ShapeElementType: pjrtc.BufferTypeF32,
				ShapeLayout: t.layout(rowMajor(2)...), Memory: t.defaultMemory(), Device: t.device(),
			}).Buffer
			t.destroyLater(b)
			a := do(t, &pjrtc.BufferDimensionsArgs{Buffer: b})
			d := items(t, "dimensions", a.Dims, a.NumDims)
			t.want(slices.Equal(d, []int64{2, 3}), "its dimensions are %v", d)
			_, err := t.read(b, 24, 2)
			t.must(err)
		}},
		{"buffer.error", "an error buffer gives its error to those who wait for it and read it", func(t *probe) {
			b := optional(t, &pjrtc.ClientCreateErrorBufferArgs{
				Client: t.shared(), ErrorCode: pjrtc.ErrorCodeABORTED, ErrorMessage: text(t, "on purpose"), ErrorMessageSize: 10,
				ShapeDims: list[int64](t, 4), ShapeNumDims: 1, ShapeElementType: pjrtc.BufferTypeF32, ShapeLayout: t.layout(0), Memory: t.defaultMemory(),
			}).Buffer
			t.destroyLater(b)
			err := t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event)
			e, ok := err.(*nativeError)
			t.want(ok, "its event carries %v", err)
			t.want(e.code == pjrtc.ErrorCodeABORTED, "its event carries %v", err)
			_, err = t.read(b, 16, 1)
			t.want(err != nil, "it can be read")
		}},
		{"buffer.alias", "an alias is the buffer that it is fulfilled with", func(t *probe) {
			a := optional(t, &pjrtc.ClientCreateAliasBufferArgs{
				Client: t.shared(), Memory: t.defaultMemory(), ShapeDims: list[int64](t, 4), ShapeNumDims: 1,
				ShapeElementType: pjrtc.BufferTypeF32, ShapeLayout: t.layout(0),
			})
			t.destroyLater(a.AliasBuffer)
			do(t, &pjrtc.ClientFulfillAliasBufferArgs{Client: t.shared(), Buffer: t.put(vec(1, 2, 3, 4)), FulfillAliasBufferCb: a.FulfillAliasBufferCb})
			t.must(t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: a.AliasBuffer}).Event))
			t.holds(a.AliasBuffer, vec(1, 2, 3, 4))
		}},
		{"buffer.alias-error", "an alias that is fulfilled with an error carries it", func(t *probe) {
			a := optional(t, &pjrtc.ClientCreateAliasBufferArgs{
				Client: t.shared(), Memory: t.defaultMemory(), ShapeDims: list[int64](t, 4), ShapeNumDims: 1,
				ShapeElementType: pjrtc.BufferTypeF32, ShapeLayout: t.layout(0),
			})
			t.destroyLater(a.AliasBuffer)
			_, err := try(t, &pjrtc.ClientFulfillAliasBufferArgs{Client: t.shared(), StatusCode: pjrtc.ErrorCodeCANCELLED, ErrorMessage: text(t, "given up"), ErrorMessageSize: 8, FulfillAliasBufferCb: a.FulfillAliasBufferCb})
			t.must(notMissing(t, err)) // some give the error back to who fulfils, too
			err = t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: a.AliasBuffer}).Event)
			t.want(err != nil, "it is ready without an error")
		}},
		{"buffer.bitcast", "the bytes of a buffer can be looked at as another type", func(t *probe) {
			b := t.put(vec(1, 2, 3, 4))
			c := optional(t, &pjrtc.BufferBitcastArgs{Buffer: b, ElementType: pjrtc.BufferTypeS32, Dims: list[int64](t, 2, 2), NumDims: 2, DeviceLayout: t.layout(rowMajor(2)...)}).OutBuffer
			t.destroyLater(c)
			t.holds(c, tensor{pjrtc.BufferTypeS32, []int64{2, 2}, vec(1, 2, 3, 4).data})
		}},
		{"buffer.bitcast-size", "a bitcast to another size is an error", func(t *probe) {
			a := &pjrtc.BufferBitcastArgs{Buffer: t.put(vec(1, 2, 3, 4)), ElementType: pjrtc.BufferTypeS32, Dims: list[int64](t, 5), NumDims: 1, DeviceLayout: t.layout(0)}
			refuse(t, "a bitcast of 16 to 20 bytes", a)
		}},
		{"buffer.donate-after", "a buffer can be donated with an event to wait for", func(t *probe) {
			b := t.put(vec(1, 2))
			a := optional(t, &pjrtc.BufferDonateWithControlDependencyArgs{Buffer: b})
			t.destroyLater(a.OutBuffer)
			t.want(a.DependencyReadyCallback != 0, "there is no callback")
			ready := place(t, &pjrtc.BufferDonateWithControlDependencyCallbackArgs{StructSize: pjrtc.BufferDonateWithControlDependencyCallbackArgsSize, CallbackData: a.CallbackData})
			t.frame.Call1(call.Fn(a.DependencyReadyCallback), mem.AddrOfPtr(ready))
			t.holds(a.OutBuffer, vec(1, 2))
		}},
		{"buffer.view", "memory of the host's can be a buffer, and its end is told once", func(t *probe) {
			if !do(t, &pjrtc.BufferIsOnCpuArgs{Buffer: t.put(vec(1))}).IsOnCpu {
				t.skip("the device's memory is not the host's")
			}
			var told atomic.Int32
			s, err := cb.Serve(cb.Shape{Args: 2, User: 1}, cb.Handler{Serve: func(*cb.Args) uintptr { told.Add(1); return 0 }})
			if err != nil {
				t.fail("%v", err)
			}
			defer s.Release()
			b := optional(t, &pjrtc.ClientCreateViewOfDeviceBufferArgs{
				Client: t.shared(), DeviceBufferPtr: t.host(iota(1024).data), Dims: list[int64](t, 1024), NumDims: 1, ElementType: pjrtc.BufferTypeF32,
				Layout: t.layout(0), Device: t.device(), OnDeleteCallback: pjrtc.Func(s.Fn), OnDeleteCallbackArg: pjrtc.Addr(s.Arg),
			}).Buffer
			t.holds(b, iota(1024))
			t.want(told.Load() == 0, "its end is told while it lives")
			do(t, &pjrtc.BufferDestroyArgs{Buffer: b})
			t.eventually(func() bool { return told.Load() > 0 }, "its end is not told")
			t.want(told.Load() == 1, "its end is told %d times", told.Load())
		}},
		{"buffer.dma-map", "memory of the host's can be mapped for the device", func(t *probe) {
			data := t.host(make([]byte, 1<<16))
			optional(t, &pjrtc.ClientDmaMapArgs{Client: t.shared(), Data: data, Size: 1 << 16})
			do(t, &pjrtc.ClientDmaUnmapArgs{Client: t.shared(), Data: data})
		}},
		{"buffer.dma-unmap-unknown", "unmapping what is not mapped is an error", func(t *probe) {
			data := t.host(make([]byte, 1<<16))
			optional(t, &pjrtc.ClientDmaMapArgs{Client: t.shared(), Data: data, Size: 1 << 16})
			do(t, &pjrtc.ClientDmaUnmapArgs{Client: t.shared(), Data: data})
			refuse(t, "memory that is not mapped", &pjrtc.ClientDmaUnmapArgs{Client: t.shared(), Data: data})
		}},
	}
}

func layoutChecks() []check {
	strided := func(id, about string, dims, strides []int64, at func(i int) int, room int) check {
		return check{"layout." + id, about, func(t *probe) {
			n := 1
			for _, d := range dims {
				n *= int(d)
			}
			want, host := make([]float32, n), make([]float32, room)
			for i := range want {
				want[i] = float32(i + 1)
				host[at(i)] = want[i]
			}
			b, done := t.putWith(tensor{pjrtc.BufferTypeF32, dims, vec(host...).data}, func(a *pjrtc.ClientBufferFromHostBufferArgs) {
				a.Device, a.ByteStrides, a.NumByteStrides = t.device(), list(t, strides...), uint64(len(strides))
			})
			t.must(t.await(done))
			t.holds(b, f32(dims, want...))
		}}
	}
	return []check{
		strided("row-major-strides", "dense strides say nothing new", []int64{2, 3}, []int64{12, 4}, func(i int) int { return i }, 6),
		strided("column-major-strides", "a matrix in column order is put in right", []int64{2, 3}, []int64{4, 8}, func(i int) int { return i/3 + 2*(i%3) }, 6),
		strided("gaps", "rows with gaps between them are put in right, or refused", []int64{2, 3}, []int64{20, 4}, func(i int) int { return i/3*5 + i%3 }, 10),
		strided("permuted-3d", "three dimensions in another order", []int64{2, 3, 4}, []int64{4, 8, 24}, func(i int) int { return i/12 + 2*(i/4%3) + 6*(i%4) }, 24),
		{"layout.get-column-major", "a matrix is read in column order", func(t *probe) {
			dst := t.host(make([]byte, 24))
			a := optional(t, &pjrtc.BufferToHostBufferArgs{Src: t.put(iota(2, 3)), Dst: dst, DstSize: 24, HostLayout: t.layout(0, 1)})
			t.must(t.await(a.Event))
			t.want(bytes.Equal(bytesAt(t, dst, 24), vec(0, 3, 1, 4, 2, 5).data), "it is read as %x", bytesAt(t, dst, 24))
		}},
		{"layout.device-column-major", "a buffer in column order on the device reads the same", func(t *probe) {
			a, err := try(t, &pjrtc.ClientBufferFromHostBufferArgs{
				Client: t.shared(), Data: t.host(iota(2, 3).data), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 2, 3), NumDims: 2,
				Device: t.device(), DeviceLayout: t.layout(0, 1),
			})
			if err != nil {
				t.lacks("%v", err)
			}
			t.destroyLater(a.Buffer)
			t.must(t.await(a.DoneWithHostBuffer))
			t.holds(a.Buffer, iota(2, 3))
		}},
		{"layout.host-rank", "a host layout of another rank is an error", func(t *probe) {
			a, err := try(t, &pjrtc.BufferToHostBufferArgs{Src: t.put(iota(2, 3)), Dst: t.host(make([]byte, 24)), DstSize: 24, HostLayout: t.layout(0)})
			if err == nil {
				err = t.await(a.Event)
			}
			t.must(notMissing(t, err))
			t.want(err != nil, "it is taken")
		}},
		{"layout.strides-count", "a stride too few is an error", func(t *probe) {
			refuse(t, "one stride for two dimensions", &pjrtc.ClientBufferFromHostBufferArgs{
				Client: t.shared(), Data: t.host(make([]byte, 64)), Type: pjrtc.BufferTypeF32, Dims: list[int64](t, 2, 3), NumDims: 2,
				ByteStrides: list[int64](t, 4), NumByteStrides: 1, Device: t.device(),
			})
		}},
	}
}

// dtypes are the element types, with their names in StableHLO and the bytes of one element on the host.
var dtypes = []struct {
	typ  pjrtc.BufferType
	name string
	size int
}{
	{pjrtc.BufferTypePRED, "i1", 1},
	{pjrtc.BufferTypeS2, "i2", 1},
	{pjrtc.BufferTypeS4, "i4", 1},
	{pjrtc.BufferTypeS8, "i8", 1},
	{pjrtc.BufferTypeS16, "i16", 2},
	{pjrtc.BufferTypeS32, "i32", 4},
	{pjrtc.BufferTypeS64, "i64", 8},
	{pjrtc.BufferTypeU2, "ui2", 1},
	{pjrtc.BufferTypeU4, "ui4", 1},
	{pjrtc.BufferTypeU8, "ui8", 1},
	{pjrtc.BufferTypeU16, "ui16", 2},
	{pjrtc.BufferTypeU32, "ui32", 4},
	{pjrtc.BufferTypeU64, "ui64", 8},
	{pjrtc.BufferTypeF4E2M1FN, "f4E2M1FN", 1},
	{pjrtc.BufferTypeF8E3M4, "f8E3M4", 1},
	{pjrtc.BufferTypeF8E4M3, "f8E4M3", 1},
	{pjrtc.BufferTypeF8E4M3FN, "f8E4M3FN", 1},
	{pjrtc.BufferTypeF8E4M3FNUZ, "f8E4M3FNUZ", 1},
	{pjrtc.BufferTypeF8E4M3B11FNUZ, "f8E4M3B11FNUZ", 1},
	{pjrtc.BufferTypeF8E5M2, "f8E5M2", 1},
	{pjrtc.BufferTypeF8E5M2FNUZ, "f8E5M2FNUZ", 1},
	{pjrtc.BufferTypeF8E8M0FNU, "f8E8M0FNU", 1},
	{pjrtc.BufferTypeBF16, "bf16", 2},
	{pjrtc.BufferTypeF16, "f16", 2},
	{pjrtc.BufferTypeF32, "f32", 4},
	{pjrtc.BufferTypeF64, "f64", 8},
	{pjrtc.BufferTypeC64, "complex<f32>", 8},
	{pjrtc.BufferTypeC128, "complex<f64>", 16},
}

// dtypeChecks put, read and run each element type. The bytes are small numbers of either sign that every type has.
func dtypeChecks() []check {
	var out []check
	for _, d := range dtypes {
		data := make([]byte, 4*d.size)
		for i := range 4 {
			data[i*d.size] = byte(i & 1)
			if d.size > 1 {
				data[i*d.size+d.size-1] = byte(0x3c + i)
			}
		}
		v := tensor{d.typ, []int64{4}, data}
		name := d.typ.String()
		put := func(t *probe) pjrtc.Ptr[pjrtc.Buffer] {
			a, err := try(t, &pjrtc.ClientBufferFromHostBufferArgs{Client: t.shared(), Data: t.host(v.data), Type: v.typ, Dims: list[int64](t, 4), NumDims: 1, Device: t.device()})
			if err != nil {
				t.lacks("%v", err)
			}
			t.destroyLater(a.Buffer)
			t.must(t.await(a.DoneWithHostBuffer))
			return a.Buffer
		}
		out = append(out, check{"dtype.put-" + name, "a tensor of " + d.name + " is read as it was put", func(t *probe) {
			t.holds(put(t), v)
		}}, check{"dtype.run-" + name, "a program moves a tensor of " + d.name + " unchanged", func(t *probe) {
			b := put(t)
			o, code := compileOptions(1, 1), identityProgram(d.name)
			a, err := try(t, &pjrtc.ClientCompileArgs{Client: t.shared(), Program: t.program("mlir", code), CompileOptions: text(t, o), CompileOptionsSize: uint64(len(o))})
			if err != nil {
				t.lacks("%v", err)
			}
			t.after(func() { quiet(t, &pjrtc.LoadedExecutableDestroyArgs{Executable: a.Executable}) })
			s := d.size
			w := tensor{v.typ, v.dims, slices.Concat(data[:s], data[2*s:3*s], data[s:2*s], data[3*s:])}
			t.holds(t.run(a.Executable, b), w)
		}})
	}
	return out
}
