package native

import (
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// Leak is a way out of a function on which an object is not freed.
type Leak struct {
	At   ssa.Instruction // the return, or the allocation again
	Loop bool            // At is the allocation
}

// Unfreed searches for a way from the allocation to a return on which stop is met nowhere. A way on which the pointer is
// known to be nil, its errno or error known to be set, or its size known to be 0, is none.
func (u *Unit) Unfreed(alloc ssa.Instruction, flow *Flow, stop func(ssa.Instruction) bool) *Leak {
	for n, i := range alloc.Block().Instrs {
		if i == alloc {
			return u.unfreed(alloc.Block(), n+1, alloc, flow, stop)
		}
	}
	return nil
}

// unfreed is [Unit.Unfreed] from instruction n of a block on; alloc is nil where the pointer came from a caller.
func (u *Unit) unfreed(start *ssa.BasicBlock, n int, alloc ssa.Instruction, flow *Flow, stop func(ssa.Instruction) bool) *Leak {
	seen := map[*ssa.BasicBlock]bool{}
	var walk func(b *ssa.BasicBlock, from int) *Leak
	walk = func(b *ssa.BasicBlock, from int) *Leak {
		for n := from; n < len(b.Instrs); n++ {
			i := b.Instrs[n]
			if i == alloc && alloc != nil && !(b == alloc.Block() && n < from) {
				return &Leak{At: i, Loop: true}
			}
			if stop(i) {
				return nil
			}
			switch i := i.(type) {
			case *ssa.Return:
				return &Leak{At: i}
			case *ssa.Panic:
				return nil
			case *ssa.Call:
				if exits(GoName(i)) {
					return nil
				}
			}
		}
		for n, next := range b.Succs {
			if seen[next] || u.impossible(b, n, flow) || failed(b, n, alloc) || empty(b, n, alloc) {
				continue
			}
			seen[next] = true
			if l := walk(next, 0); l != nil {
				return l
			}
		}
		return nil
	}
	return walk(start, n)
}

func exits(name string) bool {
	switch name {
	case "os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "runtime.Goexit", "syscall.Exit",
		"(*testing.common).Fatal", "(*testing.common).Fatalf":
		return true
	}
	return false
}

// impossible reports whether branch n of b means that the pointer of flow is nil, or that it was not made.
func (u *Unit) impossible(b *ssa.BasicBlock, n int, flow *Flow) bool {
	cond, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok {
		return false
	}
	cmp, ok := cond.Cond.(*ssa.BinOp)
	if !ok || cmp.Op != token.EQL && cmp.Op != token.NEQ {
		return false
	}
	whenTrue := cmp.Op == token.EQL
	taken := n == 0
	for _, pair := range [2][2]ssa.Value{{cmp.X, cmp.Y}, {cmp.Y, cmp.X}} {
		if c, ok := pair[1].(*ssa.Const); ok && (c.IsNil() || c.Value != nil && c.Value.ExactString() == "0") && flow.Values[pair[0]] {
			return whenTrue == taken
		}
	}
	return false
}

// failed reports whether branch n of b means that a call has failed, by its status, and so has given nothing.
func failed(b *ssa.BasicBlock, n int, call ssa.Instruction) bool {
	if call == nil {
		return false
	}
	cond, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok {
		return false
	}
	cmp, ok := cond.Cond.(*ssa.BinOp)
	if !ok {
		return false
	}
	c, ok := cmp.Y.(*ssa.Const)
	if !ok {
		return false
	}
	taken := n == 0
	if c.IsNil() { // of what a function of the package made of the status
		of := CallOf(Root(cmp.X))
		if of == nil {
			return false
		}
		if of == call && CName(of) == "" { // a function of another package that gives an error too
			return taken == (cmp.Op == token.NEQ)
		}
		for _, a := range of.Call.Args {
			if CallOf(Root(a)) == call {
				return taken == (cmp.Op == token.NEQ)
			}
		}
		return false
	}
	if c.Value == nil || CallOf(Root(cmp.X)) != call {
		return false
	}
	zero := c.Value.ExactString() == "0"
	switch cmp.Op {
	case token.NEQ:
		return taken == zero
	case token.EQL:
		return taken != zero
	case token.LSS:
		return taken && zero
	case token.GEQ:
		return !taken && zero
	}
	return false
}

// empty reports whether branch n of b means that the size which a C call set beside its result is 0.
func empty(b *ssa.BasicBlock, n int, call ssa.Instruction) bool {
	made, ok := call.(ssa.CallInstruction)
	if !ok || CName(made) == "" {
		return false
	}
	cond, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok {
		return false
	}
	cmp, ok := cond.Cond.(*ssa.BinOp)
	if !ok || cmp.Op != token.EQL && cmp.Op != token.NEQ || (n == 0) != (cmp.Op == token.EQL) {
		return false
	}
	c, ok := cmp.Y.(*ssa.Const)
	load, isLoad := Root(cmp.X).(*ssa.UnOp)
	if !ok || !isLoad || load.Op != token.MUL || c.Value == nil || c.Value.ExactString() != "0" {
		return false
	}
	if t, ok := load.Type().Underlying().(*types.Basic); !ok || t.Info()&types.IsUnsigned == 0 {
		return false // a status is 0 where all is well
	}
	return slices.ContainsFunc(made.Common().Args, func(a ssa.Value) bool { return Root(a) == load.X })
}

// CallOf is the call whose result v is, or one of its results; or nil.
func CallOf(v ssa.Value) *ssa.Call {
	if e, ok := v.(*ssa.Extract); ok {
		v = e.Tuple
	}
	call, _ := v.(*ssa.Call)
	return call
}

// Crosses reports whether a value is given to native code, perhaps after conversions.
func Crosses(v ssa.Value) bool {
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.Convert:
			if Crosses(r) {
				return true
			}
		case *ssa.ChangeType:
			if Crosses(r) {
				return true
			}
		case ssa.CallInstruction:
			if Foreign(r) {
				return true
			}
		}
	}
	return false
}

