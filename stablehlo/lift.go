package stablehlo

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// lifter turns the generic tree into the typed graph. It goes on after an error, so that one run reports several.
type lifter struct {
	opts    Options
	errs    []*Error
	funcs   map[string]*Func
	values  map[*mlir.Value]*Value // what is in scope at the operation being lifted
	scope   []*mlir.Value          // the keys of values, in the order in which they came into scope
	callees map[*Func][]call       // who calls whom, for the search for recursion
	fn      *Func

	declared map[string]bool // functions without a body
	expanded int             // operations that replaced others
}

type call struct {
	to *Func
	at *Op
}

func newLifter(opts Options) *lifter {
	return &lifter{
		opts: opts, funcs: map[string]*Func{}, values: map[*mlir.Value]*Value{}, callees: map[*Func][]call{},
		declared: map[string]bool{},
	}
}

func (l *lifter) errorf(pos Pos, op, format string, args ...any) {
	if len(l.errs) >= maxErrors {
		return
	}
	if pos.File == "" {
		pos.File = l.opts.File
	}
	l.errs = append(l.errs, &Error{Pos: pos, Op: op, Msg: fmt.Sprintf(format, args...)})
}

func (l *lifter) module(root *mlir.Op) *Module {
	m := &Module{}
	if root.Name != "builtin.module" {
		l.errorf(root.Pos, root.Name, "a program is a module of functions; put the operation into a func.func")
		return m
	}
	for _, a := range root.Attrs {
		if s, ok := a.Attr.(mlir.String); ok && a.Name == "sym_name" {
			m.Name = string(s)
			continue
		}
		m.Attrs = append(m.Attrs, Extra{Name: a.Name, attr: a.Attr})
	}
	var bodies []*mlir.Op
	for _, r := range root.Regions {
		for _, b := range r.Blocks {
			for _, op := range b.Ops {
				switch op.Name {
				case "func.func":
					if f := l.declare(op); f != nil {
						m.Funcs = append(m.Funcs, f)
						bodies = append(bodies, op)
					}
				case "sdy.mesh":
					// Kept as text, for the shardings that refer to it; nothing here divides a program by it.
					name, _ := op.Attr("sym_name").(mlir.String)
					text, _ := op.Attr("sdy").(mlir.OpaqueAttr)
					if mesh, ok := op.Attr("mesh").(mlir.OpaqueAttr); ok {
						text = mesh
					}
					m.Attrs = append(m.Attrs, Extra{Name: "sdy.mesh." + string(name), attr: mlir.String(text.Text)})
				case "builtin.module":
					l.errorf(op.Pos, op.Name, "modules inside modules are not supported")
				default:
					l.errorf(op.Pos, op.Name, "only functions may stand in a module")
				}
			}
		}
	}
	for i, f := range m.Funcs {
		l.body(f, bodies[i])
	}
	l.findRecursion(m)
	return m
}

// declare makes the function with its signature, so that calls can refer to it before its body is lifted.
func (l *lifter) declare(op *mlir.Op) *Func {
	name, ok := op.Attr("sym_name").(mlir.String)
	if !ok {
		l.errorf(op.Pos, op.Name, "a function needs a name")
		return nil
	}
	f := &Func{Name: string(name), Pos: op.Pos, Body: &Block{}}
	if l.funcs[f.Name] != nil {
		l.errorf(op.Pos, op.Name, "there is already a function @%s", f.Name)
		return nil
	}
	signature, ok := op.Attr("function_type").(mlir.TypeAttr)
	if !ok || signature.Type.Kind != mlir.Func {
		l.errorf(op.Pos, op.Name, "@%s has no function type", f.Name)
		return nil
	}
	if len(op.Regions) == 0 || len(op.Regions[0].Blocks) == 0 {
		l.declared[f.Name] = true // there is nothing to run: an error only where it is called
		return nil
	}
	l.funcs[f.Name] = f
	f.Results = l.types(op.Pos, op.Name, signature.Type.Elems)
	for _, a := range op.Attrs {
		switch a.Name {
		case "sym_name", "function_type":
		case "sym_visibility":
			v, _ := a.Attr.(mlir.String)
			f.Private = v == "private" || v == "nested"
		case "arg_attrs":
			f.ArgAttrs = attrLists(a.Attr, len(signature.Type.Ins))
		case "res_attrs":
			f.ResultAttrs = attrLists(a.Attr, len(f.Results))
		default:
			f.Attrs = append(f.Attrs, Extra{Name: a.Name, attr: a.Attr})
		}
	}
	args := op.Regions[0].Blocks[0].Args
	if len(args) != len(signature.Type.Ins) {
		l.errorf(op.Pos, op.Name, "@%s has %d arguments but its type has %d", f.Name, len(args), len(signature.Type.Ins))
	}
	for i, a := range args {
		f.Body.Args = append(f.Body.Args, &Value{Type: l.typ(op.Pos, op.Name, a.Type), Index: i, Name: a.Name})
		if len(a.Attrs) > 0 {
			if f.ArgAttrs == nil {
				f.ArgAttrs = make([][]Extra, len(args))
			}
			f.ArgAttrs[i] = extras(a.Attrs)
		}
	}
	return f
}

