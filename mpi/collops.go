package mpi

import (
	"slices"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// What follows checks the arguments of each collective operation, lends the buffers and writes down the C function's
// arguments; how it is started and waited for is the caller's choice.

func barrier(c *Comm) collective {
	return collect[byte](c, kind{"barrier", mpic.FnIbarrier, mpic.FnBarrierInit})
}

func bcast[T any](c *Comm, b []T, root int) collective {
	k := collect[T](c, kind{"broadcast", mpic.FnIbcast, mpic.FnBcastInit})
	isRoot, other, r := k.role(root)
	k.silent(len(b), b == nil)
	if k.err == nil && c.remote > 0 && c.world.lib.Family == mpic.MPICH && !c.world.foreign {
		return bcastScattered(k, b, isRoot, other, r)
	}
	var at uintptr
	switch {
	case isRoot:
		at = lend(&k, b, ffi.Shared)
	case other:
		at = lend(&k, b, ffi.Exclusive)
	}
	k.arg(at, k.count(len(b)), k.typ(), r)
	return k
}

// bcastScattered is a broadcast to the other side of an intercommunicator, made of a scatter of the same block to all:
// MPI_Ibcast of MPICH 4.0 gives the other side what its own process with the root's rank has.
func bcastScattered[T any](k collective, b []T, isRoot, other bool, r uintptr) collective {
	k.now, k.init = mpic.FnIscatterv, mpic.FnScattervInit
	var s, d, counts, offsets uintptr
	switch {
	case isRoot:
		blocks := Blocks{Counts: make([]int, k.c.remote), Offsets: make([]int, k.c.remote)}
		for i := range blocks.Counts {
			blocks.Counts[i] = len(b)
		}
		counts, offsets = k.layout("send", blocks, k.c.remote, len(b), false)
		s = lend(&k, b, ffi.Shared)
	case other:
		d = lend(&k, b, ffi.Exclusive)
	}
	k.arg(s, counts, offsets, k.typ(), d, k.count(len(b)), k.typ(), r)
	return k
}

func reduceTo[T any](c *Comm, send, recv []T, op Reduction, root int) collective {
	k := collect[T](c, kind{"reduce", mpic.FnIreduce, mpic.FnReduceInit})
	isRoot, other, r := k.role(root)
	size := len(send)
	if isRoot && !other {
		size = len(recv)
	}
	k.silent(size, send == nil)
	n, dt, h := reduce[T](&k, size, op)
	var s, d uintptr
	switch {
	case isRoot && other:
		k.length("receive", len(recv), len(send))
		inPlace := same(send, recv)
		if inPlace && root != 0 && c.world.foreign && c.world.lib.Family == mpic.MPICH {
			send, inPlace = slices.Clone(send), false // MPI_Reduce of MPICH 4.0 takes MPI_IN_PLACE for an address
		}
		s, d = pair(&k, send, recv, inPlace)
	case isRoot:
		d = lend(&k, recv, ffi.Exclusive)
		if k.err == nil {
			s = k.o.request() // is not read, but MPICH refuses none
		}
	case other:
		s = lend(&k, send, ffi.Shared)
	}
	k.arg(s, d, n, dt, h, r)
	return k
}

func allreduce[T any](c *Comm, send, recv []T, op Reduction) collective {
	k := collect[T](c, kind{"allreduce", mpic.FnIallreduce, mpic.FnAllreduceInit})
	k.length("receive", len(recv), len(send))
	n, dt, h := reduce[T](&k, len(send), op)
	s, d := pair(&k, send, recv, same(send, recv) && k.intra())
	k.arg(s, d, n, dt, h)
	return k
}

func reduceScatterBlock[T any](c *Comm, send, recv []T, op Reduction) collective {
	k := collect[T](c, kind{"reduce and scatter blocks", mpic.FnIreduceScatterBlock, mpic.FnReduceScatterBlockInit})
	n := 1
	if k.err == nil {
		n = c.size
	}
	k.length("send", len(send), n*len(recv))
	count, dt, h := reduce[T](&k, len(recv), op)
	var s, d uintptr
	if same(send, recv) && k.intra() {
		s, d = pair(&k, send, send, true)
	} else {
		s, d = pair(&k, send, recv, false)
	}
	k.arg(s, d, count, dt, h)
	return k
}

func reduceScatter[T any](c *Comm, send, recv []T, counts []int, op Reduction) collective {
	k := collect[T](c, kind{"reduce and scatter", mpic.FnIreduceScatter, mpic.FnReduceScatterInit})
	if !k.intra() {
		if k.err == nil {
			k.fail(k.intraOnly())
		}
		return k
	}
	at, _ := k.layout("receive", Blocks{Counts: counts}, c.size, len(send), false)
	if k.err == nil {
		sum := 0
		for _, n := range counts {
			sum += n
		}
		k.length("send", len(send), sum)
		k.length("receive", len(recv), counts[c.rank])
	}
	per, dt, h := reduce[T](&k, 1, op)
	if k.err == nil && per != 1 {
		k.scale(counts, int(per), &at)
	}
	s, d := uintptr(0), uintptr(0)
	if same(send, recv) {
		s, d = pair(&k, send, send, true)
	} else {
		s, d = pair(&k, send, recv, false)
	}
	k.arg(s, d, at, dt, h)
	return k
}

func scan[T any](c *Comm, send, recv []T, op Reduction, exclusive bool) collective {
	what := kind{"scan", mpic.FnIscan, mpic.FnScanInit}
	if exclusive {
		what = kind{"exclusive scan", mpic.FnIexscan, mpic.FnExscanInit}
	}
	k := collect[T](c, what)
	if k.err == nil && !k.intra() {
		k.fail(k.intraOnly())
	}
	k.length("receive", len(recv), len(send))
	n, dt, h := reduce[T](&k, len(send), op)
	s, d := pair(&k, send, recv, same(send, recv))
	k.arg(s, d, n, dt, h)
	return k
}

func gather[T any](c *Comm, send, recv []T, root int) collective {
	k := collect[T](c, kind{"gather", mpic.FnIgather, mpic.FnGatherInit})
	isRoot, other, r := k.role(root)
	n := len(send)
	var s, d uintptr
	switch {
	case isRoot && other:
		k.length("receive", len(recv), c.size*n)
		s, d = pair(&k, send, recv, k.err == nil && same(send, tail(recv, c.rank*n)))
	case isRoot:
		n = k.split("receive", len(recv))
		d = lend(&k, recv, ffi.Exclusive)
	case other:
		s = lend(&k, send, ffi.Shared)
	}
	k.arg(s, k.count(len(send)), k.typ(), d, k.count(n), k.typ(), r)
	return k
}

func gatherv[T any](c *Comm, send, recv []T, blocks Blocks, root int) collective {
	k := collect[T](c, kind{"gather blocks", mpic.FnIgatherv, mpic.FnGathervInit})
	isRoot, other, r := k.role(root)
	var s, d, counts, offsets uintptr
	if isRoot {
		counts, offsets = k.layout("receive", blocks, c.blocks(), len(recv), true)
	}
	switch {
	case isRoot && other && k.err == nil:
		at, n := blocks.at(c.rank)
		k.length("send", len(send), n)
		s, d = pair(&k, send, recv, same(send, tail(recv, at)))
	case isRoot:
		d = lend(&k, recv, ffi.Exclusive)
	case other:
		s = lend(&k, send, ffi.Shared)
	}
	k.arg(s, k.count(len(send)), k.typ(), d, counts, offsets, k.typ(), r)
	return k
}

func scatter[T any](c *Comm, send, recv []T, root int) collective {
	k := collect[T](c, kind{"scatter", mpic.FnIscatter, mpic.FnScatterInit})
	isRoot, other, r := k.role(root)
	n := len(recv)
	var s, d uintptr
	switch {
	case isRoot && other:
		k.length("send", len(send), c.size*n)
		s = lend(&k, send, ffi.Shared)
		d = own(&k, send, recv, c.rank*n)
	case isRoot:
		n = k.split("send", len(send))
		s = lend(&k, send, ffi.Shared)
	case other:
		d = lend(&k, recv, ffi.Exclusive)
	}
	k.arg(s, k.count(n), k.typ(), d, k.count(len(recv)), k.typ(), r)
	return k
}

func scatterv[T any](c *Comm, send []T, blocks Blocks, recv []T, root int) collective {
	k := collect[T](c, kind{"scatter blocks", mpic.FnIscatterv, mpic.FnScattervInit})
	isRoot, other, r := k.role(root)
	var s, d, counts, offsets uintptr
	if isRoot {
		counts, offsets = k.layout("send", blocks, c.blocks(), len(send), false)
		s = lend(&k, send, ffi.Shared)
	}
	switch {
	case isRoot && other && k.err == nil:
		at, n := blocks.at(c.rank)
		k.length("receive", len(recv), n)
		d = own(&k, send, recv, at)
	case other:
		d = lend(&k, recv, ffi.Exclusive)
	}
	k.arg(s, counts, offsets, k.typ(), d, k.count(len(recv)), k.typ(), r)
	return k
}

func allgather[T any](c *Comm, send, recv []T) collective {
	k := collect[T](c, kind{"allgather", mpic.FnIallgather, mpic.FnAllgatherInit})
	n := len(send)
	if k.err == nil && !k.intra() {
		n = k.split("receive", len(recv))
	} else if k.err == nil {
		k.length("receive", len(recv), c.size*n)
	}
	s, d := pair(&k, send, recv, k.intra() && same(send, tail(recv, c.rank*n)))
	k.arg(s, k.count(len(send)), k.typ(), d, k.count(n), k.typ())
	return k
}

func allgatherv[T any](c *Comm, send, recv []T, blocks Blocks) collective {
	k := collect[T](c, kind{"allgather blocks", mpic.FnIallgatherv, mpic.FnAllgathervInit})
	if k.err != nil {
		return k
	}
	counts, offsets := k.layout("receive", blocks, c.blocks(), len(recv), true)
	inPlace := false
	if k.intra() {
		at, n := blocks.at(c.rank)
		k.length("send", len(send), n)
		inPlace = same(send, tail(recv, at))
	}
	s, d := pair(&k, send, recv, inPlace)
	k.arg(s, k.count(len(send)), k.typ(), d, counts, offsets, k.typ())
	return k
}

func alltoall[T any](c *Comm, send, recv []T) collective {
	k := collect[T](c, kind{"all to all", mpic.FnIalltoall, mpic.FnAlltoallInit})
	n, m := k.split("send", len(send)), k.split("receive", len(recv))
	s, d := pair(&k, send, recv, same(send, recv) && k.intra())
	if k.intra() {
		k.length("receive", len(recv), len(send))
	}
	k.arg(s, k.count(n), k.typ(), d, k.count(m), k.typ())
	return k
}

func alltoallv[T any](c *Comm, send []T, out Blocks, recv []T, in Blocks) collective {
	k := collect[T](c, kind{"all to all blocks", mpic.FnIalltoallv, mpic.FnAlltoallvInit})
	if k.err != nil {
		return k
	}
	counts, offsets := k.layout("send", out, c.blocks(), len(send), false)
	rcounts, roffsets := k.layout("receive", in, c.blocks(), len(recv), true)
	s, d := pair(&k, send, recv, same(send, recv) && k.intra())
	k.arg(s, counts, offsets, k.typ(), d, rcounts, roffsets, k.typ())
	return k
}

// neighbours opens a communicator with a topology, and says to and from how many this process has edges.
func neighbours[T any](c *Comm, what kind) (k collective, in, out int) {
	k = collect[T](c, what)
	if k.err == nil {
		if in, out = c.degrees(); in < 0 {
			k.fail(invalid(what.op, "%s has no topology", c))
		}
	}
	return k, in, out
}

func neighborAllgather[T any](c *Comm, send, recv []T) collective {
	k, in, _ := neighbours[T](c, kind{"neighbour allgather", mpic.FnIneighborAllgather, mpic.FnNeighborAllgatherInit})
	k.length("receive", len(recv), in*len(send))
	s, d := pair(&k, send, recv, false)
	k.arg(s, k.count(len(send)), k.typ(), d, k.count(len(send)), k.typ())
	return k
}

func neighborAllgatherv[T any](c *Comm, send, recv []T, blocks Blocks) collective {
	k, in, _ := neighbours[T](c, kind{"neighbour allgather blocks", mpic.FnIneighborAllgatherv, mpic.FnNeighborAllgathervInit})
	counts, offsets := k.layout("receive", blocks, in, len(recv), true)
	s, d := pair(&k, send, recv, false)
	k.arg(s, k.count(len(send)), k.typ(), d, counts, offsets, k.typ())
	return k
}

func neighborAlltoall[T any](c *Comm, send, recv []T) collective {
	k, in, out := neighbours[T](c, kind{"neighbour all to all", mpic.FnIneighborAlltoall, mpic.FnNeighborAlltoallInit})
	n, m := k.part("send", len(send), out), k.part("receive", len(recv), in)
	if in > 0 && out > 0 {
		k.length("receive for each neighbour", m, n)
	}
	s, d := pair(&k, send, recv, false)
	k.arg(s, k.count(n), k.typ(), d, k.count(m), k.typ())
	return k
}

func neighborAlltoallv[T any](c *Comm, send []T, to Blocks, recv []T, from Blocks) collective {
	k, in, out := neighbours[T](c, kind{"neighbour all to all blocks", mpic.FnIneighborAlltoallv, mpic.FnNeighborAlltoallvInit})
	counts, offsets := k.layout("send", to, out, len(send), false)
	rcounts, roffsets := k.layout("receive", from, in, len(recv), true)
	s, d := pair(&k, send, recv, false)
	k.arg(s, counts, offsets, k.typ(), d, rcounts, roffsets, k.typ())
	return k
}
