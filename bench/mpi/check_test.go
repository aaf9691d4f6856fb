package mpi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/mpi"
)

// checkRounds is how many jobs of each kind alternate.
const checkRounds = 3

// BenchmarkChecks prints, for each library, the time under the debug layer as a multiple of the time without, of jobs that
// alternate.
func BenchmarkChecks(b *testing.B) {
	for _, l := range libraries(b) {
		b.Run(l.Name, func(b *testing.B) {
			times := map[string]map[string][]float64{}
			for range checkRounds {
				for _, mode := range []string{"report", "validate"} {
					out, err := l.Start(b.Context(), 2, "checks", "ISTHMUS_CHECK="+mode)
					if err != nil {
						b.Fatalf("%v\n%s", err, out)
					}
					for line := range strings.Lines(out) {
						if f := strings.Fields(line); len(f) == 3 && f[0] == "result" {
							var ns float64
							_, _ = fmt.Sscan(f[2], &ns)
							if times[f[1]] == nil {
								times[f[1]] = map[string][]float64{}
							}
							times[f[1]][mode] = append(times[f[1]][mode], ns)
						}
					}
				}
			}
			for _, s := range shapes(b.Context(), nil) {
				off, on := median(times[s.name]["report"]), median(times[s.name]["validate"])
				b.ReportMetric(on/off, s.name+"/off")
				b.Logf("%-14s off %9.0f ns, on %9.0f ns, %.2f x", s.name, off, on, on/off)
			}
		})
	}
}

// shape is something that programs do again and again.
type shape struct {
	name  string
	iters int
	once  func() error
}

// checks measures each shape: the shortest of many short blocks, since other work shares the machine.
func checks(ctx context.Context, w *mpi.World) error {
	c := w.Comm()
	for _, s := range shapes(ctx, c) {
		var blocks []float64
		for range 100 {
			if err := mpi.Barrier(ctx, c); err != nil {
				return err
			}
			start := time.Now()
			for range s.iters {
				if err := s.once(); err != nil {
					return err
				}
			}
			blocks = append(blocks, float64(time.Since(start))/float64(s.iters))
		}
		if c.Rank() == 0 {
			fmt.Printf("result %s %.0f\n", s.name, slices.Min(blocks))
		}
	}
	return nil
}

func shapes(ctx context.Context, c *mpi.Comm) []shape {
	peer := 1 - c.Rank()
	small, large := make([]byte, 8), make([]byte, 1<<20)
	halo := make([]float64, 4*1024)
	in, out := make([]float64, 8192), make([]float64, 8192)
	plate, next := make([]float64, 256*256), make([]float64, 256*256)
	pp := func(b []byte) func() error {
		return func() error {
			if c.Rank() == 0 {
				if err := mpi.Send(ctx, c, b, 1, 7); err != nil {
					return err
				}
				_, err := mpi.Recv(ctx, c, b, 1, 7)
				return err
			}
			if _, err := mpi.Recv(ctx, c, b, 0, 7); err != nil {
				return err
			}
			return mpi.Send(ctx, c, b, 0, 7)
		}
	}
	exchange := func(n int) error {
		return mpi.Scope(ctx, c, func(s *mpi.Ops) error {
			_ = mpi.PostRecv(s, halo[:n], peer, 1, nil)
			_ = mpi.PostSend(s, halo[n:2*n], peer, 1)
			return nil
		})
	}
	return []shape{
		{"pp8", 50, pp(small)},
		{"pp64K", 10, pp(large[:64<<10])},
		{"pp1M", 2, pp(large)},
		{"halo8K", 20, func() error { return exchange(1024) }},
		{"allreduce8", 30, func() error { return mpi.Allreduce(ctx, c, out[:1], in[:1], mpi.Sum) }},
		{"allreduce64K", 5, func() error { return mpi.Allreduce(ctx, c, out, in, mpi.Sum) }},
		{"heatstep", 4, func() error {
			if err := exchange(256); err != nil {
				return err
			}
			for i := 256; i < 255*256; i++ {
				next[i] = plate[i] + 0.1*(plate[i-256]+plate[i+256]+plate[i-1]+plate[i+1]-4*plate[i])
			}
			plate, next = next, plate
			return nil
		}},
	}
}
