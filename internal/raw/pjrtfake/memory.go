package pjrtfake

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// memory is what the fake hands out: off-heap, in slabs, freed with the fake. What belongs to an object is given back
// when that ends, and overwritten, so that a client that reads it later reads nonsense.
type memory struct {
	blocks []*mem.Block
	rest   []byte
	pieces map[int][][]byte
	texts  map[string]pjrtc.Ptr[byte]
}

const slab = 1 << 18

func (m *memory) free() {
	for _, b := range m.blocks {
		_ = b.Free()
	}
	*m = memory{}
}

// block returns zeroed memory that lives as long as the fake.
func (m *memory) block(size int) []byte {
	size = (max(size, 8) + 63) &^ 63
	if free := m.pieces[size]; len(free) > 0 {
		b := free[len(free)-1]
		m.pieces[size] = free[:len(free)-1]
		clear(b)
		return b
	}
	if size > len(m.rest) {
		b, err := mem.Alloc(max(size, slab), 64)
		if err != nil {
			panic(err)
		}
		m.blocks = append(m.blocks, b)
		if size >= slab {
			return b.Bytes()
		}
		m.rest = b.Bytes()
	}
	b := m.rest[:size:size]
	m.rest = m.rest[size:]
	return b
}

// giveBack takes back what block gave.
func (m *memory) giveBack(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
	if m.pieces == nil {
		m.pieces = map[int][][]byte{}
	}
	if len(b) < slab {
		m.pieces[len(b)] = append(m.pieces[len(b)], b)
	}
}

func alloc[T any](f *Fake) *T {
	return mem.At[T](mem.AddrOf(f.block(mem.SizeOf[T]())))
}

// Text gives C the bytes of s for the fake's life; no NUL but other text follows them.
func (f *Fake) Text(s string) pjrtc.Ptr[byte] {
	const after = "not of this text"
	if p := f.texts[s]; p != 0 {
		return p
	}
	b := f.block(len(s) + len(after))
	copy(b, s+after)
	if f.texts == nil {
		f.texts = map[string]pjrtc.Ptr[byte]{}
	}
	f.texts[s] = pjrtc.Ptr[byte](mem.AddrOf(b))
	return f.texts[s]
}

// List gives C an array that lives as long as o, or as the fake for a nil o.
func List[T any](f *Fake, o *object, values []T) pjrtc.Ptr[T] {
	b := f.block(len(values) * mem.SizeOf[T]())
	out, err := mem.Slice[T](mem.AddrOf(b), len(values))
	if err != nil {
		panic(err)
	}
	copy(out, values)
	if o != nil {
		o.memory = append(o.memory, b)
	}
	return pjrtc.Ptr[T](mem.AddrOf(b))
}

// array is a C array, or nothing.
func array[T any](p pjrtc.Ptr[T], n uint64) []T {
	s, err := p.Slice(n)
	if err != nil {
		return nil
	}
	return s
}

// str is text of the client's.
func str(p pjrtc.Ptr[byte], n uint64) string { return string(array(p, n)) }
