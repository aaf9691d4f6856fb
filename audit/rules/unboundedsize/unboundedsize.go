// Package unboundedsize holds the rule unbounded-size. Its page is docs/checks/audit/unbounded-size.md.
package unboundedsize

import (
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports slices of a size that was read from bytes of somebody else's, and that nobody compared with anything.
var Analyzer = native.Rule("unbounded-size", run)

func run(p *native.Pass) {
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		m, ok := i.(*ssa.MakeSlice)
		if !ok {
			return
		}
		for _, n := range []ssa.Value{m.Len, m.Cap} {
			from := source(n)
			if from == nil || native.Guarded(m, func(v ssa.Value) bool { return about(v, from) }) {
				continue
			}
			p.Report(native.Warning, m.Pos(), "this takes as much memory as a number says that was read from bytes; whoever sent them ends the program: compare it with what may come first")
			return
		}
	})
}

// source is the call that read a size of four or eight bytes from bytes, or the variable that it was read into.
func source(v ssa.Value) ssa.Value {
	for range 16 {
		switch x := native.Root(v).(type) {
		case *ssa.BinOp:
			_, left := x.X.(*ssa.Const)
			_, right := x.Y.(*ssa.Const)
			if left == right || x.Op != token.ADD && x.Op != token.MUL && x.Op != token.SHL {
				return nil
			}
			if v = x.X; left {
				v = x.Y
			}
		case *ssa.Extract:
			if x.Index != 0 {
				return nil
			}
			v = x.Tuple
		case *ssa.Call:
			if reads(x) {
				return x
			}
			return nil
		case *ssa.UnOp:
			if x.Op == token.MUL && large(x.Type()) && filled(x.X) {
				return x.X
			}
			return nil
		default:
			return nil
		}
	}
	return nil
}

// large reports whether a number may be of a size that does harm.
func large(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && slices.Contains([]types.BasicKind{types.Int32, types.Int64, types.Uint32, types.Uint64}, b.Kind())
}

func reads(call *ssa.Call) bool {
	_, name, _ := strings.Cut(native.Callee(call), "encoding/binary.")
	order, number, _ := strings.Cut(name, ").")
	return slices.Contains([]string{"littleEndian", "bigEndian", "ByteOrder"}, order) && (number == "Uint32" || number == "Uint64") ||
		name == "Uvarint" || name == "ReadUvarint"
}

// filled reports whether a variable, or the struct that it is a field of, is what binary.Read writes into, and nothing else does.
func filled(v ssa.Value) bool {
	if f, ok := v.(*ssa.FieldAddr); ok {
		v = f.X
	}
	a, ok := v.(*ssa.Alloc)
	if !ok {
		return false
	}
	read := false
	for _, r := range *a.Referrers() {
		switch r := r.(type) {
		case *ssa.Store:
			return false
		case *ssa.MakeInterface:
			for _, r := range *r.Referrers() {
				if call, ok := r.(*ssa.Call); ok && native.GoName(call) == "encoding/binary.Read" {
					read = true
				}
			}
		}
	}
	return read
}

// about reports whether v is what came from a source, or what a function says that was given it.
func about(v, from ssa.Value) bool {
	if equal(source(v), from) {
		return true
	}
	call := native.CallOf(native.Root(v))
	return call != nil && slices.ContainsFunc(call.Call.Args, func(a ssa.Value) bool { return equal(source(a), from) })
}

// equal reports whether two sources are one, or the same number read again from the same place.
func equal(a, b ssa.Value) bool {
	x, ok := a.(*ssa.Call)
	y, both := b.(*ssa.Call)
	if a == nil || !ok || !both {
		return a != nil && native.Same(a, b)
	}
	args := func(c *ssa.Call) ssa.Value { return c.Call.Args[len(c.Call.Args)-1] }
	return x == y || native.Same(args(x), args(y))
}
