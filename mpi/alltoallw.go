package mpi

import (
	"context"
	"math"
	"slices"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Piece is what one process gets from another of a buffer: N of the layout in a row, or N elements without a layout, the
// first counted from element At on.
type Piece[T any] struct {
	Layout *Layout[T]
	N, At  int
}

// Alltoallw sends out[r] of send to each process r and receives what it sends into in[r] of recv: each with a layout of its
// own. The pieces that are received into must not overlap. It is collective. Calls MPI_Ialltoallw.
//
// Errors: as for [Alltoallv]; [isthmus.ErrBounds] for pieces that reach outside, or begin beyond 2 GiB.
func Alltoallw[T any](ctx context.Context, c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) error {
	k := alltoallw(c, send, out, recv, in)
	return k.run(ctx)
}

// Ialltoallw is an immediate [Alltoallw]. Calls MPI_Ialltoallw.
func Ialltoallw[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) (*Request[T], error) {
	k := alltoallw(c, send, out, recv, in)
	return request(&k, recv)
}

// AlltoallwInit prepares an [Alltoallw]. Calls MPI_Alltoallw_init.
func AlltoallwInit[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) (*Persistent[T], error) {
	return persist(func() collective { return alltoallw(c, send, out, recv, in) }, recv)
}

// NeighborAlltoallw is [Alltoallw] among the neighbours of the topology: out has a piece for each that is sent to, in one for
// each that is received from. Calls MPI_Ineighbor_alltoallw.
func NeighborAlltoallw[T any](ctx context.Context, c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) error {
	k := neighborAlltoallw(c, send, out, recv, in)
	return k.run(ctx)
}

// IneighborAlltoallw is an immediate [NeighborAlltoallw]. Calls MPI_Ineighbor_alltoallw.
func IneighborAlltoallw[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) (*Request[T], error) {
	k := neighborAlltoallw(c, send, out, recv, in)
	return request(&k, recv)
}

// NeighborAlltoallwInit prepares a [NeighborAlltoallw]. Calls MPI_Neighbor_alltoallw_init.
func NeighborAlltoallwInit[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) (*Persistent[T], error) {
	return persist(func() collective { return neighborAlltoallw(c, send, out, recv, in) }, recv)
}

func alltoallw[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) collective {
	k := collect[T](c, kind{"all to all layouts", mpic.FnIalltoallw, mpic.FnAlltoallwInit})
	if k.err == nil {
		exchange(&k, send, out, c.blocks(), recv, in, c.blocks(), false)
	}
	return k
}

func neighborAlltoallw[T any](c *Comm, send []T, out []Piece[T], recv []T, in []Piece[T]) collective {
	k, from, to := neighbours[T](c, kind{"neighbour all to all layouts", mpic.FnIneighborAlltoallw, mpic.FnNeighborAlltoallwInit})
	if k.err == nil {
		exchange(&k, send, out, to, recv, in, from, true)
	}
	return k
}

// exchange writes the arguments; wide is that offsets are MPI_Aint.
func exchange[T any](k *collective, send []T, out []Piece[T], to int, recv []T, in []Piece[T], from int, wide bool) {
	sc, so, st := piecesOf(k, "send", out, to, len(send), false, wide)
	rc, ro, rt := piecesOf(k, "receive", in, from, len(recv), true, wide)
	s, d := pair(k, send, recv, false)
	k.arg(s, sc, so, st, d, rc, ro, rt)
}

// piecesOf checks the pieces of a buffer and writes their counts, offsets in bytes and datatypes, which are in use until the
// operation is over.
func piecesOf[T any](k *collective, what string, list []Piece[T], n, size int, recv, wide bool) (counts, offsets, types uintptr) {
	if k.err != nil {
		return 0, 0, 0
	}
	if len(list) != n {
		k.fail(bounds(k.op, "%d pieces to %s, want %d", len(list), what, n))
		return 0, 0, 0
	}
	a := &k.c.world.lib.ABI
	c, counts, err := int32s(k.o.frame, n)
	if err == nil {
		var handles []byte
		handles, err = call.Slice[byte](k.o.frame, max(n, 1)*8)
		types = uintptr(mem.AddrOf(handles))
		var narrow []int32
		var far []int64
		switch {
		case err != nil:
		case wide:
			far, offsets, err = int64s(k.o.frame, n)
		default:
			narrow, offsets, err = int32s(k.o.frame, n)
		}
		var touched []run
		for i := range list {
			if k.err != nil || err != nil {
				break
			}
			h, at, runs := piece(k, what, i, &list[i], size, recv)
			c[i] = int32(list[i].N)
			a.PutHandle(handles, i, h)
			switch {
			case wide:
				far[i] = int64(at)
			case at > math.MaxInt32:
				k.fail(bounds(k.op, "piece %d to %s begins at byte %d", i, what, at))
			default:
				narrow[i] = int32(at)
			}
			touched = append(touched, runs...)
		}
		if recv && k.err == nil {
			slices.SortFunc(touched, func(a, b run) int { return a.at - b.at })
			for i := 1; i < len(touched); i++ {
				if touched[i-1].at+touched[i-1].n > touched[i].at {
					k.fail(invalid(k.op, "two pieces to receive have element %d", touched[i].at))
					break
				}
			}
		}
	}
	if err != nil {
		k.fail(err)
	}
	return counts, offsets, types
}

// piece checks one piece: its datatype, the byte where it begins, and the elements that it has.
func piece[T any](k *collective, what string, i int, p *Piece[T], size int, recv bool) (h mpic.Handle, at int, runs []run) {
	if p.N < 0 || p.N > math.MaxInt32 || p.At < 0 || p.At > size {
		k.fail(bounds(k.op, "piece %d to %s is %d from element %d of %d", i, what, p.N, p.At, size))
		return 0, 0, nil
	}
	at = p.At * k.dt.size
	if p.Layout == nil {
		if p.N > size-p.At {
			k.fail(bounds(k.op, "piece %d to %s is %d elements from %d of %d", i, what, p.N, p.At, size))
			return 0, 0, nil
		}
		if p.N > 0 {
			runs = []run{{p.At, p.N}}
		}
		return k.dt.h, at, runs
	}
	h, err := p.Layout.use(k.op)
	if err != nil {
		k.fail(err)
		return 0, 0, nil
	}
	core := p.Layout.core
	k.after(func(err error) error { core.owned.Done(); return err })
	if err := core.fits(k.op, p.N, size-p.At, recv); err != nil {
		k.fail(err)
		return 0, 0, nil
	}
	if recv && p.N > maxRuns/max(len(core.runs), 1) {
		k.fail(bounds(k.op, "piece %d to receive has %d times %d parts", i, p.N, len(core.runs)))
		return 0, 0, nil
	}
	if recv {
		for j := range p.N {
			for _, r := range core.runs {
				runs = append(runs, run{p.At + r.at + j*core.extent, r.n})
			}
		}
	}
	return h, at, runs
}
