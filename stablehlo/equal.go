package stablehlo

import (
	"bytes"
	"reflect"
	"slices"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Equal reports whether two programs are the same but for positions and the names of values.
func Equal(a, b *Module) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Name != b.Name || !equalExtras(a.Attrs, b.Attrs) || len(a.Funcs) != len(b.Funcs) {
		return false
	}
	for i, f := range a.Funcs {
		if !equalFunc(f, b.Funcs[i]) {
			return false
		}
	}
	return true
}

func equalFunc(f, g *Func) bool {
	if f.Name != g.Name || f.Private != g.Private || !slices.EqualFunc(f.Results, g.Results, Type.Equal) ||
		!equalExtras(f.Attrs, g.Attrs) || !equalLists(f.ArgAttrs, g.ArgAttrs) || !equalLists(f.ResultAttrs, g.ResultAttrs) {
		return false
	}
	return equalBlock(f.Body, g.Body, map[*Value]*Value{})
}

func equalLists(a, b [][]Extra) bool {
	at := func(l [][]Extra, i int) []Extra {
		if i < len(l) {
			return l[i]
		}
		return nil
	}
	for i := range max(len(a), len(b)) {
		if !equalExtras(at(a, i), at(b, i)) {
			return false
		}
	}
	return true
}

// equalExtras compares as sets, by what the attributes print as: what bytecode and text say differently but mean as
// one is one.
func equalExtras(a, b []Extra) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		y, ok := Find(b, x.Name)
		if !ok || !reflect.DeepEqual(x.attr, y.attr) && x.String() != y.String() {
			return false
		}
	}
	return true
}

// equalValues compares lists of values, to what each value of the first program was paired with.
func equalValues(a, b []*Value, pairs map[*Value]*Value) bool {
	return slices.EqualFunc(a, b, func(x, y *Value) bool { return pairs[x] == y })
}

func bindValues(a, b []*Value, pairs map[*Value]*Value) bool {
	return slices.EqualFunc(a, b, func(x, y *Value) bool {
		pairs[x] = y
		return x.Type.Equal(y.Type)
	})
}

func equalBlock(a, b *Block, pairs map[*Value]*Value) bool {
	return bindValues(a.Args, b.Args, pairs) && slices.EqualFunc(a.Ops, b.Ops, func(o, q *Op) bool {
		return o.Kind == q.Kind && equalValues(o.Operands, q.Operands, pairs) && bindValues(o.Results, q.Results, pairs) &&
			equalAttr(o, q) && equalExtras(o.Extra, q.Extra) &&
			slices.EqualFunc(o.Regions, q.Regions, func(r, s *Block) bool { return equalBlock(r, s, pairs) })
	})
}

func equalAttr(o, q *Op) bool {
	if a, ok := o.Attr.(*Literal); ok {
		b, ok := q.Attr.(*Literal)
		return ok && a.Equal(b)
	}
	print := func(o *Op) string {
		p := &printer{}
		bare := *o
		bare.Extra = nil
		for _, a := range sortedAttrs(lower(&bare)) {
			p.named(a)
			p.b.WriteByte('\n')
		}
		return p.b.String()
	}
	return reflect.TypeOf(o.Attr) == reflect.TypeOf(q.Attr) && print(o) == print(q)
}

func sortedAttrs(list []mlir.NamedAttr) []mlir.NamedAttr {
	slices.SortFunc(list, func(a, b mlir.NamedAttr) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return list
}

// Equal reports whether two constants have the same type and the same bits.
func (l *Literal) Equal(m *Literal) bool {
	if !l.Type.Equal(m.Type) {
		return false
	}
	if l.Splat == m.Splat {
		return bytes.Equal(l.Data, m.Data)
	}
	one, all := l.Data, m.Data
	if m.Splat {
		one, all = all, one
	}
	if len(one) == 0 {
		return len(all) == 0
	}
	for ; len(all) >= len(one); all = all[len(one):] {
		if !bytes.Equal(one, all[:len(one)]) {
			return false
		}
	}
	return len(all) == 0
}

// Walk calls f for every operation of the function in order, an operation before those in its regions, until f
// returns false.
func (f *Func) Walk(visit func(*Op) bool) {
	if f != nil && f.Body != nil {
		f.Body.Walk(visit)
	}
}

// Walk calls visit for every operation of the block, as [Func.Walk] does, and reports whether it came to the end.
func (b *Block) Walk(visit func(*Op) bool) bool {
	for _, o := range b.Ops {
		if !visit(o) {
			return false
		}
		for _, r := range o.Regions {
			if !r.Walk(visit) {
				return false
			}
		}
	}
	return true
}

// Captures lists the values that the regions of o use and that are made outside of them, each once, in the order of
// their first use.
func (o *Op) Captures() []*Value {
	inside := map[*Value]bool{}
	var out []*Value
	var walk func(b *Block)
	walk = func(b *Block) {
		for _, a := range b.Args {
			inside[a] = true
		}
		for _, op := range b.Ops {
			for _, v := range op.Operands {
				if !inside[v] {
					inside[v] = true
					out = append(out, v)
				}
			}
			for _, r := range op.Regions {
				walk(r)
			}
			for _, v := range op.Results {
				inside[v] = true
			}
		}
	}
	for _, r := range o.Regions {
		walk(r)
	}
	return out
}
