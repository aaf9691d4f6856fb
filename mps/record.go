package mps

import (
	"errors"
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// operand is a matrix, or vectors as matrices of one row, in an operation.
type operand struct {
	name string
	s    *storage
	op.Matrix
}

// present reports whether an optional operand was given.
func (o operand) present() bool { return o.s != nil }

func (o operand) vector() op.Vector {
	if !o.present() {
		return op.Vector{}
	}
	return op.Vector{Storage: o.Storage, Type: o.Type, Offset: o.Offset, Length: o.Columns, Count: o.Count, VectorBytes: o.MatrixBytes}
}

// recorder checks one operation. After the first rule that is broken it does nothing.
type recorder struct {
	b    *Batch
	kind op.Kind
	err  error
}

// record begins an operation; the caller must end it with add.
func (b *Batch) record(k op.Kind) *recorder {
	r := &recorder{b: b, kind: k}
	if b == nil || b.dev == nil {
		r.refuse("", isthmus.ErrInvalid, "no batch; use the one that Do gives")
		return r
	}
	b.mu.Lock()
	if b.over {
		r.refuse("", isthmus.ErrClosed, "the batch is over; record inside the function of Do")
	} else {
		r.err = b.err
	}
	return r
}

// add ends the operation and says what it writes.
func (r *recorder) add(o op.Op, effects ...effect) {
	b := r.b
	if b == nil || b.dev == nil {
		return
	}
	defer b.mu.Unlock()
	if r.err == nil {
		b.ops = append(b.ops, o)
		b.effects = append(b.effects, effects...)
	} else if b.err == nil {
		b.err = r.err
	}
}

func (r *recorder) refuse(operand string, err error, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Op: r.kind.String(), Operand: operand, Msg: fmt.Sprintf(format, args...), Err: err}
	}
}

// need is a rule about an operand.
func (r *recorder) need(ok bool, operand, format string, args ...any) {
	if !ok {
		r.refuse(operand, isthmus.ErrInvalid, format, args...)
	}
}

// matrix is an operand that must be there. The batch holds it from here on.
func (r *recorder) matrix(name string, m *Matrix) operand {
	o := operand{name: name}
	if r.err != nil {
		return o
	}
	s := m.memory()
	if s == nil {
		r.refuse(name, isthmus.ErrClosed, "no matrix: nil, never made, or a view that was closed; make one with NewMatrix or MatrixOf")
		return o
	}
	if s.dev != r.b.dev {
		r.refuse(name, isthmus.ErrInvalid, "it is of another device; make it on this one")
		return o
	}
	memory, held := r.b.held[s]
	if !held {
		var err error
		if memory, err = s.hold(); err != nil {
			r.refuse(name, isthmus.ErrClosed, "its memory was closed; close matrices when the batch is done")
			return o
		}
		r.b.held[s] = memory
	}
	o.s, o.Matrix = s, m.at
	o.Storage = memory
	return o
}

func (r *recorder) vector(name string, v *Vector) operand { return r.matrix(name, v.rows()) }

// optional is an operand that may be nil.
func (r *recorder) optional(name string, m *Matrix) operand {
	if m == nil {
		return operand{name: name}
	}
	return r.matrix(name, m)
}

// types holds the element types of operands to a list, and asks the device.
func (r *recorder) types(allowed []dtype.Type, operands ...operand) {
	for _, o := range operands {
		if r.err != nil || !o.present() {
			continue
		}
		ok := false
		for _, t := range allowed {
			ok = ok || t == o.Type
		}
		r.need(ok, o.name, "elements of type %v; it takes %v; convert with Copy", o.Type, allowed)
		r.supported(o)
	}
}

func (r *recorder) supported(o operand) {
	if r.err != nil {
		return
	}
	h, ok := r.b.dev.owned.Enter()
	if !ok {
		return // it cannot close under the batch
	}
	defer r.b.dev.owned.Done()
	if err := h.Supports(r.kind, o.Type); err != nil {
		if !errors.Is(err, isthmus.ErrUnsupported) {
			err = fmt.Errorf("%w: %w", isthmus.ErrUnsupported, err)
		}
		r.refuse(o.name, err, "the device cannot do it on %v; open one with Backend: cpu.Options{}", o.Type)
	}
}

