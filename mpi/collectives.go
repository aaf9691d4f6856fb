package mpi

import "context"

// Collective operations are called by all processes of a communicator, in the same order. The blocking forms start the
// operation and look for its end as all waits do, so they hold no thread, and give up when ctx ends: the processes no
// longer agree on what comes next then, so every later use of the communicator is an error; close it. The buffers stay
// lent until the library is done with them.
//
// Of at most 4000 bytes in a block, and between at most 8 processes of one group, those that are not of blocks or neighbours
// are made of MPI_Irecv, MPI_Isend and MPI_Testall on copies of the buffers, and reductions of the standard of
// MPI_Reduce_local, on a communicator of their own that the first of them makes; unless [Options] say that others take part, or
// the launcher was asked to let the others go on when a process is gone, see [Comm.Shrink].
// Blocking and immediate forms do not match one another.
//
// A process that passes one slice as what it sends and what it receives into (or, where it receives parts of all
// processes, the part that is its own) does the operation in place, as MPI_IN_PLACE does; all processes have to do so
// then, where they all receive. Slices that overlap otherwise are [isthmus.ErrBorrowed].
//
// Errors of all of them: [isthmus.ErrBounds] for a root that does not exist and for lengths, counts and offsets that do
// not fit; [isthmus.ErrInvalid] for an element type that holds pointers or that the reduction does not take;
// [isthmus.ErrBorrowed] for a buffer that is lent to something else; [isthmus.ErrBusy] while another goroutine is in a
// collective operation on the communicator; [*Error] for what the library reports; the context's.

// Barrier waits until all processes of the communicator have called it. Calls MPI_Ibarrier.
func Barrier(ctx context.Context, c *Comm) error {
	if done, err := directly[byte](ctx, c, directBarrier, nil, nil, 0, 0, nil); done {
		return err
	}
	k := barrier(c)
	return k.run(ctx)
}

// Bcast copies b of the process root to b of all others; it is equally long everywhere. Calls MPI_Ibcast.
func Bcast[T any](ctx context.Context, c *Comm, b []T, root int) error {
	if done, err := directly(ctx, c, directBcast, b, b, len(b), root, nil); done {
		return err
	}
	k := bcast[T](c, b, root)
	return k.run(ctx)
}

// Reduce combines the i-th elements of send of all processes to recv[i] of the process root. The slices are equally long
// everywhere; recv of the others is not used and may be nil. Calls MPI_Ireduce.
func Reduce[T any](ctx context.Context, c *Comm, send, recv []T, op Reduction, root int) error {
	if done, err := directly(ctx, c, directReduce, send, recv, len(send), root, op); done {
		return err
	}
	k := reduceTo[T](c, send, recv, op, root)
	return k.run(ctx)
}

// Allreduce combines the i-th elements of send of all processes to recv[i] of every process. Calls MPI_Iallreduce.
func Allreduce[T any](ctx context.Context, c *Comm, send, recv []T, op Reduction) error {
	if done, err := directly(ctx, c, directAllreduce, send, recv, len(send), 0, op); done {
		return err
	}
	k := allreduce[T](c, send, recv, op)
	return k.run(ctx)
}

// Gather collects send of all processes, in the order of ranks, in recv of the process root. send is equally long
// everywhere; recv of the others is not used and may be nil. Calls MPI_Igather.
func Gather[T any](ctx context.Context, c *Comm, send, recv []T, root int) error {
	if done, err := directly(ctx, c, directGather, send, recv, len(send), root, nil); done {
		return err
	}
	k := gather[T](c, send, recv, root)
	return k.run(ctx)
}

// Gatherv collects send of all processes in the blocks of recv of the process root. recv and blocks of the others are not
// used. Calls MPI_Igatherv.
func Gatherv[T any](ctx context.Context, c *Comm, send, recv []T, blocks Blocks, root int) error {
	k := gatherv[T](c, send, recv, blocks, root)
	return k.run(ctx)
}

// Scatter deals equal parts of send of the process root out, in the order of ranks, to recv of all processes. send of the
// others is not used and may be nil. Calls MPI_Iscatter.
func Scatter[T any](ctx context.Context, c *Comm, send, recv []T, root int) error {
	if done, err := directly(ctx, c, directScatter, send, recv, len(recv), root, nil); done {
		return err
	}
	k := scatter[T](c, send, recv, root)
	return k.run(ctx)
}

// Scatterv deals the blocks of send of the process root out to recv of all processes. send and blocks of the others are not
// used. Calls MPI_Iscatterv.
func Scatterv[T any](ctx context.Context, c *Comm, send []T, blocks Blocks, recv []T, root int) error {
	k := scatterv[T](c, send, blocks, recv, root)
	return k.run(ctx)
}

