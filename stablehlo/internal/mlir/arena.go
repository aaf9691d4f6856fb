package mlir

// arena allocates the nodes of a tree in chunks: a program has very many small ones, and all live as long as the tree.
type arena struct {
	ops   []Op
	vals  []Value
	ptrs  []*Value
	chunk int
}

// grow is the size of the next chunk: small programs should not pay for large ones.
func (a *arena) grow(n int) int {
	a.chunk = min(max(2*a.chunk, 16), 1024)
	return max(a.chunk, n)
}

func (a *arena) op() *Op {
	if len(a.ops) == 0 {
		a.ops = make([]Op, a.grow(1))
	}
	o := &a.ops[0]
	a.ops = a.ops[1:]
	return o
}

func (a *arena) value() *Value {
	if len(a.vals) == 0 {
		a.vals = make([]Value, a.grow(1))
	}
	v := &a.vals[0]
	a.vals = a.vals[1:]
	return v
}

// pointers returns a slice of n pointers that cannot grow into its neighbour.
func (a *arena) pointers(n int) []*Value {
	if n == 0 {
		return nil
	}
	if len(a.ptrs) < n {
		a.ptrs = make([]*Value, a.grow(n))
	}
	s := a.ptrs[:n:n]
	a.ptrs = a.ptrs[n:]
	return s
}
