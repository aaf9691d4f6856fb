//go:build linux

// Command langrt compares the runtime library, libisthmus, with its peers: Rust's collections, slotmap, crossbeam and
// tokio, Lua 5.4, CPython, GLib, Go's own channels and iterators, and protoactor-go.
//
//	go run . [-rounds 11] [-only ROW] [-less 1]
//
// It builds the library, the peers in Rust (cargo) and a host in C with each peer that the machine has; what it has not is
// left out by name, with the command that gets it. All sides of a row run in turn, in an order by chance, round after
// round, so that other load on the machine meets each of them. A time is the least of all rounds; a ratio is the median of
// the ratios within the rounds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
)

func main() {
	rounds := flag.Int("rounds", 11, "how often each side has its turn")
	only := flag.String("only", "", "run the rows whose name contains this")
	less := flag.Int("less", 1, "do only one in so many operations")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *rounds, *only, *less); err != nil {
		fmt.Fprintln(os.Stderr, "bench/langrt:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, rounds int, only string, less int) error {
	if rounds < 1 || less < 1 {
		return errors.New("-rounds and -less are at least 1")
	}
	dir, err := os.MkdirTemp("", "langrt")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, left, err := build(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s/%s, %d processors, load %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load())
	for _, l := range left {
		fmt.Fprintf(w, "left out: %s\n", l)
	}
	t, err := measure(ctx, program, rounds, only, less)
	if err != nil {
		return err
	}
	t.print(w)
	return nil
}

// load is the machine's load averages, as far as it tells them.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}

// times are the figures of each side of each row, one for each round.
type times map[string]map[string][]float64

// measure runs the rounds: rows in order, and a row's sides by chance. Rows of memory have a process for each figure, as
// what a process had once it keeps.
func measure(ctx context.Context, program string, rounds int, only string, less int) (times, error) {
	h, sides, err := start(ctx, program)
	if err != nil {
		return nil, err
	}
	defer h.stop()
	for _, s := range goSides {
		sides = append(sides, side{s.row, s.name})
	}
	t := times{}
	for round := range rounds {
		for _, r := range rows {
			if !strings.Contains(r.name, only) || (r.memory && round >= 3) {
				continue
			}
			var turn []string
			for _, s := range sides {
				if s.row == r.name {
					turn = append(turn, s.name)
				}
			}
			rand.Shuffle(len(turn), func(i, j int) { turn[i], turn[j] = turn[j], turn[i] })
			for _, name := range turn {
				v, err := once(ctx, h, program, r, name, less)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", r.name, name, err)
				}
				if t[r.name] == nil {
					t[r.name] = map[string][]float64{}
				}
				t[r.name][name] = append(t[r.name][name], v)
			}
		}
	}
	return t, nil
}

func once(ctx context.Context, h *host, program string, r row, name string, less int) (float64, error) {
	for _, s := range goSides {
		if s.row == r.name && s.name == name {
			return s.measure(max(1, s.n/less)), nil
		}
	}
	if r.memory {
		alone, _, err := start(ctx, program)
		if err != nil {
			return 0, err
		}
		defer alone.stop()
		h = alone
	}
	return h.ask(r.name, name, less)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// ratio is the median of a's figures divided by b's of the same round.
func ratio(a, b []float64) float64 {
	q := make([]float64, min(len(a), len(b)))
	for i := range q {
		q[i] = a[i] / b[i]
	}
	return median(q)
}

// print writes what each side takes, and how that is beside the targets.
func (t times) print(w io.Writer) {
	fmt.Fprint(w, "\n| row | least time of each side; bytes, where the row says so |\n|---|---|\n")
	for _, r := range rows {
		if len(t[r.name]) == 0 {
			continue
		}
		var all []string
		for _, name := range order(t[r.name]) {
			all = append(all, fmt.Sprintf("%s %s", name, figure(slices.Min(t[r.name][name]), r.memory)))
		}
		fmt.Fprintf(w, "| %s | %s |\n", r.name, strings.Join(all, ", "))
	}
	fmt.Fprint(w, "\n| row | | beside | is | target | |\n|---|---|---|--:|--:|---|\n")
	for _, r := range rows {
		for _, g := range r.targets {
			ours, peer := t[r.name][g.ours], t[r.name][g.peer]
			if len(ours) == 0 {
				continue
			}
			is, unit := slices.Min(ours), " ns"
			if r.memory {
				unit = " B"
			}
			if g.peer != "" {
				if len(peer) == 0 {
					continue
				}
				is, unit = ratio(ours, peer), ""
			}
			verdict := "met"
			if is > g.most {
				verdict = "**missed**"
			}
			fmt.Fprintf(w, "| %s | %s | %s | %.2f%s | %.4g%s | %s |\n", r.name, g.ours, g.peer, is, unit, g.most, unit, verdict)
		}
	}
}

// order has our own sides first.
func order(of map[string][]float64) []string {
	var names []string
	for _, own := range []string{"inline", "exported", "langrt"} {
		if _, ok := of[own]; ok {
			names = append(names, own)
		}
	}
	var rest []string
	for name := range of {
		if !slices.Contains(names, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(names, rest...)
}

func figure(v float64, memory bool) string {
	switch {
	case memory:
		return fmt.Sprintf("%.0f B", v)
	case v < 100:
		return fmt.Sprintf("%.2f ns", v)
	case v < 10000:
		return fmt.Sprintf("%.0f ns", v)
	}
	return fmt.Sprintf("%.1f µs", v/1000)
}
