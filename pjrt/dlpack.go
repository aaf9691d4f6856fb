package pjrt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/dlpack"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// DLPack is how array libraries of one process lend tensors to each other without copying. The lender makes a small
// struct with a function that gives the tensor back; the borrower calls it once.

// Capsule is a buffer that is lent by DLPack's rules. Its memory stays where it is, and the buffer open, until the
// capsule is closed or, once another library has it, until that library gives it back. It is safe for concurrent use.
// The zero value is closed.
type Capsule struct {
	mu    sync.Mutex
	owned ffi.Owned[*exported]
	typ   Type
	out   *exported // while another library has it
}

// exported is the native side of a capsule. It leads back to no capsule.
type exported struct {
	handle dlpack.Handle
	block  *mem.Block
	drop   func()
}

func (x *exported) end() error {
	x.drop()
	return x.block.Free()
}

// DLPack lends the buffer by DLPack's rules. It waits until the content is there. The caller closes the capsule.
//
// Errors: [isthmus.ErrUnsupported] for devices and element types that DLPack has no name for, for tiled layouts, and
// where the plugin does not say where its memory is.
func (b *Buffer) DLPack(ctx context.Context) (*Capsule, error) {
	const op = "dlpack"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	if !b.client.views {
		return nil, fmt.Errorf("pjrt: %s: %s has not all that it takes: %w", op, b.client.plugin, isthmus.ErrUnsupported)
	}
	if err := b.Wait(ctx); err != nil {
		return nil, err
	}
	dev, err := b.dlDevice(op)
	if err != nil {
		return nil, err
	}
	typ, err := toDLType(op, b.typ.DType)
	if err != nil {
		return nil, err
	}
	layout := RowMajor(len(b.typ.Dims))
	if len(b.typ.Dims) > 1 {
		if layout, err = b.Layout(); err != nil {
			return nil, err
		}
	}
	strides, err := layout.dense(b.typ)
	if err != nil {
		return nil, err
	}
	if len(layout.Tiles) > 0 || len(strides) != len(b.typ.Dims) {
		return nil, fmt.Errorf("pjrt: %s: layout %s: %w; copy the buffer to one without tiles", op, layout, isthmus.ErrUnsupported)
	}
	at, drop, err := b.hold(h)
	if err != nil {
		return nil, err
	}
	x, err := newExported(at, dev, typ, b.typ, strides, drop)
	if err != nil {
		drop()
		return nil, err
	}
	c := &Capsule{typ: b.typ}
	if err := c.owned.Init(&b.client.plugin.capsules, x, &b.owned); err != nil {
		return nil, err
	}
	return c, nil
}

// dlDevice is DLPack's name of where the buffer is.
func (b *Buffer) dlDevice(op string) (dlpack.Device, error) {
	host, err := b.OnHost()
	if err != nil {
		return dlpack.Device{}, err
	}
	platform := b.client.platform
	switch {
	case host && platform == "cuda":
		return dlpack.Device{Type: dlpack.CUDAHost}, nil
	case host && platform == "rocm":
		return dlpack.Device{Type: dlpack.ROCMHost}, nil
	case host:
		return dlpack.Device{Type: dlpack.CPU}, nil
	case platform == "cuda" && b.device.hardware >= 0:
		return dlpack.Device{Type: dlpack.CUDA, ID: int32(b.device.hardware)}, nil
	case platform == "rocm" && b.device.hardware >= 0:
		return dlpack.Device{Type: dlpack.ROCM, ID: int32(b.device.hardware)}, nil
	}
	return dlpack.Device{}, fmt.Errorf("pjrt: %s: DLPack has no name for %s: %w", op, b.device, isthmus.ErrUnsupported)
}

// newExported writes the native struct, off-heap, where it stays until it is given back.
func newExported(at mem.Addr, dev dlpack.Device, typ dlpack.DataType, t Type, strides []int, drop func()) (*exported, error) {
	const head = 128
	deleter, err := dlDeleter()
	if err != nil {
		return nil, err
	}
	rank := len(t.Dims)
	block, err := mem.Alloc(head+16*max(rank, 1), 64)
	if err != nil {
		return nil, err
	}
	// SAFETY: owner: the block, which lives until the tensor is given back; bounds: the struct has 80 bytes of the
	// head's 128, and the lists 8 bytes a dimension each; alignment: 64; thread: nobody else knows it yet.
	base := mem.AddrOf(block.Bytes())
	lists, err := mem.Slice[int64](base+head, 2*rank)
	if err != nil {
		return nil, errors.Join(err, block.Free())
	}
	n := mem.At[dlpack.Versioned](base)
	n.Version.Major, n.Version.Minor = dlpack.Major, dlpack.Minor
	// XLA's buffers do not change once they are there.
	n.Deleter, n.Flags = mem.Addr(deleter), dlpack.ReadOnly
	n.Tensor.Data, n.Tensor.Device, n.Tensor.NDim, n.Tensor.DType = at, dev, int32(rank), typ
	n.Tensor.Shape, n.Tensor.Strides = base+head, base+head+mem.Addr(8*rank)
	for i, d := range t.Dims {
		lists[i], lists[rank+i] = int64(d), int64(strides[i]/t.DType.Size())
	}
	return &exported{handle: dlpack.Handle{Addr: base, Versioned: true}, block: block, drop: drop}, nil
}

