package pjrttest

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

func transferChecks() []check {
	type manager = pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager]
	unowned := func(t *probe, shapes ...tensor) manager {
		var specs []pjrtc.ShapeSpec
		for _, v := range shapes {
			s := pjrtc.ShapeSpec{Dims: list(t, v.dims...), NumDims: uint64(len(v.dims)), ElementType: v.typ}
			s.SetSize()
			specs = append(specs, s)
		}
		m := optional(t, &pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs{Client: t.shared(), ShapeSpecs: list(t, specs...), NumShapeSpecs: uint64(len(specs)), Memory: t.defaultMemory()}).TransferManager
		t.want(m != 0, "no manager and no error")
		return m
	}
	begin := func(t *probe, shapes ...tensor) manager {
		m := unowned(t, shapes...)
		t.after(func() { quiet(t, &pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs{TransferManager: m}) })
		return m
	}
	send := func(t *probe, m manager, buffer int32, data []byte, at int64, last bool) error {
		a, err := try(t, &pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs{TransferManager: m, BufferIndex: buffer, Data: t.host(data), Offset: at, TransferSize: int64(len(data)), IsLastTransfer: last})
		if err != nil {
			return err
		}
		return t.await(a.DoneWithH2dTransfer)
	}
	take := func(t *probe, m manager, i int32) pjrtc.Ptr[pjrtc.Buffer] {
		b := do(t, &pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs{TransferManager: m, BufferIndex: i}).BufferOut
		t.want(b != 0, "no buffer and no error")
		t.destroyLater(b)
		return b
	}
	v := iota(1024)
	return []check{
		{"transfer.describe", "a manager knows its device, its buffers and their sizes", func(t *probe) {
			m := begin(t, v, iota(2, 3))
			t.want(do(t, &pjrtc.AsyncHostToDeviceTransferManagerBufferCountArgs{TransferManager: m}).BufferCount == 2, "it says another number of buffers")
			for i, want := range []uint64{4096, 24} {
				n := do(t, &pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs{TransferManager: m, BufferIndex: int32(i)}).BufferSize
				t.want(n >= want, "buffer %d has %d bytes, want %d", i, n, want)
			}
			t.want(do(t, &pjrtc.AsyncHostToDeviceTransferManagerDeviceArgs{TransferManager: m}).DeviceOut == t.device(), "it says another device")
			for i := range int32(2) {
				take(t, m, i)
				t.must(t.set(m, i))
			}
		}},
		{"transfer.whole", "a buffer is sent in one piece", func(t *probe) {
			m := begin(t, v)
			b := take(t, m, 0)
			t.must(send(t, m, 0, v.data, 0, true))
			t.holds(b, v)
		}},
		{"transfer.pieces", "a buffer is sent in pieces", func(t *probe) {
			m := begin(t, v)
			b := take(t, m, 0)
			t.must(send(t, m, 0, v.data[:1000], 0, false))
			t.must(send(t, m, 0, v.data[1000:3000], 1000, false))
			t.must(send(t, m, 0, v.data[3000:], 3000, true))
			t.holds(b, v)
		}},
		{"transfer.pieces-backwards", "the pieces come in any order", func(t *probe) {
			m := begin(t, v)
			b := take(t, m, 0)
			t.must(send(t, m, 0, v.data[2048:], 2048, false))
			t.must(send(t, m, 0, v.data[:2048], 0, true))
			t.holds(b, v)
		}},
		{"transfer.two-buffers", "two buffers are sent at once", func(t *probe) {
			m := begin(t, v, iota(2, 3))
			b, c := take(t, m, 0), take(t, m, 1)
			t.must(send(t, m, 1, iota(2, 3).data, 0, true))
			t.must(send(t, m, 0, v.data, 0, true))
			t.holds(b, v)
			t.holds(c, iota(2, 3))
		}},
		{"transfer.retrieve-later", "a buffer is retrieved after it was sent", func(t *probe) {
			m := begin(t, v)
			t.must(send(t, m, 0, v.data, 0, true))
			t.holds(take(t, m, 0), v)
		}},
		{"transfer.use-early", "a program may take a buffer that is not sent yet", func(t *probe) {
			m := begin(t, vec(1, 2, 3, 4))
			b := take(t, m, 0)
			e := t.once(addProgram)
			done := make(chan error, 1)
			// Some plugins compute in the caller's thread and wait there for their inputs, so that the data must come from
			// another.
			other := newProbe(t.plugin)
			go func() {
				defer other.end()
				done <- send(other, m, 0, vec(1, 2, 3, 4).data, 0, true)
			}()
			out, ev, err := t.start(e, execution{outputs: 1}, b, b)
			t.must(<-done)
			t.must(err)
			t.must(t.await(ev))
			t.holds(out[0], vec(2, 4, 6, 8))
		}},
		{"transfer.literal", "a buffer is sent as a literal", func(t *probe) {
			m := begin(t, iota(2, 3))
			b := take(t, m, 0)
			a, err := try(t, &pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs{
				TransferManager: m, Data: t.host(iota(2, 3).data), ShapeDims: list[int64](t, 2, 3), ShapeNumDims: 2,
				ShapeElementType: pjrtc.BufferTypeF32, ShapeLayout: t.layout(rowMajor(2)...),
			})
			if err != nil {
				t.must(t.set(m, 0))
				t.lacks("%v", err)
			}
			t.must(t.await(a.DoneWithH2dTransfer))
			t.holds(b, iota(2, 3))
		}},
		{"transfer.error", "a buffer is given an error instead of content", func(t *probe) {
			m := begin(t, v)
			b := take(t, m, 0)
			t.must(t.set(m, 0))
			err := t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event)
			t.want(err != nil, "its event carries no error")
			t.note("%v", err)
		}},
		{"transfer.metadata", "metadata is taken", func(t *probe) {
			m := begin(t, v)
			take(t, m, 0)
			vs, n := t.named([]value{{"origin", "check"}})
			_, err := try(t, &pjrtc.AsyncHostToDeviceTransferManagerAddMetadataArgs{TransferManager: m, TransferMetadata: vs, NumMetadata: n})
			t.must(send(t, m, 0, v.data, 0, true))
			t.must(err)
		}},
		{"transfer.outside", "a piece past the buffer's end is an error", func(t *probe) {
			m := begin(t, v)
			take(t, m, 0)
			n := int64(do(t, &pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs{TransferManager: m}).BufferSize)
			err := send(t, m, 0, make([]byte, 16), n-8, true)
			if err != nil {
				quiet(t, &pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs{TransferManager: m, ErrorCode: pjrtc.ErrorCodeCANCELLED, ErrorMessage: text(t, "x"), ErrorMessageSize: 1})
			}
			t.must(notMissing(t, err))
			t.want(err != nil, "it is taken")
		}},
		{"transfer.no-such-buffer", "the index of no buffer is an error", func(t *probe) {
			m := begin(t, v)
			take(t, m, 0)
			err := send(t, m, 7, make([]byte, 16), 0, true)
			t.must(send(t, m, 0, v.data, 0, true))
			t.must(notMissing(t, err))
			t.want(err != nil, "it is taken")
		}},
		{"transfer.abandoned", "buffers of a manager that is destroyed before they were sent carry an error", func(t *probe) {
			m := unowned(t, v)
			b := take(t, m, 0)
			do(t, &pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs{TransferManager: m})
			err := t.await(do(t, &pjrtc.BufferReadyEventArgs{Buffer: b}).Event)
			t.want(err != nil, "its event carries no error")
			t.note("%v", err)
		}},
	}
}

// set gives buffer i of a manager an error, so that nobody waits for its content.
func (t *probe) set(m pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager], i int32) error {
	_, err := try(t, &pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs{TransferManager: m, BufferIndex: i, ErrorCode: pjrtc.ErrorCodeCANCELLED, ErrorMessage: text(t, "given up"), ErrorMessageSize: 8})
	return err
}
