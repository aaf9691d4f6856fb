package mpi

import (
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// settling is how long processes that are about to finalise look after each other's connections.
const settling = 20 * time.Millisecond

// maxSettle is how many processes at most exchange something with each other for it.
const maxSettle = 64

// settle lets the connections between machines come to rest before MPI_Finalize. MPICH 4 with UCX takes leave of each
// process in turn and then waits in its launcher's barrier without looking at the network, where another may still need
// an answer to take its leave: between two machines over TCP every third job hung (docs/found.md). So all meet first, and
// then look for a while.
func (w *World) settle() {
	if !w.mpich("4.") || w.comm == nil || w.comm.size < 2 || !strings.Contains(w.lib.Version, "ucx") {
		return
	}
	f := call.Get()
	defer f.Put()
	// The first meeting uses connections that may be new; at the second all have had their time for them.
	for range 2 {
		if !w.meet(f) {
			return
		}
	}
}

// mpich reports whether the library is an MPICH whose version begins in one of these ways.
func (w *World) mpich(versions ...string) bool {
	text := strings.Join(strings.Fields(w.lib.Version), " ")
	return w.lib.Family == mpic.MPICH && slices.ContainsFunc(versions, func(v string) bool { return strings.Contains(text, "MPICH Version: "+v) })
}

// meet has all processes exchange a byte, and looks for a while. Who waits for one that is gone would wait in MPI_Finalize
// too: Close has a limit for both.
func (w *World) meet(f *call.Frame) bool {
	n := w.comm.size
	req, err := call.New[uint64](f)
	if err != nil {
		return false
	}
	flag, at, err := int32s(f, 1)
	if err != nil {
		return false
	}
	status, err := call.Slice[byte](f, 64)
	if err != nil {
		return false
	}
	// Each with each, so that no connection is made in one direction only; among many that would be too much.
	fn, args := mpic.FnIbarrier, []uintptr{uintptr(w.lib.ABI.CommWorld), uintptr(mem.AddrOfPtr(req))}
	if n <= maxSettle {
		bytes, err := call.Slice[byte](f, 2*n)
		if err != nil {
			return false
		}
		counts, countsAt, err := int32s(f, n)
		if err != nil {
			return false
		}
		offsets, offsetsAt, err := int32s(f, n)
		if err != nil {
			return false
		}
		for i := range n {
			counts[i], offsets[i] = 1, int32(i)
		}
		typ := uintptr(w.lib.ABI.Byte)
		args = append([]uintptr{uintptr(mem.AddrOf(bytes)), countsAt, offsetsAt, typ, uintptr(mem.AddrOf(bytes[n:])), countsAt, offsetsAt, typ}, args...)
		fn = mpic.FnIalltoallv
	}
	if w.run(f, fn, args...) != 0 {
		return false
	}
	pause := func() { time.Sleep(50 * time.Microsecond) }
	for flag[0] == 0 {
		if w.run(f, mpic.FnTest, uintptr(mem.AddrOfPtr(req)), at, uintptr(mem.AddrOf(status))) != 0 {
			return false
		}
		pause()
	}
	for begun, looks := time.Now(), 0; looks < 100 || time.Since(begun) < settling; looks++ {
		w.run(f, mpic.FnIprobe, cint(w.lib.ABI.AnySource), cint(w.lib.ABI.AnyTag), uintptr(w.lib.ABI.CommSelf), at, uintptr(mem.AddrOf(status)))
		pause()
	}
	return true
}