// Reaches reports whether to may run after from, on a way that stop does not cut.
func Reaches(from, to ssa.Instruction, stop func(ssa.Instruction) bool) bool {
	if from.Parent() != to.Parent() {
		return false
	}
	seen := map[*ssa.BasicBlock]bool{}
	var walk func(b *ssa.BasicBlock, n int) bool
	walk = func(b *ssa.BasicBlock, n int) bool {
		for ; n < len(b.Instrs); n++ {
			if b.Instrs[n] == to {
				return true
			}
			if stop != nil && stop(b.Instrs[n]) {
				return false
			}
		}
		for _, next := range b.Succs {
			if !seen[next] {
				seen[next] = true
				if walk(next, 0) {
					return true
				}
			}
		}
		return false
	}
	for n, i := range from.Block().Instrs {
		if i == from {
			return walk(from.Block(), n+1)
		}
	}
	return false
}

// Dominates reports whether a runs before b whenever b runs.
func Dominates(a, b ssa.Instruction) bool {
	if a.Block() == b.Block() {
		for _, i := range a.Block().Instrs {
			if i == a {
				return true
			}
			if i == b {
				return false
			}
		}
	}
	return a.Parent() == b.Parent() && a.Block().Dominates(b.Block())
}

// Guarded reports whether a branch before at compares one of the values that keep accepts.
func Guarded(at ssa.Instruction, keep func(ssa.Value) bool) bool {
	for b := at.Block(); b != nil; b = b.Idom() {
		d := b.Idom()
		if d == nil {
			return false
		}
		if cond, ok := d.Instrs[len(d.Instrs)-1].(*ssa.If); ok && mentions(cond.Cond, keep, 0) {
			return true
		}
	}
	return false
}

