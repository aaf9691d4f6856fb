package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// A rank of a test's job is this binary.
func TestMain(m *testing.M) {
	if os.Getenv("OMPI_COMM_WORLD_SIZE") != "" || os.Getenv("PMI_RANK") != "" || os.Getenv("PMI_FD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The plate is the same to the bit on any number of ranks, with every library.
func TestSameOnAnyRanks(t *testing.T) {
	const want = "mean temperature 0.197310, plate " // numpy has the same
	plates := map[string]bool{}
	mpitest.EachInTurn(t, func(t *testing.T, l mpitest.Library) {
		t.Setenv("ISTHMUS_MPI", l.Lib)
		for _, n := range []int{1, 2, 4} {
			var out strings.Builder
			folder := t.TempDir()
			if err := start(t.Context(), &out, options{ranks: n, size: 64, steps: 200, every: 100, folder: folder}); err != nil {
				t.Fatal(err)
			}
			_, plate, ok := strings.Cut(out.String(), "mean temperature")
			if !ok || !strings.Contains(out.String(), want) {
				t.Errorf("%d ranks: %s", n, out.String())
			}
			plates[plate] = true
			files, err := filepath.Glob(filepath.Join(folder, "*.png"))
			if err != nil || len(files) != 3 {
				t.Errorf("pictures %v, %v", files, err)
			}
			for _, f := range files {
				r, err := os.Open(f)
				if err != nil {
					t.Fatal(err)
				}
				if m, err := png.Decode(r); err != nil || m.Bounds().Dx() != 64 {
					t.Errorf("%s: %v", f, err)
				}
				r.Close()
			}
		}
	})
	if len(plates) > 1 {
		t.Errorf("plates differ: %v", plates)
	}
}

func TestStartRefuses(t *testing.T) {
	for _, o := range []options{{}, {ranks: 1, size: 2, every: 1}, {ranks: 0, size: 9, every: 1}} {
		if start(t.Context(), &strings.Builder{}, o) == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
