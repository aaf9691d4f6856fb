package stablehlo

import (
	"bytes"
	"io"
	"slices"
	"strconv"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// PrintOptions change what [Module.Print] writes. The zero value writes everything.
type PrintOptions struct {
	// ElideAbove leaves out the elements of constants that have more than so many; 0 keeps all. The text cannot be
	// read back then.
	ElideAbove int
}

// String prints the program with all its constants; of a graph with holes it says what is missing.
func (m *Module) String() string {
	if err := checkWhole(m); err != nil {
		return "<" + err.Error() + ">"
	}
	p := &printer{}
	p.module(m)
	return p.b.String()
}

// Print writes the program as text that [Parse] reads back to an equal program. Values are numbered; positions are
// not kept.
func (m *Module) Print(w io.Writer, opts PrintOptions) error {
	if err := checkWhole(m); err != nil {
		return err
	}
	p := &printer{opts: opts}
	p.module(m)
	_, err := w.Write(p.b.Bytes())
	return err
}

// String prints the function.
func (f *Func) String() string {
	if err := checkWhole(&Module{Funcs: []*Func{f}}); err != nil {
		return "<" + err.Error() + ">"
	}
	p := &printer{}
	p.fn(f)
	return p.b.String()
}

type printer struct {
	b      bytes.Buffer
	opts   PrintOptions
	names  map[*Value]string
	values int
	args   int
	depth  int
}

func (p *printer) line() {
	p.b.WriteByte('\n')
	for range p.depth {
		p.b.WriteString("  ")
	}
}

func (p *printer) module(m *Module) {
	p.b.WriteString("module")
	if m.Name != "" {
		p.b.WriteByte(' ')
		p.symbol(m.Name)
	}
	if len(m.Attrs) > 0 {
		p.b.WriteString(" attributes ")
		p.dict(namedAttrs(m.Attrs))
	}
	p.b.WriteString(" {")
	p.depth++
	for _, f := range m.Funcs {
		p.line()
		p.fn(f)
	}
	p.depth--
	p.line()
	p.b.WriteString("}\n")
}

func (p *printer) fn(f *Func) {
	p.names, p.values, p.args = map[*Value]string{}, 0, 0
	p.b.WriteString("func.func ")
	if f.Private {
		p.b.WriteString("private ")
	} else {
		p.b.WriteString("public ")
	}
	p.symbol(f.Name)
	p.b.WriteByte('(')
	for i, a := range f.Args() {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.arg(a)
		if i < len(f.ArgAttrs) && len(f.ArgAttrs[i]) > 0 {
			p.b.WriteByte(' ')
			p.dict(namedAttrs(f.ArgAttrs[i]))
		}
	}
	p.b.WriteByte(')')
	if len(f.Results) > 0 {
		p.b.WriteString(" -> (")
		for i, t := range f.Results {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.b.WriteString(t.String())
			if i < len(f.ResultAttrs) && len(f.ResultAttrs[i]) > 0 {
				p.b.WriteByte(' ')
				p.dict(namedAttrs(f.ResultAttrs[i]))
			}
		}
		p.b.WriteByte(')')
	}
	if len(f.Attrs) > 0 {
		p.b.WriteString(" attributes ")
		p.dict(namedAttrs(f.Attrs))
	}
	p.b.WriteString(" {")
	p.depth++
	for _, o := range f.Body.Ops {
		p.line()
		p.op(o, true)
	}
	p.depth--
	p.line()
	p.b.WriteByte('}')
}

// arg prints a new argument with its type.
func (p *printer) arg(a *Value) {
	name := "%arg" + strconv.Itoa(p.args)
	p.args++
	p.names[a] = name
	p.b.WriteString(name + ": " + a.Type.String())
}

func (p *printer) use(v *Value) {
	if name, ok := p.names[v]; ok {
		p.b.WriteString(name)
		return
	}
	p.b.WriteString("%undefined")
}

func (p *printer) uses(vs []*Value) {
	for i, v := range vs {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.use(v)
	}
}

func (p *printer) typeList(vs []*Value) {
	for i, v := range vs {
		if i > 0 {
			p.b.WriteString(", ")
		}
		p.b.WriteString(v.Type.String())
	}
}

// op prints an operation; top says that it stands in a function's body itself.
func (p *printer) op(o *Op, top bool) {
	if n := len(o.Results); n > 0 {
		name := "%" + strconv.Itoa(p.values)
		p.values++
		p.b.WriteString(name)
		if n > 1 {
			p.b.WriteString(":" + strconv.Itoa(n))
		}
		p.b.WriteString(" = ")
		for i, r := range o.Results {
			if n > 1 {
				p.names[r] = name + "#" + strconv.Itoa(i)
			} else {
				p.names[r] = name
			}
		}
	}
	if o.Kind == Return {
		p.ret(o, top)
		return
	}
	attrs := lower(o)
	if prettyFits(o) && p.pretty(o, attrs) {
		return
	}
	p.b.WriteByte('"')
	p.b.WriteString(opName(o.Kind))
	p.b.WriteString("\"(")
	p.uses(o.Operands)
	p.b.WriteByte(')')
	if len(o.Regions) > 0 {
		p.b.WriteString(" (")
		for i, r := range o.Regions {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.region(r)
		}
		p.b.WriteByte(')')
	}
	if len(attrs) > 0 {
		p.b.WriteByte(' ')
		p.dict(attrs)
	}
	p.signature(o)
}

// signature prints : (types) -> types.
func (p *printer) signature(o *Op) {
	p.b.WriteString(" : (")
	p.typeList(o.Operands)
	p.b.WriteString(") -> ")
	if len(o.Results) == 1 {
		p.typeList(o.Results)
		return
	}
	p.b.WriteByte('(')
	p.typeList(o.Results)
	p.b.WriteByte(')')
}

func (p *printer) ret(o *Op, top bool) {
	if top {
		p.b.WriteString("return")
	} else {
		p.b.WriteString("stablehlo.return")
	}
	if len(o.Operands) > 0 {
		p.b.WriteByte(' ')
		p.uses(o.Operands)
		p.b.WriteString(" : ")
		p.typeList(o.Operands)
	}
}

func (p *printer) region(b *Block) {
	p.b.WriteByte('{')
	if len(b.Args) > 0 {
		p.line()
		p.b.WriteString("^bb0(")
		for i, a := range b.Args {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.arg(a)
		}
		p.b.WriteString("):")
	}
	p.depth++
	for _, o := range b.Ops {
		p.line()
		p.op(o, false)
	}
	p.depth--
	p.line()
	p.b.WriteByte('}')
}

// prettyFits reports whether o has what its pretty form is made of: an unverified operation may lack it.
func prettyFits(o *Op) bool {
	a := arityOf(o.Kind)
	if a.operands != many && len(o.Operands) != a.operands || a.results != many && len(o.Results) != a.results {
		return false
	}
	switch o.Kind {
	case Constant:
		return hasAttr[*Literal](o)
	case Call:
		return hasAttr[CallAttr](o)
	case Compare:
		return hasAttr[CompareAttr](o)
	case Iota, Concatenate:
		return hasAttr[DimAttr](o)
	case BroadcastInDim, Transpose, DynamicSlice:
		return hasAttr[DimsAttr](o)
	case Pad:
		return hasAttr[*PadAttr](o)
	case Slice:
		return hasAttr[*SliceAttr](o)
	}
	return true
}

func hasAttr[T Attr](o *Op) bool {
	_, ok := o.Attr.(T)
	return ok
}

// pretty prints the forms that the reference has for the most common operations; false where the generic form must
// serve.
func (p *printer) pretty(o *Op, attrs []mlir.NamedAttr) bool {
	start := func(name string) { p.b.WriteString(name + " ") }
	extra := func() {
		if len(o.Extra) > 0 {
			p.b.WriteByte(' ')
			p.dict(namedAttrs(o.Extra))
		}
	}
	dims := func(key string, list []int64) {
		p.b.WriteString(", " + key + " = ")
		p.list(list)
	}
	name := opName(o.Kind)
	switch o.Kind {
	case Constant:
		if !o.Attr.(*Literal).Type.Equal(o.Results[0].Type) {
			return false
		}
		start(name)
		if len(o.Extra) > 0 {
			p.dict(namedAttrs(o.Extra))
			p.b.WriteByte(' ')
		}
		p.attr(attrs[0].Attr)
		return true
	case Call:
		start(name)
		p.symbol(o.Attr.(CallAttr).Callee.name())
		p.b.WriteByte('(')
		p.uses(o.Operands)
		p.b.WriteByte(')')
	case Abs, Cbrt, Ceil, Convert, Cosine, CountLeadingZeros, Exponential, ExponentialMinusOne, Floor, Imag, Log,
		LogPlusOne, Logistic, Negate, Not, PopulationCount, Real, RoundNearestAfz, RoundNearestEven, Rsqrt, Sign, Sine,
		Sqrt, Tan, Tanh, UniformDequantize, UniformQuantize, Add, And, Atan2, Clamp, Divide, Maximum, Minimum, Multiply, Or,
		Power, Remainder, ShiftLeft, ShiftRightArithmetic, ShiftRightLogical, Subtract, Xor:
		start(name)
		p.uses(o.Operands)
		extra()
		t := o.Results[0].Type
		if slices.ContainsFunc(o.Operands, func(v *Value) bool { return !v.Type.Equal(t) }) {
			p.signature(o)
		} else {
			p.b.WriteString(" : " + t.String())
		}
		return true
	case IsFinite, Reshape, DynamicReshape, BitcastConvert, DynamicUpdateSlice:
		start(name)
		p.uses(o.Operands)
	case Select:
		start(name)
		p.uses(o.Operands)
		extra()
		pred, t := o.Operands[0].Type, o.Results[0].Type
		if o.Operands[1].Type.Equal(t) && o.Operands[2].Type.Equal(t) {
			p.b.WriteString(" : " + pred.String() + ", " + t.String())
		} else {
			p.signature(o)
		}
		return true
	case Compare:
		a := o.Attr.(CompareAttr)
		start(name)
		p.b.WriteString(" " + a.Direction.String() + ", ")
		p.uses(o.Operands)
		if a.Type != NoCompareType {
			p.b.WriteString(", " + a.Type.String())
		}
	case Iota:
		start(name)
		p.b.WriteString("dim = " + strconv.FormatInt(o.Attr.(DimAttr).Dim, 10))
		extra()
		p.b.WriteString(" : " + o.Results[0].Type.String())
		return true
	case BroadcastInDim:
		start(name)
		p.uses(o.Operands)
		dims("dims", o.Attr.(DimsAttr).Dims)
	case Transpose:
		start(name)
		p.uses(o.Operands)
		dims("dims", o.Attr.(DimsAttr).Dims)
	case DynamicSlice:
		start(name)
		p.uses(o.Operands)
		dims("sizes", o.Attr.(DimsAttr).Dims)
	case Concatenate:
		start(name)
		p.uses(o.Operands)
		p.b.WriteString(", dim = " + strconv.FormatInt(o.Attr.(DimAttr).Dim, 10))
	case Pad:
		a := o.Attr.(*PadAttr)
		start(name)
		p.uses(o.Operands)
		dims("low", a.Low)
		dims("high", a.High)
		dims("interior", a.Interior)
	case Slice:
		a := o.Attr.(*SliceAttr)
		if len(a.Start) != len(a.Limit) || len(a.Start) != len(a.Stride) {
			return false
		}
		start(name)
		p.uses(o.Operands)
		p.b.WriteString(" [")
		for i := range a.Start {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.b.WriteString(strconv.FormatInt(a.Start[i], 10) + ":" + strconv.FormatInt(a.Limit[i], 10))
			if a.Stride[i] != 1 {
				p.b.WriteString(":" + strconv.FormatInt(a.Stride[i], 10))
			}
		}
		p.b.WriteByte(']')
	default:
		return false
	}
	extra()
	p.signature(o)
	return true
}
