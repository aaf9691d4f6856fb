package pjrtserve

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// elements holds both directions between element types and PJRT's, and XLA's number for each.
var elements = []struct {
	dtype     dtype.Type
	typ       pjrtc.BufferType
	primitive int64
}{
	{dtype.I1, pjrtc.BufferTypePRED, 1},
	{dtype.I2, pjrtc.BufferTypeS2, 26},
	{dtype.I4, pjrtc.BufferTypeS4, 21},
	{dtype.I8, pjrtc.BufferTypeS8, 2},
	{dtype.I16, pjrtc.BufferTypeS16, 3},
	{dtype.I32, pjrtc.BufferTypeS32, 4},
	{dtype.I64, pjrtc.BufferTypeS64, 5},
	{dtype.U2, pjrtc.BufferTypeU2, 27},
	{dtype.U4, pjrtc.BufferTypeU4, 22},
	{dtype.U8, pjrtc.BufferTypeU8, 6},
	{dtype.U16, pjrtc.BufferTypeU16, 7},
	{dtype.U32, pjrtc.BufferTypeU32, 8},
	{dtype.U64, pjrtc.BufferTypeU64, 9},
	{dtype.F4E2M1FN, pjrtc.BufferTypeF4E2M1FN, 32},
	{dtype.F6E2M3FN, pjrtc.BufferTypeF6E2M3FN, 0},
	{dtype.F6E3M2FN, pjrtc.BufferTypeF6E3M2FN, 0},
	{dtype.F8E3M4, pjrtc.BufferTypeF8E3M4, 29},
	{dtype.F8E4M3, pjrtc.BufferTypeF8E4M3, 28},
	{dtype.F8E4M3FN, pjrtc.BufferTypeF8E4M3FN, 20},
	{dtype.F8E4M3FNUZ, pjrtc.BufferTypeF8E4M3FNUZ, 25},
	{dtype.F8E4M3B11FNUZ, pjrtc.BufferTypeF8E4M3B11FNUZ, 23},
	{dtype.F8E5M2, pjrtc.BufferTypeF8E5M2, 19},
	{dtype.F8E5M2FNUZ, pjrtc.BufferTypeF8E5M2FNUZ, 24},
	{dtype.F8E8M0FNU, pjrtc.BufferTypeF8E8M0FNU, 33},
	{dtype.BF16, pjrtc.BufferTypeBF16, 16},
	{dtype.F16, pjrtc.BufferTypeF16, 10},
	{dtype.F32, pjrtc.BufferTypeF32, 11},
	{dtype.F64, pjrtc.BufferTypeF64, 12},
	{dtype.C64, pjrtc.BufferTypeC64, 15},
	{dtype.C128, pjrtc.BufferTypeC128, 18},
}

func toBufferType(t dtype.Type) (pjrtc.BufferType, error) {
	for _, e := range elements {
		if e.dtype == t {
			return e.typ, nil
		}
	}
	return 0, unimplemented("PJRT has no element type %v", t)
}

func fromBufferType(t pjrtc.BufferType) (dtype.Type, error) {
	for _, e := range elements {
		if e.typ == t {
			return e.dtype, nil
		}
	}
	return dtype.Invalid, invalid("element type %v", t)
}

// primitive is XLA's number of an element type, 0 where it has none.
func primitive(t dtype.Type) int64 {
	for _, e := range elements {
		if e.dtype == t {
			return e.primitive
		}
	}
	return 0
}

// maxRank bounds the number of dimensions.
const maxRank = 1 << 10

// readType reads the type of a tensor that C describes.
func readType(t pjrtc.BufferType, dims pjrtc.Ptr[int64], n uint64) (Type, error) {
	d, err := fromBufferType(t)
	if err != nil {
		return Type{}, err
	}
	if n > maxRank {
		return Type{}, invalid("rank %d", n)
	}
	list, err := dims.Slice(n)
	if err != nil {
		return Type{}, err
	}
	out := Type{d, slices.Clone(list)}
	_, err = out.size()
	return out, err
}

