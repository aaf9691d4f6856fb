package stablehlo

import (
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/expand"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// kindByName holds the specification's operations under their names without dialect.
var kindByName = sync.OnceValue(func() map[string]Kind {
	m := make(map[string]Kind, numKinds)
	for _, k := range Kinds() {
		m[k.String()] = k
	}
	return m
})

// op lifts one operation to the end of b.
func (l *lifter) op(b *Block, op *mlir.Op) {
	if len(l.errs) >= maxErrors {
		return
	}
	dialect, name, _ := strings.Cut(op.Name, ".")
	switch {
	case isReturn(op.Name):
		l.plain(b, op, Return)
		return
	case op.Name == "func.call" || op.Name == "call":
		l.plain(b, op, Call)
		return
	case op.Name == "builtin.unrealized_conversion_cast" || op.Name == "sdy.sharding_constraint":
		l.identity(op)
		return
	case op.Name == "sdy.manual_computation":
		l.manual(b, op)
		return
	case op.Name == "arith.constant":
		l.plain(b, op, Constant)
		return
	case dialect == "check" || dialect == "interpreter":
		if !l.opts.TestOps {
			l.errorf(op.Pos, op.Name, "operations of the %s dialect are for conformance tests only; remove it", dialect)
			return
		}
		l.plain(b, op, CustomCall)
		return
	case dialect == "stablehlo":
		if k, ok := kindByName()[name]; ok && k != Call {
			l.plain(b, op, k)
			return
		}
		if name == "trace" && len(op.Results) == 0 {
			return
		}
	}
	if !expand.Known(op.Name) {
		l.errorf(op.Pos, op.Name, "no such operation in StableHLO; lower it before exporting the program")
		l.dropResults(op)
		return
	}
	l.expand(b, op)
}

// maxExpanded bounds the operations that replace others, of which a short line can ask for hundreds.
const maxExpanded = 1 << 17

// expand replaces op by operations that the graph has.
func (l *lifter) expand(b *Block, op *mlir.Op) {
	if _, ok := l.operands(op); !ok {
		l.dropResults(op)
		return
	}
	if l.expanded > maxExpanded {
		l.dropResults(op)
		return
	}
	ops, results, err := expand.Expand(op)
	if err != nil {
		l.errorf(op.Pos, op.Name, "%v", err)
		l.dropResults(op)
		return
	}
	if l.expanded += len(ops); l.expanded > maxExpanded {
		l.errorf(op.Pos, op.Name, "the program expands to more than %d operations; call a function instead of repeating it", maxExpanded)
		l.dropResults(op)
		return
	}
	for _, o := range ops {
		o.Pos = op.Pos
		l.op(b, o)
	}
	for i, r := range op.Results {
		v := l.values[results[i]]
		if v == nil {
			l.dropResults(op)
			return
		}
		if want := l.typ(op.Pos, op.Name, r.Type); !v.Type.Compatible(want) {
			l.errorf(op.Pos, op.Name, "result %d is %v but must be %v", i, want, v.Type)
		}
		if v.Name == "" {
			v.Name = r.Name
		}
		l.bind(r, v)
	}
}

// dropResults brings results of an operation that could not be lifted into scope, so that the error is reported once.
func (l *lifter) dropResults(op *mlir.Op) {
	o := &Op{Pos: op.Pos}
	for i, r := range op.Results {
		t, err := liftType(r.Type)
		if err != nil {
			t = Type{}
		}
		v := &Value{Type: t, Def: o, Index: i, Name: r.Name}
		o.Results = append(o.Results, v)
		l.bind(r, v)
	}
}

// identity makes the results of op names of its operands.
func (l *lifter) identity(op *mlir.Op) {
	vs, ok := l.operands(op)
	if !ok || len(vs) != len(op.Results) {
		if ok {
			l.errorf(op.Pos, op.Name, "must have as many results as operands")
		}
		l.dropResults(op)
		return
	}
	for i, r := range op.Results {
		if t := l.typ(op.Pos, op.Name, r.Type); !t.Compatible(vs[i].Type) {
			l.errorf(op.Pos, op.Name, "cannot turn %v into %v", vs[i].Type, t)
		}
		l.bind(r, vs[i])
	}
}

// manual lifts a computation by the parts of its operands that one device holds. Where the parts are the wholes, it is
// its body.
func (l *lifter) manual(b *Block, op *mlir.Op) {
	vs, ok := l.operands(op)
	if !ok || len(op.Regions) != 1 || len(op.Regions[0].Blocks) != 1 || len(op.Regions[0].Blocks[0].Ops) == 0 {
		if ok {
			l.errorf(op.Pos, op.Name, "must have one region of one block that ends in a return")
		}
		l.dropResults(op)
		return
	}
	body := op.Regions[0].Blocks[0]
	last := len(body.Ops) - 1
	yields := body.Ops[last]
	if len(body.Args) != len(vs) || !isReturn(yields.Name) || len(yields.Operands) != len(op.Results) {
		l.errorf(op.Pos, op.Name, "the body does not take the operands and return the results")
		l.dropResults(op)
		return
	}
	mark := len(l.scope)
	for i, a := range body.Args {
		if t := l.typ(op.Pos, op.Name, a.Type); !t.Equal(vs[i].Type) {
			l.errorf(op.Pos, op.Name, "divides operand %d among devices, which is not supported; compile for one device", i)
			l.dropResults(op)
			return
		}
		l.bind(a, vs[i])
	}
	for _, o := range body.Ops[:last] {
		if isReturn(o.Name) {
			l.errorf(o.Pos, o.Name, "operations follow the return; it must be last")
			break
		}
		l.op(b, o)
	}
	outs, ok := l.operands(yields)
	l.leave(mark)
	if !ok {
		l.dropResults(op)
		return
	}
	for i, r := range op.Results {
		if t := l.typ(op.Pos, op.Name, r.Type); !t.Compatible(outs[i].Type) {
			l.errorf(op.Pos, op.Name, "result %d is %v but the body returns %v", i, t, outs[i].Type)
		}
		l.bind(r, outs[i])
	}
}

// plain lifts an operation that the graph has.
func (l *lifter) plain(b *Block, op *mlir.Op, k Kind) {
	o := &Op{Kind: k, Pos: op.Pos}
	operands, ok := l.operands(op)
	o.Operands = operands
	if ok {
		a := &attrs{l: l, op: op}
		o.Attr = l.attr(o, a)
		o.Extra = a.extra()
		a.accuracy()
	}
	o.Regions = l.regions(op)
	l.results(o, op)
	if ok {
		b.Ops = append(b.Ops, o)
	}
}
