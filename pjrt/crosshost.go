package pjrt

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Transfer says, of one buffer, with which device of another process it is exchanged, and by which key: sender and
// receiver use the same.
type Transfer struct {
	Device int // the other device's number, unique among the devices of all processes
	Key    int64
}

// ReceiveBuffers makes buffers on d whose content comes from devices of other processes, one for each type. The caller
// closes them. Calls PJRT_Transfers_CrossHostReceiveBuffers.
func (c *Client) ReceiveBuffers(d *Device, types []Type, from []Transfer) ([]*Buffer, error) {
	const op = "receive buffers"
	if len(types) != len(from) {
		return nil, invalid(op, "%d types, %d transfers", len(types), len(from))
	}
	var made []pjrtc.Ptr[pjrtc.Buffer]
	return c.receive(op, d, types, func(h pjrtc.Ptr[pjrtc.Client]) ([]pjrtc.Ptr[pjrtc.Buffer], error) {
		err := askExt(c.plugin, op, func(f *call.Frame, a *pjrtc.TransfersCrossHostReceiveBuffersArgs) (err error) {
			s, err := c.plugin.shapes(f, op, types)
			if err != nil {
				return err
			}
			a.Client, a.Device, a.NumShapes = h, d.h, uint64(len(types))
			a.ShapeNumDims, a.NumDims, a.ElementTypes, a.Layouts = s.ranks, s.dims, s.types, s.layouts
			if a.SrcGlobalDeviceIds, a.TransferKeys, err = transfers(f, op, from); err != nil {
				return err
			}
			made, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, len(types))
			a.Buffers = pjrtc.ToSlice(made)
			return err
		}, func(*pjrtc.TransfersCrossHostReceiveBuffersArgs) error {
			made = append([]pjrtc.Ptr[pjrtc.Buffer](nil), made...)
			return nil
		})
		return made, err
	})
}

// SendBuffers sends buffers to devices of other processes. The events, one for each buffer, fire when they are sent;
// the caller closes them. Calls PJRT_Transfers_CrossHostSendBuffers.
func (c *Client) SendBuffers(buffers []*Buffer, to []Transfer) (events []*Event, err error) {
	const op = "send buffers"
	if c == nil || c.plugin == nil || len(buffers) == 0 || len(buffers) > maxValues || len(buffers) != len(to) {
		return nil, invalid(op, "%d buffers, %d transfers", len(buffers), len(to))
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	handles := make([]pjrtc.Ptr[pjrtc.Buffer], len(buffers))
	for i, b := range buffers {
		if handles[i], err = b.use(op); err != nil {
			return nil, err
		}
		defer b.owned.Done()
		if b.client != c {
			return nil, invalid(op, "buffer %d belongs to another client", i)
		}
	}
	var fired []pjrtc.Ptr[pjrtc.Event]
	err = askExt(c.plugin, op, func(f *call.Frame, a *pjrtc.TransfersCrossHostSendBuffersArgs) error {
		in, err := call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, len(buffers))
		if err != nil {
			return err
		}
		copy(in, handles)
		a.Client, a.NumBuffers, a.Buffers = h, uint64(len(in)), pjrtc.ToSlice(in)
		if a.DstGlobalDeviceIds, a.TransferKeys, err = transfers(f, op, to); err != nil {
			return err
		}
		fired, err = call.Slice[pjrtc.Ptr[pjrtc.Event]](f, len(buffers))
		a.SendEvents = pjrtc.ToSlice(fired)
		return err
	}, func(*pjrtc.TransfersCrossHostSendBuffersArgs) error {
		for i, e := range fired {
			ev, eerr := c.plugin.workEvent(op, e, nil, &buffers[i].owned)
			if eerr != nil {
				err = errors.Join(err, eerr)
				continue
			}
			events = append(events, ev)
		}
		return err
	})
	if err != nil {
		for _, e := range events {
			err = errors.Join(err, e.Close())
		}
		return nil, err
	}
	return events, nil
}

// Receive is a promise of content for buffers, which another process keeps by [Buffer.CopyToRemote].
type Receive struct {
	Buffers []*Buffer // the caller closes them

	cb   *ffi.Callback
	once *oneShot[[][]byte]
}

