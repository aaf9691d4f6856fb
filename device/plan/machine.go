package plan

import (
	"sync"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// chunk is how many elements an instruction of a fused chain works on at a time: a few registers of so many float32
// stay in the first-level cache.
const chunk = 1024

// grain is about how many elements one task of a fused chain has. It is a multiple of chunk.
const grain = 16 * chunk

// as views memory that this package laid out as elements of type T.
func as[T any](b []byte) []T {
	v, err := mem.View[T](b)
	if err != nil {
		panic("plan: misplaced memory: " + err.Error()) // our own layout is wrong; nothing a caller did
	}
	return v
}

// frame is what one worker needs to run a fused chain: registers, and how many elements they hold now. A register is a
// piece of the worker's own memory, or of an operand or result that lies in memory in the chain's order.
type frame struct {
	regs [][]byte
	n    int
	mem  []uint64
	tmp  []uint64 // what one instruction needs between two loops, if any does
}

// spare is memory for one instruction: piece i of two, for n elements.
func spare[T any](f *frame, i int) []T {
	if f.tmp == nil {
		f.tmp = make([]uint64, 2*chunk)
	}
	return as[T](mem.Bytes(f.tmp[i*chunk : (i+1)*chunk]))[:f.n]
}

// reg is register i as elements of type T.
func reg[T any](f *frame, i int) []T { return as[T](f.regs[i])[:f.n] }

// scalar is the one value of a register that does not change along the chain.
func scalar[T any](f *frame, i int) T { return as[T](f.regs[i])[0] }

type micro func(f *frame)

// leaf is an operand that a chain reads from memory.
type leaf struct {
	reg    int
	view   view
	size   int // bytes an element
	linear bool
	single bool // one value for the whole chain
	walk   walk // neither
}

// chain is a fused chain of elementwise operations: for each chunk of the n elements it loads leaves and runs the
// instructions. The last register is the result.
type chain struct {
	n      int64
	leaves []leaf
	code   []micro
	nregs  int
	temps  []int // registers with memory of their own
	out    int   // register of the result
	size   int   // bytes of one element of the result
	frames sync.Pool
}

func (c *chain) frame() *frame {
	if f, ok := c.frames.Get().(*frame); ok {
		return f
	}
	f := &frame{regs: make([][]byte, c.nregs), mem: make([]uint64, len(c.temps)*chunk)}
	for i, t := range c.temps {
		f.regs[t] = mem.Bytes(f.mem[i*chunk : (i+1)*chunk])
	}
	return f
}

// start points the registers that stay the same at their operands.
func (c *chain) start(r *run, f *frame) {
	for i := range c.leaves {
		if l := &c.leaves[i]; l.single {
			b := r.bytes(l.view.base)
			f.regs[l.reg] = b[l.view.off*int64(l.size):]
		}
	}
}

// step runs the chain on elements [lo, lo+n), n at most chunk. The result goes to dst, or to its own register where
// dst is nil.
func (c *chain) step(r *run, f *frame, lo int64, n int, dst []byte) {
	f.n = n
	if dst != nil {
		f.regs[c.out] = dst
	}
	for i := range c.leaves {
		l := &c.leaves[i]
		switch {
		case l.single:
		case l.linear:
			at := (l.view.off + lo) * int64(l.size)
			f.regs[l.reg] = r.bytes(l.view.base)[at : at+int64(n)*int64(l.size)]
		default:
			l.walk.load(f.regs[l.reg], r.bytes(l.view.base), l.size, l.view.off, lo, n)
		}
	}
	for _, m := range c.code {
		m(f)
	}
}

// run computes the whole result into dst.
func (c *chain) run(r *run, dst []byte) {
	if c.n == 0 {
		return
	}
	if c.n <= grain {
		c.span(r, dst, 0, c.n)
		return
	}
	r.pool.Run(int((c.n+grain-1)/grain), func(task int) {
		if !r.stopped() {
			lo := int64(task) * grain
			c.span(r, dst, lo, min(c.n, lo+grain))
		}
	})
}

// span computes elements [lo, hi) of the result.
func (c *chain) span(r *run, dst []byte, lo, hi int64) {
	f := c.frame()
	c.start(r, f)
	for ; lo < hi; lo += chunk {
		n := int(min(chunk, hi-lo))
		c.step(r, f, lo, n, dst[lo*int64(c.size):][:n*c.size])
	}
	c.frames.Put(f)
}

// walk visits the elements of a strided view in row-major order. Dimensions that follow each other in memory are one.
type walk struct {
	dims, strides []int64 // the last is innermost; strides count elements
}

func newWalk(dims, strides []int64) walk {
	var w walk
	for i, d := range dims {
		if d == 1 {
			continue
		}
		if k := len(w.dims) - 1; k >= 0 && w.strides[k] == strides[i]*d {
			w.dims[k] *= d
			w.strides[k] = strides[i]
			continue
		}
		w.dims = append(w.dims, d)
		w.strides = append(w.strides, strides[i])
	}
	if len(w.dims) == 0 {
		w.dims, w.strides = []int64{1}, []int64{0}
	}
	return w
}

// linear reports whether the walk is the order of memory.
func (w walk) linear() bool { return len(w.dims) == 1 && (w.strides[0] == 1 || w.dims[0] == 1) }

// load stores n elements of src, from element lo of the walk on, at dst.
func (w *walk) load(dst, src []byte, size int, off, lo int64, n int) {
	switch size {
	case 1:
		loadWalk(w, dst, src, off, lo, n)
	case 2:
		loadWalk(w, as[uint16](dst[:2*n]), as[uint16](src), off, lo, n)
	case 4:
		loadWalk(w, as[uint32](dst[:4*n]), as[uint32](src), off, lo, n)
	case 8:
		loadWalk(w, as[uint64](dst[:8*n]), as[uint64](src), off, lo, n)
	default:
		loadWalk(w, as[[2]uint64](dst[:16*n]), as[[2]uint64](src), off, lo, n)
	}
}

const maxWalk = 16 // dimensions a walk keeps on the stack

func loadWalk[T any](w *walk, dst, src []T, off, lo int64, n int) {
	last := len(w.dims) - 1
	var small [maxWalk]int64
	idx := small[:]
	if len(w.dims) > maxWalk {
		idx = make([]int64, len(w.dims))
	}
	at, rest := off, lo
	for k := last; k >= 0; k-- {
		idx[k] = rest % w.dims[k]
		rest /= w.dims[k]
		at += idx[k] * w.strides[k]
	}
	inner, stride := w.dims[last], w.strides[last]
	for done := 0; done < n; {
		m := int(min(int64(n-done), inner-idx[last]))
		d := dst[done : done+m]
		switch stride {
		case 1:
			copy(d, src[at:at+int64(m)])
		case 0:
			repeat(d, src[at])
		default:
			p := at
			for i := range d {
				d[i] = src[p]
				p += stride
			}
		}
		done += m
		idx[last] += int64(m)
		at += int64(m) * stride
		for k := last; k > 0 && idx[k] == w.dims[k]; k-- {
			idx[k] = 0
			at += w.strides[k-1] - w.dims[k]*w.strides[k]
			idx[k-1]++
		}
	}
}

// repeat stores v everywhere in d. Copying what is there already doubles it at the speed of memory.
func repeat[T any](d []T, v T) {
	k := min(16, len(d))
	for i := range d[:k] {
		d[i] = v
	}
	for ; k < len(d) && k > 0; k *= 2 {
		copy(d[k:], d[:k])
	}
}
