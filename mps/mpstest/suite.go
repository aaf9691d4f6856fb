// Package mpstest is the conformance suite of the devices of package mps: every operation on matrices of random shapes, strides, offsets
// and element types, compared with a plain evaluator in float64, within a bound that float32 arithmetic keeps. What an operation has no
// business with (the rest of a matrix, its operands) must stay as it was.
//
// [Run] is for tests; [Check] for programs that want to know whether the device of this machine computes right.
package mpstest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/mps"
)

// Options are how much is tried. The zero value is the default.
type Options struct {
	Seed   uint64 // of shapes and numbers; 0 is 1
	Rounds int    // of each operation; 0 is 20
}

// Result is what came of one operation.
type Result struct {
	Name   string
	Rounds int // that were compared; those of element types that the device does not support are not
	Err    error
}

// Check tries every operation on a device and returns what came of each. It ends early only when ctx does.
func Check(ctx context.Context, dev *mps.Device, opt Options) []Result {
	var results []Result
	for _, c := range cases {
		results = append(results, c.check(ctx, dev, opt))
	}
	return results
}

// Run is Check as subtests, on a device of its own.
func Run(t *testing.T, open func(context.Context) (*mps.Device, error), opt Options) {
	t.Helper()
	dev, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			switch r := c.check(t.Context(), dev, opt); {
			case r.Err != nil:
				t.Error(r.Err)
			case r.Rounds == 0:
				t.Skip("the device does not support it")
			}
		})
	}
}

type testCase struct {
	name string
	run  func(*env) error
}

func (c testCase) check(ctx context.Context, dev *mps.Device, opt Options) Result {
	opt.Seed, opt.Rounds = max(opt.Seed, 1), max(opt.Rounds, 0)
	if opt.Rounds == 0 {
		opt.Rounds = 20
	}
	r := Result{Name: c.name}
	for round := range opt.Rounds {
		e := &env{ctx: ctx, dev: dev, rand: rand.New(rand.NewPCG(opt.Seed, uint64(round)))}
		err := c.run(e)
		if closed := e.close(); err == nil {
			err = closed
		}
		switch {
		case err == nil:
			r.Rounds++
		case !errors.Is(err, isthmus.ErrUnsupported):
			r.Err = fmt.Errorf("seed %d, round %d: %w", opt.Seed, round, err)
			return r
		}
	}
	return r
}

// env is one round: a device, and the matrices that were made for it.
type env struct {
	ctx    context.Context
	dev    *mps.Device
	rand   *rand.Rand
	blocks []block
}

// block is a matrix with a view inside, which an operation sees.
type block struct {
	base, view  *mps.Matrix
	row, column int
}

func (e *env) close() error {
	var errs []error
	for _, b := range e.blocks {
		errs = append(errs, b.base.Close())
	}
	e.blocks = nil
	return errors.Join(errs...)
}

func (e *env) chance(percent int) bool { return e.rand.IntN(100) < percent }

// dim is a size: mostly small, sometimes just around what kernels are cut into, seldom up to 1000.
func (e *env) dim(most int) int {
	n := 1 + e.rand.IntN(9)
	switch p := e.rand.IntN(10); {
	case p > 8:
		n = 1 + e.rand.IntN(1000)
	case p > 4:
		n = 1 + e.rand.IntN(70)
	case p > 3:
		n = 16<<e.rand.IntN(4) + e.rand.IntN(3) - 1
	}
	return min(n, most)
}

// float is an element type that has operation k.
func (e *env) float(k mps.Kind) dtype.Type {
	t := []dtype.Type{dtype.F32, dtype.F32, dtype.F16, dtype.BF16}[e.rand.IntN(4)]
	if e.dev.Supports(k, t) != nil {
		return dtype.F32
	}
	return t
}

// matrix makes count matrices with normal numbers, often inside of larger ones, and with room between.
func (e *env) matrix(t dtype.Type, count, rows, columns int) (*mps.Matrix, error) {
	b := block{}
	l := mps.Layout{Type: t, Rows: rows, Columns: columns, Count: count}
	if e.chance(40) {
		b.row, b.column = e.rand.IntN(3), e.rand.IntN(5)
		l.Rows += b.row + e.rand.IntN(3)
		l.Columns += b.column + e.rand.IntN(3)
	}
	if e.chance(40) {
		l.RowBytes = (l.Columns + e.rand.IntN(20)) * t.Size()
		if e.chance(50) {
			l.MatrixBytes = l.RowBytes * (l.Rows + e.rand.IntN(3))
		}
	}
	var err error
	if b.base, err = e.dev.NewMatrices(l); err != nil {
		return nil, err
	}
	e.blocks = append(e.blocks, b)
	values := zeros(l.Count, l.Rows, l.Columns)
	for i := range values.v {
		switch t.Kind() {
		case dtype.Signed:
			values.v[i] = float64(e.rand.IntN(256) - 128)
		case dtype.Unsigned:
			values.v[i] = float64(e.rand.IntN(256))
		default:
			values.v[i] = e.rand.NormFloat64()
		}
	}
	if err := put(b.base, values); err != nil {
		return nil, err
	}
	last := &e.blocks[len(e.blocks)-1]
	last.view, err = b.base.View(b.row, b.column, rows, columns)
	return last.view, err
}

