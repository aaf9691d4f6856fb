// Package mpi_test compares package mpi with C: in one process of each rank, by the same library, in short blocks that
// alternate. See README.md.
package mpi_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

const peerEnv = "ISTHMUS_BENCH_MPI_PEER"

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{"compare": compare}, nil)
}

// BenchmarkPointToPoint prints, for each library, the time of Go's exchanges as a multiple of C's.
func BenchmarkPointToPoint(b *testing.B) {
	for _, l := range mpitest.Libraries() {
		b.Run(l.Name, func(b *testing.B) {
			so := filepath.Join(b.TempDir(), "peer.so")
			if out, err := exec.Command(mpicc(l), "-O2", "-fPIC", "-shared", "-o", so, "testdata/peer.c").CombinedOutput(); err != nil {
				b.Skipf("the C side: %v\n%s", err, out)
			}
			out, err := l.Start(b.Context(), 2, "compare", peerEnv+"="+so)
			if err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) == 4 && f[0] == "result" {
					var ratio float64
					_, _ = fmt.Sscan(f[3], &ratio)
					b.ReportMetric(ratio, f[1]+"/C")
					b.Logf("%-12s C %9s ns, Go %s x", f[1], f[2], f[3])
				}
			}
		})
	}
}

// mpicc is the compiler that belongs to a library.
func mpicc(l mpitest.Library) string {
	cc := strings.Replace(l.Exec, "mpiexec", "mpicc", 1)
	if strings.HasSuffix(l.Name, "-abi") {
		cc += "_abi"
	}
	return cc
}

// median of x.
func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

func compare(ctx context.Context, w *mpi.World) error {
	lib, err := dl.Open(os.Getenv(peerEnv))
	if err != nil {
		return err
	}
	pingpong, err := lib.Symbol("pingpong")
	if err != nil {
		return err
	}
	exchange, err := lib.Symbol("exchange")
	if err != nil {
		return err
	}
	c := w.Comm()
	inC := func(fn call.Fn, n int) func(int) (time.Duration, error) {
		return func(iters int) (time.Duration, error) {
			return time.Duration(call.Call(fn, uintptr(n), uintptr(iters))), nil
		}
	}
	huge, err := mpi.Alloc[byte](16 << 20)
	if err != nil {
		return err
	}
	defer func() { _ = huge.Close() }()
	large, err := huge.Slice()
	if err != nil {
		return err
	}
	for _, k := range []struct {
		name          string
		c, go_        func(int) (time.Duration, error)
		iters, blocks int
	}{
		{"pp8", inC(pingpong, 8), pingPong(ctx, c, make([]byte, 8)), 250, 200},
		{"scope8", inC(exchange, 8), scoped(ctx, c, make([]byte, 8), make([]byte, 8)), 250, 200},
		{"owned8", inC(exchange, 8), owned(ctx, c, make([]byte, 8), make([]byte, 8)), 250, 200},
		{"pp1M", inC(pingpong, 1<<20), pingPong(ctx, c, make([]byte, 1<<20)), 2, 60},
		{"pp1M-alloc", inC(pingpong, 1<<20), pingPong(ctx, c, large[:1<<20]), 2, 60},
		{"pp16M-alloc", inC(pingpong, 16<<20), pingPong(ctx, c, large), 1, 10},
	} {
		var ratios, base []float64
		for i := range k.blocks + 2 {
			a, err := k.c(k.iters)
			if err != nil {
				return err
			}
			b, err := k.go_(k.iters)
			if err != nil {
				return err
			}
			if i >= 2 {
				ratios = append(ratios, float64(b)/float64(a))
				base = append(base, float64(a)/float64(k.iters))
			}
		}
		if c.Rank() == 0 {
			fmt.Printf("result %s %.0f %.3f\n", k.name, median(base), median(ratios))
		}
	}
	return nil
}

// meet has both ranks begin together.
func meet(ctx context.Context, c *mpi.Comm) error {
	_, err := mpi.SendRecv(ctx, c, []byte{1}, 1-c.Rank(), 1, make([]byte, 1), 1-c.Rank(), 1)
	return err
}

func pingPong(ctx context.Context, c *mpi.Comm, b []byte) func(int) (time.Duration, error) {
	for i := range b {
		b[i] = 1
	}
	return func(iters int) (time.Duration, error) {
		if err := meet(ctx, c); err != nil {
			return 0, err
		}
		start := time.Now()
		for range iters {
			if c.Rank() == 0 {
				if err := mpi.Send(ctx, c, b, 1, 7); err != nil {
					return 0, err
				}
			}
			if _, err := mpi.Recv(ctx, c, b, 1-c.Rank(), 7); err != nil {
				return 0, err
			}
			if c.Rank() == 1 {
				if err := mpi.Send(ctx, c, b, 0, 7); err != nil {
					return 0, err
				}
			}
		}
		return time.Since(start) / 2, nil
	}
}

func scoped(ctx context.Context, c *mpi.Comm, in, out []byte) func(int) (time.Duration, error) {
	peer := 1 - c.Rank()
	return func(iters int) (time.Duration, error) {
		if err := meet(ctx, c); err != nil {
			return 0, err
		}
		start := time.Now()
		for range iters {
			if err := mpi.Scope(ctx, c, func(s *mpi.Ops) error {
				if err := mpi.PostRecv(s, in, peer, 8, nil); err != nil {
					return err
				}
				return mpi.PostSend(s, out, peer, 8)
			}); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}

func owned(ctx context.Context, c *mpi.Comm, in, out []byte) func(int) (time.Duration, error) {
	peer := 1 - c.Rank()
	var r, s mpi.Request[byte]
	return func(iters int) (time.Duration, error) {
		if err := meet(ctx, c); err != nil {
			return 0, err
		}
		start := time.Now()
		for range iters {
			if err := r.Recv(c, in, peer, 8); err != nil {
				return 0, err
			}
			if err := s.Send(c, out, peer, 8); err != nil {
				return 0, err
			}
			if _, _, err := r.Wait(ctx); err != nil {
				return 0, err
			}
			if _, _, err := s.Wait(ctx); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
}
