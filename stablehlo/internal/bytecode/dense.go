package bytecode

import (
	"math/bits"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// elements returns the number of elements of a static shape.
func (r *reader) elements(at int, dims []int64) uint64 {
	n, over := uint64(1), false
	for _, d := range dims {
		if d < 0 {
			r.fail(at, "elements of a tensor without a static shape")
		}
		if d == 0 {
			return 0
		}
		hi, lo := bits.Mul64(n, uint64(d))
		n, over = lo, over || hi != 0
	}
	if over || n > 1<<60 {
		return 1 << 60
	}
	return n
}

// dense makes a constant of its bytes as MLIR holds them: one element for a splat, a byte at least for an element, but
// eight elements of i1 to a byte.
func (r *reader) dense(at int, t mlir.Type, b []byte) mlir.Attr {
	if t.Kind != mlir.Tensor || !t.Elem.Valid() {
		r.fail(at, "elements of %s are not supported", brief(t))
	}
	n := r.elements(at, t.Dims)
	if n == 0 {
		return mlir.Dense{Type: t}
	}
	if t.Elem == dtype.I1 {
		return r.denseBool(at, t, b, n)
	}
	size := uint64(t.Elem.Size())
	splat := uint64(len(b)) == size && n > 1
	if !splat && (uint64(len(b))%size != 0 || uint64(len(b))/size != n) {
		r.fail(at, "%d bytes for %d elements of %s", len(b), n, t.Elem)
	}
	return mlir.Dense{Type: t, Data: canonical(t.Elem, b), Splat: splat}
}

// denseBool unpacks elements of i1. A byte of ones alone says that all are true; the first versions did not pack.
func (r *reader) denseBool(at int, t mlir.Type, b []byte, n uint64) mlir.Attr {
	packed := (n + 7) / 8
	switch {
	case len(b) == 1 && b[0] == 0xff:
		return mlir.Dense{Type: t, Data: []byte{1}, Splat: n > 1}
	case len(b) == 1 && n > 8:
		return mlir.Dense{Type: t, Data: []byte{b[0] & 1}, Splat: true}
	case uint64(len(b)) == packed && uint64(len(b)) != n:
		data := make([]byte, n)
		for i := range data {
			data[i] = b[i/8] >> (i % 8) & 1
		}
		return mlir.Dense{Type: t, Data: data}
	case uint64(len(b)) == n:
		return mlir.Dense{Type: t, Data: canonical(dtype.I1, b)}
	}
	r.fail(at, "%d bytes for %d elements of i1", len(b), n)
	return nil
}

// canonical brings elements narrower than a byte to the form that package dtype wants, in a copy if something changes.
func canonical(t dtype.Type, b []byte) []byte {
	w := t.Bits()
	if w >= 8 {
		return b
	}
	fix := func(x byte) byte {
		if t.Kind() == dtype.Signed {
			return byte(int8(x<<(8-w)) >> (8 - w))
		}
		return x & (1<<w - 1)
	}
	for i, x := range b {
		if fix(x) == x {
			continue
		}
		out := append([]byte(nil), b...)
		for j := i; j < len(out); j++ {
			out[j] = fix(out[j])
		}
		return out
	}
	return b
}

// denseArray reads array<T: …>.
func (r *reader) denseArray(c *cursor) mlir.Attr {
	at := c.p
	t := c.typ()
	n := c.uint()
	b := c.bytes(c.uint())
	size := uint64(t.Elem.Size())
	if t.Kind != mlir.Scalar || size == 0 || uint64(len(b))/size != n || uint64(len(b))%size != 0 {
		r.fail(at, "%d bytes for an array of %d elements of %s", len(b), n, brief(t))
	}
	if t.Elem.IsFloat() {
		v := make([]float64, n)
		for i := range v {
			v[i] = dtype.ToFloat64(t.Elem, littleEndian(b[uint64(i)*size:][:size]))
		}
		return mlir.Floats{Elem: t.Elem, Values: v}
	}
	if t.Elem.IsComplex() {
		r.fail(at, "an array of %s cannot be", brief(t))
	}
	return mlir.Ints{Elem: t.Elem, Values: intsOf(t.Elem, b)}
}

func littleEndian(b []byte) uint64 {
	v := uint64(0)
	for i, x := range b {
		v |= uint64(x) << (8 * i)
	}
	return v
}

// intsOf gives the elements of an integer type.
func intsOf(t dtype.Type, b []byte) []int64 {
	size := t.Size()
	v := make([]int64, len(b)/size)
	for i := range v {
		v[i] = extend(littleEndian(b[i*size:][:size]), t.Bits(), t.Kind() == dtype.Signed)
	}
	return v
}

// ints makes a list of numbers of a constant, as the text writes array<i64: …> for many attributes.
func (r *reader) ints(at int, name string, a mlir.Attr) mlir.Ints {
	switch a := a.(type) {
	case mlir.Ints:
		return a
	case mlir.Dense:
		if a.Type.Elem.IsFloat() || a.Type.Elem.IsComplex() {
			break
		}
		n := r.elements(at, a.Type.Dims)
		// The numbers of one constant may be used by many operations.
		r.charge(at, int64(n))
		v := intsOf(a.Type.Elem, a.Data)
		if a.Splat {
			one := v[0]
			v = make([]int64, n)
			for i := range v {
				v[i] = one
			}
		}
		return mlir.Ints{Elem: a.Type.Elem, Values: v}
	}
	r.fail(at, "attribute %s is not a list of integers", name)
	return mlir.Ints{}
}

// denseStrings reads a tensor of strings as an array.
func (r *reader) denseStrings(c *cursor) mlir.Attr {
	at := c.p
	t := c.typ()
	if t.Kind != mlir.Tensor && t.Kind != mlir.Opaque {
		r.fail(at, "strings of %s cannot be", brief(t))
	}
	c.uint() // whether one string stands for all
	a := mlir.Array{}
	for c.p < c.end {
		a = append(a, mlir.String(c.string()))
	}
	return a
}
