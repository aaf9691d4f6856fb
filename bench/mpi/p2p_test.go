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

const (
	peerEnv = "ISTHMUS_BENCH_MPI_PEER" // the C side, for the others
	pyEnv   = "ISTHMUS_BENCH_PYTHON"   // a Python with mpi4py
)

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{"compare": compare, "collectives": collectives, "crowded": crowded, "checks": checks}, nil)
}

func libraries(b *testing.B) []mpitest.Library {
	all, err := mpitest.Libraries()
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// BenchmarkPeers prints, for each library, what each way to MPI takes as a multiple of what C takes in the same processes:
// this module's, cgo's, mpi4py's and rsmpi's. A side that cannot be built here is left out, and says so.
func BenchmarkPeers(b *testing.B) {
	for _, l := range libraries(b) {
		b.Run(l.Name, func(b *testing.B) {
			so := filepath.Join(b.TempDir(), "peer.so")
			if out, err := exec.Command(mpicc(l), "-O2", "-fPIC", "-shared", "-o", so, "testdata/peer.c").CombinedOutput(); err != nil {
				b.Skipf("the C side: %v\n%s", err, out)
			}
			report(b, "go", func() (string, error) { return l.Start(b.Context(), 2, "compare", peerEnv+"="+so) })
			report(b, "go", func() (string, error) { return l.Start(b.Context(), 2, "collectives", peerEnv+"="+so) })
			report(b, "crowd", func() (string, error) {
				return l.Start(b.Context(), 4, "crowded", peerEnv+"="+so)
			})
			env := append(l.Env(), peerEnv+"="+so, "MPI4PY_LIBMPI="+l.Lib)
			report(b, "cgo", func() (string, error) {
				prog := filepath.Join(b.TempDir(), "cgoside")
				build := exec.Command("go", "build", "-o", prog, "./testdata/cgoside")
				build.Env = append(os.Environ(), "CGO_ENABLED=1", "CC="+mpicc(l), "CGO_CFLAGS=-O2")
				if out, err := build.CombinedOutput(); err != nil {
					return string(out), err
				}
				return l.Launch(b.Context(), 2, nil, env, prog)
			})
			if python := os.Getenv(pyEnv); python != "" {
				report(b, "mpi4py", func() (string, error) { return l.Launch(b.Context(), 2, nil, env, python, "testdata/peer.py") })
			}
			if _, err := exec.LookPath("cargo"); err == nil && os.Getenv("LIBCLANG_PATH") != "" {
				report(b, "rsmpi", func() (string, error) {
					folder := b.TempDir()
					build := exec.Command("cargo", "build", "-q", "--release", "--manifest-path", "testdata/rsmpi/Cargo.toml", "--target-dir", folder)
					build.Env = append(os.Environ(), "MPICC="+mpicc(l))
					if out, err := build.CombinedOutput(); err != nil {
						return string(out), err
					}
					if filepath.IsAbs(l.Lib) {
						env = append(env, "LD_LIBRARY_PATH="+filepath.Dir(l.Lib))
					}
					return l.Launch(b.Context(), 2, nil, env, filepath.Join(folder, "release", "rsmpi"))
				})
			}
		})
	}
}

// report prints the results of one side.
func report(b *testing.B, side string, run func() (string, error)) {
	b.Helper()
	out, err := run()
	if err != nil {
		fmt.Printf("%-12s %-7s %v\n%s\n", b.Name()[len("BenchmarkPeers/"):], side, err, out)
		return
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "result" {
			var ratio float64
			_, _ = fmt.Sscan(f[3], &ratio)
			b.ReportMetric(ratio, side+"-"+f[1]+"/C")
			least := ""
			if len(f) > 4 {
				least = ", least " + f[4]
			}
			fmt.Printf("%-12s %-7s %-16s C %9s ns, %s x%s\n", b.Name()[len("BenchmarkPeers/"):], side, f[1], f[2], f[3], least)
		}
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
	var fns [3]call.Fn
	for i, name := range []string{"pingpong", "exchange", "allreduce"} {
		if fns[i], err = lib.Symbol(name); err != nil {
			return err
		}
	}
	pingpong, exchange, allreduce := fns[0], fns[1], fns[2]
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
	for _, k := range []side{
		{"pp8", inC(pingpong, 8), pingPong(ctx, c, make([]byte, 8)), 250, 200},
		{"scope8", inC(exchange, 8), scoped(ctx, c, make([]byte, 8), make([]byte, 8)), 250, 200},
		{"owned8", inC(exchange, 8), owned(ctx, c, make([]byte, 8), make([]byte, 8)), 250, 200},
		{"allreduce8", inC(allreduce, 8), reduced(ctx, c, 1), 250, 200},
		{"pp1M", inC(pingpong, 1<<20), pingPong(ctx, c, make([]byte, 1<<20)), 2, 60},
		{"pp1M-alloc", inC(pingpong, 1<<20), pingPong(ctx, c, large[:1<<20]), 2, 60},
		{"pp16M-alloc", inC(pingpong, 16<<20), pingPong(ctx, c, large), 1, 10},
		{"allreduce1M", inC(allreduce, 1<<20), reduced(ctx, c, 1<<17), 2, 60},
	} {
		if err := k.measure(c); err != nil {
			return err
		}
	}
	return nil
}

// side is a case: C's part, ours, how many exchanges a block has, and how many blocks there are.
type side struct {
	name          string
	c, go_        func(int) (time.Duration, error)
	iters, blocks int
}

func (k side) measure(c *mpi.Comm) error {
	var ratios, base, ours []float64
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
			ours = append(ours, float64(b)/float64(k.iters))
		}
	}
	if c.Rank() == 0 {
		fmt.Printf("result %s %.0f %.3f %.3f\n", k.name, median(base), median(ratios), slices.Min(ours)/slices.Min(base))
	}
	return nil
}

// crowded has more ranks than processors reduce 8 bytes.
func crowded(ctx context.Context, w *mpi.World) error {
	lib, err := dl.Open(os.Getenv(peerEnv))
	if err != nil {
		return err
	}
	allreduce, err := lib.Symbol("allreduce")
	if err != nil {
		return err
	}
	native := func(iters int) (time.Duration, error) {
		return time.Duration(call.Call(allreduce, 8, uintptr(iters))), nil
	}
	return side{"allreduce8-4on2", native, reduced(ctx, w.Comm(), 1), 20, 20}.measure(w.Comm())
}

// reduced reduces n numbers.
func reduced(ctx context.Context, c *mpi.Comm, n int) func(int) (time.Duration, error) {
	in, out := make([]float64, n), make([]float64, n)
	return func(iters int) (time.Duration, error) {
		if err := mpi.Barrier(ctx, c); err != nil {
			return 0, err
		}
		start := time.Now()
		for range iters {
			if err := mpi.Allreduce(ctx, c, in, out, mpi.Sum); err != nil {
				return 0, err
			}
		}
		return time.Since(start), nil
	}
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