// lentOut are the capsules that other libraries have, by the address that they know. One table in a process: the
// deleter is a C function without context.
var lentOut struct {
	mu      sync.Mutex
	byAddr  map[mem.Addr]*Capsule
	deleter call.Fn
}

// dlDeleter is the C function that gives a tensor back.
func dlDeleter() (call.Fn, error) {
	lentOut.mu.Lock()
	defer lentOut.mu.Unlock()
	if lentOut.deleter == 0 {
		fn, err := cb.Static1(func(self mem.Addr) uintptr { giveBack(self); return 0 }, func(err error) uintptr {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemPanic, Object: isthmus.Object{Kind: "pjrt.Capsule"}, Err: err})
			return 0
		})
		if err != nil {
			return 0, fmt.Errorf("pjrt: dlpack: %w", err)
		}
		lentOut.deleter, lentOut.byAddr = fn, map[mem.Addr]*Capsule{}
	}
	return lentOut.deleter, nil
}

// giveBack ends a loan. A second call, and one with another address, touch nothing and are reported.
func giveBack(self mem.Addr) {
	lentOut.mu.Lock()
	c := lentOut.byAddr[self]
	delete(lentOut.byAddr, self)
	lentOut.mu.Unlock()
	if c == nil {
		isthmus.Tell(isthmus.Report{
			Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "pjrt.Capsule"},
			Err: fmt.Errorf("pjrt: dlpack: a tensor was given back that nobody has: %w", isthmus.ErrInvalid),
		})
		return
	}
	c.mu.Lock()
	c.out = nil
	c.mu.Unlock()
	if err := c.owned.CloseLater(); err != nil {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: c.owned.Object(), Err: err})
	}
}

