package pjrt

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Upload makes buffers at once and fills them later, in parts, in any order. Programs may be started with the buffers
// before their content is there. It is safe for concurrent use. The zero value is closed.
type Upload struct {
	owned  ffi.Owned[*upload]
	client *Client
	memory *Memory
	shapes []Shape
}

// upload is the native side. It leads back to no Upload.
type upload struct {
	h     pjrtc.Ptr[pjrtc.AsyncHostToDeviceTransferManager]
	mu    sync.Mutex
	parts []part
}

// part is what became of one buffer.
type part struct {
	size    int    // bytes
	spans   []span // what was transferred: ordered, apart from each other
	over    bool   // the content is complete, or never will be
	fetched bool
}

// span is a range of bytes.
type span struct{ from, to int }

// NewUpload makes buffers in this memory whose content is transferred later. The caller closes the upload, and the
// buffers that it takes out of it. Calls PJRT_Client_CreateBuffersForAsyncHostToDevice.
func (m *Memory) NewUpload(shapes ...Shape) (*Upload, error) {
	const op = "upload"
	h, err := m.use(op)
	if err != nil {
		return nil, err
	}
	defer m.client.owned.Done()
	if len(shapes) == 0 {
		return nil, invalid(op, "no shapes")
	}
	c := m.client
	p, n := c.plugin, &upload{parts: make([]part, len(shapes))}
	for i, s := range shapes {
		if n.parts[i].size, err = s.Type.Size(); err != nil {
			return nil, fmt.Errorf("pjrt: %s: shape %d: %w", op, i, err)
		}
	}
	err = relieved(m.devices[0], func() error {
		return ask(p, op, func(f *call.Frame, a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) error {
			a.Client, a.Memory = h, m.h
			return p.nativeShapes(f, op, shapes, a)
		}, func(a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) error {
			if n.h = a.TransferManager; n.h == 0 {
				return fmt.Errorf("pjrt: %s: the plugin gave none: %w", op, isthmus.ErrInvalid)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	u := &Upload{client: c, memory: m}
	for _, s := range shapes {
		u.shapes = append(u.shapes, s.clone())
	}
	if err := u.owned.Init(&p.uploads, n, &c.owned); err != nil {
		return nil, err
	}
	// Parts are counted in bytes of the device, which may be more or fewer than the host's.
	for i := range n.parts {
		if size, err := u.sizeOf(n, i); err == nil {
			n.parts[i].size = size
		} else if unlessUnsupported(err) != nil {
			return nil, errors.Join(err, u.Close())
		}
	}
	return u, nil
}

// nativeShapes writes types and layouts side by side: each layout stays with its shape, and a shape without one has
// null at its place.
func (p *Plugin) nativeShapes(f *call.Frame, op string, shapes []Shape, a *pjrtc.ClientCreateBuffersForAsyncHostToDeviceArgs) error {
	specs, err := call.Slice[pjrtc.ShapeSpec](f, len(shapes))
	if err != nil {
		return err
	}
	layouts, err := call.Slice[pjrtc.Ptr[pjrtc.BufferMemoryLayout]](f, len(shapes))
	if err != nil {
		return err
	}
	given := false
	for i, s := range shapes {
		n := &specs[i]
		n.SetSize()
		if n.ElementType, n.Dims, n.NumDims, err = p.nativeType(f, op, s.Type); err != nil {
			return err
		}
		if layouts[i], err = s.nativeLayout(f, op); err != nil {
			return err
		}
		given = given || layouts[i] != 0
	}
	a.ShapeSpecs, a.NumShapeSpecs = pjrtc.ToSlice(specs), uint64(len(specs))
	if given {
		a.DeviceLayouts, a.NumDeviceLayouts = pjrtc.ToSlice(layouts), uint64(len(layouts))
	}
	return nil
}

// clone is the shape with memory of its own.
func (s Shape) clone() Shape {
	s.Dims = slices.Clone(s.Dims)
	if l, ok := s.Layout(); ok {
		s.MinorToMajor, s.Tiles = l.MinorToMajor, l.Tiles
	}
	return s
}

// use enters the upload; the caller calls u.owned.Done.
func (u *Upload) use(op string, i int) (*upload, error) {
	if u == nil {
		return nil, invalid(op, "no upload")
	}
	n, err := u.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	if i < 0 || i >= len(n.parts) {
		u.owned.Done()
		return nil, fmt.Errorf("pjrt: %s: buffer %d of %d: %w", op, i, len(n.parts), isthmus.ErrBounds)
	}
	return n, nil
}

// Count is how many buffers there are. Calls PJRT_AsyncHostToDeviceTransferManager_BufferCount.
func (u *Upload) Count() (int, error) {
	const op = "upload count"
	n, err := u.use(op, 0)
	if err != nil {
		return 0, err
	}
	defer u.owned.Done()
	count := 0
	err = ask(u.client.plugin, op, func(_ *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerBufferCountArgs) error {
		a.TransferManager = n.h
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerBufferCountArgs) (err error) {
		if a.BufferCount != uint64(len(u.shapes)) {
			return fmt.Errorf("pjrt: %s: %d buffers were asked for, the plugin says %d: %w", op, len(u.shapes), a.BufferCount, isthmus.ErrInvalid)
		}
		count = len(u.shapes)
		return nil
	})
	return count, err
}

// Size is how many bytes buffer i has on the device. Calls PJRT_AsyncHostToDeviceTransferManager_BufferSize.
func (u *Upload) Size(i int) (int, error) {
	n, err := u.use("upload size", i)
	if err != nil {
		return 0, err
	}
	defer u.owned.Done()
	return u.sizeOf(n, i)
}

func (u *Upload) sizeOf(n *upload, i int) (size int, err error) {
	err = ask(u.client.plugin, "upload size", func(_ *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs) error {
		a.TransferManager, a.BufferIndex = n.h, int32(i)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerBufferSizeArgs) (err error) {
		size, err = mem.Len(a.BufferSize)
		return err
	})
	return size, err
}

// Device is the device that the buffers are on. Calls PJRT_AsyncHostToDeviceTransferManager_Device.
func (u *Upload) Device() (*Device, error) {
	const op = "upload device"
	n, err := u.use(op, 0)
	if err != nil {
		return nil, err
	}
	defer u.owned.Done()
	var out *Device
	err = ask(u.client.plugin, op, func(_ *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerDeviceArgs) error {
		a.TransferManager = n.h
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerDeviceArgs) error {
		for _, d := range u.client.devices {
			if d.h == a.DeviceOut {
				out = d
				return nil
			}
		}
		return fmt.Errorf("pjrt: %s: the plugin names a device that the client has not: %w", op, isthmus.ErrInvalid)
	})
	return out, err
}

// Buffer takes buffer i out of the upload, once. Its content comes when all of it was written. The caller closes it;
// it may outlive the upload. Calls PJRT_AsyncHostToDeviceTransferManager_RetrieveBuffer.
func (u *Upload) Buffer(i int) (*Buffer, error) {
	const op = "upload buffer"
	n, err := u.use(op, i)
	if err != nil {
		return nil, err
	}
	defer u.owned.Done()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.parts[i].fetched {
		return nil, fmt.Errorf("pjrt: %s: buffer %d was taken before: %w", op, i, isthmus.ErrInvalid)
	}
	var out pjrtc.Ptr[pjrtc.Buffer]
	err = ask(u.client.plugin, op, func(_ *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) error {
		a.TransferManager, a.BufferIndex = n.h, int32(i)
		return nil
	}, func(a *pjrtc.AsyncHostToDeviceTransferManagerRetrieveBufferArgs) error { out = a.BufferOut; return nil })
	if err != nil {
		return nil, err
	}
	n.parts[i].fetched = true
	return u.memory.taken(out, u.shapes[i].Type)
}

// Write transfers data to bytes off and following of buffer i. The data are lent until the event fires. last says that
// nothing more comes for this buffer; everything must have been written then. The caller closes the event. Calls
// PJRT_AsyncHostToDeviceTransferManager_TransferData.
//
// Errors: [isthmus.ErrBounds] outside the buffer; [isthmus.ErrInvalid] for bytes that were written before, for a
// buffer that is complete or has failed, and for a last part that leaves bytes unwritten.
func (u *Upload) Write(i, off int, data []byte, last bool) (*Event, error) {
	const op = "upload write"
	n, err := u.use(op, i)
	if err != nil {
		return nil, err
	}
	defer u.owned.Done()
	loan, err := ffi.Lend(data, ffi.Shared)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	spans, err := n.parts[i].with(op, i, off, len(data), last)
	if err != nil {
		loan.Return()
		return nil, err
	}
	e, err := u.transfer(op, loan, func() (ev pjrtc.Ptr[pjrtc.Event], err error) {
		err = ask(u.client.plugin, op, func(f *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) (err error) {
			a.TransferManager, a.BufferIndex, a.Offset, a.TransferSize, a.IsLastTransfer = n.h, int32(i), int64(off), int64(len(data)), last
			a.Data, err = addressIn(f, data)
			return err
		}, func(a *pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs) error {
			ev = a.DoneWithH2dTransfer
			return nil
		})
		return ev, err
	})
	if err != nil {
		return nil, err
	}
	n.parts[i].spans, n.parts[i].over = spans, last
	return e, nil
}

// addressIn is the address of data that are lent; of none, one in the frame.
func addressIn(f *call.Frame, data []byte) (pjrtc.Addr, error) {
	if len(data) > 0 {
		return pjrtc.Addr(mem.AddrOf(data)), nil
	}
	s, err := call.Slice[byte](f, 1)
	return pjrtc.Addr(mem.AddrOf(s)), err
}

// with is what has been transferred when n bytes from off on come to it.
func (p *part) with(op string, i, off, n int, last bool) ([]span, error) {
	if p.over {
		return nil, fmt.Errorf("pjrt: %s: buffer %d has all that it gets: %w", op, i, isthmus.ErrInvalid)
	}
	if off < 0 || n > p.size || off > p.size-n {
		return nil, fmt.Errorf("pjrt: %s: %d bytes at %d of a buffer of %d: %w", op, n, off, p.size, isthmus.ErrBounds)
	}
	spans := p.spans
	if n > 0 {
		add := span{off, off + n}
		at, _ := slices.BinarySearchFunc(spans, add, func(a, b span) int { return a.from - b.from })
		if at > 0 && spans[at-1].to > add.from || at < len(spans) && spans[at].from < add.to {
			return nil, fmt.Errorf("pjrt: %s: some of the bytes %d to %d of buffer %d were written before: %w", op, add.from, add.to, i, isthmus.ErrInvalid)
		}
		spans = slices.Insert(slices.Clone(spans), at, add)
		for k := 0; k+1 < len(spans); { // neighbours become one, so that parts in order keep one
			if spans[k].to == spans[k+1].from {
				spans[k].to = spans[k+1].to
				spans = slices.Delete(spans, k+1, k+2)
			} else {
				k++
			}
		}
	}
	if whole := p.size == 0 || len(spans) == 1 && spans[0] == (span{0, p.size}); last && !whole {
		return nil, fmt.Errorf("pjrt: %s: it is the last part of buffer %d, and leaves bytes of its %d unwritten: %w", op, i, p.size, isthmus.ErrInvalid)
	}
	return spans, nil
}

// transfer has data read that are lent until the event fires, and takes the loan over.
func (u *Upload) transfer(op string, loan *ffi.Loan, begin func() (pjrtc.Ptr[pjrtc.Event], error)) (*Event, error) {
	ev, err := begin()
	if err != nil {
		returnAfter(loan, err)
		return nil, err
	}
	return u.client.plugin.workEvent(op, ev, []*ffi.Loan{loan}, &u.client.owned)
}

// WriteAll transfers the whole content of buffer i from data in a layout of the caller's, nil for row-major; it is the
// only part of that buffer. The data are lent until the event fires. The caller closes the event. Calls
// PJRT_AsyncHostToDeviceTransferManager_TransferLiteral.
func (u *Upload) WriteAll(i int, data []byte, host *Layout) (*Event, error) {
	const op = "upload write"
	n, err := u.use(op, i)
	if err != nil {
		return nil, err
	}
	defer u.owned.Done()
	t := u.shapes[i].Type
	from := RowMajor(len(t.Dims))
	if host != nil {
		from = *host
	}
	size, err := from.Size(t)
	if err != nil {
		return nil, err
	}
	if len(data) != size {
		return nil, fmt.Errorf("pjrt: %s: %s as %s has %d bytes, the data %d: %w", op, t, from, size, len(data), isthmus.ErrBounds)
	}
	order, dense := from.order(t)
	if !dense || len(order.Tiles) > 0 {
		if data, err = rearranged(t, data, from); err != nil {
			return nil, err
		}
		order = RowMajor(len(t.Dims))
	}
	loan, err := ffi.Lend(data, ffi.Shared)
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	part := &n.parts[i]
	if part.over || len(part.spans) > 0 {
		loan.Return()
		return nil, fmt.Errorf("pjrt: %s: buffer %d has content already: %w", op, i, isthmus.ErrInvalid)
	}
	e, err := u.transfer(op, loan, func() (ev pjrtc.Ptr[pjrtc.Event], err error) {
		p := u.client.plugin
		err = ask(p, op, func(f *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs) (err error) {
			a.TransferManager, a.BufferIndex = n.h, int32(i)
			if a.ShapeElementType, a.ShapeDims, a.ShapeNumDims, err = p.nativeType(f, op, t); err != nil {
				return err
			}
			if a.ShapeLayout, err = order.nativeFor(f, op, t); err != nil {
				return err
			}
			a.Data, err = addressIn(f, data)
			return err
		}, func(a *pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs) error {
			ev = a.DoneWithH2dTransfer
			return nil
		})
		return ev, err
	})
	if err != nil {
		return nil, err
	}
	part.spans, part.over = []span{{0, part.size}}, true
	return e, nil
}

// Fail says that buffer i never gets its content, and why: what waits for it gets the error. Calls
// PJRT_AsyncHostToDeviceTransferManager_SetBufferError.
func (u *Upload) Fail(i int, err error) error {
	const op = "upload fail"
	n, uerr := u.use(op, i)
	if uerr != nil {
		return uerr
	}
	defer u.owned.Done()
	if err == nil {
		return invalid(op, "no error")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.parts[i].over {
		return fmt.Errorf("pjrt: %s: buffer %d has all that it gets: %w", op, i, isthmus.ErrInvalid)
	}
	if err := n.fail(u.client.plugin, i, codeOf(err), err.Error()); err != nil {
		return err
	}
	n.parts[i].over = true
	return nil
}

func (n *upload) fail(p *Plugin, i int, code Code, msg string) error {
	return ask(p, "upload fail", func(f *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerSetBufferErrorArgs) (err error) {
		a.TransferManager, a.BufferIndex, a.ErrorCode = n.h, int32(i), pjrtc.ErrorCode(code)
		a.ErrorMessage, a.ErrorMessageSize, err = status(f, msg)
		return err
	}, nil)
}

// Annotate adds text to the transfer that the plugin's traces show. Calls
// PJRT_AsyncHostToDeviceTransferManager_AddMetadata. Errors: [isthmus.ErrUnsupported] for values that are no strings:
// XLA's plugins end the process for them.
func (u *Upload) Annotate(values ...NamedValue) error {
	const op = "upload annotate"
	n, err := u.use(op, 0)
	if err != nil {
		return err
	}
	defer u.owned.Done()
	for _, v := range values {
		if _, ok := v.Value.(string); !ok {
			return fmt.Errorf("pjrt: %s: %s is a %T, not a string: %w", op, v.Name, v.Value, isthmus.ErrUnsupported)
		}
	}
	return ask(u.client.plugin, op, func(f *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerAddMetadataArgs) (err error) {
		a.TransferManager, a.NumMetadata = n.h, uint64(len(values))
		a.TransferMetadata, err = toNative(f, op, values)
		return err
	}, nil)
}

// Close ends the upload. Buffers that did not get all their content have failed with [Cancelled]. While a call uses
// the upload it does nothing and returns an error that wraps [isthmus.ErrBusy]. Close is idempotent and nil-safe.
// Calls PJRT_AsyncHostToDeviceTransferManager_Destroy.
func (u *Upload) Close() error {
	if u == nil {
		return nil
	}
	return u.owned.Close()
}

// Live reports whether the upload is open. It may be false the next moment.
func (u *Upload) Live() bool { return u != nil && u.owned.Live() }

// String describes the upload without touching native memory.
func (u *Upload) String() string {
	if u == nil || u.client == nil {
		return "pjrt.Upload(none)"
	}
	state := ""
	if !u.owned.Live() {
		state = ", closed"
	}
	return fmt.Sprintf("pjrt.Upload(%v to %s%s)", u.shapes, u.memory, state)
}

// destroy ends the native side: first what waits for content that does not come any more, then the manager.
func (n *upload) destroy(p *Plugin) error {
	var failed error
	n.mu.Lock()
	for i := range n.parts {
		if !n.parts[i].over {
			err := n.fail(p, i, Cancelled, "the upload was closed before all content was written")
			failed = errors.Join(failed, unlessUnsupported(err))
		}
	}
	n.mu.Unlock()
	return errors.Join(failed, ask(p, "close upload", func(_ *call.Frame, a *pjrtc.AsyncHostToDeviceTransferManagerDestroyArgs) error {
		a.TransferManager = n.h
		return nil
	}, nil))
}