// alike holds operands to the type of the first.
func (r *recorder) alike(first operand, others ...operand) {
	for _, o := range others {
		if r.err == nil && o.present() {
			r.need(o.Type == first.Type, o.name, "elements of type %v, and %s of %v; they must be equal; convert with Copy", o.Type, first.name, first.Type)
		}
	}
}

// shape holds an operand to rows x columns; from says why.
func (r *recorder) shape(o operand, rows, columns int, from string) {
	if r.err == nil {
		r.need(o.Rows == rows && o.Columns == columns, o.name, "%d x %d; by %s it must be %d x %d; take a View or another matrix", o.Rows, o.Columns, from, rows, columns)
	}
}

// length holds a vector, if it is there, to n elements.
func (r *recorder) length(o operand, n int, from string) {
	if r.err == nil && o.present() {
		r.need(o.Columns == n, o.name, "%d elements; by %s it must be %d", o.Columns, from, n)
		r.need(o.Count == 1, o.name, "%d vectors; it takes one for all rows", o.Count)
	}
}

// each holds operands to the count of the result, or to one for all where shared.
func (r *recorder) each(result operand, shared bool, others ...operand) {
	for _, o := range others {
		if r.err != nil || !o.present() || o.Count == result.Count || shared && o.Count == 1 {
			continue
		}
		or := ""
		if shared {
			or = ", or one for all"
		}
		r.need(false, o.name, "%d matrices, and %s has %d; as many%s; take some with Matrices", o.Count, result.name, result.Count, or)
	}
}

// apart refuses a result that shares memory with another operand.
func (r *recorder) apart(result operand, others ...operand) {
	for _, o := range others {
		if r.err == nil && o.present() && overlap(result, o) {
			r.need(false, result.name, "it overlaps %s, which it must not; use memory of its own", o.name)
		}
	}
}

// inPlace refuses a result that shares a part of its memory with a source, but not all.
func (r *recorder) inPlace(result operand, sources ...operand) {
	for _, o := range sources {
		if r.err == nil && !same(result, o) && overlap(result, o) {
			r.need(false, result.name, "it overlaps a part of %s; either the same elements or none", o.name)
		}
	}
}

// finite refuses NaN, infinities, and what is one in float32, which devices compute in.
func (r *recorder) finite(name string, v float64) {
	r.need(math.Abs(v) <= math.MaxFloat32, name, "%v; a finite number of float32", v)
}

// same reports whether two operands are the same elements.
func same(a, b operand) bool {
	return a.s == b.s && a.Type == b.Type && a.Offset == b.Offset && a.Rows == b.Rows && a.Columns == b.Columns && a.Count == b.Count &&
		(a.Rows == 1 || a.RowBytes == b.RowBytes) && (a.Count == 1 || a.MatrixBytes == b.MatrixBytes)
}

// rows is the bytes of an operand as runs, in the order of memory: every row, or everything where there is no gap.
type rows struct{ first, width, n, step, count, matrix int }

func runs(o operand) rows {
	w := o.Columns * o.Type.Size()
	if o.RowBytes == w {
		return rows{o.Offset, w * o.Rows, 1, 0, o.Count, o.MatrixBytes}
	}
	return rows{o.Offset, w, o.Rows, o.RowBytes, o.Count, o.MatrixBytes}
}

func (r rows) begin(i int) int { return r.first + i/r.n*r.matrix + i%r.n*r.step }

// overlap reports whether two operands share a byte. It walks both in the order of memory.
func overlap(a, b operand) bool {
	if a.s != b.s {
		return false
	}
	x, y := runs(a), runs(b)
	nx, ny := x.n*x.count, y.n*y.count
	if x.begin(nx-1)+x.width <= y.first || y.begin(ny-1)+y.width <= x.first {
		return false
	}
	for i, j := 0, 0; i < nx && j < ny; {
		switch p, q := x.begin(i), y.begin(j); {
		case p+x.width <= q:
			i++
		case q+y.width <= p:
			j++
		default:
			return true
		}
	}
	return false
}
