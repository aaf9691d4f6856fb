package pjrt

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// toNative writes the layout into the frame, where it lives as long as the call. C's struct has no place for the
// element's size, the memory space and XLA's other attributes: a layout with those is refused, not changed.
func (l Layout) toNative(f *call.Frame, op string) (pjrtc.Ptr[pjrtc.BufferMemoryLayout], error) {
	if err := l.check(); err != nil {
		return 0, fmt.Errorf("pjrt: %s: layout %s: %w: %w", op, l, err, isthmus.ErrInvalid)
	}
	if l.ElementBits != 0 || l.MemorySpace != 0 || l.Other != "" {
		return 0, fmt.Errorf("pjrt: %s: layout %s: the C API passes no element size, memory space or other attributes: %w; clear them", op, l, isthmus.ErrUnsupported)
	}
	n, err := call.New[pjrtc.BufferMemoryLayout](f)
	if err != nil {
		return 0, err
	}
	n.SetSize()
	if l.strided() {
		n.Type = pjrtc.BufferMemoryLayoutTypeStrides
		s := n.Strides()
		s.SetSize()
		s.ByteStrides, err = int64sIn(f, l.Strides)
		s.NumByteStrides = uint64(len(l.Strides))
		return pjrtc.To(n), err
	}
	n.Type = pjrtc.BufferMemoryLayoutTypeTiled
	t := n.Tiled()
	t.SetSize()
	if t.MinorToMajor, err = int64sIn(f, l.MinorToMajor); err != nil {
		return 0, err
	}
	t.MinorToMajorSize = uint64(len(l.MinorToMajor))
	if len(l.Tiles) == 0 {
		return pjrtc.To(n), nil
	}
	var dims []int
	sizes, err := call.Slice[uint64](f, len(l.Tiles))
	if err != nil {
		return 0, err
	}
	for i, tile := range l.Tiles {
		dims, sizes[i] = append(dims, tile...), uint64(len(tile))
	}
	t.TileDims, err = int64sIn(f, dims)
	t.TileDimSizes, t.NumTiles = pjrtc.ToSlice(sizes), uint64(len(sizes))
	return pjrtc.To(n), err
}

// int64sIn writes numbers into the frame; an empty list has an address too.
func int64sIn(f *call.Frame, list []int) (pjrtc.Ptr[int64], error) {
	out, err := call.Slice[int64](f, max(len(list), 1))
	if err != nil {
		return 0, err
	}
	for i, v := range list {
		out[i] = int64(v)
	}
	return pjrtc.ToSlice(out), nil
}

// fromNativeLayout copies a layout that a plugin gave.
func fromNativeLayout(op string, n *pjrtc.BufferMemoryLayout) (l Layout, err error) {
	switch n.Type {
	case pjrtc.BufferMemoryLayoutTypeStrides:
		s := n.Strides()
		l.Strides, err = intsOf(op, s.ByteStrides, s.NumByteStrides, maxRank)
	case pjrtc.BufferMemoryLayoutTypeTiled:
		t := n.Tiled()
		if l.MinorToMajor, err = intsOf(op, t.MinorToMajor, t.MinorToMajorSize, maxRank); err != nil {
			return l, err
		}
		sizes, err := numbers(op, t.TileDimSizes, t.NumTiles, maxTiles)
		if err != nil {
			return l, err
		}
		total := uint64(0)
		for _, n := range sizes {
			if n > maxTiles {
				return l, fmt.Errorf("pjrt: %s: the plugin says that a tile has %d dimensions: %w", op, n, isthmus.ErrBounds)
			}
			total += n
		}
		dims, err := intsOf(op, t.TileDims, total, maxTiles*maxTiles)
		if err != nil {
			return l, err
		}
		for _, n := range sizes {
			l.Tiles, dims = append(l.Tiles, dims[:n:n]), dims[n:]
		}
	default:
		return l, fmt.Errorf("pjrt: %s: a layout of kind %d: %w", op, n.Type, isthmus.ErrUnsupported)
	}
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return l, fmt.Errorf("pjrt: %s: the plugin's layout: %w: %w", op, err, isthmus.ErrInvalid)
	}
	return l, nil
}

