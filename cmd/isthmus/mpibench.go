package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpibench"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mpi"
)

type mpiBench struct {
	Shapes     []string `arg:"" name:"shape" help:"What to measure, such as latency, bw, allreduce; --help lists them."`
	N          int      `short:"n" name:"ranks" default:"2" placeholder:"N" help:"How many ranks (default 2)."`
	Library    string   `placeholder:"FILE" help:"This library; otherwise ISTHMUS_MPI, or what is installed."`
	Min        int      `placeholder:"BYTES" help:"The smallest message (default 1)."`
	Max        int      `placeholder:"BYTES" help:"The largest (default 4 MiB, of collectives 1 MiB)."`
	Iterations int      `short:"i" placeholder:"N" help:"How often each size is measured (default OSU's)."`
	Window     int      `short:"W" placeholder:"N" help:"Messages under way at once in bandwidths (default 64)."`
	Validate   bool     `short:"c" help:"Compare what arrives with what was sent."`
	Alloc      bool     `help:"Use memory of mpi.Alloc, in large pages, rather than Go's heap."`
	JSON       bool     `name:"json" help:"Print JSON, an object for each shape."`
	Rank       bool     `hidden:"" help:"Be a rank."`
}

// Help lists the shapes.
func (mpiBench) Help() string {
	text := "The shapes, sizes, warm-ups and columns are those of the OSU micro-benchmarks, whose names are taken too (osu_bw):\n\n"
	for _, s := range mpibench.Shapes() {
		text += fmt.Sprintf("  %-16s%s\n", s.Name, s.Help)
	}
	return text + "\nThe command starts its ranks itself, with the library's launcher, unless a launcher has started it.\n" +
		"Figures of more ranks than processors are those of the scheduler. Bandwidths use a buffer for each message of a window."
}

// mpiFigures is what mpi bench prints as JSON.
type mpiFigures struct {
	Shape   string         `json:"shape"`
	Ranks   int            `json:"ranks"`
	Library string         `json:"library"`
	Rows    []mpibench.Row `json:"rows"`
}

// Run measures, as a rank or by starting ranks.
func (c *mpiBench) Run(ctx context.Context, s *streams) error {
	for _, name := range c.Shapes {
		if _, err := mpibench.Find(name); err != nil {
			return fail(exitUsage, err)
		}
	}
	if c.N < 1 {
		return fail(exitUsage, fmt.Errorf("mpi bench: %d ranks: %w", c.N, isthmus.ErrInvalid))
	}
	if c.Rank || launched() {
		return c.measure(ctx, s)
	}
	for _, name := range c.Shapes {
		if err := c.config(name).Check(c.N); err != nil {
			return fail(exitUsage, err)
		}
	}
	n, l, err := chooseMPI(ctx, c.Library)
	if err != nil {
		return fail(exitDevice, err)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{self, "mpi", "bench", "--rank"}
	for _, o := range []struct {
		name string
		n    int
	}{{"--min", c.Min}, {"--max", c.Max}, {"--iterations", c.Iterations}, {"--window", c.Window}} {
		if o.n != 0 {
			args = append(args, o.name+"="+strconv.Itoa(o.n))
		}
	}
	for _, o := range []struct {
		name string
		set  bool
	}{{"--validate", c.Validate}, {"--alloc", c.Alloc}, {"--json", c.JSON}} {
		if o.set {
			args = append(args, o.name)
		}
	}
	cmd := l.Command(c.N, []string{"ISTHMUS_MPI=" + n.Name}, nil, append(args, c.Shapes...)...)
	cmd.Stdout, cmd.Stderr = s.out, s.err
	if err := mpilaunch.Run(ctx, cmd, 5*time.Second); err != nil {
		return fail(exitExecute, fmt.Errorf("mpi bench: %w", err))
	}
	return nil
}

func (c *mpiBench) config(shape string) mpibench.Config {
	return mpibench.Config{Shape: shape, Min: c.Min, Max: c.Max, Iterations: c.Iterations, Window: c.Window, Validate: c.Validate, Alloc: c.Alloc}
}

// launched reports whether a launcher has started this process.
func launched() bool {
	for _, name := range []string{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// measure is a rank.
func (c *mpiBench) measure(ctx context.Context, s *streams) (err error) {
	w, err := mpi.Open(ctx, mpi.Options{Library: c.Library})
	if err != nil {
		return fail(exitDevice, err)
	}
	defer func() {
		if err != nil {
			fmt.Fprintf(s.err, "isthmus: rank %d: %v\n", w.Comm().Rank(), err)
			w.Abort(exitExecute) // the others wait for this one
		}
		err = w.Close(ctx)
	}()
	library := firstLine(w.Library().Version)
	bad := 0
	for _, name := range c.Shapes {
		shape, err := mpibench.Find(name)
		if err != nil {
			return err
		}
		cfg := c.config(shape.Name)
		out := mpiFigures{Shape: shape.Name, Ranks: w.Comm().Size(), Library: library}
		if w.Comm().Rank() == 0 && !c.JSON {
			fmt.Fprintln(s.out, shape.Header(cfg, fmt.Sprintf("%s, %d ranks", library, w.Comm().Size())))
		}
		if err := mpibench.Run(ctx, w, cfg, func(r mpibench.Row) {
			out.Rows = append(out.Rows, r)
			if r.Valid != nil && !*r.Valid {
				bad++
			}
			if !c.JSON {
				fmt.Fprintln(s.out, shape.Line(r))
			}
		}); err != nil {
			return err
		}
		if w.Comm().Rank() == 0 && c.JSON {
			if err := json.NewEncoder(s.out).Encode(out); err != nil {
				return err
			}
		}
	}
	if bad > 0 {
		return errors.New("mpi bench: data arrived that was not sent")
	}
	return nil
}
