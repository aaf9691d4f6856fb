package mpi

import (
	"context"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// waiting is the function that waits of an operation whose immediate form is f.
func waiting(f mpic.Func) (_ mpic.Func, ok bool) {
	switch f {
	case mpic.FnIbarrier:
		return mpic.FnBarrier, true
	case mpic.FnIbcast:
		return mpic.FnBcast, true
	case mpic.FnIreduce:
		return mpic.FnReduce, true
	case mpic.FnIallreduce:
		return mpic.FnAllreduce, true
	case mpic.FnIreduceScatterBlock:
		return mpic.FnReduceScatterBlock, true
	case mpic.FnIreduceScatter:
		return mpic.FnReduceScatter, true
	case mpic.FnIscan:
		return mpic.FnScan, true
	case mpic.FnIexscan:
		return mpic.FnExscan, true
	case mpic.FnIgather:
		return mpic.FnGather, true
	case mpic.FnIgatherv:
		return mpic.FnGatherv, true
	case mpic.FnIscatter:
		return mpic.FnScatter, true
	case mpic.FnIscatterv:
		return mpic.FnScatterv, true
	case mpic.FnIallgather:
		return mpic.FnAllgather, true
	case mpic.FnIallgatherv:
		return mpic.FnAllgatherv, true
	case mpic.FnIalltoall:
		return mpic.FnAlltoall, true
	case mpic.FnIalltoallv:
		return mpic.FnAlltoallv, true
	case mpic.FnIalltoallw:
		return mpic.FnAlltoallw, true
	case mpic.FnIneighborAllgather:
		return mpic.FnNeighborAllgather, true
	case mpic.FnIneighborAllgatherv:
		return mpic.FnNeighborAllgatherv, true
	case mpic.FnIneighborAlltoall:
		return mpic.FnNeighborAlltoall, true
	case mpic.FnIneighborAlltoallv:
		return mpic.FnNeighborAlltoallv, true
	case mpic.FnIneighborAlltoallw:
		return mpic.FnNeighborAlltoallw, true
	}
	return f, false
}

// block does the operation by the function that waits in C, as programs that do not use this package do. The
// communicator's turn was taken. When ctx ends first the call goes on, with what it has.
func (k *collective) block(ctx context.Context) error {
	k.arg(uintptr(k.h))
	o, c := k.o, k.c
	if k.err == nil {
		o.watch(k.user)
		if c.watched != nil {
			k.watchCall("")
		}
		f, ok := waiting(k.now)
		if !ok {
			k.err = fmt.Errorf("mpi: %s: no function that waits matches %v: %w", k.op, k.now, isthmus.ErrUnsupported)
		} else if k.err = c.world.step(&o.block.start, f, k.args[:k.n]...); k.err != nil {
			k.err = fmt.Errorf("mpi: %s: %w", k.op, k.err)
		}
	}
	leave := func() {}
	if k.err == nil {
		leave, k.err = c.world.enterWait(k.op)
	}
	if k.err != nil {
		o.drop()
		c.collective.Store(false)
		return k.err
	}
	over := make(chan error, 1)
	wait := func() {
		c.world.go1(&o.block.start)
		leave()
		var err error
		if x := o.block.start.Thrown(); x != nil {
			err = c.world.threw(o.op, x)
		} else if code := o.block.start.Failed(); code != 0 {
			err = c.world.failure(o.op, code)
		}
		o.mu.Lock()
		o.finish(err)
		err = o.err
		o.mu.Unlock()
		c.collective.Store(false)
		over <- err
	}
	if ctx.Done() == nil {
		wait()
		return <-over
	}
	go wait()
	if err, ok := overBefore(ctx, over); ok {
		return err
	}
	c.poisoned.Store(true)
	return fmt.Errorf("mpi: %s: %w", o.op, context.Cause(ctx))
}