// attrLists reads a list of n dictionaries; nil where all are empty.
func attrLists(a mlir.Attr, n int) [][]Extra {
	list, _ := a.(mlir.Array)
	lists := make([][]Extra, n)
	some := false
	for i := range min(n, len(list)) {
		d, _ := list[i].(mlir.Dict)
		lists[i] = extras(d)
		some = some || len(d) > 0
	}
	if !some {
		return nil
	}
	return lists
}

func (l *lifter) body(f *Func, op *mlir.Op) {
	l.fn = f
	if len(op.Regions[0].Blocks) > 1 {
		l.errorf(op.Pos, op.Name, "@%s has several blocks; a StableHLO function has one", f.Name)
		return
	}
	b := op.Regions[0].Blocks[0]
	for i, a := range b.Args {
		l.bind(a, f.Body.Args[i])
	}
	l.ops(f.Body, b, op)
	l.leave(0)
}

func (l *lifter) bind(from *mlir.Value, to *Value) {
	l.values[from] = to
	l.scope = append(l.scope, from)
}

// leave ends the scope of what was bound since mark.
func (l *lifter) leave(mark int) {
	for _, v := range l.scope[mark:] {
		delete(l.values, v)
	}
	l.scope = l.scope[:mark]
}

// ops lifts the operations of from into to and makes sure that they end in one Return.
func (l *lifter) ops(to *Block, from *mlir.Block, parent *mlir.Op) {
	for i, op := range from.Ops {
		if isReturn(op.Name) != (i == len(from.Ops)-1) {
			if isReturn(op.Name) {
				l.errorf(op.Pos, op.Name, "operations follow the return; it must be last")
			} else {
				l.errorf(op.Pos, op.Name, "the body of %s must end in a return", parent.Name)
			}
			return
		}
		l.op(to, op)
	}
	if len(from.Ops) == 0 {
		l.errorf(parent.Pos, parent.Name, "the body is empty; it must end in a return")
	}
}

func isReturn(name string) bool {
	switch name {
	case "stablehlo.return", "func.return", "return", "chlo.return", "mhlo.return", "sdy.return":
		return true
	}
	return false
}

