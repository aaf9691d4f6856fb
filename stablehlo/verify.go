package stablehlo

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
)

// Verify checks that every operation of m has the operands, attributes and types that the specification asks for, and
// that every value is made before it is used. A graph that passes can be evaluated without looking at sizes again,
// once its dynamic dimensions are known.
//
// An error is an [*Error], or up to 20 of them joined.
func Verify(m *Module) error {
	if err := checkWhole(m); err != nil {
		return err
	}
	v := &verifier{visible: map[*Value]bool{}}
	for _, f := range m.Funcs {
		v.fn(f)
	}
	if len(v.errs) > 0 {
		return joinErrors(v.errs)
	}
	return nil
}

// checkWhole looks for parts that a graph made by hand lacks, so that nothing after it meets a nil.
func checkWhole(m *Module) *Error {
	if m == nil {
		return &Error{Msg: "there is no module"}
	}
	var block func(b *Block) *Error
	block = func(b *Block) *Error {
		if slices.Contains(b.Args, nil) || slices.Contains(b.Ops, nil) {
			return &Error{Msg: "a block has an argument or operation that is nil"}
		}
		for _, o := range b.Ops {
			if slices.Contains(o.Operands, nil) || slices.Contains(o.Results, nil) || slices.Contains(o.Regions, nil) {
				return &Error{Pos: o.Pos, Op: opName(o.Kind), Msg: "an operand, result or region is nil"}
			}
			if a := reflect.ValueOf(o.Attr); a.Kind() == reflect.Pointer && a.IsNil() {
				return &Error{Pos: o.Pos, Op: opName(o.Kind), Msg: "the attributes are nil"}
			}
			for _, r := range o.Regions {
				if err := block(r); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for i, f := range m.Funcs {
		if f == nil || f.Body == nil {
			return &Error{Op: "func.func", Msg: fmt.Sprintf("function %d is nil, or has no body", i)}
		}
		if err := block(f.Body); err != nil {
			return err
		}
	}
	return nil
}

type verifier struct {
	errs    []*Error
	visible map[*Value]bool
	scope   []*Value
}

func (v *verifier) report(pos Pos, op, msg string) {
	if len(v.errs) < maxErrors {
		v.errs = append(v.errs, &Error{Pos: pos, Op: op, Msg: msg})
	}
}

func (v *verifier) fn(f *Func) {
	for i, a := range f.Args() {
		if err := checkType(a.Type); err != nil {
			v.report(f.Pos, "func.func", fmt.Sprintf("argument %d of @%s: %v", i, f.Name, err))
		}
	}
	mark := len(v.scope)
	v.block(f.Body, "func.func", f.Pos)
	v.leave(mark)
	if len(f.Body.Ops) == 0 || f.Body.Terminator().Kind != Return {
		return
	}
	ret := f.Body.Terminator()
	if msg := mismatch(ret.Operands, f.Results); msg != "" {
		v.report(ret.Pos, "func.return", fmt.Sprintf("@%s must return what its type says: %s", f.Name, msg))
	}
}

// mismatch says where the types of values differ from want; empty if they do not.
func mismatch(values []*Value, want []Type) string {
	if len(values) != len(want) {
		return fmt.Sprintf("there are %d values, not %d", len(values), len(want))
	}
	for i, x := range values {
		if !x.Type.Compatible(want[i]) {
			return fmt.Sprintf("value %d is %v but must be %v", i, x.Type, want[i])
		}
	}
	return ""
}

func (v *verifier) see(values []*Value) {
	for _, x := range values {
		v.visible[x] = true
		v.scope = append(v.scope, x)
	}
}

func (v *verifier) leave(mark int) {
	for _, x := range v.scope[mark:] {
		delete(v.visible, x)
	}
	v.scope = v.scope[:mark]
}

func (v *verifier) block(b *Block, parent string, pos Pos) {
	v.see(b.Args)
	for i, o := range b.Ops {
		if (o.Kind == Return) != (i == len(b.Ops)-1) {
			v.report(o.Pos, opName(o.Kind), "the body of "+parent+" must end in its only return")
			return
		}
		v.op(o)
		v.see(o.Results)
	}
	if len(b.Ops) == 0 {
		v.report(pos, parent, "the body is empty; it must end in a return")
	}
}

func (v *verifier) op(o *Op) {
	if len(v.errs) >= maxErrors {
		return
	}
	for _, x := range o.Operands {
		if !v.visible[x] {
			v.report(o.Pos, opName(o.Kind), "an operand is used where it is not defined")
			return
		}
	}
	for _, r := range o.Regions {
		mark := len(v.scope)
		v.block(r, opName(o.Kind), o.Pos)
		v.leave(mark)
		if len(r.Ops) == 0 || r.Terminator().Kind != Return {
			return
		}
	}
	if err := checkOp(o); err != nil {
		v.report(o.Pos, opName(o.Kind), err.Error())
	}
}

// check carries the operation being verified. Its methods panic with a violation, which checkOp recovers.
type check struct{ *Op }

type violation string

func checkOp(o *Op) (err error) {
	defer func() {
		if r := recover(); r != nil {
			m, ok := r.(violation)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%s", string(m))
		}
	}()
	c := check{o}
	for i, r := range o.Results {
		if err := checkType(r.Type); err != nil {
			c.failf("result %d: %v", i, err)
		}
	}
	for _, b := range o.Regions {
		for i, a := range b.Args {
			if err := checkType(a.Type); err != nil {
				c.failf("argument %d of a region: %v", i, err)
			}
		}
	}
	c.structure()
	c.rules()
	return nil
}

func (c check) failf(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }

func (c check) require(ok bool, format string, args ...any) {
	if !ok {
		c.failf(format, args...)
	}
}

func (c check) in(i int) Type  { return c.Operands[i].Type }
func (c check) out(i int) Type { return c.Results[i].Type }

// maxRank bounds the number of dimensions, which checks compare pairwise.
const maxRank = 256

// checkType makes sure that a type is one that a device can hold.
func checkType(t Type) error {
	switch t.Kind {
	case Token:
		return nil
	case Tuple, Future:
		for _, e := range t.Elems {
			if err := checkType(e); err != nil {
				return err
			}
		}
		return nil
	case Tensor, Buffer:
	default:
		return fmt.Errorf("a value must be a tensor, token, tuple or future")
	}
	if !t.Elem.Valid() || t.Elem == dtype.TF32 {
		return fmt.Errorf("%v is not an element type", t.Elem)
	}
	n := int64(t.Elem.Size())
	for _, d := range t.Dims {
		if d < 0 && d != Dynamic {
			return fmt.Errorf("dimension %d of %v is negative", d, t)
		}
	}
	for i, d := range t.Dims {
		if d == Dynamic && i < len(t.Bounds) {
			d = t.Bounds[i]
		}
		if d <= 1 {
			continue
		}
		if d > math.MaxInt64/n {
			return fmt.Errorf("%v has more bytes than an int64 counts", t)
		}
		n *= d
	}
	if t.Bounds != nil {
		if len(t.Bounds) != len(t.Dims) {
			return fmt.Errorf("%v has %d bounds for %d dimensions", t, len(t.Bounds), len(t.Dims))
		}
		for i, b := range t.Bounds {
			if b != Dynamic && (b < 0 || t.Dims[i] != Dynamic) {
				return fmt.Errorf("%v has a bound on a dimension that is known", t)
			}
		}
	}
	if t.Quant != nil {
		return checkQuant(t)
	}
	return nil
}

func checkQuant(t Type) error {
	q := t.Quant
	switch {
	case !q.Storage.IsInt() || q.Storage != t.Elem:
		return fmt.Errorf("%v: the storage type must be an integer", t)
	case !q.Expressed.IsFloat():
		return fmt.Errorf("%v: the expressed type must be a floating-point type", t)
	case q.Min > q.Max:
		return fmt.Errorf("%v: the storage minimum exceeds the maximum", t)
	case len(q.Scales) != len(q.ZeroPoints) || len(q.Scales) == 0:
		return fmt.Errorf("%v: needs one zero point a scale", t)
	}
	for i, s := range q.Scales {
		if !(s > 0) || math.IsInf(s, 0) {
			return fmt.Errorf("%v: scale %g must be positive and finite", t, s)
		}
		if z := q.ZeroPoints[i]; z < q.Min || z > q.Max {
			return fmt.Errorf("%v: zero point %d must lie between %d and %d", t, z, q.Min, q.Max)
		}
	}
	if q.Axis < 0 {
		if len(q.Scales) != 1 {
			return fmt.Errorf("%v: needs one scale, or an axis", t)
		}
		return nil
	}
	if q.Axis >= len(t.Dims) {
		return fmt.Errorf("%v: axis %d must be a dimension", t, q.Axis)
	}
	if d := t.Dims[q.Axis]; d != Dynamic && d != int64(len(q.Scales)) {
		return fmt.Errorf("%v: has %d scales for %d elements along its axis", t, len(q.Scales), d)
	}
	return nil
}

// dims checks that a list names distinct dimensions of a tensor of that rank.
func (c check) dims(name string, list []int64, rank int) {
	for i, d := range list {
		c.require(d >= 0 && d < int64(rank), "%s: %d is not one of %d dimensions", name, d, rank)
		c.require(!slices.Contains(list[:i], d), "%s: dimension %d is named twice", name, d)
	}
}

func (c check) sorted(name string, list []int64) {
	c.require(slices.IsSorted(list), "%s: %v must be sorted", name, list)
}

func (c check) dim(name string, d int64, rank int) {
	c.require(d >= 0 && d < int64(rank), "%s: %d is not one of %d dimensions", name, d, rank)
}

func (c check) length(name string, got, want int) {
	c.require(got == want, "%s must have %d entries, not %d", name, want, got)
}

// result checks that result i is compatible with the type that follows from the operands.
func (c check) result(i int, want Type) {
	got := c.out(i)
	ok := got.Compatible(want)
	if !ok && got.Quant != nil && want.Quant != nil {
		ok = sameBase(got, want) && compatibleDims(got.Dims, want.Dims)
	}
	c.require(ok, "result %d is %v but must be %v", i, got, want)
}

// resultShape checks only the dimensions of result i.
func (c check) resultShape(i int, dims []int64) {
	got := c.out(i)
	want := got
	want.Dims, want.Bounds = dims, nil
	c.require(got.Kind == Tensor && compatibleDims(got.Dims, dims), "result %d is %v but must be %v", i, got, want)
}

// sameBase reports whether element types agree but for the parameters of a quantization.
func sameBase(a, b Type) bool {
	if a.Kind != b.Kind || a.Elem != b.Elem || (a.Quant == nil) != (b.Quant == nil) {
		return false
	}
	return a.Quant == nil || a.Quant.Expressed == b.Quant.Expressed
}

// scalarOf is a rank-0 tensor of t's element type.
func scalarOf(t Type) Type { return Type{Kind: Tensor, Elem: t.Elem, Quant: perTensor(t.Quant)} }

func perTensor(q *Quant) *Quant {
	if q == nil || q.Axis < 0 {
		return q
	}
	return nil
}

func withDims(t Type, dims []int64) Type {
	t.Dims, t.Bounds = dims, nil
	return t
}

func withElem(t Type, elem dtype.Type) Type {
	t.Elem, t.Quant = elem, nil
	return t
}
