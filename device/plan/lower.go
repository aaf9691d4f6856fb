package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// maxInsts bounds a program after its calls are inlined: a few functions that call each other twice could otherwise
// grow without end.
const maxInsts = 1 << 20

// maxFold is the greatest number of elements of a constant that compiling computes.
const maxFold = 1 << 16

type lowering struct {
	ctx    context.Context
	module *stablehlo.Module
	joined bool // operations between processes are evaluated
	count  int
	depth  int
	shared map[string]*inst // by key: instructions of the blocks that are open, for sharing equal ones
	ids    map[*value]int
}

// scope maps values of the graph to values here. A region sees the scope around it; a function does not.
type scope struct {
	up   *scope
	vals map[*stablehlo.Value]*value
}

func (s *scope) find(v *stablehlo.Value) *value {
	for ; s != nil; s = s.up {
		if w, ok := s.vals[v]; ok {
			return w
		}
	}
	return nil
}

func (l *lowering) function(fn *stablehlo.Func) (*block, error) {
	b := &block{}
	sc := &scope{vals: map[*stablehlo.Value]*value{}}
	for i, a := range fn.Args() {
		if err := plain(a.Type); err != nil {
			return nil, fmt.Errorf("plan: %v: argument %d of %s: %w", fn.Pos, i, fn.Name, err)
		}
		v := &value{typ: a.Type, idx: i}
		b.params = append(b.params, v)
		sc.vals[a] = v
	}
	var err error
	b.results, err = l.body(b, sc, fn.Body)
	return b, err
}

// plain says whether a type can be planned: a tensor of static shape and an ordinary element type.
func plain(t stablehlo.Type) error {
	switch {
	case t.Kind != stablehlo.Tensor:
		return fmt.Errorf("%v is not a tensor: %w", t, ErrUnsupported)
	case !t.Static():
		return fmt.Errorf("%v has a dynamic shape: %w", t, ErrUnsupported)
	case t.Quant != nil:
		return fmt.Errorf("%v is quantized: %w", t, ErrUnsupported)
	}
	return nil
}

