package metal

import "github.com/isthmus-ffi/isthmus/mps/internal/op"

// status adds memory for what a factorisation says of matrix i.
func (p *planner) status(kind op.Kind, i int) *temp {
	return &temp{size: 4, status: &check{p.index, i, kind}}
}

// The factorisations go matrix by matrix: a status says of one alone how it ended. So do solves with pivots, whose headers do not say how
// the pivots of several matrices lie.

// cholesky factors in temporary memory: what the class writes into the other triangle is not documented, and ours is kept.
func (p *planner) cholesky(o op.Cholesky) {
	part := upper
	if o.Lower {
		part = lower
	}
	work := dense(o.Source)
	p.copy(o.Source, work, false, part)
	c := config{class: decompositionCholesky, flags: [4]bool{o.Lower}, sizes: [3]int{o.Source.Rows}}
	for i := range o.Source.Count {
		m := one(work, i)
		p.steps = append(p.steps, encode{config: c, operands: []any{m}, status: p.status(op.KindCholesky, i)})
	}
	p.copy(work, o.Result, false, part)
}

// lu factors in the result. The class allows that only where both are the same object.
func (p *planner) lu(o op.LU) {
	if !same(o.Source, o.Result) {
		p.copy(o.Source, o.Result, false, whole)
	}
	p.copy(dense(o.Pivots), o.Pivots, false, whole) // zeros: a solver follows whatever stands there where the class gave up
	c := config{class: decompositionLU, sizes: [3]int{o.Source.Rows, o.Source.Columns}}
	for i := range o.Source.Count {
		m := one(o.Result, i)
		p.steps = append(p.steps, encode{config: c, operands: []any{m, one(o.Pivots, i)}, status: p.status(op.KindLU, i)})
	}
}

// solve solves. Where the solution goes to where the right side is, that is copied first: the headers do not say
// whether they may be one.
func (p *planner) solve(c config, a op.Matrix, pivots *op.Matrix, right, x op.Matrix) {
	if same(right, x) {
		work := dense(right)
		p.copy(right, work, false, whole)
		right = work
	}
	if pivots != nil {
		p.each(c, x.Count, a, right, *pivots, x)
		return
	}
	p.stack(c, x.Count, a, right, x)
}
