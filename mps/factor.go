package mps

import (
	"slices"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// effect is what an operation writes. Pivots are indices that a solver follows without looking, so it takes only those that LU wrote and
// nobody has written to since.
type effect struct {
	at     operand
	pivots bool
	bound  int // pivots are below
}

// wrote applies an effect to what is known of its memory.
func wrote(known []effect, e effect) []effect {
	known = slices.DeleteFunc(known, func(k effect) bool { return overlap(k.at, e.at) })
	if e.pivots {
		known = append(known, e)
	}
	return known
}

// commit makes the effects of a batch that was sent those of its memory.
func (b *Batch) commit() {
	for _, e := range b.effects {
		s := e.at.s
		s.mu.Lock()
		s.pivots = wrote(s.pivots, e)
		s.mu.Unlock()
	}
}

// need is a solver's reliance on pivots, after some of the effects of its batch.
type need struct {
	p        operand
	n, after int
}

// met reports whether LU wrote the pivots, of a matrix of no more than n rows.
func (b *Batch) met(q need) bool {
	q.p.s.mu.RLock()
	known := slices.Clone(q.p.s.pivots)
	q.p.s.mu.RUnlock()
	for _, e := range b.effects[:q.after] {
		if e.at.s == q.p.s {
			known = wrote(known, e)
		}
	}
	return slices.ContainsFunc(known, func(k effect) bool {
		from := q.p.Offset - k.at.Offset
		return k.bound <= q.n && k.at.Columns == q.p.Columns && from >= 0 && from%k.at.MatrixBytes == 0 &&
			from/k.at.MatrixBytes <= k.at.Count-q.p.Count && (q.p.Count == 1 || q.p.MatrixBytes == k.at.MatrixBytes)
	})
}

// factored refuses pivots that LU did not write, for a matrix of n rows.
func (r *recorder) factored(p operand, n int) {
	if r.err != nil {
		return
	}
	q := need{p, n, len(r.b.effects)}
	r.need(r.b.met(q), p.name, "they are not, or no longer, what LU made of a matrix of %d rows; factor it again", n)
	r.b.needs = append(r.b.needs, q)
}

// sendable says whether pivots are still those that were recorded: another batch may have been sent since.
func (b *Batch) sendable() error {
	for _, q := range b.needs {
		if !b.met(q) {
			return &Error{Op: op.KindSolveLU.String(), Operand: q.p.name, Msg: "another batch has written them since; factor again", Err: isthmus.ErrInvalid}
		}
	}
	return nil
}

// square are the rules of a matrix that is factored or solved with.
func (r *recorder) square(o operand) {
	r.types(single, o)
	r.need(r.err != nil || o.Rows == o.Columns, o.name, "%d x %d; square", o.Rows, o.Columns)
}

// Cholesky factors positive definite matrices, all F32: source = L L^T for lower, else U^T U. Only that triangle of source is read and
// of result written. Result may be source. A matrix that is not positive definite is an [OpError] with [ErrNotPositiveDefinite].
func (b *Batch) Cholesky(result, source *Matrix, lower bool) {
	r := b.record(op.KindCholesky)
	x, z := r.matrix("source", source), r.matrix("result", result)
	r.square(x)
	r.alike(x, z)
	r.shape(z, x.Rows, x.Columns, "source")
	r.each(z, false, x)
	r.inPlace(z, x)
	r.add(op.Cholesky{Source: x.Matrix, Result: z.Matrix, Lower: lower}, effect{at: z})
}

// LU factors matrices, all F32: P source = L U with partial pivoting, L with ones on its diagonal below U. Pivots, U32 and 1 x
// min(rows, columns), has the row that was swapped with each row. Result may be source. A singular matrix is an [OpError] with
// [ErrSingular].
func (b *Batch) LU(result, pivot, source *Matrix) {
	r := b.record(op.KindLU)
	x, z, p := r.matrix("source", source), r.matrix("result", result), r.matrix("pivots", pivot)
	r.types(single, x)
	r.alike(x, z)
	r.shape(z, x.Rows, x.Columns, "source")
	r.pivot(p, min(x.Rows, x.Columns))
	r.each(z, false, x, p)
	r.inPlace(z, x)
	r.apart(p, x, z)
	r.add(op.LU{Source: x.Matrix, Result: z.Matrix, Pivots: p.Matrix}, effect{at: z}, effect{at: p, pivots: true, bound: x.Rows})
}

func (r *recorder) pivot(p operand, n int) {
	r.need(r.err != nil || p.Type == dtype.U32, "pivots", "elements of type %v; U32", p.Type)
	r.shape(p, 1, n, "the factored matrix")
}

// SolveOptions are the variants of SolveTriangular.
type SolveOptions struct {
	Upper     bool    // the triangle of source that is read
	Transpose bool    // solve with its transpose
	Unit      bool    // its diagonal is ones and not read
	OnRight   bool    // solve X source = right
	Alpha     float64 // 0 is 1
}

// SolveTriangular solves source X = Alpha right for X, the result, which may be right. All are F32; one source serves all.
func (b *Batch) SolveTriangular(result, source, right *Matrix, opt SolveOptions) {
	r := b.record(op.KindSolveTriangular)
	x, y, z := r.solve(result, source, right, opt.OnRight)
	r.scalars(&opt.Alpha, 0)
	r.add(op.SolveTriangular{
		Source: x.Matrix, Right: y.Matrix, Result: z.Matrix,
		OnRight: opt.OnRight, Upper: opt.Upper, Transpose: opt.Transpose, Unit: opt.Unit, Alpha: opt.Alpha,
	}, effect{at: z})
}

func (r *recorder) solve(result, source, right *Matrix, onRight bool) (x, y, z operand) {
	x, y, z = r.matrix("source", source), r.matrix("right", right), r.matrix("result", result)
	r.square(x)
	r.alike(x, y, z)
	if onRight {
		r.shape(y, y.Rows, x.Rows, "source")
	} else {
		r.shape(y, x.Rows, y.Columns, "source")
	}
	r.shape(z, y.Rows, y.Columns, "right")
	r.each(z, false, y)
	r.each(z, true, x)
	r.inPlace(z, y)
	r.apart(z, x)
	return x, y, z
}

// SolveCholesky solves A X = right for X, the result, which may be right, where source is what Cholesky made of A.
func (b *Batch) SolveCholesky(result, source, right *Matrix, lower bool) {
	r := b.record(op.KindSolveCholesky)
	x, y, z := r.solve(result, source, right, false)
	r.add(op.SolveCholesky{Source: x.Matrix, Right: y.Matrix, Result: z.Matrix, Lower: lower}, effect{at: z})
}

// SolveLU solves A X = right for X, the result, which may be right, where source and pivots are what LU made of A. With transpose it
// solves A^T X = right.
func (b *Batch) SolveLU(result, source, pivot, right *Matrix, transpose bool) {
	r := b.record(op.KindSolveLU)
	x, y, z := r.solve(result, source, right, false)
	p := r.matrix("pivots", pivot)
	r.pivot(p, x.Rows)
	r.each(z, true, p)
	r.need(r.err != nil || p.Count == x.Count, "pivots", "%d, and source has %d matrices; as many", p.Count, x.Count)
	r.apart(z, p)
	r.factored(p, x.Rows)
	r.add(op.SolveLU{Source: x.Matrix, Pivots: p.Matrix, Right: y.Matrix, Result: z.Matrix, Transpose: transpose}, effect{at: z})
}
