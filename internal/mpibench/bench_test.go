package mpibench_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpibench"
	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func TestMain(m *testing.M) {
	mpitest.Main(m, map[string]mpitest.Scenario{"all": all, "wrong": wrong}, nil)
}

// Every shape that a number of ranks can do moves its data, on every library.
func TestShapes(t *testing.T) {
	for _, n := range []int{2, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) { mpitest.Run(t, n, "all") })
	}
}

func TestWrong(t *testing.T) { mpitest.Run(t, 1, "wrong") }

func all(ctx context.Context, w *mpi.World) error {
	for _, s := range mpibench.Shapes() {
		if n := w.Comm().Size(); n < s.Ranks || s.Exactly && n != s.Ranks || s.Name == "mbw_mr" && n%2 == 1 {
			continue
		}
		for _, alloc := range []bool{false, true} {
			var rows []mpibench.Row
			err := mpibench.Run(ctx, w, mpibench.Config{Shape: "osu_" + s.Name, Min: 1024, Max: 16384, Iterations: 3, Window: 4, Validate: true, Alloc: alloc},
				func(r mpibench.Row) { rows = append(rows, r) })
			if err != nil {
				return err
			}
			if w.Comm().Rank() != 0 {
				continue
			}
			want := 5
			switch s.Name {
			case "barrier", "fop_latency", "cas_latency":
				want = 1
			}
			if len(rows) != want {
				return fmt.Errorf("%s has %d rows, want %d", s.Name, len(rows), want)
			}
			for _, r := range rows {
				if r.Valid == nil && s.Name != "barrier" || r.Valid != nil && !*r.Valid || r.Latency <= 0 && r.Bandwidth <= 0 || r.Iterations != 3 {
					return fmt.Errorf("%s: %+v", s.Name, r)
				}
				if got := len(strings.Fields(s.Line(r))); got < 1 {
					return fmt.Errorf("%s: %q", s.Name, s.Line(r))
				}
			}
		}
	}
	return nil
}

func wrong(ctx context.Context, w *mpi.World) error {
	for _, c := range []struct {
		cfg  mpibench.Config
		want error
	}{
		{mpibench.Config{Shape: "none"}, isthmus.ErrNotFound},
		{mpibench.Config{Shape: "latency"}, isthmus.ErrInvalid},
		{mpibench.Config{Shape: "allreduce"}, isthmus.ErrInvalid},
	} {
		if err := mpibench.Run(ctx, w, c.cfg, nil); !errors.Is(err, c.want) {
			return fmt.Errorf("%+v: %w", c.cfg, err)
		}
	}
	return nil
}

func TestTable(t *testing.T) {
	s, err := mpibench.Find("osu_allreduce")
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	head := s.Header(mpibench.Config{Validate: true}, "a library")
	line := s.Line(mpibench.Row{Size: 8, Latency: 1.5, Min: 1, Max: 2, Iterations: 10, Valid: &yes})
	if !strings.HasSuffix(head, "Iterations        Validation") || strings.Join(strings.Fields(line), " ") != "8 1.50 1.00 2.00 10 Pass" {
		t.Errorf("%s\n%s", head, line)
	}
	if _, err := mpibench.Find("osu_nothing"); !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "put_bw") {
		t.Error(err)
	}
}