// regions lifts the regions of op. Each begins with the values around it in scope.
func (l *lifter) regions(op *mlir.Op) []*Block {
	var blocks []*Block
	for _, r := range op.Regions {
		b := &Block{}
		switch len(r.Blocks) {
		case 0:
			l.errorf(op.Pos, op.Name, "a region is empty; it must end in a return")
		case 1:
			mark := len(l.scope)
			for i, a := range r.Blocks[0].Args {
				v := &Value{Type: l.typ(op.Pos, op.Name, a.Type), Index: i, Name: a.Name}
				b.Args = append(b.Args, v)
				l.bind(a, v)
			}
			l.ops(b, r.Blocks[0], op)
			l.leave(mark)
		default:
			l.errorf(op.Pos, op.Name, "a region has several blocks; StableHLO regions have one")
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// operands resolves what op reads; ok is false if something is not in scope.
func (l *lifter) operands(op *mlir.Op) (vs []*Value, ok bool) {
	ok = true
	for _, v := range op.Operands {
		got := l.values[v]
		if got == nil {
			name := v.Name
			if name == "" {
				name = fmt.Sprint(v.Index)
			}
			l.errorf(op.Pos, op.Name, "%%%s is used where it is not defined; a value must be made before it is used, "+
				"and in the same or an enclosing region", name)
			ok = false
		}
		vs = append(vs, got)
	}
	return vs, ok
}

// results makes the values of op and brings them into scope.
func (l *lifter) results(o *Op, op *mlir.Op) {
	for i, r := range op.Results {
		v := &Value{Type: l.typ(op.Pos, op.Name, r.Type), Def: o, Index: i, Name: r.Name}
		o.Results = append(o.Results, v)
		l.bind(r, v)
	}
}

func (l *lifter) types(pos Pos, op string, ts []mlir.Type) []Type {
	out := make([]Type, len(ts))
	for i, t := range ts {
		out[i] = l.typ(pos, op, t)
	}
	return out
}

func (l *lifter) typ(pos Pos, op string, t mlir.Type) Type {
	out, err := liftType(t)
	if err != nil {
		l.errorf(pos, op, "%v", err)
	}
	return out
}

func liftType(t mlir.Type) (Type, error) {
	switch t.Kind {
	case mlir.Tensor, mlir.Buffer:
		out := Type{Kind: Tensor, Elem: t.Elem, Dims: t.Dims, Bounds: t.Bounds, Quant: t.Quant}
		if t.Kind == mlir.Buffer {
			out.Kind = Buffer
		}
		if t.Quant != nil {
			out.Elem = t.Quant.Storage
		}
		if len(t.Dims) > maxRank {
			out.Dims, out.Bounds = nil, nil
			return out, fmt.Errorf("a tensor of %d dimensions is not supported; %d are the most", len(t.Dims), maxRank)
		}
		if !out.Elem.Valid() || out.Elem == dtype.TF32 {
			return out, fmt.Errorf("a tensor's element type must be one of the specification's, not %q", t.Text)
		}
		return out, nil
	case mlir.Token:
		return Type{Kind: Token}, nil
	case mlir.Tuple, mlir.Future:
		out := Type{Kind: Tuple}
		if t.Kind == mlir.Future {
			out.Kind = Future
		}
		for _, e := range t.Elems {
			et, err := liftType(e)
			if err != nil {
				return out, err
			}
			out.Elems = append(out.Elems, et)
		}
		return out, nil
	case mlir.Unranked:
		return Type{}, fmt.Errorf("unranked tensors are not supported; export the program with known ranks")
	case mlir.Opaque:
		return Type{}, fmt.Errorf("type %s is not supported", t.Text)
	}
	return Type{}, fmt.Errorf("a value must be a tensor, token, tuple or future")
}

// findRecursion reports functions that call themselves, directly or not: a program must be finite.
func (l *lifter) findRecursion(m *Module) {
	const (
		open = iota + 1
		done
	)
	state := map[*Func]int{}
	type frame struct {
		f    *Func
		next int
	}
	for _, start := range m.Funcs {
		if state[start] != 0 {
			continue
		}
		state[start] = open
		stack := []frame{{f: start}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			calls := l.callees[top.f]
			if top.next == len(calls) {
				state[top.f] = done
				stack = stack[:len(stack)-1]
				continue
			}
			c := calls[top.next]
			top.next++
			switch state[c.to] {
			case 0:
				state[c.to] = open
				stack = append(stack, frame{f: c.to})
			case open:
				l.errorf(c.at.Pos, opName(c.at.Kind), "@%s calls itself through @%s; recursion is not allowed", c.to.Name, top.f.Name)
			}
		}
	}
}

// callee resolves the function that an attribute of op names.
func (l *lifter) callee(o *Op, name string) *Func {
	f := l.funcs[strings.TrimPrefix(name, "@")]
	if f == nil {
		what := "there is no function @%s in this program"
		if l.declared[name] {
			what = "@%s has no body; only functions of this program can be called"
		}
		l.errorf(o.Pos, opName(o.Kind), what, name)
		return nil
	}
	l.callees[l.fn] = append(l.callees[l.fn], call{to: f, at: o})
	return f
}

// opName is the name of k with its dialect.
func opName(k Kind) string {
	if k == Call {
		return "func.call"
	}
	return "stablehlo." + k.String()
}
