package pjrtserve

import (
	"math/bits"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// pools gives small pieces of memory outside Go's heap, by the logarithm of their size.
var pools = sync.OnceValue(func() *[bits.UintSize]*mem.Chunks {
	var p [bits.UintSize]*mem.Chunks
	for size := 64; size <= 1<<16; size *= 2 {
		c, err := mem.NewChunks(size)
		if err != nil {
			panic(err) // the sizes are constants: our own invariant
		}
		p[bits.Len(uint(size))] = c
	}
	return &p
})

// piece is memory outside Go's heap with one owner.
type piece struct {
	addr  mem.Addr
	class int
	block *mem.Block
}

// grab takes n bytes, zeroed, aligned to 64.
func grab(n int) (p piece, b []byte, err error) {
	size := max(64, 1<<bits.Len(uint(max(n, 1)-1)))
	if size <= 1<<16 {
		p.class = bits.Len(uint(size))
		if p.addr = pools()[p.class].Get(); p.addr != 0 {
			b, err := mem.Slice[byte](p.addr, size)
			clear(b)
			return p, b[:n], err
		}
	}
	if p.block, err = mem.Alloc(n, 64); err != nil {
		return p, nil, err
	}
	p.addr = mem.AddrOf(p.block.Bytes())
	return p, p.block.Bytes(), nil
}

func (p piece) free() {
	switch {
	case p.block != nil:
		if err := p.block.Free(); err != nil {
			isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemDestroy, Object: isthmus.Object{Kind: "pjrtserve.piece"}, Err: err})
		}
	case p.addr != 0:
		pools()[p.class].Put(p.addr)
	}
}

// text is a string that C may read until it is freed.
type text struct {
	piece
	size int
}

func (t *text) set(s string) error {
	p, b, err := grab(len(s) + 1)
	if err != nil {
		return err
	}
	copy(b, s)
	t.piece, t.size = p, len(s)
	return nil
}

func (t *text) get() (pjrtc.Ptr[byte], uint64) { return pjrtc.Ptr[byte](t.addr), uint64(t.size) }

// heap is the memory that belongs to one object: texts and lists that C may read until the object is destroyed. Each
// is made once, on first use.
type heap struct {
	mu     sync.Mutex
	dead   bool
	made   map[string]any
	pieces []piece
	ends   []func() // handles that go with the object
}

// once returns what make made under that name.
func once[T any](h *heap, name string, make_ func() (T, error)) (T, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var zero T
	if h.dead {
		return zero, invalid("the object was destroyed")
	}
	if v, ok := h.made[name]; ok {
		return v.(T), nil
	}
	v, err := make_()
	if err != nil {
		return zero, err
	}
	if h.made == nil {
		h.made = map[string]any{}
	}
	h.made[name] = v
	return v, nil
}

// list is a C array.
type list[T any] struct {
	at pjrtc.Ptr[T]
	n  uint64
}

// listOf copies values into the heap. The caller holds mu, or is inside once.
func listOf[T any](h *heap, values []T) (list[T], error) {
	p, b, err := grab(max(len(values)*mem.SizeOf[T](), 1))
	if err != nil {
		return list[T]{}, err
	}
	h.pieces = append(h.pieces, p)
	if len(values) > 0 {
		out, err := mem.View[T](b)
		if err != nil {
			return list[T]{}, err
		}
		copy(out, values)
	}
	return list[T]{pjrtc.Ptr[T](p.addr), uint64(len(values))}, nil
}

// text gives C a string that never changes.
func (h *heap) text(name, s string) (pjrtc.Ptr[byte], uint64, error) {
	l, err := once(h, name, func() (list[byte], error) { return listOf(h, append([]byte(s), 0)) })
	return l.at, uint64(len(s)), err
}

// array gives C a list that never changes.
func array[T any](h *heap, name string, values func() []T) (pjrtc.Ptr[T], uint64, error) {
	l, err := once(h, name, func() (list[T], error) { return listOf(h, values()) })
	return l.at, l.n, err
}

// free ends everything that C was given.
func (h *heap) free() {
	h.mu.Lock()
	pieces, ends := h.pieces, h.ends
	h.dead, h.pieces, h.made, h.ends = true, nil, nil, nil
	h.mu.Unlock()
	for _, end := range ends {
		end()
	}
	for _, p := range pieces {
		p.free()
	}
}

// named copies named values into the heap. The caller holds mu, or is inside once.
func named(h *heap, values []Value) (list[pjrtc.NamedValue], error) {
	out := make([]pjrtc.NamedValue, len(values))
	for i, v := range values {
		n := &out[i]
		n.SetSize()
		name, err := listOf(h, []byte(v.Name))
		if err != nil {
			return list[pjrtc.NamedValue]{}, err
		}
		n.Name, n.NameSize, n.ValueSize = name.at, name.n, 1
		switch x := v.Value.(type) {
		case string:
			s, err := listOf(h, []byte(x))
			if err != nil {
				return list[pjrtc.NamedValue]{}, err
			}
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKString, uint64(s.at), s.n
		case int64:
			n.Type, n.Value = pjrtc.NamedValueKInt64, uint64(x)
		case []int64:
			s, err := listOf(h, x)
			if err != nil {
				return list[pjrtc.NamedValue]{}, err
			}
			n.Type, n.Value, n.ValueSize = pjrtc.NamedValueKInt64List, uint64(s.at), s.n
		case float32:
			n.Type, n.Value = pjrtc.NamedValueKFloat, uint64(floatBits(x))
		case bool:
			n.Type = pjrtc.NamedValueKBool
			if x {
				n.Value = 1
			}
		default:
			return list[pjrtc.NamedValue]{}, fail(pjrtc.ErrorCodeINTERNAL, "a value named %q is a %T", v.Name, v.Value)
		}
	}
	return listOf(h, out)
}

// bytes gives C bytes that never change.
func (h *heap) bytes(name string, b []byte) (pjrtc.Ptr[byte], uint64, error) {
	l, err := once(h, name, func() (list[byte], error) { return listOf(h, b) })
	return l.at, l.n, err
}
