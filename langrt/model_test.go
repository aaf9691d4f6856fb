package langrt_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/isthmus-ffi/isthmus/langrt"
)

// node is a container and what it must hold: values of Go's, or other nodes.
type node struct {
	v       langrt.Value
	isDict  bool
	list    []any
	keys    []any // of a dictionary, in order; list has the values
	deleted bool
}

// pool is what a run of the model has.
type pool struct {
	t     *rapid.T
	nodes []*node
}

func (p *pool) node(dict bool, label string) *node {
	var of []*node
	for _, n := range p.nodes {
		if n.isDict == dict && !n.deleted {
			of = append(of, n)
		}
	}
	if len(of) == 0 {
		p.t.Skip("none yet")
	}
	return rapid.SampledFrom(of).Draw(p.t, label)
}

// element is a value to store: as Go has it, and as the runtime does. The count of the second is the caller's.
func (p *pool) element(label string) (any, langrt.Value) {
	switch rapid.IntRange(0, 6).Draw(p.t, label+" kind") {
	case 0:
		x := rapid.Int64Range(langrt.MinInt, langrt.MaxInt).Draw(p.t, label)
		return x, must[langrt.Value](p.t)(langrt.Of(nil, x))
	case 1:
		x := int64(rapid.IntRange(0, 5).Draw(p.t, label))
		return x, langrt.Int(x)
	case 2:
		x := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{1e300, 5e-324, math.Inf(1), 0.1})).Draw(p.t, label)
		return x, must[langrt.Value](p.t)(langrt.Of(nil, x))
	case 3:
		x := rapid.StringN(0, 20, 60).Draw(p.t, label)
		return x, must[langrt.Value](p.t)(langrt.Of(nil, x))
	case 4:
		return nil, langrt.Nil()
	case 5:
		x := rapid.Bool().Draw(p.t, label)
		return x, langrt.Bool(x)
	}
	var of []*node
	for _, n := range p.nodes {
		if !n.deleted {
			of = append(of, n)
		}
	}
	if len(of) == 0 {
		return nil, langrt.Nil()
	}
	n := rapid.SampledFrom(of).Draw(p.t, label)
	if err := langrt.Retain(n.v); err != nil {
		p.t.Fatal(err)
	}
	return n, n.v
}

// find is the place of a key in a dictionary's model, -1 when it is not there.
func (n *node) find(key any) int {
	for i, k := range n.keys {
		if f, ok := key.(float64); ok {
			if g, ok := k.(float64); ok && (f == g || f != f && g != g) {
				return i
			}
			continue
		}
		if k == key {
			return i
		}
	}
	return -1
}

func (p *pool) same(got langrt.Value, want any) {
	p.t.Helper()
	switch want := want.(type) {
	case *node:
		if got != want.v {
			p.t.Fatalf("got %v, want %v", got, want.v)
		}
	default:
		x, err := got.Go()
		f, isFloat := want.(float64)
		g, alsoFloat := x.(float64)
		if err != nil || x != want && !(isFloat && alsoFloat && f != f && g != g) {
			p.t.Fatalf("got %v (%v), want %v", got, err, want)
		}
	}
}