func intsOf(op string, p pjrtc.Ptr[int64], n, limit uint64) ([]int, error) {
	list, err := numbers(op, p, n, limit)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(list))
	for i, v := range list {
		if out[i], err = mem.To[int](v); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	return out, nil
}

// nativeType writes a type's dimensions into the frame and gives the plugin's number of its elements.
func (p *Plugin) nativeType(f *call.Frame, op string, t Type) (typ pjrtc.BufferType, dims pjrtc.Ptr[int64], rank uint64, err error) {
	if typ, err = p.toBufferType(op, t.DType); err != nil {
		return 0, 0, 0, err
	}
	if len(t.Dims) > maxRank {
		return 0, 0, 0, invalid(op, "rank %d", len(t.Dims))
	}
	if _, err = t.Size(); err != nil {
		return 0, 0, 0, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	dims, err = int64sIn(f, t.Dims)
	return typ, dims, uint64(len(t.Dims)), err
}

// nativeLayout writes the shape's layout, if it has one.
func (s Shape) nativeLayout(f *call.Frame, op string) (pjrtc.Ptr[pjrtc.BufferMemoryLayout], error) {
	if err := s.plain(op); err != nil {
		return 0, err
	}
	l, ok := s.Layout()
	if !ok {
		return 0, nil
	}
	return l.nativeFor(f, op, s.Type)
}

// plain refuses shapes that are none of one static tensor, which is what a buffer is made of.
func (s Shape) plain(op string) error {
	if s.Tuple != nil || slices.Contains(s.Dynamic, true) {
		return fmt.Errorf("pjrt: %s: the shape %s: %w", op, s, isthmus.ErrUnsupported)
	}
	return nil
}

// nativeFor writes the layout of a tensor of type t.
func (l Layout) nativeFor(f *call.Frame, op string, t Type) (pjrtc.Ptr[pjrtc.BufferMemoryLayout], error) {
	if err := l.fits(op, t); err != nil {
		return 0, err
	}
	return l.toNative(f, op)
}

// Layout is how the buffer's content lies on its device. Calls PJRT_Layouts_PJRT_Buffer_MemoryLayout where the plugin
// has it, which tells more, and PJRT_Buffer_GetMemoryLayout elsewhere.
func (b *Buffer) Layout() (Layout, error) {
	const op = "buffer layout"
	h, err := b.use(op)
	if err != nil {
		return Layout{}, err
	}
	defer b.owned.Done()
	p := b.client.plugin
	if p.hasExt((*pjrtc.LayoutsPJRTBufferMemoryLayoutArgs)(nil)) && p.hasExt((*pjrtc.LayoutsMemoryLayoutSerializeArgs)(nil)) {
		var l pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]
		err := askExt(p, op, func(_ *call.Frame, a *pjrtc.LayoutsPJRTBufferMemoryLayoutArgs) error { a.Buffer = h; return nil },
			func(a *pjrtc.LayoutsPJRTBufferMemoryLayoutArgs) error { l = a.Layout; return nil })
		if err == nil {
			return p.takeLayout(op, l)
		}
		if unlessUnsupported(err) != nil {
			return Layout{}, err
		}
	}
	var l Layout
	err = ask(p, op, func(_ *call.Frame, a *pjrtc.BufferGetMemoryLayoutArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferGetMemoryLayoutArgs) (err error) {
			l, err = fromNativeLayout(op, &a.Layout)
			return err
		})
	return l, err
}

