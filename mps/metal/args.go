package metal

import (
	"encoding/binary"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// args is the constant of a kernel as its struct has it in memory: fields in order, none of which needs padding before it.
type args []byte

func (a args) u32(n int) args    { return binary.LittleEndian.AppendUint32(a, uint32(n)) }
func (a args) u64(n uint64) args { return binary.LittleEndian.AppendUint64(a, n) }
func (a args) f32(v float64) args {
	return binary.LittleEndian.AppendUint32(a, math.Float32bits(float32(v)))
}

func (a args) flag(b bool) args {
	if b {
		return a.u32(1)
	}
	return a.u32(0)
}

// view is a View.
func (a args) view(m op.Matrix) args {
	return a.u64(uint64(m.Offset)).u64(uint64(m.RowBytes)).u64(uint64(m.MatrixBytes)).u32(int(elements[m.Type])).u32(0)
}

// shared is a View of a matrix that is one for all, if it is one.
func (a args) shared(m op.Matrix) args {
	if m.Count == 1 {
		m.MatrixBytes = 0
	}
	return a.view(m)
}

// elements are the kernels' numbers of element types.
var elements = map[dtype.Type]uint32{
	dtype.F32: 0, dtype.F16: 1, dtype.BF16: 2, dtype.I8: 3, dtype.I16: 4, dtype.I32: 5, dtype.I64: 6,
	dtype.U8: 7, dtype.U16: 8, dtype.U32: 9, dtype.U64: 10,
}
