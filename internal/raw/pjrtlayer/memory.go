package pjrtlayer

import (
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// elementBytes is the size of an element on the host; 0 for what has none. Small integers and floats take a byte each.
func elementBytes(t pjrtc.BufferType) uint64 {
	switch t {
	case pjrtc.BufferTypeINVALID, pjrtc.BufferTypeTOKEN:
		return 0
	case pjrtc.BufferTypeS16, pjrtc.BufferTypeU16, pjrtc.BufferTypeF16, pjrtc.BufferTypeBF16:
		return 2
	case pjrtc.BufferTypeS32, pjrtc.BufferTypeU32, pjrtc.BufferTypeF32:
		return 4
	case pjrtc.BufferTypeS64, pjrtc.BufferTypeU64, pjrtc.BufferTypeF64, pjrtc.BufferTypeC64:
		return 8
	case pjrtc.BufferTypeC128:
		return 16
	}
	if t < 0 || t > pjrtc.BufferTypeF6E3M2FN {
		return 0
	}
	return 1
}

// dense is the size of a tensor without gaps, 0 for what cannot be.
func dense(t pjrtc.BufferType, dims []int64) uint64 {
	n := elementBytes(t)
	for _, d := range dims {
		if d < 0 || d > 0 && n > math.MaxInt64/uint64(d) {
			return 0
		}
		n *= uint64(d)
	}
	return n
}

// packed reports whether strides leave no gaps, in whatever order they go.
func packed(dims, strides []int64, elem uint64) bool {
	type axis struct{ d, s int64 }
	var axes []axis
	for i, d := range dims {
		if d != 1 {
			axes = append(axes, axis{d, strides[i]})
		}
	}
	slices.SortFunc(axes, func(a, b axis) int { return int(a.s - b.s) })
	want := int64(elem)
	for _, a := range axes {
		if a.s != want {
			return false
		}
		want *= a.d
	}
	return true
}

// lending is host memory that a call lends.
type lending struct {
	lend *layer.Lend
	call bool // for the call only
}

// lendHost has a call lend n bytes.
func (l *Layer) lendHost(c *layer.Call, at pjrtc.Addr, n uint64, write, stable, forCall bool) {
	if n == 0 || n > math.MaxInt64 {
		return
	}
	if at == 0 {
		c.Refuse(layer.NullArgument, nil, "the host memory of %d bytes is null", n)
		return
	}
	c.Data = &lending{l.eng.Lend(c, uintptr(at), uintptr(n), write, stable, nil), forCall}
}

// until ends a call's lending, or has it last until the event in the function's output.
func (l *Layer) until(output string) func(*layer.Call, bool) {
	return func(c *layer.Call, failed bool) {
		d, _ := c.Data.(*lending)
		if d == nil {
			return
		}
		for i, op := range c.Func.Ops {
			if op.Field == output && !d.call && !failed {
				if e := c.Object(i); e != nil {
					l.eng.Attach(d.lend, e)
					return
				}
			}
		}
		l.eng.Return(c, d.lend)
	}
}

func (l *Layer) memoryHooks() {
	set := func(s pjrtc.Slot, output string, before func(*layer.Call)) {
		l.slots[s].Before, l.slots[s].After = before, l.until(output)
	}
	set(pjrtc.SlotClientBufferFromHostBuffer, "done_with_host_buffer", func(c *layer.Call) {
		a := args[pjrtc.ClientBufferFromHostBufferArgs](c)
		if a == nil {
			return
		}
		dims, err := a.Dims.Slice(min(a.NumDims, layer.MaxList))
		if err != nil {
			c.Refuse(layer.NullArgument, nil, "dims: %v", err)
			return
		}
		n := dense(a.Type, dims)
		if a.NumByteStrides == a.NumDims && n > 0 {
			strides, err := a.ByteStrides.Slice(a.NumByteStrides)
			if err != nil {
				c.Refuse(layer.NullArgument, nil, "byte_strides: %v", err)
				return
			}
			if !packed(dims, strides, elementBytes(a.Type)) {
				return // what lies between is not lent
			}
		}
		mutable := a.HostBufferSemantics == pjrtc.HostBufferSemanticsKMutableZeroCopy
		l.lendHost(c, a.Data, n, mutable, !mutable, a.HostBufferSemantics == pjrtc.HostBufferSemanticsKImmutableOnlyDuringCall)
	})
	set(pjrtc.SlotAsyncHostToDeviceTransferManagerTransferData, "done_with_h2d_transfer", func(c *layer.Call) {
		if a := args[pjrtc.AsyncHostToDeviceTransferManagerTransferDataArgs](c); a != nil && a.TransferSize > 0 {
			l.lendHost(c, a.Data, uint64(a.TransferSize), false, true, false)
		}
	})
	set(pjrtc.SlotAsyncHostToDeviceTransferManagerTransferLiteral, "done_with_h2d_transfer", func(c *layer.Call) {
		a := args[pjrtc.AsyncHostToDeviceTransferManagerTransferLiteralArgs](c)
		if a == nil {
			return
		}
		if dims, err := a.ShapeDims.Slice(min(a.ShapeNumDims, layer.MaxList)); err == nil {
			l.lendHost(c, a.Data, dense(a.ShapeElementType, dims), false, true, false)
		}
	})
	set(pjrtc.SlotBufferToHostBuffer, "event", func(c *layer.Call) {
		if a := args[pjrtc.BufferToHostBufferArgs](c); a != nil && a.Dst != 0 {
			l.lendHost(c, a.Dst, a.DstSize, true, false, false)
		}
	})
	set(pjrtc.SlotBufferCopyRawToHost, "event", func(c *layer.Call) {
		if a := args[pjrtc.BufferCopyRawToHostArgs](c); a != nil && a.TransferSize > 0 {
			l.lendHost(c, a.Dst, uint64(a.TransferSize), true, false, false)
		}
	})
}