// Allgather collects send of all processes, in the order of ranks, in recv of every process. send is equally long everywhere. Calls MPI_Iallgather.
func Allgather[T any](ctx context.Context, c *Comm, send, recv []T) error {
	if done, err := directly(ctx, c, directAllgather, send, recv, len(send), 0, nil); done {
		return err
	}
	k := allgather[T](c, send, recv)
	return k.run(ctx)
}

// Allgatherv collects send of all processes in the blocks of recv of every process. Calls MPI_Iallgatherv.
func Allgatherv[T any](ctx context.Context, c *Comm, send, recv []T, blocks Blocks) error {
	k := allgatherv[T](c, send, recv, blocks)
	return k.run(ctx)
}

// Alltoall sends the i-th of equal parts of send to the process i, and receives its part for this process in the i-th part of
// recv. Calls MPI_Ialltoall.
func Alltoall[T any](ctx context.Context, c *Comm, send, recv []T) error {
	if done, err := directly(ctx, c, directAlltoall, send, recv, len(send)/max(1, c.Size()), 0, nil); done {
		return err
	}
	k := alltoall[T](c, send, recv)
	return k.run(ctx)
}

// Alltoallv sends block i of send to the process i, and receives its block for this process in block i of recv. Calls MPI_Ialltoallv.
func Alltoallv[T any](ctx context.Context, c *Comm, send []T, to Blocks, recv []T, from Blocks) error {
	k := alltoallv[T](c, send, to, recv, from)
	return k.run(ctx)
}

// ReduceScatter combines send of all processes and deals the result out: the process i gets counts[i] elements. Calls MPI_Ireduce_scatter.
func ReduceScatter[T any](ctx context.Context, c *Comm, send, recv []T, counts []int, op Reduction) error {
	k := reduceScatter[T](c, send, recv, counts, op)
	return k.run(ctx)
}

// ReduceScatterBlock combines send of all processes and deals the result out in equal parts, in the order of ranks. Calls MPI_Ireduce_scatter_block.
func ReduceScatterBlock[T any](ctx context.Context, c *Comm, send, recv []T, op Reduction) error {
	if done, err := directly(ctx, c, directReduceScatter, send, recv, len(recv), 0, op); done {
		return err
	}
	k := reduceScatterBlock[T](c, send, recv, op)
	return k.run(ctx)
}

// Scan combines send of the processes with ranks up to and including this one to recv. Calls MPI_Iscan.
func Scan[T any](ctx context.Context, c *Comm, send, recv []T, op Reduction) error {
	if done, err := directly(ctx, c, directScan, send, recv, len(send), 0, op); done {
		return err
	}
	k := scan[T](c, send, recv, op, false)
	return k.run(ctx)
}

// Exscan combines send of the processes with lower ranks to recv; that of rank 0 is undefined. Calls MPI_Iexscan.
func Exscan[T any](ctx context.Context, c *Comm, send, recv []T, op Reduction) error {
	if done, err := directly(ctx, c, directExscan, send, recv, len(send), 0, op); done {
		return err
	}
	k := scan[T](c, send, recv, op, true)
	return k.run(ctx)
}

// NeighborAllgather sends send to each neighbour in the topology, and receives from each in equal parts of recv. Calls MPI_Ineighbor_allgather.
func NeighborAllgather[T any](ctx context.Context, c *Comm, send, recv []T) error {
	k := neighborAllgather[T](c, send, recv)
	return k.run(ctx)
}

// NeighborAllgatherv sends send to each neighbour in the topology, and receives from each in a block of recv. Calls MPI_Ineighbor_allgatherv.
func NeighborAllgatherv[T any](ctx context.Context, c *Comm, send, recv []T, from Blocks) error {
	k := neighborAllgatherv[T](c, send, recv, from)
	return k.run(ctx)
}

// NeighborAlltoall sends equal parts of send to the neighbours in the topology, and receives from them in equal parts of recv. Calls MPI_Ineighbor_alltoall.
func NeighborAlltoall[T any](ctx context.Context, c *Comm, send, recv []T) error {
	k := neighborAlltoall[T](c, send, recv)
	return k.run(ctx)
}

// NeighborAlltoallv sends blocks of send to the neighbours in the topology, and receives from them in blocks of recv. Calls MPI_Ineighbor_alltoallv.
func NeighborAlltoallv[T any](ctx context.Context, c *Comm, send []T, to Blocks, recv []T, from Blocks) error {
	k := neighborAlltoallv[T](c, send, to, recv, from)
	return k.run(ctx)
}