// NewReceive makes buffers on d whose content another process sends. [Receive.Descriptors] gives what that process
// needs. The caller closes the receive and its buffers. Calls PJRT_Transfers_MakeCrossHostReceiveBuffers.
func (c *Client) NewReceive(d *Device, types []Type) (*Receive, error) {
	const op = "make receive buffers"
	if c == nil || c.plugin == nil {
		return nil, invalid(op, "no client")
	}
	p := c.plugin
	r := &Receive{once: &oneShot[[][]byte]{}}
	var err error
	r.cb, err = ffi.NewCallback(ffi.CallbackOptions{
		Kind: "pjrt.Receive", Shape: cb.Shape{Args: 5, User: 4}, Parents: []ffi.Parent{&c.owned},
		Serve: func(a *cb.Args) uintptr {
			list, err := [][]byte(nil), p.lentError(op, pjrtc.Ptr[pjrtc.Error](a[0]))
			if err == nil {
				list, err = takeList(op, pjrtc.Ptr[pjrtc.Ptr[byte]](a[1]), pjrtc.Ptr[uint64](a[2]), uint64(a[3]))
			}
			r.once.set(list, err)
			return 0
		},
	})
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	s, err := r.cb.Native()
	if err == nil {
		r.Buffers, err = c.receive(op, d, types, func(h pjrtc.Ptr[pjrtc.Client]) (made []pjrtc.Ptr[pjrtc.Buffer], err error) {
			var room []pjrtc.Ptr[pjrtc.Buffer]
			err = askExt(p, op, func(f *call.Frame, a *pjrtc.TransfersMakeCrossHostReceiveBuffersArgs) (err error) {
				s2, err := p.shapes(f, op, types)
				if err != nil {
					return err
				}
				a.Client, a.Device, a.NumShapes = h, d.h, uint64(len(types))
				a.ShapeNumDims, a.NumDims, a.ElementTypes, a.Layouts = s2.ranks, s2.dims, s2.types, s2.layouts
				a.Notifier.Notifier, a.Notifier.UserArg = pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg)
				room, err = call.Slice[pjrtc.Ptr[pjrtc.Buffer]](f, len(types))
				a.Buffers = pjrtc.ToSlice(room)
				return err
			}, func(a *pjrtc.TransfersMakeCrossHostReceiveBuffersArgs) error {
				if a.NumBuffers != uint64(len(types)) {
					err = fmt.Errorf("pjrt: %s: the plugin made %d for %d types: %w", op, a.NumBuffers, len(types), isthmus.ErrInvalid)
				}
				made = append(made, room[:min(a.NumBuffers, uint64(len(room)))]...)
				return err
			})
			return made, err
		})
	}
	if err != nil {
		return nil, errors.Join(err, r.cb.CloseWait(context.Background()))
	}
	return r, nil
}

// Descriptors waits until the plugin is ready to receive, and gives what [Buffer.CopyToRemote] of the sending process
// needs, one for each buffer.
func (r *Receive) Descriptors(ctx context.Context) ([][]byte, error) {
	if r == nil || r.once == nil {
		return nil, invalid("descriptors", "no receive")
	}
	return r.once.wait(ctx, "descriptors")
}

// Close forgets the promise, not the buffers: what the plugin says later comes to nothing. It is idempotent and
// nil-safe.
func (r *Receive) Close() error {
	if r == nil {
		return nil
	}
	return r.cb.CloseWait(context.Background())
}

// RemoteCopy is a copy to another process that is under way.
type RemoteCopy struct {
	cb   *ffi.Callback
	once *oneShot[bool]
}

// remoteCopyMinor is the API's version from which on plugins free a descriptor by the function that came with it.
// Earlier ones free it by their own allocator.
const remoteCopyMinor = 114

