package mpi

// The persistent forms prepare a collective operation that is done many times; all processes of the communicator prepare
// it, in the same order. MPI 4 has them: with an older library they are [isthmus.ErrUnsupported], as are those that a
// library lacks. Errors are those of the blocking forms.
//
// On MPICH 4.0 to 4.2 each start of a [Gather] or [Scatter] is an immediate one, because the library's own persistent form gives
// what was there when it was prepared: where processes in other languages take part, they start an immediate one too.

// BarrierInit prepares a [Barrier]. Calls MPI_Barrier_init.
func BarrierInit(c *Comm) (*Persistent[byte], error) {
	return persist[byte](func() collective { return barrier(c) }, nil)
}

// BcastInit prepares a [Bcast]. Calls MPI_Bcast_init.
func BcastInit[T any](c *Comm, b []T, root int) (*Persistent[T], error) {
	return persist(func() collective { return bcast[T](c, b, root) }, b)
}

// ReduceInit prepares a [Reduce]. Calls MPI_Reduce_init.
func ReduceInit[T any](c *Comm, send, recv []T, op Reduction, root int) (*Persistent[T], error) {
	return persist(func() collective { return reduceTo[T](c, send, recv, op, root) }, recv)
}

// AllreduceInit prepares a [Allreduce]. Calls MPI_Allreduce_init.
func AllreduceInit[T any](c *Comm, send, recv []T, op Reduction) (*Persistent[T], error) {
	return persist(func() collective { return allreduce[T](c, send, recv, op) }, recv)
}

// GatherInit prepares a [Gather]. Calls MPI_Gather_init.
func GatherInit[T any](c *Comm, send, recv []T, root int) (*Persistent[T], error) {
	return persist(func() collective { return gather[T](c, send, recv, root) }, recv)
}

// GathervInit prepares a [Gatherv]. Calls MPI_Gatherv_init.
func GathervInit[T any](c *Comm, send, recv []T, blocks Blocks, root int) (*Persistent[T], error) {
	return persist(func() collective { return gatherv[T](c, send, recv, blocks, root) }, recv)
}

// ScatterInit prepares a [Scatter]. Calls MPI_Scatter_init.
func ScatterInit[T any](c *Comm, send, recv []T, root int) (*Persistent[T], error) {
	return persist(func() collective { return scatter[T](c, send, recv, root) }, recv)
}

// ScattervInit prepares a [Scatterv]. Calls MPI_Scatterv_init.
func ScattervInit[T any](c *Comm, send []T, blocks Blocks, recv []T, root int) (*Persistent[T], error) {
	return persist(func() collective { return scatterv[T](c, send, blocks, recv, root) }, recv)
}

// AllgatherInit prepares a [Allgather]. Calls MPI_Allgather_init.
func AllgatherInit[T any](c *Comm, send, recv []T) (*Persistent[T], error) {
	return persist(func() collective { return allgather[T](c, send, recv) }, recv)
}

// AllgathervInit prepares a [Allgatherv]. Calls MPI_Allgatherv_init.
func AllgathervInit[T any](c *Comm, send, recv []T, blocks Blocks) (*Persistent[T], error) {
	return persist(func() collective { return allgatherv[T](c, send, recv, blocks) }, recv)
}

// AlltoallInit prepares a [Alltoall]. Calls MPI_Alltoall_init.
func AlltoallInit[T any](c *Comm, send, recv []T) (*Persistent[T], error) {
	return persist(func() collective { return alltoall[T](c, send, recv) }, recv)
}

// AlltoallvInit prepares a [Alltoallv]. Calls MPI_Alltoallv_init.
func AlltoallvInit[T any](c *Comm, send []T, to Blocks, recv []T, from Blocks) (*Persistent[T], error) {
	return persist(func() collective { return alltoallv[T](c, send, to, recv, from) }, recv)
}

// ReduceScatterInit prepares a [ReduceScatter]. Calls MPI_Reduce_scatter_init.
func ReduceScatterInit[T any](c *Comm, send, recv []T, counts []int, op Reduction) (*Persistent[T], error) {
	return persist(func() collective { return reduceScatter[T](c, send, recv, counts, op) }, recv)
}

// ReduceScatterBlockInit prepares a [ReduceScatterBlock]. Calls MPI_Reduce_scatter_block_init.
func ReduceScatterBlockInit[T any](c *Comm, send, recv []T, op Reduction) (*Persistent[T], error) {
	return persist(func() collective { return reduceScatterBlock[T](c, send, recv, op) }, recv)
}

// ScanInit prepares a [Scan]. Calls MPI_Scan_init.
func ScanInit[T any](c *Comm, send, recv []T, op Reduction) (*Persistent[T], error) {
	return persist(func() collective { return scan[T](c, send, recv, op, false) }, recv)
}

// ExscanInit prepares a [Exscan]. Calls MPI_Exscan_init.
func ExscanInit[T any](c *Comm, send, recv []T, op Reduction) (*Persistent[T], error) {
	return persist(func() collective { return scan[T](c, send, recv, op, true) }, recv)
}

// NeighborAllgatherInit prepares a [NeighborAllgather]. Calls MPI_Neighbor_allgather_init.
func NeighborAllgatherInit[T any](c *Comm, send, recv []T) (*Persistent[T], error) {
	return persist(func() collective { return neighborAllgather[T](c, send, recv) }, recv)
}

// NeighborAllgathervInit prepares a [NeighborAllgatherv]. Calls MPI_Neighbor_allgatherv_init.
func NeighborAllgathervInit[T any](c *Comm, send, recv []T, from Blocks) (*Persistent[T], error) {
	return persist(func() collective { return neighborAllgatherv[T](c, send, recv, from) }, recv)
}

// NeighborAlltoallInit prepares a [NeighborAlltoall]. Calls MPI_Neighbor_alltoall_init.
func NeighborAlltoallInit[T any](c *Comm, send, recv []T) (*Persistent[T], error) {
	return persist(func() collective { return neighborAlltoall[T](c, send, recv) }, recv)
}

// NeighborAlltoallvInit prepares a [NeighborAlltoallv]. Calls MPI_Neighbor_alltoallv_init.
func NeighborAlltoallvInit[T any](c *Comm, send []T, to Blocks, recv []T, from Blocks) (*Persistent[T], error) {
	return persist(func() collective { return neighborAlltoallv[T](c, send, to, recv, from) }, recv)
}