// body lowers the operations of from into b and returns the values of its terminator.
func (l *lowering) body(b *block, sc *scope, from *stablehlo.Block) ([]*value, error) {
	if l.depth++; l.depth > 500 {
		return nil, fmt.Errorf("plan: calls and regions nested more than 500 deep: %w", ErrUnsupported)
	}
	defer func() { l.depth-- }()
	for _, op := range from.Ops {
		if op.Kind == stablehlo.Return {
			out := make([]*value, len(op.Operands))
			for i, v := range op.Operands {
				if out[i] = sc.find(v); out[i] == nil {
					return nil, unsupported(op, "value %d is not a tensor", i)
				}
			}
			return out, nil
		}
		if err := l.op(b, sc, op); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("plan: a block has no terminator: %w", ErrUnsupported)
}

func (l *lowering) op(b *block, sc *scope, op *stablehlo.Op) error {
	if l.count++; l.count > maxInsts {
		return unsupported(op, "more than %d operations after inlining", maxInsts)
	}
	if l.count&1023 == 0 {
		if err := l.ctx.Err(); err != nil {
			return err
		}
	}
	in := make([]*value, len(op.Operands))
	for i, v := range op.Operands {
		if in[i] = sc.find(v); in[i] == nil {
			return unsupported(op, "operand %d is not a tensor", i)
		}
	}
	for _, r := range op.Results {
		if err := plain(r.Type); err != nil {
			return unsupported(op, "%v", err)
		}
	}
	bind := func(vals []*value) {
		for i, r := range op.Results {
			sc.vals[r] = vals[i]
		}
	}
	switch op.Kind {
	case stablehlo.Call:
		vals, err := l.inline(b, op.Attr.(stablehlo.CallAttr).Callee, in)
		if err != nil {
			return err
		}
		bind(vals)
		return nil
	case stablehlo.Composite:
		vals, err := l.inline(b, op.Attr.(*stablehlo.CompositeAttr).Decomposition, in)
		if err != nil {
			return err
		}
		bind(vals)
		return nil
	case stablehlo.OptimizationBarrier:
		bind(in)
		return nil
	case stablehlo.CustomCall:
		attr := op.Attr.(*stablehlo.CustomCallAttr)
		switch attr.Target {
		case "Sharding", "SPMDFullToShardShape", "SPMDShardToFullShape", "annotate_device_placement":
			if len(in) == 1 && len(op.Results) == 1 && sameDims(in[0].typ, op.Results[0].Type) {
				bind(in)
				return nil
			}
		}
		if attr.HasSideEffect {
			return unsupported(op, "custom call %q has side effects", attr.Target)
		}
	case stablehlo.While, stablehlo.If, stablehlo.Case:
		return l.control(b, sc, op, in)
	case stablehlo.AllGather, stablehlo.AllReduce, stablehlo.AllToAll, stablehlo.CollectiveBroadcast,
		stablehlo.CollectivePermute, stablehlo.CollectiveReduce, stablehlo.ReduceScatter, stablehlo.PartitionID, stablehlo.ReplicaID:
		if !l.joined {
			return unsupported(op, "it is left to the evaluator")
		}
	case stablehlo.Infeed, stablehlo.Outfeed, stablehlo.Recv, stablehlo.Send, stablehlo.AsyncStart, stablehlo.AsyncDone,
		stablehlo.AfterAll, stablehlo.TupleOp, stablehlo.GetTupleElement, stablehlo.RNG:
		return unsupported(op, "it is left to the evaluator")
	case stablehlo.Constant:
		lit := *op.Attr.(*stablehlo.Literal)
		lit.Data = aligned(lit.Data, lit.Type.Elem.Size())
		bind([]*value{{typ: op.Results[0].Type, lit: &lit}})
		return nil
	}
	if v := l.widenDot(b, op, in); v != nil {
		bind([]*value{v})
		return nil
	}
	i := &inst{kind: op.Kind, in: in, attr: op.Attr, op: op}
	for _, region := range op.Regions {
		l.capture(i, sc, region, map[*stablehlo.Value]bool{})
	}
	bind(l.emit(b, i, op.Results))
	return nil
}

func (l *lowering) inline(b *block, fn *stablehlo.Func, args []*value) ([]*value, error) {
	if fn == nil || len(fn.Args()) != len(args) {
		return nil, fmt.Errorf("plan: call of a function that does not fit: %w", ErrUnsupported)
	}
	sc := &scope{vals: map[*stablehlo.Value]*value{}}
	for i, a := range fn.Args() {
		sc.vals[a] = args[i]
	}
	return l.body(b, sc, fn.Body)
}

// control lowers an operation whose regions become blocks of their own.
func (l *lowering) control(b *block, sc *scope, op *stablehlo.Op, in []*value) error {
	// A branch that is known is just its code.
	if op.Kind != stablehlo.While && in[0].lit != nil {
		n := int64(literalInts(in[0].lit)[0])
		at := int(n)
		if op.Kind == stablehlo.If {
			at = 1 - int(n&1)
		} else if n < 0 || n >= int64(len(op.Regions)) {
			at = len(op.Regions) - 1
		}
		inner := &scope{up: sc, vals: map[*stablehlo.Value]*value{}}
		vals, err := l.body(b, inner, op.Regions[at])
		if err != nil {
			return err
		}
		for i, r := range op.Results {
			sc.vals[r] = vals[i]
		}
		return nil
	}
	i := &inst{kind: op.Kind, op: op, in: in}
	var fixed []bool
	if op.Kind == stablehlo.While {
		fixed, i.in = unchanging(op, in)
	}
	for _, region := range op.Regions {
		sub := &block{}
		inner := &scope{up: sc, vals: map[*stablehlo.Value]*value{}}
		for k, a := range region.Args {
			if fixed[k] {
				inner.vals[a] = in[k]
				continue
			}
			v := &value{typ: a.Type, idx: len(sub.params)}
			sub.params = append(sub.params, v)
			inner.vals[a] = v
		}
		// What is computed inside may be shared inside only: outside it may never have run.
		saved := l.shared
		l.shared = make(map[string]*inst, len(saved))
		for k, v := range saved {
			l.shared[k] = v
		}
		results, err := l.body(sub, inner, region)
		l.shared = saved
		if err != nil {
			return err
		}
		for k, v := range results {
			isCond := op.Kind == stablehlo.While && len(i.blocks) == 0
			if fixed == nil || isCond || !fixed[k] {
				sub.results = append(sub.results, v)
			}
		}
		i.blocks = append(i.blocks, sub)
	}
	for k, r := range op.Results {
		if fixed != nil && fixed[k] {
			sc.vals[r] = in[k]
			continue
		}
		v := &value{typ: r.Type, def: i, idx: len(i.out)}
		i.out = append(i.out, v)
		sc.vals[r] = v
	}
	b.insts = append(b.insts, i)
	return nil
}

// unchanging finds the state of a loop that its body hands on as it is: inside and after the loop it is the operand
// itself, which may be a constant. It returns which state that is, and the operands of the rest.
func unchanging(op *stablehlo.Op, in []*value) (fixed []bool, rest []*value) {
	body := op.Regions[1]
	ret := body.Terminator()
	fixed = make([]bool, len(in))
	for k := range in {
		if fixed[k] = ret.Operands[k] == body.Args[k]; !fixed[k] {
			rest = append(rest, in[k])
		}
	}
	return fixed, rest
}

// capture records what a region that stays as it is reads from outside.
func (l *lowering) capture(i *inst, sc *scope, region *stablehlo.Block, inside map[*stablehlo.Value]bool) {
	for _, a := range region.Args {
		inside[a] = true
	}
	for _, op := range region.Ops {
		for _, v := range op.Operands {
			if inside[v] {
				continue
			}
			inside[v] = true
			if w := sc.find(v); w != nil {
				i.captures = append(i.captures, capture{v, w})
			}
		}
		for _, sub := range op.Regions {
			l.capture(i, sc, sub, inside)
		}
		for _, r := range op.Results {
			inside[r] = true
		}
	}
}

// emit adds an instruction, unless its results are already there or can be known now.
func (l *lowering) emit(b *block, i *inst, results []*stablehlo.Value) []*value {
	if len(results) == 1 {
		if v := l.simplify(i, results[0].Type); v != nil {
			return []*value{v}
		}
	}
	if vals := l.fold(i, results); vals != nil {
		return vals
	}
	key := l.key(i, results)
	if key != "" {
		if same := l.shared[key]; same != nil {
			return same.out
		}
	}
	for k, r := range results {
		i.out = append(i.out, &value{typ: r.Type, def: i, idx: k})
	}
	b.insts = append(b.insts, i)
	if key != "" {
		l.shared[key] = i
	}
	return i.out
}

// key is equal for instructions that compute the same; empty for those that are not compared.
func (l *lowering) key(i *inst, results []*stablehlo.Value) string {
	if len(i.op.Regions) > 0 || between(i.kind) || i.kind == stablehlo.CustomCall || i.kind == stablehlo.RNGBitGenerator {
		return ""
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%d", i.kind)
	for _, v := range i.in {
		if v.lit != nil && v.lit.Splat {
			fmt.Fprintf(&s, " %v:%x", v.typ, v.lit.Data)
		} else {
			fmt.Fprintf(&s, " %d", l.id(v))
		}
	}
	for _, r := range results {
		fmt.Fprintf(&s, " %v", r.Type)
	}
	switch a := i.attr.(type) {
	case nil:
	case *stablehlo.Literal:
		return ""
	case *stablehlo.DotAttr:
		fmt.Fprintf(&s, " %v %v %v %v", a.LHSBatch, a.RHSBatch, a.LHSContract, a.RHSContract)
	default:
		fmt.Fprintf(&s, " %+v", a)
	}
	return s.String()
}

// between reports whether an operation is one between processes, or depends on which this is.
func between(k stablehlo.Kind) bool {
	switch k {
	case stablehlo.AllGather, stablehlo.AllReduce, stablehlo.AllToAll, stablehlo.CollectiveBroadcast, stablehlo.CollectivePermute,
		stablehlo.CollectiveReduce, stablehlo.ReduceScatter, stablehlo.PartitionID, stablehlo.ReplicaID:
		return true
	}
	return false
}

func (l *lowering) id(v *value) int {
	if l.ids == nil {
		l.ids = map[*value]int{}
	}
	n, ok := l.ids[v]
	if !ok {
		n = len(l.ids) + 1
		l.ids[v] = n
	}
	return n
}

func sameDims(a, b stablehlo.Type) bool { return slices.Equal(a.Dims, b.Dims) }

// simplify returns a value that is already there and equals the instruction's only result, or nil. It may change the
// instruction into a simpler one of the same meaning.
func (l *lowering) simplify(i *inst, t stablehlo.Type) *value {
	if len(i.in) == 0 {
		return nil
	}
	x := i.in[0]
	same := x.typ.Elem == t.Elem && sameDims(x.typ, t)
	switch i.kind {
	case stablehlo.Convert, stablehlo.Reshape, stablehlo.BitcastConvert:
		if same {
			return x
		}
		if i.kind == stablehlo.Reshape && x.lit != nil {
			return &value{typ: t, lit: &stablehlo.Literal{Type: t, Data: x.lit.Data, Splat: x.lit.Splat}}
		}
		if i.kind == stablehlo.Reshape && x.def != nil && x.def.kind == stablehlo.Reshape {
			i.in[0] = x.def.in[0]
			return l.simplify(i, t)
		}
	case stablehlo.Transpose, stablehlo.BroadcastInDim:
		dims := i.attr.(stablehlo.DimsAttr).Dims
		if same && slices.IsSorted(dims) {
			return x
		}
		if x.lit != nil && x.lit.Splat {
			return splat(x.lit, t)
		}
		if i.kind == stablehlo.BroadcastInDim && x.lit != nil && x.typ.Len() == 1 {
			return splat(x.lit, t)
		}
	case stablehlo.Slice:
		if same {
			return x
		}
		if x.lit != nil && x.lit.Splat {
			return splat(x.lit, t)
		}
	case stablehlo.Pad:
		if same {
			a := i.attr.(*stablehlo.PadAttr)
			if !slices.ContainsFunc(a.Low, nonZero) && !slices.ContainsFunc(a.High, nonZero) {
				return x
			}
		}
	case stablehlo.Concatenate:
		if len(i.in) == 1 {
			return x
		}
	case stablehlo.Reverse, stablehlo.DynamicSlice:
		if x.lit != nil && x.lit.Splat {
			return splat(x.lit, t)
		}
	}
	return nil
}

func nonZero(n int64) bool { return n != 0 }

func splat(lit *stablehlo.Literal, t stablehlo.Type) *value {
	n := t.Elem.Size()
	return &value{typ: t, lit: &stablehlo.Literal{Type: t, Data: lit.Data[:n:n], Splat: true}}
}