// CopyToRemote sends the buffer to the process that gave the descriptor, see [Receive.Descriptors]. The caller closes
// the copy, before the buffer. Calls PJRT_Transfers_CopyToRemoteDevice. Errors: [isthmus.ErrUnsupported], also for
// plugins of an API before 0.114.
func (b *Buffer) CopyToRemote(descriptor []byte) (*RemoteCopy, error) {
	const op = "copy to a remote device"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	p := b.client.plugin
	if err := p.needs(op, (*pjrtc.TransfersCopyToRemoteDeviceArgs)(nil).ExtFunc()); err != nil {
		return nil, err
	}
	if _, minor := p.Version(); minor < remoteCopyMinor {
		return nil, fmt.Errorf("pjrt: %s: %s frees what it is lent by its own allocator, before API 0.%d: %w", op, p, remoteCopyMinor, isthmus.ErrUnsupported)
	}
	if len(descriptor) > maxText {
		return nil, fmt.Errorf("pjrt: %s: a descriptor of %d bytes: %w", op, len(descriptor), isthmus.ErrLimit)
	}
	free, err := descriptorDestructor()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	r := &RemoteCopy{once: &oneShot[bool]{}}
	r.cb, err = ffi.NewCallback(ffi.CallbackOptions{
		Kind: "pjrt.RemoteCopy", Shape: cb.Shape{Args: 3, User: 2}, Parents: []ffi.Parent{&b.owned},
		Serve: func(a *cb.Args) uintptr {
			r.once.set(a[1]&0xff != 0, p.lentError(op, pjrtc.Ptr[pjrtc.Error](a[0])))
			return 0
		},
	})
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	s, err := r.cb.Native()
	var d *lentDescriptor
	if err == nil {
		d, err = lendDescriptor(descriptor)
	}
	if err == nil {
		err = askExt(p, op, func(_ *call.Frame, a *pjrtc.TransfersCopyToRemoteDeviceArgs) error {
			a.Buffer, a.SerializedDescriptor, a.SerializedDescriptorSize = h, pjrtc.To(&d.head.at), pjrtc.To(&d.head.size)
			a.OnDone.OnDone, a.OnDone.UserArg, a.DescriptorDestructor = pjrtc.Func(s.Fn), pjrtc.Addr(s.Arg), free
			return nil
		}, nil)
	}
	if err != nil {
		d.drop()
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Wait waits until the copy is done, and tells whether its sends were begun.
func (r *RemoteCopy) Wait(ctx context.Context) (enqueued bool, err error) {
	if r == nil || r.once == nil {
		return false, invalid("wait", "no copy")
	}
	return r.once.wait(ctx, "copy to a remote device")
}

// Close forgets the copy, which goes on: what the plugin says later comes to nothing. It is idempotent and nil-safe.
func (r *RemoteCopy) Close() error {
	if r == nil {
		return nil
	}
	return r.cb.CloseWait(context.Background())
}

// oneShot is what a plugin says once.
type oneShot[T any] struct {
	once  sync.Once
	event ffi.Event
	value T
}

func (o *oneShot[T]) set(v T, err error) {
	o.once.Do(func() {
		o.value = v
		o.event.Complete(err)
	})
}

func (o *oneShot[T]) wait(ctx context.Context, op string) (v T, err error) {
	if ctx == nil {
		return v, invalid(op, "no context")
	}
	if err := o.event.Wait(ctx); err != nil {
		if !o.event.Completed() {
			err = fmt.Errorf("pjrt: %s: %w", op, err)
		}
		return v, err
	}
	return o.value, nil
}

// receive makes buffers of types on d.
func (c *Client) receive(op string, d *Device, types []Type, ask func(pjrtc.Ptr[pjrtc.Client]) ([]pjrtc.Ptr[pjrtc.Buffer], error)) ([]*Buffer, error) {
	if c == nil || c.plugin == nil || d == nil || d.client != c {
		return nil, invalid(op, "no client, or not a device of it")
	}
	if len(types) == 0 || len(types) > maxValues {
		return nil, invalid(op, "%d types", len(types))
	}
	h, err := c.owned.Use()
	if err != nil {
		return nil, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	if !d.addressable {
		return nil, invalid(op, "%s belongs to process %d", d, d.process)
	}
	made, err := ask(h)
	var out []*Buffer
	for i, h := range made {
		if h == 0 && err != nil {
			continue
		}
		b := &Buffer{}
		if e := b.take(c, h, d, types[i]); e != nil {
			err = errors.Join(err, e)
			continue
		}
		out = append(out, b)
	}
	if err != nil {
		for _, b := range out {
			err = errors.Join(err, b.Close())
		}
		return nil, err
	}
	return out, nil
}

// nativeShapes are types as C lists.
type nativeShapes struct {
	ranks   pjrtc.Ptr[uint64]
	dims    pjrtc.Ptr[pjrtc.Ptr[int64]]
	types   pjrtc.Ptr[pjrtc.BufferType]
	layouts pjrtc.Ptr[pjrtc.Ptr[pjrtc.BufferMemoryLayout]]
}

// shapes writes types into the frame. All layouts are the plugin's own.
func (p *Plugin) shapes(f *call.Frame, op string, types []Type) (s nativeShapes, err error) {
	ranks, e1 := call.Slice[uint64](f, len(types))
	dims, e2 := call.Slice[pjrtc.Ptr[int64]](f, len(types))
	elems, e3 := call.Slice[pjrtc.BufferType](f, len(types))
	layouts, e4 := call.Slice[pjrtc.Ptr[pjrtc.BufferMemoryLayout]](f, len(types))
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		return s, err
	}
	for i, t := range types {
		if _, err := t.Size(); err != nil {
			return s, fmt.Errorf("pjrt: %s: type %d: %w", op, i, err)
		}
		if elems[i], err = p.toBufferType(op, t.DType); err != nil {
			return s, err
		}
		if dims[i], err = array[int64](f, op, t.Dims); err != nil {
			return s, err
		}
		ranks[i] = uint64(len(t.Dims))
	}
	return nativeShapes{pjrtc.ToSlice(ranks), pjrtc.ToSlice(dims), pjrtc.ToSlice(elems), pjrtc.ToSlice(layouts)}, nil
}

func transfers(f *call.Frame, op string, list []Transfer) (pjrtc.Ptr[int32], pjrtc.Ptr[int64], error) {
	ids, keys := make([]int, len(list)), make([]int64, len(list))
	for i, t := range list {
		ids[i], keys[i] = t.Device, t.Key
	}
	i, err := array[int32](f, op, ids)
	if err != nil {
		return 0, 0, err
	}
	k, err := array[int64](f, op, keys)
	return i, k, err
}

// lentDescriptor is a descriptor that a plugin holds until it calls the destructor.
type lentDescriptor struct {
	head  *descriptorHead
	block *mem.Block
	entry isthmus.Entry
}

type descriptorHead struct {
	at   pjrtc.Ptr[byte]
	size uint64
}

var descriptors struct {
	once sync.Once
	fn   call.Fn
	err  error
	mu   sync.Mutex
	lent map[mem.Addr]*lentDescriptor
}

// descriptorDestructor is the C function that plugins free descriptors by, once each.
func descriptorDestructor() (pjrtc.Func, error) {
	d := &descriptors
	d.once.Do(func() {
		d.lent = map[mem.Addr]*lentDescriptor{}
		d.fn, d.err = cb.Static(func(at, _ uintptr) uintptr {
			d.mu.Lock()
			l := d.lent[mem.Addr(at)]
			d.mu.Unlock()
			if !l.drop() {
				isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemStray, Object: isthmus.Object{Kind: "pjrt descriptor"}, Err: isthmus.ErrClosed})
			}
			return 0
		})
	})
	return pjrtc.Func(d.fn), d.err
}