func mentions(v ssa.Value, keep func(ssa.Value) bool, depth int) bool {
	if v == nil || depth > 6 {
		return false
	}
	if keep(v) {
		return true
	}
	switch x := v.(type) {
	case *ssa.BinOp:
		return mentions(x.X, keep, depth+1) || mentions(x.Y, keep, depth+1)
	case *ssa.UnOp:
		return x.Op != token.MUL && mentions(x.X, keep, depth+1)
	case *ssa.Convert:
		return mentions(x.X, keep, depth+1)
	case *ssa.ChangeType:
		return mentions(x.X, keep, depth+1)
	case *ssa.Phi:
		for _, e := range x.Edges {
			if mentions(e, keep, depth+1) {
				return true
			}
		}
	}
	return false
}

// Same reports whether two values are the same variable or expression: the same value, loads of the same variable, or
// the same field of the same value.
func Same(a, b ssa.Value) bool { return same(a, b, 0) }

func same(a, b ssa.Value, depth int) bool {
	if a == b {
		return true
	}
	if depth > 6 || a == nil || b == nil {
		return false
	}
	switch x := a.(type) {
	case *ssa.UnOp:
		y, ok := b.(*ssa.UnOp)
		return ok && x.Op == y.Op && same(x.X, y.X, depth+1)
	case *ssa.FieldAddr:
		y, ok := b.(*ssa.FieldAddr)
		return ok && x.Field == y.Field && same(x.X, y.X, depth+1)
	case *ssa.Field:
		y, ok := b.(*ssa.Field)
		return ok && x.Field == y.Field && same(x.X, y.X, depth+1)
	case *ssa.IndexAddr:
		y, ok := b.(*ssa.IndexAddr)
		return ok && same(x.X, y.X, depth+1) && same(x.Index, y.Index, depth+1)
	case *ssa.Convert:
		y, ok := b.(*ssa.Convert)
		return ok && types.Identical(x.Type(), y.Type()) && same(x.X, y.X, depth+1)
	case *ssa.Const:
		y, ok := b.(*ssa.Const)
		return ok && x.Value != nil && y.Value != nil && x.Value.ExactString() == y.Value.ExactString()
	case *ssa.Call:
		y, ok := b.(*ssa.Call)
		return ok && GoName(x) == "len" && GoName(y) == "len" && same(x.Call.Args[0], y.Call.Args[0], depth+1)
	}
	return false
}

// IsLen reports whether v is len of something, and of what.
func IsLen(v ssa.Value) (ssa.Value, bool) {
	if call, ok := v.(*ssa.Call); ok && GoName(call) == "len" {
		return call.Call.Args[0], true
	}
	return nil, false
}

// CType is the C name of a type that cgo declared, behind pointers: char for *C.char. stars is how many there were.
func CType(t types.Type) (name string, stars int) {
	for {
		p, ok := t.(*types.Pointer)
		if !ok {
			break
		}
		t = p.Elem()
		stars++
	}
	type named interface{ Obj() *types.TypeName }
	if n, ok := t.(named); ok && len(n.Obj().Name()) > len("_Ctype_") && n.Obj().Name()[:7] == "_Ctype_" {
		return n.Obj().Name()[7:], stars
	}
	return "", stars
}

// GoMemory reports whether a pointer is known to point to memory that Go's collector owns.
func GoMemory(v ssa.Value) bool {
	switch b := Base(v).(type) {
	case *ssa.Alloc, *ssa.MakeSlice, *ssa.Global, *ssa.MakeMap, *ssa.MakeChan:
		return true
	case *ssa.Call:
		return GoName(b) == "append"
	}
	return false
}

// Pins reports whether fn pins something; what, is not followed.
func Pins(fn *ssa.Function) bool { return calls(fn, "(*runtime.Pinner).Pin") }

// calls reports whether fn itself calls a Go function.
func calls(fn *ssa.Function, name string) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if call, ok := i.(ssa.CallInstruction); ok && GoName(call) == name {
				return true
			}
		}
	}
	return false
}