// vector is a matrix of one row as a vector.
func (e *env) vector(t dtype.Type, length int) (*mps.Vector, error) {
	m, err := e.matrix(t, 1, 1, length)
	if err != nil {
		return nil, err
	}
	return m.Vectors()
}

// do runs a batch that may write to the given matrices, and holds it to writing nothing else.
func (e *env) do(f func(*mps.Batch), results ...*mps.Matrix) error {
	before := make([]tensor, len(e.blocks))
	for i, b := range e.blocks {
		var err error
		if before[i], err = get(b.base); err != nil {
			return err
		}
	}
	if err := e.dev.Do(e.ctx, func(b *mps.Batch) error { f(b); return nil }); err != nil {
		return err
	}
	for i, b := range e.blocks {
		after, err := get(b.base)
		if err != nil {
			return err
		}
		for j, v := range after.v {
			r, c := j/after.columns%after.rows-b.row, j%after.columns-b.column
			written := r >= 0 && c >= 0 && r < b.view.Rows() && c < b.view.Columns() && contains(results, b.view)
			if !written && v != before[i].v[j] && !(math.IsNaN(v) && math.IsNaN(before[i].v[j])) {
				return fmt.Errorf("element %d of %v, of which %v at (%d, %d) took part, changed from %v to %v", j, b.base, b.view, b.row, b.column, before[i].v[j], v)
			}
		}
	}
	return nil
}

func contains(list []*mps.Matrix, m *mps.Matrix) bool {
	for _, x := range list {
		if x == m {
			return true
		}
	}
	return false
}

// compare holds the elements of a matrix to what they should be.
func compare(what string, m *mps.Matrix, e expected) error {
	got, err := get(m)
	if err != nil {
		return err
	}
	for i, g := range got.v {
		w := e.want.v[i]
		off := e.bound.v[i] + rounding(m.Type())*math.Abs(w) + least(m.Type())
		if math.IsNaN(w) && math.IsNaN(g) || g == w || math.IsInf(g, int(math.Copysign(1, w))) && math.Abs(w)*(1+rounding(m.Type())) >= most(m.Type()) {
			continue
		}
		if !(math.Abs(g-w) <= off) {
			return fmt.Errorf("%s: element %d of %v is %v; %v within %v is right", what, i, m, g, w, off)
		}
	}
	return nil
}

// rounding is how far rounding to a type may be off; some devices truncate.
func rounding(t dtype.Type) float64 {
	switch t {
	case dtype.F16:
		return 0x1p-10
	case dtype.BF16:
		return 0x1p-7
	}
	return 0x1p-23
}

// least is what a device may take for zero.
func least(t dtype.Type) float64 {
	if t == dtype.F16 {
		return 0x1p-14
	}
	return 0x1p-120
}

func most(t dtype.Type) float64 {
	if t == dtype.F16 {
		return 65504
	}
	return math.MaxFloat32
}

// get reads matrices of any type.
func get(m *mps.Matrix) (tensor, error) {
	t := zeros(m.Count(), m.Rows(), m.Columns())
	var err error
	switch m.Type() {
	case dtype.I8:
		err = read[int8](m, t.v)
	case dtype.I16:
		err = read[int16](m, t.v)
	case dtype.I32:
		err = read[int32](m, t.v)
	case dtype.I64:
		err = read[int64](m, t.v)
	case dtype.U8:
		err = read[uint8](m, t.v)
	case dtype.U16:
		err = read[uint16](m, t.v)
	case dtype.U32:
		err = read[uint32](m, t.v)
	case dtype.U64:
		err = read[uint64](m, t.v)
	default:
		err = mps.Read(m, t.v)
	}
	return t, err
}

func read[T mps.Element](m *mps.Matrix, to []float64) error {
	v, err := mps.Values[T](m)
	for i := range v {
		to[i] = float64(v[i])
	}
	return err
}

// put writes matrices of any type.
func put(m *mps.Matrix, t tensor) error {
	switch m.Type() {
	case dtype.I8:
		return write[int8](m, t.v)
	case dtype.I16:
		return write[int16](m, t.v)
	case dtype.I32:
		return write[int32](m, t.v)
	case dtype.I64:
		return write[int64](m, t.v)
	case dtype.U8:
		return write[uint8](m, t.v)
	case dtype.U16:
		return write[uint16](m, t.v)
	case dtype.U32:
		return write[uint32](m, t.v)
	case dtype.U64:
		return write[uint64](m, t.v)
	}
	return mps.Write(m, t.v)
}

func write[T mps.Element](m *mps.Matrix, from []float64) error {
	v := make([]T, len(from))
	for i, f := range from {
		v[i] = T(int64(f))
	}
	return mps.Write(m, v)
}
