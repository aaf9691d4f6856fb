package mpicoll

import (
	"context"
	"fmt"
	"slices"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// tagGroup keeps the making of communicators apart from messages.
const tagGroup = 7

// operation is MPI's own for an operation of StableHLO.
func operation(k stablehlo.Kind) (mpi.Op, bool) {
	switch k {
	case stablehlo.Add:
		return mpi.Sum, true
	case stablehlo.Multiply:
		return mpi.Prod, true
	case stablehlo.Maximum:
		return mpi.Max, true
	case stablehlo.Minimum:
		return mpi.Min, true
	case stablehlo.And:
		return mpi.BAnd, true
	case stablehlo.Or:
		return mpi.BOr, true
	case stablehlo.Xor:
		return mpi.BXor, true
	}
	return 0, false
}

// Reduce reduces integers by MPI_Allreduce. What it is given is exact in any order.
func (l *link) Reduce(ctx context.Context, m eval.Meeting, kind stablehlo.Kind, elem dtype.Type, data []byte) (bool, error) {
	op, ok := operation(kind)
	if !ok {
		return false, nil
	}
	if op == mpi.Sum || op == mpi.Prod {
		if elem.Bits() < 32 { // Open MPI 4.1 saturates these, on processors with AVX
			return false, nil
		}
		// The same bits, and overflow is defined.
		if u, ok := map[dtype.Type]dtype.Type{dtype.I32: dtype.U32, dtype.I64: dtype.U64}[elem]; ok {
			elem = u
		}
	}
	reduce := map[dtype.Type]func(context.Context, *mpi.Comm, []byte, mpi.Op) error{
		dtype.I8: typed[int8], dtype.I16: typed[int16], dtype.I32: typed[int32], dtype.I64: typed[int64],
		dtype.U8: typed[uint8], dtype.U16: typed[uint16], dtype.U32: typed[uint32], dtype.U64: typed[uint64],
	}[elem]
	if reduce == nil {
		return false, nil
	}
	// What the processes are about to do is compared first: MPI would wait for ever, or add up what is not to be added.
	none := make([][]byte, len(m.Group))
	for k := range none {
		none[k] = []byte{}
	}
	m.What += fmt.Sprintf(", by %v", op)
	if err := l.Exchange(ctx, m, none, none); err != nil {
		return true, err
	}
	c, err := l.peers.group(l.ctx, m.Group)
	if err == nil {
		own := slices.Clone(data) // MPI keeps it when ctx ends
		if err = reduce(l.ctx, c, own, op); err == nil {
			copy(data, own)
			return true, nil
		}
	}
	if l.ctx.Err() != nil {
		err = context.Cause(l.ctx)
	}
	l.err = fmt.Errorf("mpicoll: in %s: %w", m.What, err)
	return true, l.err
}

func typed[T any](ctx context.Context, c *mpi.Comm, data []byte, op mpi.Op) error {
	v, err := mem.View[T](data)
	if err != nil {
		return err
	}
	return mpi.Allreduce(ctx, c, v, v, op)
}

// group is the communicator of some of the processes. It is made once.
func (p *Peers) group(ctx context.Context, members []int) (*mpi.Comm, error) {
	if len(members) == len(p.peers) {
		return p.base, nil
	}
	ranks := slices.Sorted(slices.Values(members))
	key := fmt.Sprint(ranks)
	if c := p.groups[key]; c != nil {
		return c, nil
	}
	all, err := p.base.Group()
	if err != nil {
		return nil, err
	}
	defer all.Close()
	g, err := all.Include(ranks...)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	c, err := p.base.CreateGroup(ctx, g, tagGroup)
	if err == nil {
		p.groups[key] = c
	}
	return c, err
}
