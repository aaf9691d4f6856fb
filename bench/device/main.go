// Command device compares the embedded device, through its PJRT table and without it (plan), with XLA's CPU backend, with GoMLX's backend in plain Go, and with numpy.
//
//	go run . [-rounds 15] [-only NAME]
//
// XLA's plugin is the file named by ISTHMUS_PJRT_CPU, Python the one named by ISTHMUS_PYTHON; a peer that is not there
// is left out. All peers run in turn, round after round, so that other load on the machine meets each of them; a number
// is the median over the rounds of the time of one run, and a ratio the median of the ratios within the rounds.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/device/kernel"
)

func peers(ctx context.Context) ([]peer, error) {
	served, err := newServed(ctx)
	if err != nil {
		return nil, err
	}
	list := []peer{served, &embedded{kernel.NewPool(runtime.GOMAXPROCS(0))}}
	if path := os.Getenv("ISTHMUS_PJRT_CPU"); path != "" {
		p, err := newPlugin(ctx, path)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	g, err := newGomlx()
	if err != nil {
		return nil, err
	}
	list = append(list, g)
	if path := os.Getenv("ISTHMUS_PYTHON"); path != "" {
		n, err := newNumpy(path)
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

func main() {
	rounds := flag.Int("rounds", 15, "how often each peer has its turn")
	only := flag.String("only", "", "run the cases whose name contains this")
	flag.Parse()
	if err := run(*rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench/device:", err)
		os.Exit(1)
	}
}

func run(rounds int, only string) error {
	ctx := context.Background()
	list, err := peers(ctx)
	if err != nil {
		return err
	}
	defer func() {
		for _, p := range list {
			_ = p.close()
		}
	}()
	all, err := cases()
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d threads, %s\n\n", runtime.Version(), runtime.GOMAXPROCS(0), runtime.GOARCH)
	var head, rule strings.Builder
	for i, p := range list {
		fmt.Fprintf(&head, " %s |", p.name())
		rule.WriteString("---:|")
		if i > 0 {
			fmt.Fprintf(&head, " isthmus / %s |", p.name())
			rule.WriteString("---:|")
		}
	}
	fmt.Printf("| case |%s compile isthmus / xla |\n|---|%s---:|\n", head.String(), rule.String())
	for _, c := range all {
		if !strings.Contains(c.name, only) {
			continue
		}
		line, err := compare(ctx, list, c, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Println(line)
	}
	return nil
}

const (
	// turn is about how long one peer runs before the next has its turn.
	turn = 40 * time.Millisecond
	// pause is between turns: the threads of the last peer's library spin for a while before they sleep.
	pause = 30 * time.Millisecond
)

func compare(ctx context.Context, list []peer, c bench, rounds int) (string, error) {
	tasks := make([]*task, len(list))
	runs := make([]int, len(list))
	for i, p := range list {
		t, err := p.prepare(ctx, c)
		if err != nil {
			return "", fmt.Errorf("%s: %w", p.name(), err)
		}
		if t == nil {
			continue
		}
		defer t.close()
		tasks[i] = t
		d := time.Duration(0)
		for range 3 { // the first runs warm up
			if d, err = t.times(1); err != nil {
				return "", fmt.Errorf("%s: %w", p.name(), err)
			}
		}
		runs[i] = max(1, int(turn/max(d, time.Microsecond)))
	}
	times, ratios := make([][]float64, len(list)), make([][]float64, len(list))
	for range rounds {
		first := 0.0
		for i, t := range tasks {
			if t == nil {
				continue
			}
			time.Sleep(pause)
			d, err := t.times(runs[i])
			if err != nil {
				return "", fmt.Errorf("%s: %w", list[i].name(), err)
			}
			one := float64(d) / float64(runs[i])
			if i == 0 {
				first = one
			}
			times[i] = append(times[i], one)
			ratios[i] = append(ratios[i], first/one)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |", c.name)
	compile := "–"
	for i, p := range list {
		if tasks[i] == nil {
			b.WriteString(" – | – |")
			continue
		}
		fmt.Fprintf(&b, " %s |", show(median(times[i])))
		if i > 0 {
			fmt.Fprintf(&b, " %.2f |", median(ratios[i]))
		}
		if p.name() == "xla" {
			compile = fmt.Sprintf("%s / %s", show(float64(tasks[0].compile)), show(float64(tasks[i].compile)))
		}
	}
	fmt.Fprintf(&b, " %s |", compile)
	return b.String(), nil
}

func median[T cmp.Ordered](x []T) T {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

func show(ns float64) string {
	switch {
	case ns >= 1e7:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	case ns >= 1e3:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f ns", ns)
}
