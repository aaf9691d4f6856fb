package stablehlo

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Dynamic is the size of a dimension that is known only when the program runs.
const Dynamic int64 = -1

// Pos is a place in the program's source.
type Pos = mlir.Pos

// Module is a program: functions that call each other, one of them usually named main.
//
// A Module that [Parse] returned has been verified and is not changed afterwards by this module's packages, so it may
// be shared between goroutines. A transformation makes a new one.
type Module struct {
	Name  string
	Funcs []*Func // in the order of the source
	Attrs []Extra // module attributes such as mhlo.num_partitions
}

// Func returns the function of that name, or nil.
func (m *Module) Func(name string) *Func {
	if m == nil {
		return nil
	}
	for _, f := range m.Funcs {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Main returns the function that a device runs: main, or the only public function, or the only function; nil
// where none of these exists.
func (m *Module) Main() *Func {
	if f := m.Func("main"); f != nil || m == nil {
		return f
	}
	var public []*Func
	for _, f := range m.Funcs {
		if !f.Private {
			public = append(public, f)
		}
	}
	switch {
	case len(public) == 1:
		return public[0]
	case len(m.Funcs) == 1:
		return m.Funcs[0]
	}
	return nil
}

// Func is a function. Its body ends in one Return.
type Func struct {
	Name        string
	Private     bool
	Body        *Block
	Results     []Type
	ArgAttrs    [][]Extra // one list an argument, possibly nil: jax.buffer_donor, tf.aliasing_output, mhlo.sharding, …
	ResultAttrs [][]Extra // one list a result: jax.result_info, mhlo.sharding, …
	Attrs       []Extra
	Pos         Pos
}

// Args are the arguments of the function.
func (f *Func) Args() []*Value {
	if f.Body == nil {
		return nil
	}
	return f.Body.Args
}

// name is the name of a function that may be missing in an unverified graph.
func (f *Func) name() string {
	if f == nil {
		return ""
	}
	return f.Name
}

// Alias returns the result that argument i may share its memory with (tf.aliasing_output), and whether there is one.
func (f *Func) Alias(i int) (result int, ok bool) {
	if i < 0 || i >= len(f.ArgAttrs) {
		return 0, false
	}
	for _, a := range f.ArgAttrs[i] {
		if n, isInt := a.attr.(mlir.Int); isInt && a.Name == "tf.aliasing_output" {
			return int(n.Value), true
		}
	}
	return 0, false
}

// Donated reports whether the caller gives up argument i (jax.buffer_donor or tf.aliasing_output).
func (f *Func) Donated(i int) bool {
	if _, ok := f.Alias(i); ok {
		return true
	}
	if i < 0 || i >= len(f.ArgAttrs) {
		return false
	}
	for _, a := range f.ArgAttrs[i] {
		if b, isBool := a.attr.(mlir.Bool); a.Name == "jax.buffer_donor" && (!isBool || bool(b)) {
			return true
		}
	}
	return false
}

// Extra is an attribute that has no meaning here and is kept for printing: sharding, names, layouts, frontend notes.
type Extra struct {
	Name string
	attr mlir.Attr
}

// Block is a list of operations in an order in which each value is made before it is used. The last operation is the
// terminator, Return. Operations inside a region may use values of the blocks around it.
type Block struct {
	Args []*Value
	Ops  []*Op
}

// Terminator is the Return that ends the block; nil for a block without operations, which does not verify.
func (b *Block) Terminator() *Op {
	if len(b.Ops) == 0 {
		return nil
	}
	return b.Ops[len(b.Ops)-1]
}

// Value is made once, by an operation or as the argument of a block.
type Value struct {
	Type  Type
	Def   *Op // nil for an argument
	Index int // which result of Def, or which argument of its block
	Name  string
}

// Op is one operation: what it is, what it reads, what it makes.
type Op struct {
	Kind     Kind
	Operands []*Value
	Results  []*Value
	Regions  []*Block // bodies, branches and comparators: one block each
	Attr     Attr     // the attributes that its kind has, or nil; see the types that implement Attr
	Extra    []Extra
	Pos      Pos
}

// String returns the name of the operation without its dialect.
func (o *Op) String() string { return o.Kind.String() }

// TypeKind tells the forms of Type apart.
type TypeKind uint8

// The kinds of types.
const (
	_      TypeKind = iota
	Tensor          // Elem, Dims, maybe Bounds and Quant
	Token           // orders side effects; carries no data
	Tuple           // Elems
	Future          // Elems: the results of an asynchronous operation
	Buffer          // Elem, Dims: memory that is written in place
)

// Type is the type of a value.
type Type struct {
	Kind   TypeKind
	Elem   dtype.Type // the storage type if Quant is set
	Dims   []int64    // sizes, row-major; [Dynamic] where unknown
	Bounds []int64    // upper bounds of dynamic dimensions, Dynamic where there is none; nil without any
	Quant  *Quant
	Elems  []Type // of a tuple or future
}

// Quant says how a quantized tensor's stored integers stand for real numbers: (q - zero) * scale, per tensor or along
// one axis.
type Quant = mlir.Quant

// TensorOf is the type of a dense tensor.
func TensorOf(elem dtype.Type, dims ...int64) Type {
	return Type{Kind: Tensor, Elem: elem, Dims: dims}
}

// Rank is the number of dimensions.
func (t Type) Rank() int { return len(t.Dims) }

// Static reports whether all dimensions are known.
func (t Type) Static() bool {
	for _, d := range t.Dims {
		if d == Dynamic {
			return false
		}
	}
	return true
}

// Len is the number of elements of a static tensor. The verifier has made sure that it does not overflow.
func (t Type) Len() int64 {
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Size is the number of bytes of a static tensor in memory.
func (t Type) Size() int64 { return t.Len() * int64(t.Elem.Size()) }

// String prints t as StableHLO does: tensor<2x3xf32>.
func (t Type) String() string {
	var b strings.Builder
	t.print(&b)
	return b.String()
}

func (t Type) print(b *strings.Builder) {
	list := func(name string) {
		b.WriteString(name)
		for i, e := range t.Elems {
			if i > 0 {
				b.WriteString(", ")
			}
			e.print(b)
		}
		b.WriteByte('>')
	}
	switch t.Kind {
	case Token:
		b.WriteString("!stablehlo.token")
	case Tuple:
		list("tuple<")
	case Future:
		list("!stablehlo.future<")
	case Tensor, Buffer:
		if t.Kind == Tensor {
			b.WriteString("tensor<")
		} else {
			b.WriteString("memref<")
		}
		for _, d := range t.Dims {
			if d == Dynamic {
				b.WriteString("?x")
			} else {
				fmt.Fprintf(b, "%dx", d)
			}
		}
		if t.Quant != nil {
			b.WriteString(t.Quant.String())
		} else {
			b.WriteString(t.Elem.String())
		}
		if t.Bounds != nil {
			b.WriteString(", #stablehlo.bounds<")
			for i, d := range t.Bounds {
				if i > 0 {
					b.WriteString(", ")
				}
				if d == Dynamic {
					b.WriteByte('?')
				} else {
					fmt.Fprintf(b, "%d", d)
				}
			}
			b.WriteByte('>')
		}
		b.WriteByte('>')
	default:
		b.WriteString("invalid")
	}
}

// Literal is a constant tensor. Data holds the elements as package dtype stores them: little-endian, row-major, one
// element to a whole number of bytes; a splat holds one element that stands for all. It must not be changed.
type Literal struct {
	Type  Type
	Data  []byte
	Splat bool
}
