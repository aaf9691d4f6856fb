package plan

import (
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// value is a tensor of static shape. It is a constant (lit), a parameter of a block, or a result of an instruction.
type value struct {
	typ stablehlo.Type
	lit *stablehlo.Literal
	def *inst
	idx int // which result of def, or which parameter

	uses []*inst // filled by countUses; a use as a block's result counts as a use by the instruction that owns the block
	kept bool    // a result of its block: it must be in memory at the end
	buf  *buffer // where it lies, once it has a place; see memory.go
	size int64   // bytes, set with buf
	same *value  // for a parameter of a loop's block: the loop's state, whose memory it is
}

// inst is one instruction: an operation of StableHLO with calls and composites gone.
type inst struct {
	kind     stablehlo.Kind
	in, out  []*value
	attr     stablehlo.Attr
	op       *stablehlo.Op // what it came from: regions, position
	blocks   []*block      // While: condition and body; If and Case: branches; of an operation on rows: how it is computed
	rows     *rowwise      // an operation on rows, of no kind; its block is how to compute it
	captures []capture     // what op's regions read from outside, for operations whose regions stay as they are
}

// capture binds a value of the original graph that a region reads to the value that holds it here.
type capture struct {
	from *stablehlo.Value
	to   *value
}

// block is a list of instructions in an order that they can run in.
type block struct {
	params  []*value
	insts   []*inst
	results []*value
}

// prune drops what no result needs and counts the uses of the rest. Every instruction here is free of side effects:
// lowering refuses the others.
func prune(b *block) {
	live := map[*value]bool{}
	pruneBlock(b, live)
	countUses(b, nil)
}

// recount forgets the uses of values, and counts them again.
func recount(b *block) {
	forget(b)
	prune(b)
}

func forget(b *block) {
	none := func(values []*value) {
		for _, v := range values {
			v.uses, v.kept = nil, false
		}
	}
	none(b.params)
	none(b.results)
	for _, i := range b.insts {
		none(i.in)
		none(i.out)
		for _, c := range i.captures {
			none([]*value{c.to})
		}
		for _, sub := range i.blocks {
			forget(sub)
		}
	}
}

func pruneBlock(b *block, live map[*value]bool) {
	for _, r := range b.results {
		live[r] = true
	}
	kept := b.insts[:0:0]
	for i := len(b.insts) - 1; i >= 0; i-- {
		in := b.insts[i]
		needed := false
		for _, o := range in.out {
			needed = needed || live[o]
		}
		if !needed {
			continue
		}
		for _, v := range in.in {
			live[v] = true
		}
		for _, c := range in.captures {
			live[c.to] = true
		}
		for _, sub := range in.blocks {
			pruneBlock(sub, live)
		}
		kept = append(kept, in)
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	b.insts = kept
}

func countUses(b *block, owner *inst) {
	for _, in := range b.insts {
		for _, v := range in.in {
			v.uses = append(v.uses, in)
		}
		for _, c := range in.captures {
			c.to.uses = append(c.to.uses, in)
		}
		for _, sub := range in.blocks {
			countUses(sub, in)
		}
	}
	for _, r := range b.results {
		r.kept = true
		if owner != nil {
			r.uses = append(r.uses, owner)
		}
	}
}
