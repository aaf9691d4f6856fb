package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// granule is what chunks for a stream must be a multiple of.
const granule = 4

var transferSlots = []entry{
	on(func(f *Fake, a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) *Failure {
		c := get(f, "async buffers", "client", a.Client)
		space, err := f.place("async buffers", 0, a.Memory)
		if c == nil || err != nil {
			return bad
		}
		if a.NumDeviceLayouts != 0 && a.NumDeviceLayouts != a.NumShapeSpecs {
			return invalid("layouts for other shapes")
		}
		m := &object{kind: "transfer manager", parent: c, device: space.device}
		for i, s := range array(a.ShapeSpecs, a.NumShapeSpecs) {
			if s.StructSize != pjrtc.ShapeSpecSize {
				f.violate("async buffers: a shape of %d bytes", s.StructSize)
			}
			t := Type{s.ElementType, append([]int64{}, array(s.Dims, s.NumDims)...)}
			b, err := f.newBuffer(space, t, nil)
			if err != nil {
				for _, b := range m.buffers {
					b.dead = true
					f.gone(b)
				}
				return err
			}
			if a.NumDeviceLayouts != 0 {
				if l := array(a.DeviceLayouts, a.NumDeviceLayouts)[i]; l != 0 {
					b.order = f.layout("async buffers", t, l)
				}
			}
			b.owned = true
			b.data = make([]byte, t.size())
			m.buffers = append(m.buffers, b)
		}
		a.TransferManager = pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager](f.make(m).handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs) *Failure {
		m := destroy(f, "transfer manager", a.TransferManager)
		if m == nil {
			return nil
		}
		for _, b := range m.buffers {
			f.settle(b, failed(pjrtc.ErrorCodeINTERNAL, "the transfer manager was destroyed"))
			if b.owned {
				b.dead = true
				f.gone(b)
			}
		}
		return nil
	}),
	managed(func(f *Fake, _, b *object, a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) *Failure {
		size := int64(b.typ.size())
		if a.Offset < 0 || a.TransferSize < 0 || a.Offset+a.TransferSize > size {
			return failed(pjrtc.ErrorCodeOUTOFRANGE, "out of the buffer")
		}
		if b.fired {
			return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the last transfer was before this one")
		}
		b.fired = a.IsLastTransfer
		src, offset, n, last := a.Data, a.Offset, a.TransferSize, a.IsLastTransfer
		e := f.newEvent(b.parent, f.late(a.Slot()), nil, func() *Failure {
			copy(b.data[offset:offset+n], host(src, int(n)))
			if last {
				f.settle(b, nil)
			}
			return nil
		})
		a.DoneWithH2dTransfer = pjrtc.Ptr[pjrtc.Event](e.handle)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32) {
		return a.TransferManager, a.BufferIndex
	}),
	managed(func(f *Fake, _, b *object, a *pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs) *Failure {
		t := Type{a.ShapeElementType, append([]int64{}, array(a.ShapeDims, a.ShapeNumDims)...)}
		if t.size() != b.typ.size() || b.fired {
			return invalid("the literal has another size")
		}
		var strides []int64
		if a.ShapeLayout != 0 {
			strides = t.strides(f.layout("literal", t, a.ShapeLayout))
		}
		b.fired = true
		src := a.Data
		e := f.newEvent(b.parent, f.late(a.Slot()), nil, func() *Failure {
			b.data = gather(t, src, strides)
			f.settle(b, nil)
			return nil
		})
		a.DoneWithH2dTransfer = pjrtc.Ptr[pjrtc.Event](e.handle)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32) {
		return a.TransferManager, a.BufferIndex
	}),
	managed(func(f *Fake, _, b *object, a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) *Failure {
		if !b.owned {
			return failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the buffer was retrieved")
		}
		b.owned = false
		a.BufferOut = pjrtc.Ptr[pjrtc.Buffer](b.handle)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32) {
		return a.TransferManager, a.BufferIndex
	}),
	managed(func(f *Fake, _, b *object, a *pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs) *Failure {
		a.BufferSize = uint64(b.typ.size())
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32) {
		return a.TransferManager, a.BufferIndex
	}),
	managed(func(f *Fake, _, b *object, a *pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs) *Failure {
		how := status(a.ErrorCode, a.ErrorMessage, a.ErrorMessageSize)
		if how == nil {
			f.violate("the error of a buffer has no code")
		}
		b.fired = true
		f.settle(b, how)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32) {
		return a.TransferManager, a.BufferIndex
	}),
	on(func(f *Fake, a *pjrtc.AsyncHostToDeviceTransferManagerDeviceArgs) *Failure {
		m := get(f, "device", "transfer manager", a.TransferManager)
		if m == nil {
			return bad
		}
		a.DeviceOut = pjrtc.Ptr[pjrtc.Device](m.device.handle)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.AsyncHostToDeviceTransferManagerBufferCountArgs) *Failure {
		m := get(f, "count", "transfer manager", a.TransferManager)
		if m == nil {
			return bad
		}
		a.BufferCount = uint64(len(m.buffers))
		return nil
	}),
	on(func(f *Fake, a *pjrtc.AsyncHostToDeviceTransferManagerAddMetadataArgs) *Failure {
		if get(f, "metadata", "transfer manager", a.TransferManager) == nil {
			return bad
		}
		f.options = f.read("metadata", a.TransferMetadata, a.NumMetadata)
		return nil
	}),
	on(func(f *Fake, a *pjrtc.CopyToDeviceStreamDestroyArgs) *Failure {
		if s := destroy(f, "stream", a.Stream); s != nil && !s.fired {
			s.fired, s.err = true, failed(pjrtc.ErrorCodeABORTED, "the stream ended early")
			close(s.done)
		}
		return nil
	}),
	on(func(f *Fake, a *pjrtc.CopyToDeviceStreamAddChunkArgs) *Failure {
		s := get(f, "add chunk", "stream", a.Stream)
		if s == nil || a.Chunk == 0 {
			return bad
		}
		c := *a.Chunk.At()
		e := f.newEvent(nil, f.late(a.Slot()), nil, func() *Failure {
			var err *Failure
			switch n := int64(c.Size); {
			case s.fired:
				err = failed(pjrtc.ErrorCodeFAILEDPRECONDITION, "the stream is complete")
			case n > s.total-s.got:
				err = invalid("more than the stream takes")
			case n%granule != 0:
				err = invalid("not a multiple of the granule")
			default:
				s.data = append(s.data, host(c.Data, int(n))...)
				if s.got += n; s.got == s.total {
					s.fired = true
					close(s.done)
				}
			}
			if c.Deleter != 0 {
				f.calling.Go(func() { call.Call(call.Fn(c.Deleter), uintptr(c.Data), uintptr(c.DeleterArg)) })
			}
			return err
		})
		a.TransferComplete = pjrtc.Ptr[pjrtc.Event](e.handle)
		return nil
	}),
	streamed(func(s *object, a *pjrtc.CopyToDeviceStreamTotalBytesArgs) { a.TotalBytes = s.total },
		func(a *pjrtc.CopyToDeviceStreamTotalBytesArgs) pjrtc.Ptr[pjrtc.CopyToDeviceStream] { return a.Stream }),
	streamed(func(s *object, a *pjrtc.CopyToDeviceStreamGranuleSizeArgs) { a.GranuleSizeInBytes = granule },
		func(a *pjrtc.CopyToDeviceStreamGranuleSizeArgs) pjrtc.Ptr[pjrtc.CopyToDeviceStream] { return a.Stream }),
	streamed(func(s *object, a *pjrtc.CopyToDeviceStreamCurrentBytesArgs) { a.CurrentBytes = s.got },
		func(a *pjrtc.CopyToDeviceStreamCurrentBytesArgs) pjrtc.Ptr[pjrtc.CopyToDeviceStream] { return a.Stream }),
}

// managed is a function of one buffer of a transfer manager's.
func managed[A any, P interface {
	*A
	pjrtc.Args
}](serve func(f *Fake, m, b *object, a P) *Failure, of func(P) (pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], int32)) entry {
	return on(func(f *Fake, a P) *Failure {
		h, i := of(a)
		m := get(f, a.Slot().String(), "transfer manager", h)
		if m == nil {
			return bad
		}
		if i < 0 || int(i) >= len(m.buffers) {
			return invalid("no such buffer")
		}
		return serve(f, m, m.buffers[i], a)
	})
}

// streamed is a function that looks at a stream.
func streamed[A any, P interface {
	*A
	pjrtc.Args
}](serve func(s *object, a P), of func(P) pjrtc.Ptr[pjrtc.CopyToDeviceStream]) entry {
	return on(func(f *Fake, a P) *Failure {
		s := get(f, a.Slot().String(), "stream", of(a))
		if s == nil {
			return bad
		}
		serve(s, a)
		return nil
	})
}
