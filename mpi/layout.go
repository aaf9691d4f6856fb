package mpi

import (
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Layout says which elements of a slice take part in an operation, and in which order: a derived datatype. Offsets and
// strides count elements of T. Where a Layout is used n times in a row, each next one begins Extent elements further. It
// is checked against the slice that it is used on, before the library sees either. A Layout is immutable and safe for
// concurrent use; the one that made it closes it.
type Layout[T any] struct{ core *layout }

type layout struct {
	owned  ffi.Owned[mpic.Handle]
	world  *World
	dt     *datatype
	runs   []run // in the order of the layout
	size   int
	lower  int // where the next one of a row is counted from
	extent int
	lo, hi int // the elements that it touches, as of the first of them
}

// run is neighbouring elements.
type run struct{ at, n int }

// maxRuns bounds what a Layout keeps.
const maxRuns = 1 << 24

// Contiguous is n elements after one another. Calls MPI_Type_contiguous.
//
// Errors of all constructors: [isthmus.ErrInvalid] for an element type that holds pointers, [isthmus.ErrBounds] for
// negative or too large numbers, [*Error] for what the library reports.
func Contiguous[T any](w *World, n int) (*Layout[T], error) {
	return derive[T](w, "contiguous layout", n, 1, func(yield func(at, n int)) { yield(0, n) },
		func(f *call.Frame, old, out uintptr) (mpic.Func, []uintptr, error) {
			return mpic.FnTypeContiguous, []uintptr{cint(n), old, out}, nil
		})
}

// Vector is count blocks of elements, each stride after the one before: a column of a matrix, for one. Calls
// MPI_Type_vector.
func Vector[T any](w *World, count, block, stride int) (*Layout[T], error) {
	n, err := mem.Mul(max(count, 0), max(block, 0))
	if err != nil || count < 0 || block < 0 || stride > 1<<31-1 || stride < -1<<31 {
		return nil, bounds("vector layout", "%d blocks of %d every %d", count, block, stride)
	}
	return derive[T](w, "vector layout", n, count, func(yield func(at, n int)) {
		for i := range count {
			yield(i*stride, block)
		}
	}, func(f *call.Frame, old, out uintptr) (mpic.Func, []uintptr, error) {
		return mpic.FnTypeVector, []uintptr{cint(count), cint(block), cint(stride), old, out}, nil
	})
}

// Indexed is blocks of the lengths that lie at the offsets. Calls MPI_Type_indexed.
func Indexed[T any](w *World, lengths, offsets []int) (*Layout[T], error) {
	const op = "indexed layout"
	if len(lengths) != len(offsets) {
		return nil, bounds(op, "%d lengths and %d offsets", len(lengths), len(offsets))
	}
	n := 0
	for i, l := range lengths {
		var err error
		if n, err = mem.Add(n, l); err != nil || offsets[i] < -1<<31 || offsets[i] > 1<<31-1 {
			return nil, bounds(op, "block %d has %d elements at %d", i, l, offsets[i])
		}
	}
	return derive[T](w, op, n, len(lengths), func(yield func(at, n int)) {
		for i := range lengths {
			yield(offsets[i], lengths[i])
		}
	}, func(f *call.Frame, old, out uintptr) (mpic.Func, []uintptr, error) {
		l, err := cints(f, lengths)
		if err != nil {
			return 0, nil, err
		}
		o, err := cints(f, offsets)
		return mpic.FnTypeIndexed, []uintptr{cint(len(lengths)), l, o, old, out}, err
	})
}

// Subarray is the part of an array of the given sizes that has the sizes part and begins at start, in the order of C and
// Go: the last index runs fastest. Its extent is the whole array. Calls MPI_Type_create_subarray.
func Subarray[T any](w *World, sizes, part, start []int) (*Layout[T], error) {
	const op = "subarray layout"
	if len(sizes) == 0 || len(part) != len(sizes) || len(start) != len(sizes) {
		return nil, bounds(op, "%d sizes, %d of the part and %d starts", len(sizes), len(part), len(start))
	}
	for i := range sizes {
		if part[i] < 1 || start[i] < 0 || part[i] > sizes[i] || start[i] > sizes[i]-part[i] {
			return nil, bounds(op, "dimension %d: %d from %d of %d", i, part[i], start[i], sizes[i])
		}
	}
	if _, err := mem.Mul(sizes...); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	n, _ := mem.Mul(part...)
	last := len(sizes) - 1
	rows := n / part[last]
	return derive[T](w, op, n, rows, func(yield func(at, n int)) {
		index := make([]int, last)
		for range rows {
			at := 0
			for d, i := range index {
				at = (at + start[d] + i) * sizes[d+1]
			}
			yield(at+start[last], part[last])
			for d := last - 1; d >= 0; d-- {
				if index[d]++; index[d] < part[d] {
					break
				}
				index[d] = 0
			}
		}
	}, func(f *call.Frame, old, out uintptr) (mpic.Func, []uintptr, error) {
		var at [3]uintptr
		for i, v := range [][]int{sizes, part, start} {
			var err error
			if at[i], err = cints(f, v); err != nil {
				return 0, nil, err
			}
		}
		return mpic.FnTypeCreateSubarray, []uintptr{cint(len(sizes)), at[0], at[1], at[2], cint(w.lib.ABI.OrderC), old, out}, nil
	})
}

// cints is a C array of numbers.
func cints(f *call.Frame, v []int) (uintptr, error) {
	out, at, err := int32s(f, len(v))
	if err != nil {
		return 0, err
	}
	for i, x := range v {
		if out[i], err = mem.To[int32](x); err != nil {
			return 0, err
		}
	}
	return at, nil
}

// derive makes a Layout of at most size elements in runs, and its datatype by one call.
func derive[T any](w *World, op string, size, runs int, each func(func(at, n int)), build func(f *call.Frame, old, out uintptr) (mpic.Func, []uintptr, error)) (*Layout[T], error) {
	if w == nil || w.lib == nil {
		return nil, invalid(op, "no World")
	}
	if size < 0 || size > 1<<31-1 || runs > maxRuns {
		return nil, bounds(op, "%d elements in %d blocks", size, runs)
	}
	if _, err := w.owned.Use(); err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer w.owned.Done()
	dt, err := datatypeOf[T](w)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	l := &layout{world: w, dt: dt, size: size}
	each(func(at, n int) {
		if n == 0 {
			return
		}
		if len(l.runs) == 0 {
			l.lo, l.hi = at, at+n
		}
		l.lo, l.hi = min(l.lo, at), max(l.hi, at+n)
		l.runs = append(l.runs, run{at, n})
	})
	f := call.Get()
	defer f.Put()
	cells, at, err := int64s(f, 3)
	if err != nil {
		return nil, err
	}
	fn, args, err := build(f, uintptr(dt.h), at)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	if err := w.do(f, op, fn, args...); err != nil {
		return nil, err
	}
	if err := l.adopt(f, op, cells, at); err != nil {
		return nil, err
	}
	return &Layout[T]{core: l}, nil
}

// adopt commits and owns the datatype in cells[0], and asks for its extent.
func (l *layout) adopt(f *call.Frame, op string, cells []int64, at uintptr) error {
	w := l.world
	class := &ffi.Class[mpic.Handle]{Name: "mpi.Layout", Destroy: w.freeType}
	h := mpic.Handle(cells[0])
	if err := l.owned.Init(class, h, &w.owned); err != nil {
		return err
	}
	err := w.do(f, op, mpic.FnTypeCommit, at)
	if err == nil {
		err = w.do(f, op, mpic.FnTypeGetExtent, uintptr(h), at+8, at+16)
	}
	if err != nil {
		_ = l.owned.Close()
		return err
	}
	l.lower, l.extent = int(cells[1])/l.dt.size, int(cells[2])/l.dt.size
	return nil
}

// Resized is the same layout with another extent: how far the next of a row begins. Calls MPI_Type_create_resized.
func (l *Layout[T]) Resized(extent int) (*Layout[T], error) {
	const op = "resized layout"
	h, err := l.use(op)
	if err != nil {
		return nil, err
	}
	defer l.core.owned.Done()
	bytes, err := mem.Mul(extent, l.core.dt.size)
	if err != nil {
		return nil, bounds(op, "an extent of %d", extent)
	}
	w := l.core.world
	f := call.Get()
	defer f.Put()
	cells, at, err := int64s(f, 3)
	if err != nil {
		return nil, err
	}
	if err := w.do(f, op, mpic.FnTypeCreateResized, uintptr(h), 0, uintptr(bytes), at); err != nil {
		return nil, err
	}
	out := &layout{world: w, dt: l.core.dt, runs: l.core.runs, size: l.core.size, lo: l.core.lo, hi: l.core.hi}
	if err := out.adopt(f, op, cells, at); err != nil {
		return nil, err
	}
	return &Layout[T]{core: out}, nil
}

// Size is how many elements take part.
func (l *Layout[T]) Size() int {
	if l == nil || l.core == nil {
		return 0
	}
	return l.core.size
}

// Extent is how many elements further the next of a row begins.
func (l *Layout[T]) Extent() int {
	if l == nil || l.core == nil {
		return 0
	}
	return l.core.extent
}

// Span is the first element that n of the layout in a row touch, and the one after the last.
func (l *Layout[T]) Span(n int) (from, to int) {
	if l == nil || l.core == nil || n < 1 || l.core.size == 0 {
		return 0, 0
	}
	return l.core.lo, l.core.hi + (n-1)*l.core.extent
}

// Close frees the layout. Operations that were started with it go on. It is nil-safe and idempotent. Calls MPI_Type_free.
func (l *Layout[T]) Close() error {
	if l == nil || l.core == nil {
		return nil
	}
	return l.core.owned.Close()
}

func (l *Layout[T]) use(op string) (mpic.Handle, error) {
	if l == nil || l.core == nil {
		return 0, invalid(op, "no layout")
	}
	h, err := l.core.owned.Use()
	if err != nil {
		return 0, fmt.Errorf("mpi: %s: layout: %w", op, err)
	}
	return h, nil
}

// fits checks n of the layout in a row against a slice; written is one that they write to, each element once.
func (l *layout) fits(op string, n, length int, written bool) error {
	if n < 0 || n > 1<<31-1 {
		return bounds(op, "%d of a layout", n)
	}
	if n == 0 || l.size == 0 {
		return nil
	}
	last, err := mem.Mul(n-1, l.extent)
	if err == nil {
		last, err = mem.Add(last, max(l.hi, 0))
	}
	if err != nil || l.lo < 0 || last > length {
		return bounds(op, "%d of a layout of elements %d to %d, every %d, in a slice of %d", n, l.lo, l.hi-1, l.extent, length)
	}
	if total, err := mem.Mul(n, l.size); err != nil || total > 1<<31-1 {
		return bounds(op, "%d times %d elements", n, l.size)
	}
	if written && !l.disjoint(n) {
		return invalid(op, "the layout has elements twice, and cannot be written to")
	}
	return nil
}

// disjoint reports whether n of the layout in a row have no element twice.
func (l *layout) disjoint(n int) bool {
	if n > 1 && l.extent >= l.hi-l.lo {
		n = 1 // they follow one another
	}
	if n > 1 && n > maxRuns/len(l.runs) {
		return false // more than is looked at
	}
	all := make([]run, 0, n*len(l.runs))
	for i := range n {
		for _, r := range l.runs {
			all = append(all, run{r.at + i*l.extent, r.n})
		}
	}
	slices.SortFunc(all, func(a, b run) int { return a.at - b.at })
	for i := 1; i < len(all); i++ {
		if all[i-1].at+all[i-1].n > all[i].at {
			return false
		}
	}
	return true
}

// Pack copies what n of l in a row select of b into bytes that [Unpack] of any process with this library takes apart.
// Calls MPI_Pack_size and MPI_Pack.
func Pack[T any](b []T, l *Layout[T], n int) ([]byte, error) {
	const op = "pack"
	h, err := l.use(op)
	if err != nil {
		return nil, err
	}
	defer l.core.owned.Done()
	if err := l.core.fits(op, n, len(b), false); err != nil {
		return nil, err
	}
	w := l.core.world
	f := call.Get()
	defer f.Put()
	size, at, err := int32s(f, 2)
	if err != nil {
		return nil, err
	}
	c := uintptr(w.lib.ABI.CommWorld)
	if err := w.do(f, op, mpic.FnPackSize, cint(n), uintptr(h), c, at); err != nil {
		return nil, err
	}
	if size[0] < 0 {
		return nil, bounds(op, "%d bytes", size[0])
	}
	out := make([]byte, size[0])
	lb, err := ffi.LendSlice(b, ffi.Shared)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer lb.Return()
	lo, err := ffi.LendSlice(out, ffi.Exclusive)
	if err != nil {
		return nil, fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer lo.Return()
	lo.Watch()
	if err := w.do(f, op, mpic.FnPack, uintptr(mem.AddrOf(b)), cint(n), uintptr(h), uintptr(mem.AddrOf(out)), cint(len(out)), at+4, c); err != nil {
		return nil, err
	}
	return out[:max(0, min(int(size[1]), len(out)))], nil
}

// Unpack copies packed bytes to where n of l in a row select b's elements; nothing else of b is written. Calls MPI_Unpack.
// Errors: [isthmus.ErrBounds] for bytes that are too few.
func Unpack[T any](packed []byte, b []T, l *Layout[T], n int) error {
	const op = "unpack"
	h, err := l.use(op)
	if err != nil {
		return err
	}
	defer l.core.owned.Done()
	if err := l.core.fits(op, n, len(b), true); err != nil {
		return err
	}
	w := l.core.world
	f := call.Get()
	defer f.Put()
	_, at, err := int32s(f, 2)
	if err != nil {
		return err
	}
	if _, err := countOf(op, len(packed)); err != nil {
		return err
	}
	c := uintptr(w.lib.ABI.CommWorld)
	// Some libraries read past the end of what they are given; the data alone has at least this many bytes.
	if need := n * l.core.size * l.core.dt.dense(); len(packed) < need {
		return bounds(op, "%d bytes, want %d", len(packed), need)
	}
	lp, err := ffi.LendSlice(packed, ffi.Shared)
	if err != nil {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer lp.Return()
	lb, err := ffi.LendSlice(b, ffi.Exclusive)
	if err != nil {
		return fmt.Errorf("mpi: %s: %w", op, err)
	}
	defer lb.Return()
	lb.Watch()
	if err := w.do(f, op, mpic.FnUnpack, uintptr(mem.AddrOf(packed)), cint(len(packed)), at+4, uintptr(mem.AddrOf(b)), cint(n), uintptr(h), c); err != nil {
		return err
	}
	lb.Return()
	return l.core.dt.validate(op, mem.Bytes(b))
}

// dense is how many bytes of a value are sent: all but the gaps.
func (d *datatype) dense() int {
	var runs []part
	if parts(d.typ, 0, "", &runs) != nil {
		return d.size
	}
	n := 0
	for _, r := range runs {
		size, _ := kindSize(r.kind)
		n += int(size) * r.count
	}
	return n
}