// size is the number of bytes of a tensor of known size.
func (t Type) size() (int, error) {
	f := make([]int, 0, len(t.Dims)+1)
	for _, d := range t.Dims {
		if d < 0 {
			return 0, invalid("dimensions %v", t.Dims)
		}
		n, err := mem.To[int](d)
		if err != nil {
			return 0, err
		}
		f = append(f, n)
	}
	n, err := mem.Mul(append(f, t.DType.Size())...)
	if err != nil || n > mem.MaxBytes {
		return 0, invalid("a tensor of dimensions %v is too large", t.Dims)
	}
	return n, nil
}

// minorToMajor is the order of dimensions of a row-major layout.
func minorToMajor(rank int) []int64 {
	order := make([]int64, rank)
	for i := range order {
		order[i] = int64(rank - 1 - i)
	}
	return order
}

// strides are how many bytes apart neighbours along each dimension are.
func (t Type) strides() []int64 {
	s := make([]int64, len(t.Dims))
	n := int64(t.DType.Size())
	for i := len(s) - 1; i >= 0; i-- {
		s[i] = n
		n *= t.Dims[i]
	}
	return s
}

// layoutOf reads a layout that C describes as strides in bytes: nil for the row-major one.
func (t Type) layoutOf(p pjrtc.Ptr[pjrtc.BufferMemoryLayout]) ([]int64, error) {
	if p == 0 {
		return nil, nil
	}
	l, err := at(p)
	if err != nil {
		return nil, err
	}
	if l.StructSize < pjrtc.BufferMemoryLayoutSize {
		return nil, invalid("Unexpected PJRT_Buffer_MemoryLayout size: expected %d, got %d", pjrtc.BufferMemoryLayoutSize, l.StructSize)
	}
	rank := len(t.Dims)
	switch l.Type {
	case pjrtc.BufferMemoryLayoutTypeStrides:
		// SAFETY: owner and lifetime: l's own memory, the caller's during the call; bounds: the union is as large as
		// its larger member, and this is the smaller; alignment: it stands at offset 16; thread: the caller's.
		s := mem.At[pjrtc.BufferMemoryLayoutStrides](mem.AddrOf(l.Value[:]))
		if s.NumByteStrides != uint64(rank) {
			return nil, invalid("%d strides for rank %d", s.NumByteStrides, rank)
		}
		list, err := s.ByteStrides.Slice(s.NumByteStrides)
		return t.unlessDense(slices.Clone(list)), err
	case pjrtc.BufferMemoryLayoutTypeTiled:
		v := l.Tiled()
		if v.NumTiles != 0 {
			return nil, unimplemented("tiled layouts")
		}
		if v.MinorToMajorSize != uint64(rank) {
			return nil, invalid("a layout of %d dimensions for rank %d", v.MinorToMajorSize, rank)
		}
		order, err := v.MinorToMajor.Slice(v.MinorToMajorSize)
		if err != nil {
			return nil, err
		}
		out, seen := make([]int64, rank), make([]bool, rank)
		n := int64(t.DType.Size())
		for _, d := range order {
			if d < 0 || d >= int64(rank) || seen[d] {
				return nil, invalid("the layout %v is no order of %d dimensions", order, rank)
			}
			seen[d], out[d] = true, n
			n *= t.Dims[d]
		}
		return t.unlessDense(out), nil
	}
	return nil, invalid("layout of type %v", l.Type)
}

// unlessDense is nil where the strides are those of the row-major layout, which need no care.
func (t Type) unlessDense(strides []int64) []int64 {
	dense := t.strides()
	for i, s := range strides {
		if s != dense[i] && t.Dims[i] > 1 {
			for _, d := range t.Dims {
				if d == 0 {
					return nil
				}
			}
			return strides
		}
	}
	return nil
}

// rowMajorOnly refuses a layout on the device that is not row-major.
func (t Type) rowMajorOnly(p pjrtc.Ptr[pjrtc.BufferMemoryLayout]) error {
	s, err := t.layoutOf(p)
	if err == nil && s != nil {
		err = unimplemented("buffers here are row-major; strides %v", s)
	}
	return err
}