// DefaultLayout is how the client's devices lay out a tensor unless told otherwise. Calls
// PJRT_Layouts_PJRT_Client_GetDefaultLayout.
func (c *Client) DefaultLayout(t Type) (Layout, error) {
	const op = "default layout"
	if c == nil || c.plugin == nil {
		return Layout{}, invalid(op, "no client")
	}
	h, err := c.owned.Use()
	if err != nil {
		return Layout{}, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	defer c.owned.Done()
	var l pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]
	err = askExt(c.plugin, op, func(f *call.Frame, a *pjrtc.LayoutsPJRTClientGetDefaultLayoutArgs) (err error) {
		a.Client = h
		a.Type, a.Dims, a.NumDims, err = c.plugin.nativeType(f, op, t)
		return err
	}, func(a *pjrtc.LayoutsPJRTClientGetDefaultLayoutArgs) error { l = a.Layout; return nil })
	if err != nil {
		return Layout{}, err
	}
	return c.plugin.takeLayout(op, l)
}

// takeLayout reads a layout that the plugin gave to the caller, and destroys it.
func (p *Plugin) takeLayout(op string, h pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]) (Layout, error) {
	if h == 0 {
		return Layout{}, fmt.Errorf("pjrt: %s: the plugin gave none: %w", op, isthmus.ErrInvalid)
	}
	defer dropWith(func(h pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]) error {
		return askExt(p, op, func(_ *call.Frame, a *pjrtc.LayoutsMemoryLayoutDestroyArgs) error { a.Layout = h; return nil }, nil)
	})(h)
	return p.readLayout(op, h)
}

// readLayout reads a layout that the plugin keeps.
func (p *Plugin) readLayout(op string, h pjrtc.Ptr[pjrtc.LayoutsMemoryLayout]) (Layout, error) {
	s := ""
	err := askExt(p, op, func(_ *call.Frame, a *pjrtc.LayoutsMemoryLayoutSerializeArgs) error { a.Layout = h; return nil },
		func(a *pjrtc.LayoutsMemoryLayoutSerializeArgs) error {
			s = text(a.SerializedBytes, a.SerializedBytesSize)
			if a.SerializedLayout != 0 && a.SerializedLayoutDeleter != 0 {
				call.Call1(call.Fn(a.SerializedLayoutDeleter), mem.Addr(a.SerializedLayout))
			}
			return nil
		})
	if err != nil {
		return Layout{}, err
	}
	l, err := ParseLayout(s)
	if err != nil {
		return l, fmt.Errorf("pjrt: %s: %w", op, err)
	}
	return l, nil
}

// hasExt reports whether the plugin has a function of an extension.
func (p *Plugin) hasExt(a pjrtc.ExtArgs) bool {
	_, err := p.extensionFunc(a.ExtFunc())
	return err == nil
}

// UnpaddedDims are the dimensions without the padding that dynamic ones have. Calls PJRT_Buffer_UnpaddedDimensions.
func (b *Buffer) UnpaddedDims() ([]int, error) {
	const op = "unpadded dimensions"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	var dims []int
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferUnpaddedDimensionsArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferUnpaddedDimensionsArgs) error {
			list, err := numbers(op, a.UnpaddedDims, a.NumDims, maxRank)
			if err == nil {
				dims, err = toDims(op, list)
			}
			return err
		})
	return dims, err
}

// DynamicDims lists the dimensions whose length is known only when the program runs, none for most buffers. Calls
// PJRT_Buffer_DynamicDimensionIndices.
func (b *Buffer) DynamicDims() ([]int, error) {
	const op = "dynamic dimensions"
	h, err := b.use(op)
	if err != nil {
		return nil, err
	}
	defer b.owned.Done()
	dims := []int{}
	err = ask(b.client.plugin, op, func(_ *call.Frame, a *pjrtc.BufferDynamicDimensionIndicesArgs) error { a.Buffer = h; return nil },
		func(a *pjrtc.BufferDynamicDimensionIndicesArgs) error {
			list, err := numbers(op, a.DynamicDimIndices, a.NumDynamicDims, maxRank)
			for _, d := range list {
				if d >= uint64(len(b.typ.Dims)) {
					return fmt.Errorf("pjrt: %s: the plugin names dimension %d of %d: %w", op, d, len(b.typ.Dims), isthmus.ErrBounds)
				}
				dims = append(dims, int(d))
			}
			return err
		})
	return dims, err
}