func lendDescriptor(b []byte) (*lentDescriptor, error) {
	head := mem.SizeOf[descriptorHead]()
	block, err := mem.Alloc(head+len(b)+1, 0)
	if err != nil {
		return nil, err
	}
	at := mem.AddrOf(block.Bytes())
	// SAFETY: owner: the block, until the destructor frees it; bounds: it was made this large; alignment: of a page;
	// thread: this one, the plugin has not seen it yet.
	d := &lentDescriptor{head: mem.At[descriptorHead](at), block: block}
	d.head.at, d.head.size = pjrtc.Ptr[byte](at)+pjrtc.Ptr[byte](head), uint64(len(b))
	copy(block.Bytes()[head:], b)
	d.entry.Enter("pjrt descriptor")
	descriptors.mu.Lock()
	descriptors.lent[at] = d
	descriptors.mu.Unlock()
	return d, nil
}

// drop frees the descriptor, once.
func (d *lentDescriptor) drop() bool {
	if d == nil {
		return false
	}
	at := mem.AddrOfPtr(d.head)
	descriptors.mu.Lock()
	there := descriptors.lent[at] == d
	if there {
		delete(descriptors.lent, at)
	}
	descriptors.mu.Unlock()
	if there {
		d.entry.Leave()
		_ = d.block.Free() // cannot fail: it was in the table once
	}
	return there
}