func (p *pool) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// TestR15GoModel runs random operations on arrays and dictionaries that hold each other, beside Go's slices and maps.
// When everything was let go, and circles were collected, nothing is left.
func TestR15GoModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := langrt.Objects()
		p := &pool{t: t}
		array := func() (*node, langrt.Array) {
			n := p.node(false, "array")
			return n, langrt.Array{Value: n.v}
		}
		dict := func() (*node, langrt.Dict) {
			n := p.node(true, "dict")
			return n, langrt.Dict{Value: n.v}
		}
		t.Repeat(map[string]func(*rapid.T){
			"new array": func(t *rapid.T) {
				a := must[langrt.Array](t)(langrt.NewArray(nil, rapid.IntRange(0, 5).Draw(t, "capacity")))
				p.nodes = append(p.nodes, &node{v: a.Value})
			},
			"new dict": func(t *rapid.T) {
				d := must[langrt.Dict](t)(langrt.NewDict(nil, rapid.IntRange(0, 5).Draw(t, "capacity")))
				p.nodes = append(p.nodes, &node{v: d.Value, isDict: true})
			},
			"push": func(*rapid.T) {
				n, a := array()
				x, v := p.element("element")
				p.check(a.Push(v))
				p.check(langrt.Release(v))
				n.list = append(n.list, x)
			},
			"pop": func(t *rapid.T) {
				n, a := array()
				v, err := a.Pop(nil)
				if len(n.list) == 0 {
					wants(t, err, langrt.Empty)
					return
				}
				p.check(err)
				p.same(v, n.list[len(n.list)-1])
				p.check(langrt.Release(v))
				n.list = n.list[:len(n.list)-1]
			},
			"set": func(t *rapid.T) {
				n, a := array()
				i := rapid.IntRange(-len(n.list)-1, len(n.list)).Draw(t, "index")
				x, v := p.element("element")
				err := a.Set(i, v)
				p.check(langrt.Release(v))
				if i < 0 {
					i += len(n.list)
				}
				if i < 0 || i >= len(n.list) {
					wants(t, err, langrt.OutOfRange)
					return
				}
				p.check(err)
				n.list[i] = x
			},
			"clear": func(*rapid.T) {
				n, a := array()
				p.check(a.Clear())
				n.list = nil
			},
			"dict set": func(t *rapid.T) {
				n, d := dict()
				key, k := p.element("key")
				x, v := p.element("value")
				err := d.Set(k, v)
				p.check(langrt.Release(k))
				p.check(langrt.Release(v))
				if key == nil {
					wants(t, err, langrt.NoKey)
					return
				}
				p.check(err)
				if i := n.find(key); i >= 0 {
					n.list[i] = x
				} else {
					n.keys, n.list = append(n.keys, key), append(n.list, x)
				}
			},
			"dict remove": func(t *rapid.T) {
				n, d := dict()
				key, k := p.element("key")
				err := d.Remove(k)
				p.check(langrt.Release(k))
				i := n.find(key)
				switch {
				case key == nil:
					wants(t, err, langrt.NoKey)
				case i < 0:
					wants(t, err, langrt.NotFound)
				default:
					p.check(err)
					n.keys = append(n.keys[:i:i], n.keys[i+1:]...)
					n.list = append(n.list[:i:i], n.list[i+1:]...)
				}
			},
			"dict clear": func(*rapid.T) {
				n, d := dict()
				p.check(d.Clear())
				n.keys, n.list = nil, nil
			},
			"": func(t *rapid.T) {
				for _, n := range p.nodes {
					if n.isDict {
						p.compareDict(n)
					} else {
						p.compareArray(n)
					}
				}
			},
		})
		for _, n := range p.nodes {
			p.check(langrt.Release(n.v))
		}
		langrt.Collect()
		if after := langrt.Objects(); after > before {
			t.Fatalf("%d objects are left: %v", after-before, langrt.Census())
		}
	})
}

func (p *pool) compareArray(n *node) {
	a := langrt.Array{Value: n.v}
	if got, err := a.Len(); err != nil || got != len(n.list) {
		p.t.Fatalf("an array has %d elements (%v), want %d", got, err, len(n.list))
	}
	seen := 0
	for i, v := range a.All() {
		p.same(v, n.list[i])
		last, err := a.Get(i - len(n.list))
		if err != nil || last != v {
			p.t.Fatalf("element %d from the end: %v (%v), want %v", i, last, err, v)
		}
		seen++
	}
	if seen != len(n.list) {
		p.t.Fatalf("%d elements walked, want %d", seen, len(n.list))
	}
}

func (p *pool) compareDict(n *node) {
	d := langrt.Dict{Value: n.v}
	if got, err := d.Len(); err != nil || got != len(n.keys) {
		p.t.Fatalf("a dict has %d entries (%v), want %d", got, err, len(n.keys))
	}
	i := 0
	p.check(d.Walk(func(k, v langrt.Value) bool {
		if want := n.keys[i]; want != 0.0 { // -0 is stored as 0
			p.same(k, want)
		}
		p.same(v, n.list[i])
		got, err := d.Get(k)
		if err != nil || got != v {
			p.t.Fatalf("get %v: %v (%v), want %v", k, got, err, v)
		}
		if text, ok := n.keys[i].(string); ok {
			if got, err := d.GetText(text); err != nil || got != v {
				p.t.Fatalf("get text %q: %v (%v), want %v", text, got, err, v)
			}
		}
		i++
		return true
	}))
	if i != len(n.keys) {
		p.t.Fatalf("%d entries walked, want %d", i, len(n.keys))
	}
}
