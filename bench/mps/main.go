// Command mps measures the portable device of package mps beside OpenBLAS (by numpy), gonum and GoMLX, each on one thread.
//
//	ISTHMUS_PYTHON=… go run . [-rounds 200]
//
// All peers run one call in turn, round after round, so that other load on the machine meets each of them. A time is the shortest of the
// rounds, which a shared machine disturbs least. Without ISTHMUS_PYTHON, a Python with numpy, OpenBLAS is left out.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 200, "how often each peer has its turn")
	only := flag.String("only", "", "the beginning of the cases' names")
	flag.Parse()
	if err := run(*rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/mps:", err)
		os.Exit(1)
	}
}

func run(rounds int, only string) error {
	runtime.GOMAXPROCS(1)
	s, err := newSetup(context.Background())
	if err != nil {
		return err
	}
	defer s.close()
	fmt.Printf("%s, %s, %s, 1 thread, best of %d\n\n", runtime.Version(), runtime.GOARCH, s.dev.Name(), rounds)
	for _, c := range s.cases {
		if !strings.HasPrefix(c.name, only) {
			continue
		}
		best := make([]float64, len(c.peers))
		for i := range best {
			best[i] = math.Inf(1)
		}
		for round := range rounds {
			for i, p := range c.peers {
				if round%10 > 0 && best[i] > 5*best[0] {
					continue // nine turns of it would say nothing new
				}
				d, err := p.once()
				if err != nil {
					return fmt.Errorf("%s: %s: %w", c.name, p.name, err)
				}
				best[i] = min(best[i], float64(d))
			}
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%-20s", c.name)
		for i, p := range c.peers {
			fmt.Fprintf(&b, "  %s %8.3f ms", p.name, best[i]/1e6)
			if c.flops > 0 {
				fmt.Fprintf(&b, " %5.1f GFLOP/s", c.flops/best[i])
			}
			if i > 0 {
				fmt.Fprintf(&b, " (x%.2f)", best[i]/best[0])
			}
		}
		fmt.Println(b.String())
	}
	return nil
}

// timed is a peer in this process.
func timed(name string, f func() error) peer {
	return peer{name, func() (time.Duration, error) {
		start := time.Now()
		err := f()
		return time.Since(start), err
	}}
}
