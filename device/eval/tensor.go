package eval

import (
	"fmt"
	"sync/atomic"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Value is what an operation reads or makes: a [*Tensor], a [Token] or a [Tuple].
type Value interface{ isValue() }

// Tensor is a dense array: little-endian, row-major, one element to a whole number of bytes (see package dtype).
// Its Type has no dynamic dimension and no bounds. A Tensor that was passed to or returned by this package is not
// changed afterwards, so it may be shared between goroutines.
type Tensor struct {
	Type stablehlo.Type
	Data []byte

	mem *allocation // nil for a tensor that the caller made
}

// Token orders side effects; it carries no data.
type Token struct{}

// Tuple is a list of values.
type Tuple []Value

func (*Tensor) isValue() {}
func (Token) isValue()   {}
func (Tuple) isValue()   {}

// NewTensor returns a tensor of zeros. It fails where the size is negative or not an int.
func NewTensor(elem dtype.Type, dims ...int64) (*Tensor, error) {
	typ := stablehlo.TensorOf(elem, dims...)
	n, err := byteSize(typ)
	if err != nil {
		return nil, err
	}
	return &Tensor{Type: typ, Data: make([]byte, n)}, nil
}

// Len is the number of elements.
func (t *Tensor) Len() int { return int(t.Type.Len()) }

// maxBytes bounds a single tensor, so that sizes and indices never overflow an int.
const maxBytes = 1 << 46

// byteSize is the size in memory of a tensor of that type, checked for overflow.
func byteSize(t stablehlo.Type) (int64, error) {
	n := int64(t.Elem.Size())
	if n == 0 {
		return 0, fmt.Errorf("eval: tensor of %v: not an element type", t.Elem)
	}
	zero := false
	for _, d := range t.Dims {
		if d < 0 {
			return 0, fmt.Errorf("eval: tensor with dimensions %v: negative size", t.Dims)
		}
		zero = zero || d == 0
	}
	if zero {
		return 0, nil
	}
	for _, d := range t.Dims {
		if n > maxBytes/d {
			return 0, fmt.Errorf("eval: tensor with dimensions %v of %v: too large", t.Dims, t.Elem)
		}
		n *= d
	}
	return n, nil
}

// memory accounts for the bytes of live tensors of one run; it is shared by the processes of a grid.
type memory struct {
	limit int64 // 0: none
	live  atomic.Int64
	peak  atomic.Int64
}

// allocation is one accounted buffer, shared by the tensors that view it.
type allocation struct {
	mem  *memory
	size int64
	refs atomic.Int32
}

// MemoryError says that a run needed more memory than its limit.
type MemoryError struct {
	Op    string // what asked for the memory
	Need  int64  // bytes asked for
	Live  int64  // bytes in use at that moment
	Limit int64
}

// Error says what asked for how much, what is in use and what the limit is.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("eval: %s: needs %d bytes beside %d in use: over the memory limit of %d bytes",
		e.Op, e.Need, e.Live, e.Limit)
}

// take accounts for n bytes.
func (m *memory) take(op string, n int64) error {
	live := m.live.Add(n)
	if m.limit > 0 && live > m.limit {
		m.live.Add(-n)
		return &MemoryError{Op: op, Need: n, Live: live - n, Limit: m.limit}
	}
	for {
		peak := m.peak.Load()
		if live <= peak || m.peak.CompareAndSwap(peak, live) {
			return nil
		}
	}
}

func (m *memory) give(n int64) { m.live.Add(-n) }

// retain counts one more holder of v's buffers.
func retain(v Value) {
	switch v := v.(type) {
	case *Tensor:
		if v.mem != nil {
			v.mem.refs.Add(1)
		}
	case Tuple:
		for _, e := range v {
			retain(e)
		}
	}
}

// release counts one holder less; the last one returns the bytes to the account.
func release(v Value) {
	switch v := v.(type) {
	case *Tensor:
		if v.mem != nil && v.mem.refs.Add(-1) == 0 {
			v.mem.mem.give(v.mem.size)
		}
	case Tuple:
		for _, e := range v {
			release(e)
		}
	}
}

// strides returns how many elements apart neighbours along each dimension are.
func strides(dims []int64) []int {
	s := make([]int, len(dims))
	n := 1
	for i := len(dims) - 1; i >= 0; i-- {
		s[i] = n
		n *= int(dims[i])
	}
	return s
}

// product is the number of elements of a shape.
func product(dims []int64) int {
	n := 1
	for _, d := range dims {
		n *= int(d)
	}
	return n
}

// next advances idx through the index space dims in row-major order and reports whether it is still inside.
func next(idx []int, dims []int64) bool {
	for i := len(idx) - 1; i >= 0; i-- {
		idx[i]++
		if idx[i] < int(dims[i]) {
			return true
		}
		idx[i] = 0
	}
	return false
}

// unravel writes the index of the flat position p.
func unravel(idx []int, p int, dims []int64) {
	for i := len(dims) - 1; i >= 0; i-- {
		d := int(dims[i])
		idx[i] = p % d
		p /= d
	}
}
