// Command cgoside is the cgo side: MPI as a Go program calls it with cgo, in blocks that alternate with C's own. It is built
// with the library's mpicc as CC.
package main

// #include "../peer.c"
// static MPI_Comm world(void) { return MPI_COMM_WORLD; }
// static int start(void) { int p; return MPI_Init_thread(0, 0, MPI_THREAD_MULTIPLE, &p); }
// static int snd(void *b, int n, int to, int tag) { return MPI_Send(b, n, MPI_BYTE, to, tag, MPI_COMM_WORLD); }
// static int rcv(void *b, int n, int from, int tag) { return MPI_Recv(b, n, MPI_BYTE, from, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE); }
// static int isnd(void *b, int n, int to, int tag, MPI_Request *r) { return MPI_Isend(b, n, MPI_BYTE, to, tag, MPI_COMM_WORLD, r); }
// static int ircv(void *b, int n, int from, int tag, MPI_Request *r) { return MPI_Irecv(b, n, MPI_BYTE, from, tag, MPI_COMM_WORLD, r); }
// static int wait2(MPI_Request *r) { return MPI_Waitall(2, r, MPI_STATUSES_IGNORE); }
// static int sum(void *a, void *b, int n) { return MPI_Allreduce(a, b, n, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD); }
import "C"

import (
	"fmt"
	"slices"
	"time"
	"unsafe"
)

func main() {
	C.start()
	var rank C.int
	C.MPI_Comm_rank(C.world(), &rank)
	peer := 1 - rank
	in, out := make([]byte, 1<<20), make([]byte, 1<<20)
	a, b := unsafe.Pointer(&in[0]), unsafe.Pointer(&out[0])
	pingPong := func(n, iters C.long) time.Duration {
		start := time.Now()
		for range iters {
			if rank == 0 {
				C.snd(b, C.int(n), 1, 7)
			}
			C.rcv(a, C.int(n), peer, 7)
			if rank == 1 {
				C.snd(b, C.int(n), 0, 7)
			}
		}
		return time.Since(start) / 2
	}
	var r [2]C.MPI_Request
	exchange := func(n, iters C.long) time.Duration {
		start := time.Now()
		for range iters {
			C.ircv(a, C.int(n), peer, 8, &r[0])
			C.isnd(b, C.int(n), peer, 8, &r[1])
			C.wait2(&r[0])
		}
		return time.Since(start)
	}
	allreduce := func(n, iters C.long) time.Duration {
		start := time.Now()
		for range iters {
			C.sum(b, a, C.int(n/8))
		}
		return time.Since(start)
	}
	for _, k := range []struct {
		name          string
		n             C.long
		c             func(n, iters C.long) C.longlong
		other         func(n, iters C.long) time.Duration
		iters, blocks int
	}{
		{"pp8", 8, func(n, i C.long) C.longlong { return C.pingpong(n, i) }, pingPong, 250, 200},
		{"exchange8", 8, func(n, i C.long) C.longlong { return C.exchange(n, i) }, exchange, 250, 200},
		{"allreduce8", 8, func(n, i C.long) C.longlong { return C.allreduce(n, i) }, allreduce, 250, 200},
		{"pp1M", 1 << 20, func(n, i C.long) C.longlong { return C.pingpong(n, i) }, pingPong, 2, 60},
		{"allreduce1M", 1 << 20, func(n, i C.long) C.longlong { return C.allreduce(n, i) }, allreduce, 2, 60},
	} {
		var base, ratios []float64
		for i := range k.blocks + 2 {
			x := float64(k.c(k.n, C.long(k.iters)))
			C.MPI_Barrier(C.world())
			y := float64(k.other(k.n, C.long(k.iters)))
			if i >= 2 {
				base, ratios = append(base, x/float64(k.iters)), append(ratios, y/x)
			}
		}
		slices.Sort(base)
		slices.Sort(ratios)
		if rank == 0 {
			fmt.Printf("result %s %.0f %.3f\n", k.name, base[len(base)/2], ratios[len(ratios)/2])
		}
	}
	C.MPI_Finalize()
}
