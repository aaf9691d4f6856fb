package mpi

// The immediate forms start a collective operation and return at once. The request gives what is received into back; the
// slice that is sent stays lent until then. Several may be under way on one communicator, as long as all processes start
// them in the same order. They do not match blocking forms (MPI-4.1, 6.12): all processes use the one or the other. A
// collective operation cannot be cancelled. Errors are those of the blocking forms.

// Ibarrier is an immediate [Barrier]. Calls MPI_Ibarrier.
func Ibarrier(c *Comm) (*Request[byte], error) {
	k := barrier(c)
	return request[byte](&k, nil)
}

// Ibcast is an immediate [Bcast]. Calls MPI_Ibcast.
func Ibcast[T any](c *Comm, b []T, root int) (*Request[T], error) {
	k := bcast[T](c, b, root)
	return request(&k, b)
}

// Ireduce is an immediate [Reduce]. Calls MPI_Ireduce.
func Ireduce[T any](c *Comm, send, recv []T, op Reduction, root int) (*Request[T], error) {
	k := reduceTo[T](c, send, recv, op, root)
	return request(&k, recv)
}

// Iallreduce is an immediate [Allreduce]. Calls MPI_Iallreduce.
func Iallreduce[T any](c *Comm, send, recv []T, op Reduction) (*Request[T], error) {
	k := allreduce[T](c, send, recv, op)
	return request(&k, recv)
}

// Igather is an immediate [Gather]. Calls MPI_Igather.
func Igather[T any](c *Comm, send, recv []T, root int) (*Request[T], error) {
	k := gather[T](c, send, recv, root)
	return request(&k, recv)
}

// Igatherv is an immediate [Gatherv]. Calls MPI_Igatherv.
func Igatherv[T any](c *Comm, send, recv []T, blocks Blocks, root int) (*Request[T], error) {
	k := gatherv[T](c, send, recv, blocks, root)
	return request(&k, recv)
}

// Iscatter is an immediate [Scatter]. Calls MPI_Iscatter.
func Iscatter[T any](c *Comm, send, recv []T, root int) (*Request[T], error) {
	k := scatter[T](c, send, recv, root)
	return request(&k, recv)
}

// Iscatterv is an immediate [Scatterv]. Calls MPI_Iscatterv.
func Iscatterv[T any](c *Comm, send []T, blocks Blocks, recv []T, root int) (*Request[T], error) {
	k := scatterv[T](c, send, blocks, recv, root)
	return request(&k, recv)
}

// Iallgather is an immediate [Allgather]. Calls MPI_Iallgather.
func Iallgather[T any](c *Comm, send, recv []T) (*Request[T], error) {
	k := allgather[T](c, send, recv)
	return request(&k, recv)
}

// Iallgatherv is an immediate [Allgatherv]. Calls MPI_Iallgatherv.
func Iallgatherv[T any](c *Comm, send, recv []T, blocks Blocks) (*Request[T], error) {
	k := allgatherv[T](c, send, recv, blocks)
	return request(&k, recv)
}

// Ialltoall is an immediate [Alltoall]. Calls MPI_Ialltoall.
func Ialltoall[T any](c *Comm, send, recv []T) (*Request[T], error) {
	k := alltoall[T](c, send, recv)
	return request(&k, recv)
}

// Ialltoallv is an immediate [Alltoallv]. Calls MPI_Ialltoallv.
func Ialltoallv[T any](c *Comm, send []T, to Blocks, recv []T, from Blocks) (*Request[T], error) {
	k := alltoallv[T](c, send, to, recv, from)
	return request(&k, recv)
}

// IreduceScatter is an immediate [ReduceScatter]. Calls MPI_Ireduce_scatter.
func IreduceScatter[T any](c *Comm, send, recv []T, counts []int, op Reduction) (*Request[T], error) {
	k := reduceScatter[T](c, send, recv, counts, op)
	return request(&k, recv)
}

// IreduceScatterBlock is an immediate [ReduceScatterBlock]. Calls MPI_Ireduce_scatter_block.
func IreduceScatterBlock[T any](c *Comm, send, recv []T, op Reduction) (*Request[T], error) {
	k := reduceScatterBlock[T](c, send, recv, op)
	return request(&k, recv)
}

// Iscan is an immediate [Scan]. Calls MPI_Iscan.
func Iscan[T any](c *Comm, send, recv []T, op Reduction) (*Request[T], error) {
	k := scan[T](c, send, recv, op, false)
	return request(&k, recv)
}

// Iexscan is an immediate [Exscan]. Calls MPI_Iexscan.
func Iexscan[T any](c *Comm, send, recv []T, op Reduction) (*Request[T], error) {
	k := scan[T](c, send, recv, op, true)
	return request(&k, recv)
}

// IneighborAllgather is an immediate [NeighborAllgather]. Calls MPI_Ineighbor_allgather.
func IneighborAllgather[T any](c *Comm, send, recv []T) (*Request[T], error) {
	k := neighborAllgather[T](c, send, recv)
	return request(&k, recv)
}

// IneighborAllgatherv is an immediate [NeighborAllgatherv]. Calls MPI_Ineighbor_allgatherv.
func IneighborAllgatherv[T any](c *Comm, send, recv []T, from Blocks) (*Request[T], error) {
	k := neighborAllgatherv[T](c, send, recv, from)
	return request(&k, recv)
}

// IneighborAlltoall is an immediate [NeighborAlltoall]. Calls MPI_Ineighbor_alltoall.
func IneighborAlltoall[T any](c *Comm, send, recv []T) (*Request[T], error) {
	k := neighborAlltoall[T](c, send, recv)
	return request(&k, recv)
}

// IneighborAlltoallv is an immediate [NeighborAlltoallv]. Calls MPI_Ineighbor_alltoallv.
func IneighborAlltoallv[T any](c *Comm, send []T, to Blocks, recv []T, from Blocks) (*Request[T], error) {
	k := neighborAlltoallv[T](c, send, to, recv, from)
	return request(&k, recv)
}