// TakeDLPack gives a capsule to native code, which calls the deleter once. versioned says which of DLPack's two
// structs it gets. Only this module's own packages can name what it returns.
func TakeDLPack(c *Capsule, versioned bool) (dlpack.Handle, error) {
	const op = "dlpack"
	if c == nil {
		return dlpack.Handle{}, invalid(op, "no capsule")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x, err := c.owned.Use()
	if err != nil {
		return dlpack.Handle{}, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	if c.out != nil {
		return dlpack.Handle{}, fmt.Errorf("pjrt: %s: the capsule was given away before: %w", op, isthmus.ErrInvalid)
	}
	if x.handle.Versioned = versioned; !versioned {
		// SAFETY: owner: the capsule, which is in use; bounds: the old struct is smaller than the new one; alignment: 64;
		// thread: c.mu is held and nobody else has the address yet.
		n := *mem.At[dlpack.Versioned](x.handle.Addr)
		*mem.At[dlpack.Managed](x.handle.Addr) = dlpack.Managed{Tensor: n.Tensor, Deleter: n.Deleter}
	}
	c.out = x
	lentOut.mu.Lock()
	lentOut.byAddr[x.handle.Addr] = c
	lentOut.mu.Unlock()
	return x.handle, nil
}

// Type is the type of the tensor.
func (c *Capsule) Type() Type { return orZero(c).typ }

// Close ends the loan. While another library has the tensor it does nothing and returns an error that wraps
// [isthmus.ErrBusy]: that library ends it. Close is idempotent and nil-safe.
func (c *Capsule) Close() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != nil {
		return fmt.Errorf("pjrt: close capsule: another library has it: %w", isthmus.ErrBusy)
	}
	return c.owned.Close()
}

// String describes the capsule without touching native memory.
func (c *Capsule) String() string {
	if c == nil || !c.owned.Live() {
		return "pjrt.Capsule(none)"
	}
	return fmt.Sprintf("pjrt.Capsule(%s)", c.typ)
}

// dlTypes are DLPack's names of element types.
var dlTypes = []struct {
	t    dtype.Type
	code dlpack.Code
	bits uint8
}{
	{dtype.I1, dlpack.Bool, 8},
	{dtype.I8, dlpack.Int, 8},
	{dtype.I16, dlpack.Int, 16},
	{dtype.I32, dlpack.Int, 32},
	{dtype.I64, dlpack.Int, 64},
	{dtype.U8, dlpack.UInt, 8},
	{dtype.U16, dlpack.UInt, 16},
	{dtype.U32, dlpack.UInt, 32},
	{dtype.U64, dlpack.UInt, 64},
	{dtype.F16, dlpack.Float, 16},
	{dtype.F32, dlpack.Float, 32},
	{dtype.F64, dlpack.Float, 64},
	{dtype.BF16, dlpack.Bfloat, 16},
	{dtype.C64, dlpack.Complex, 64},
	{dtype.C128, dlpack.Complex, 128},
	{dtype.F8E3M4, dlpack.Float8E3M4, 8},
	{dtype.F8E4M3, dlpack.Float8E4M3, 8},
	{dtype.F8E4M3B11FNUZ, dlpack.Float8E4M3B11FN, 8},
	{dtype.F8E4M3FN, dlpack.Float8E4M3FN, 8},
	{dtype.F8E4M3FNUZ, dlpack.Float8E4M3FNUZ, 8},
	{dtype.F8E5M2, dlpack.Float8E5M2, 8},
	{dtype.F8E5M2FNUZ, dlpack.Float8E5M2FNUZ, 8},
	{dtype.F8E8M0FNU, dlpack.Float8E8M0FNU, 8},
}

func toDLType(op string, t dtype.Type) (dlpack.DataType, error) {
	for _, v := range dlTypes {
		if v.t == t {
			return dlpack.DataType{Code: v.code, Bits: v.bits, Lanes: 1}, nil
		}
	}
	return dlpack.DataType{}, fmt.Errorf("pjrt: %s: DLPack has no element type %s of whole bytes: %w", op, t, isthmus.ErrUnsupported)
}

func fromDLType(op string, t dlpack.DataType) (dtype.Type, error) {
	for _, v := range dlTypes {
		if v.code == t.Code && v.bits == t.Bits && t.Lanes == 1 {
			return v.t, nil
		}
	}
	return dtype.Invalid, fmt.Errorf("pjrt: %s: elements of kind %d, %d bits and %d lanes: %w", op, t.Code, t.Bits, t.Lanes, isthmus.ErrUnsupported)
}

// borrowed is a tensor that another library lent.
type borrowed struct {
	handle   dlpack.Handle
	deleter  call.Fn
	device   dlpack.Device
	typ      Type
	layout   Layout // strides, in bytes
	data     mem.Addr
	readOnly bool
}

// giveBack calls the lender's deleter. It may run foreign code of any kind and so never runs where others wait.
func (t *borrowed) giveBack() {
	if t.deleter != 0 {
		call.Call1(t.deleter, t.handle.Addr)
	}
}

// readDLPack reads a tensor that native code lent. What can be told of it is checked; that its memory is there is the
// lender's word.
//
// Preconditions: h is a live DLManagedTensor or DLManagedTensorVersioned.
func readDLPack(op string, h dlpack.Handle) (*borrowed, error) {
	if h.Addr == 0 || h.Addr%8 != 0 {
		return nil, invalid(op, "no tensor")
	}
	t := &borrowed{handle: h}
	var n dlpack.Tensor
	// SAFETY: owner: the lender, until the deleter is called; bounds: the struct that the handle names, of which only the
	// head is read when the version is another one; alignment: checked; thread: the holder of the handle is alone.
	if h.Versioned {
		v := mem.At[dlpack.Versioned](h.Addr)
		t.deleter = call.Fn(v.Deleter)
		if v.Version.Major != dlpack.Major {
			return t, fmt.Errorf("pjrt: %s: DLPack %d.%d, this module speaks %d.x: %w", op, v.Version.Major, v.Version.Minor, dlpack.Major, isthmus.ErrVersion)
		}
		n, t.readOnly = v.Tensor, v.Flags&dlpack.ReadOnly != 0
	} else {
		m := mem.At[dlpack.Managed](h.Addr)
		n, t.deleter = m.Tensor, call.Fn(m.Deleter)
	}
	var err error
	if t.typ.DType, err = fromDLType(op, n.DType); err != nil {
		return t, err
	}
	if n.NDim < 0 || n.NDim > maxRank {
		return t, fmt.Errorf("pjrt: %s: rank %d: %w", op, n.NDim, isthmus.ErrBounds)
	}
	shape, err := mem.Slice[int64](n.Shape, int(n.NDim))
	if err == nil {
		t.typ.Dims, err = toDims(op, shape)
	}
	if err != nil {
		return t, fmt.Errorf("pjrt: %s: shape: %w", op, err)
	}
	if _, err := t.typ.Size(); err != nil {
		return t, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	t.layout = RowMajor(int(n.NDim))
	if n.Strides != 0 {
		strides, err := mem.Slice[int64](n.Strides, int(n.NDim))
		if err != nil {
			return t, fmt.Errorf("pjrt: %s: strides: %w", op, err)
		}
		size := int64(t.typ.DType.Size())
		t.layout = Layout{Strides: make([]int, len(strides))}
		for i, s := range strides {
			if s > math.MaxInt64/size || s < math.MinInt64/size {
				return t, fmt.Errorf("pjrt: %s: stride %d: %w", op, s, isthmus.ErrBounds)
			}
			t.layout.Strides[i] = int(s * size)
		}
	}
	if _, _, err := t.layout.reach(t.typ); err != nil {
		return t, err
	}
	t.device, t.data = n.Device, n.Data+mem.Addr(n.ByteOffset)
	size, err := t.typ.Size()
	if err == nil && size > 0 && (n.Data == 0 || t.data < n.Data) {
		err = fmt.Errorf("pjrt: %s: no data: %w", op, isthmus.ErrInvalid)
	}
	return t, err
}

// PutDLPack makes a buffer of a tensor that native code lent by DLPack's rules. It takes the tensor over, whatever it
// returns: its deleter is called once, when the buffer and all uses of it are done, which is when the event fires.
// Memory that the plugin can use as it is, is not copied. The caller closes both. Only this module's own packages can
// name what it takes.
//
// Errors: [isthmus.ErrVersion] for another version of DLPack; [isthmus.ErrUnsupported] for an element type, lanes or a
// device that m cannot take; [isthmus.ErrBounds] and [isthmus.ErrInvalid] for a damaged tensor.
func PutDLPack(ctx context.Context, m *Memory, h dlpack.Handle) (*Buffer, *Event, error) {
	const op = "dlpack"
	t, err := readDLPack(op, h)
	if err != nil {
		if t != nil {
			t.giveBack()
		}
		return nil, nil, err
	}
	client, err := m.use(op)
	if err != nil {
		t.giveBack()
		return nil, nil, err
	}
	defer m.client.owned.Done()
	d := m.devices[0]
	host := t.device.Type == dlpack.CPU || t.device.Type == dlpack.CUDAHost || t.device.Type == dlpack.ROCMHost
	own := t.device.Type == dlpack.CUDA && m.client.platform == "cuda" || t.device.Type == dlpack.ROCM && m.client.platform == "rocm"
	if !host && (!own || int(t.device.ID) != d.hardware) {
		t.giveBack()
		return nil, nil, fmt.Errorf("pjrt: %s: the tensor is on device %d of kind %d, not on %s: %w", op, t.device.ID, t.device.Type, d, isthmus.ErrUnsupported)
	}
	e := &Event{plugin: m.client.plugin, op: op, done: &ffi.Event{}, local: true}
	size, _ := t.typ.Size() // readDLPack has looked
	order, dense := t.layout.order(t.typ)
	var tried error
	if dense && !t.readOnly && size > 0 {
		s := Shape{Type: t.typ}
		if !order.IsRowMajor() {
			s.MinorToMajor = order.MinorToMajor
		}
		unused := make(chan struct{})
		b, err := m.viewOf(client, s, t.data, host, func() { close(unused) })
		if err == nil {
			go func() { <-unused; t.giveBack(); e.done.Complete(nil) }()
			return b, e, nil
		}
		select {
		case <-unused:
		case <-ctx.Done():
			go func() { <-unused; t.giveBack() }()
			return nil, nil, errors.Join(err, fmt.Errorf("pjrt: %s: %w", op, context.Cause(ctx)))
		}
		tried = err
	}
	if !host {
		t.giveBack()
		return nil, nil, errors.Join(fmt.Errorf("pjrt: %s: memory of a device can only be used as it is: writable, and dense: %w", op, isthmus.ErrUnsupported), tried)
	}
	// What cannot be used in place, such as memory that is not aligned for the plugin, is copied.
	before, span, err := t.layout.reach(t.typ)
	var b *Buffer
	if err == nil {
		// SAFETY: owner: the lender, until the deleter is called below; bounds: reach of its own strides; alignment:
		// bytes; thread: the lender does not write while the tensor is lent.
		data, serr := mem.Slice[byte](t.data-mem.Addr(before), span)
		if err = serr; err == nil {
			b, _, err = PutBytesWith(ctx, d, t.typ, data, PutOptions{Memory: m, Host: &t.layout})
		}
	}
	t.giveBack()
	e.done.Complete(nil)
	if err != nil {
		return nil, nil, err
	}
	return b, e, nil
}

// Import makes a buffer in this memory of a capsule, which may come from another client. It takes the capsule over,
// whatever it returns. The caller closes the buffer and the event, which fires when the capsule's tensor is given
// back. Memory that can be shared is not copied.
func (m *Memory) Import(ctx context.Context, c *Capsule) (*Buffer, *Event, error) {
	h, err := TakeDLPack(c, true)
	if err != nil {
		return nil, nil, err
	}
	return PutDLPack(ctx, m, h)
}
