//go:build linux && cgo && (amd64 || arm64)

// Command bridge compares a bridge into Go with a library in Rust of the shape that the requirement describes, with a plain
// cgo export, with gRPC over a Unix socket, and with a bare C call.
//
//	go run . [-rounds 31] [-only ROW] [-less 1]
//
// It builds the library, the peers in Rust and hosts in Haskell and C that call all of them, as far as the machine has the
// compilers; what it has not is left out by name. All sides of a row have their turn in each round, in an order by chance. A
// time is the least of all rounds; a ratio is the median of the ratios within the rounds.
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
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

func main() {
	rounds := flag.Int("rounds", 31, "how often each side has its turn")
	only := flag.String("only", "", "run the rows whose name contains this")
	less := flag.Int("less", 1, "do only one in so many operations")
	fast := flag.Bool("fast", false, "compile the host in Haskell without optimisation")
	server := flag.String("serve", "", "be the gRPC server of this socket")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	if *server != "" {
		err = serve(ctx, *server)
	} else {
		err = run(ctx, os.Stdout, os.Args[0], *rounds, *only, *less, *fast)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/bridge:", err)
		os.Exit(1)
	}
}

// run measures. self is this program, which is the gRPC server too; empty: that is left out.
func run(ctx context.Context, w io.Writer, self string, rounds int, only string, less int, fast bool) error {
	if rounds < 1 || less < 1 {
		return errors.New("-rounds and -less are at least 1")
	}
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs, left, err := build(ctx, dir, fast)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s, %s/%s, %d processors, load %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load())
	for _, l := range left {
		fmt.Fprintf(w, "left out: %s\n", l)
	}
	var hosts []*host
	defer func() {
		for _, h := range hosts {
			h.stop()
		}
	}()
	for _, p := range programs {
		h, err := start(ctx, p)
		if err != nil {
			return err
		}
		hosts = append(hosts, h)
	}
	var rpc *client
	if self != "" {
		if rpc, err = dial(ctx, self, filepath.Join(dir, "socket")); err != nil {
			return err
		}
		defer rpc.stop()
	}
	t := times{}
	for range rounds {
		for _, r := range rows {
			if !strings.Contains(r.name, only) {
				continue
			}
			for _, h := range hosts {
				if err := t.turn(ctx, h, rpc, r, max(1, r.n/less)); err != nil {
					return err
				}
			}
		}
	}
	t.print(w, hosts)
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

// times are the figures of each host, row and side, one for each round.
type times map[[3]string][]float64

// turn has every side of a row measured once by a host. gRPC's client is in Go, whatever the host.
func (t times) turn(ctx context.Context, h *host, rpc *client, r row, n int) error {
	sides := slices.Clone(h.sides[r.name])
	if rpc != nil && r.callers > 0 && len(sides) > 0 {
		sides = append(sides, "grpc")
	}
	rand.Shuffle(len(sides), func(i, j int) { sides[i], sides[j] = sides[j], sides[i] })
	for _, side := range sides {
		var v float64
		var err error
		switch {
		case side == "grpc":
			v, err = rpc.measure(ctx, r, max(r.callers, n/4))
		case r.alone:
			var one *host
			if one, err = start(ctx, h.program); err == nil {
				v, err = one.ask(side, r.name, n)
				one.stop()
			}
		default:
			v, err = h.ask(side, r.name, n)
		}
		if err != nil {
			return fmt.Errorf("%s, %s, %s: %w", h.name, r.name, side, err)
		}
		t[[3]string{h.name, r.name, side}] = append(t[[3]string{h.name, r.name, side}], v)
	}
	return nil
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
func (t times) print(w io.Writer, hosts []*host) {
	for _, h := range hosts {
		fmt.Fprintf(w, "\nhost in %s: least, and median, of an operation\n\n| row |", h.name)
		for _, s := range sideNames {
			fmt.Fprintf(w, " %s |", s)
		}
		fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("--:|", len(sideNames)))
		for _, r := range rows {
			line, some := "| "+r.name+" |", false
			for _, s := range sideNames {
				v := t[[3]string{h.name, r.name, s}]
				if len(v) == 0 {
					line += " |"
					continue
				}
				some = true
				line += fmt.Sprintf(" %s, %s |", figure(slices.Min(v), r), figure(median(v), r))
			}
			if some {
				fmt.Fprintln(w, line)
			}
		}
		fmt.Fprint(w, "\n| row | beside | is | of the least | target | aim | |\n|---|---|--:|--:|--:|--:|---|\n")
		for _, r := range rows {
			ours := t[[3]string{h.name, r.name, "bridge"}]
			for _, g := range r.targets {
				peer := t[[3]string{h.name, r.name, g.peer}]
				if len(ours) == 0 || (g.peer != "" && len(peer) == 0) {
					continue
				}
				is, least := median(ours), slices.Min(ours)
				if g.peer != "" {
					is, least = ratio(ours, peer), least/slices.Min(peer)
				}
				verdict := "met"
				if is > g.most {
					verdict = "**missed**"
				}
				fmt.Fprintf(w, "| %s | %s | %.3g | %.3g | %.3g | %.3g | %s |\n", r.name, g.peer, is, least, g.most, g.aim, verdict)
			}
		}
	}
}

func figure(v float64, r row) string {
	switch {
	case r.name == "threads":
		return fmt.Sprintf("%.0f", v)
	case v < 1000:
		return fmt.Sprintf("%.0f ns", v)
	}
	return fmt.Sprintf("%.1f µs", v/1000)
}
