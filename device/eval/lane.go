package eval

import (
	"encoding/binary"
	"math"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// laneLen is how many elements an elementwise computation handles at a time.
const laneLen = 1024

// lane holds some elements of one type, decoded into the domain in which they are computed: integers and booleans as
// int64 (the bits of a ui64), floats as float64, complex numbers as complex128. Rounding to the element type happens
// once, in round or store.
type lane struct {
	typ dtype.Type
	i   []int64
	f   []float64
	c   []complex128
}

func newLane(t dtype.Type, n int) *lane {
	l := &lane{typ: t}
	switch t.Kind() {
	case dtype.Float:
		l.f = make([]float64, n)
	case dtype.Complex:
		l.c = make([]complex128, n)
	default:
		l.i = make([]int64, n)
	}
	return l
}

// load decodes n elements of data from element position at.
func (l *lane) load(data []byte, at, n int) {
	size := l.typ.Size()
	data = data[at*size : (at+n)*size]
	switch l.typ.Kind() {
	case dtype.Float:
		decodeFloats(l.typ, data, l.f[:n])
	case dtype.Complex:
		decodeComplex(l.typ, data, l.c[:n])
	default:
		decodeInts(l.typ, data, l.i[:n])
	}
}

// store encodes n elements into data at element position at, rounding each once.
func (l *lane) store(data []byte, at, n int) {
	size := l.typ.Size()
	data = data[at*size : (at+n)*size]
	switch l.typ.Kind() {
	case dtype.Float:
		encodeFloats(l.typ, l.f[:n], data)
	case dtype.Complex:
		encodeComplex(l.typ, l.c[:n], data)
	default:
		encodeInts(l.typ, l.i[:n], data)
	}
}

// loadOne decodes element p of data into place k.
func (l *lane) loadOne(k int, data []byte, p int) {
	size := l.typ.Size()
	data = data[p*size : (p+1)*size]
	switch l.typ.Kind() {
	case dtype.Float:
		decodeFloats(l.typ, data, l.f[k:k+1])
	case dtype.Complex:
		decodeComplex(l.typ, data, l.c[k:k+1])
	default:
		decodeInts(l.typ, data, l.i[k:k+1])
	}
}

// storeOne encodes place k into element p of data.
func (l *lane) storeOne(k int, data []byte, p int) {
	size := l.typ.Size()
	data = data[p*size : (p+1)*size]
	switch l.typ.Kind() {
	case dtype.Float:
		encodeFloats(l.typ, l.f[k:k+1], data)
	case dtype.Complex:
		encodeComplex(l.typ, l.c[k:k+1], data)
	default:
		encodeInts(l.typ, l.i[k:k+1], data)
	}
}

// copyOne copies place j of from, which has the same type, to place k.
func (l *lane) copyOne(k int, from *lane, j int) {
	switch l.typ.Kind() {
	case dtype.Float:
		l.f[k] = from.f[j]
	case dtype.Complex:
		l.c[k] = from.c[j]
	default:
		l.i[k] = from.i[j]
	}
}

// copyAll copies the first n places of from.
func (l *lane) copyAll(from *lane, n int) {
	switch l.typ.Kind() {
	case dtype.Float:
		copy(l.f[:n], from.f)
	case dtype.Complex:
		copy(l.c[:n], from.c)
	default:
		copy(l.i[:n], from.i)
	}
}

// fill puts place 0 of from into the first n places.
func (l *lane) fill(from *lane, n int) {
	for k := range n {
		l.copyOne(k, from, 0)
	}
}

// round rounds the first n places to values of the lane's type.
func (l *lane) round(n int) {
	switch l.typ.Kind() {
	case dtype.Float:
		roundFloats(l.typ, l.f[:n])
	case dtype.Complex:
		if l.typ == dtype.C64 {
			for k, c := range l.c[:n] {
				l.c[k] = complex(float64(float32(real(c))), float64(float32(imag(c))))
			}
		}
	default:
		for k, v := range l.i[:n] {
			l.i[k] = wrap(l.typ, v)
		}
	}
}

func roundFloats(t dtype.Type, v []float64) {
	switch t {
	case dtype.F64:
	case dtype.F32:
		for k, x := range v {
			v[k] = float64(float32(x))
		}
	default:
		for k, x := range v {
			v[k] = roundFloat(t, x)
		}
	}
}

// roundFloat is the value of type t nearest to x.
func roundFloat(t dtype.Type, x float64) float64 {
	switch t {
	case dtype.F64:
		return x
	case dtype.F32:
		return float64(float32(x))
	}
	return dtype.ToFloat64(t, dtype.FromFloat64(t, x))
}

// wrap keeps the low bits of v that type t has, extended as t's values are.
func wrap(t dtype.Type, v int64) int64 {
	switch t {
	case dtype.I64, dtype.U64:
		return v
	case dtype.I1:
		return v & 1
	}
	shift := 64 - t.Bits()
	if t.Kind() == dtype.Signed {
		return v << shift >> shift
	}
	return int64(uint64(v) << shift >> shift)
}

func decodeFloats(t dtype.Type, data []byte, dst []float64) {
	le := binary.LittleEndian
	switch t {
	case dtype.F64:
		for k := range dst {
			dst[k] = math.Float64frombits(le.Uint64(data[8*k:]))
		}
	case dtype.F32:
		for k := range dst {
			dst[k] = float64(math.Float32frombits(le.Uint32(data[4*k:])))
		}
	case dtype.BF16:
		for k := range dst {
			dst[k] = float64(math.Float32frombits(uint32(le.Uint16(data[2*k:])) << 16))
		}
	case dtype.F16:
		for k := range dst {
			dst[k] = dtype.ToFloat64(t, uint64(le.Uint16(data[2*k:])))
		}
	default:
		for k := range dst {
			dst[k] = dtype.ToFloat64(t, uint64(data[k]))
		}
	}
}

func encodeFloats(t dtype.Type, src []float64, data []byte) {
	le := binary.LittleEndian
	switch t {
	case dtype.F64:
		for k, v := range src {
			le.PutUint64(data[8*k:], math.Float64bits(v))
		}
	case dtype.F32:
		for k, v := range src {
			le.PutUint32(data[4*k:], math.Float32bits(float32(v)))
		}
	case dtype.BF16, dtype.F16:
		for k, v := range src {
			le.PutUint16(data[2*k:], uint16(dtype.FromFloat64(t, v)))
		}
	default:
		for k, v := range src {
			data[k] = byte(dtype.FromFloat64(t, v))
		}
	}
}

func decodeComplex(t dtype.Type, data []byte, dst []complex128) {
	le := binary.LittleEndian
	if t == dtype.C64 {
		for k := range dst {
			re := math.Float32frombits(le.Uint32(data[8*k:]))
			im := math.Float32frombits(le.Uint32(data[8*k+4:]))
			dst[k] = complex(float64(re), float64(im))
		}
		return
	}
	for k := range dst {
		dst[k] = complex(math.Float64frombits(le.Uint64(data[16*k:])), math.Float64frombits(le.Uint64(data[16*k+8:])))
	}
}

func encodeComplex(t dtype.Type, src []complex128, data []byte) {
	le := binary.LittleEndian
	if t == dtype.C64 {
		for k, v := range src {
			le.PutUint32(data[8*k:], math.Float32bits(float32(real(v))))
			le.PutUint32(data[8*k+4:], math.Float32bits(float32(imag(v))))
		}
		return
	}
	for k, v := range src {
		le.PutUint64(data[16*k:], math.Float64bits(real(v)))
		le.PutUint64(data[16*k+8:], math.Float64bits(imag(v)))
	}
}

func decodeInts(t dtype.Type, data []byte, dst []int64) {
	le := binary.LittleEndian
	switch t {
	case dtype.I64, dtype.U64:
		for k := range dst {
			dst[k] = int64(le.Uint64(data[8*k:]))
		}
	case dtype.I32:
		for k := range dst {
			dst[k] = int64(int32(le.Uint32(data[4*k:])))
		}
	case dtype.U32:
		for k := range dst {
			dst[k] = int64(le.Uint32(data[4*k:]))
		}
	case dtype.I16:
		for k := range dst {
			dst[k] = int64(int16(le.Uint16(data[2*k:])))
		}
	case dtype.U16:
		for k := range dst {
			dst[k] = int64(le.Uint16(data[2*k:]))
		}
	case dtype.I1:
		for k := range dst {
			dst[k] = 0
			if data[k] != 0 {
				dst[k] = 1
			}
		}
	default: // one byte: i2, i4, i8 sign-extended, ui2, ui4, ui8
		for k := range dst {
			dst[k] = wrap(t, int64(data[k]))
		}
	}
}

func encodeInts(t dtype.Type, src []int64, data []byte) {
	le := binary.LittleEndian
	switch t.Size() {
	case 8:
		for k, v := range src {
			le.PutUint64(data[8*k:], uint64(v))
		}
	case 4:
		for k, v := range src {
			le.PutUint32(data[4*k:], uint32(v))
		}
	case 2:
		for k, v := range src {
			le.PutUint16(data[2*k:], uint16(v))
		}
	default:
		for k, v := range src {
			data[k] = byte(wrap(t, v))
		}
	}
}

// floats, ints and complexes decode a whole tensor.
func (t *Tensor) floats() []float64 {
	v := make([]float64, t.Len())
	decodeFloats(t.Type.Elem, t.Data, v)
	return v
}

func (t *Tensor) ints() []int64 {
	v := make([]int64, t.Len())
	decodeInts(t.Type.Elem, t.Data, v)
	return v
}

func (t *Tensor) complexes() []complex128 {
	v := make([]complex128, t.Len())
	decodeComplex(t.Type.Elem, t.Data, v)
	return v
}
