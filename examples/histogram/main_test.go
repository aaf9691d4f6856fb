package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/ranks"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// A rank of a test's job is this binary.
func TestMain(m *testing.M) {
	if ranks.Launched() {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	mpitest.EachInTurn(t, func(t *testing.T, l mpitest.Library) {
		t.Setenv("ISTHMUS_MPI", l.Lib)
		for n, want := range map[int]string{1: "20000 samples of 1 processes in 24 bins", 4: "80000 samples of 4 processes in 96 bins"} {
			var out bytes.Buffer
			if err := start(t.Context(), &out, n); err != nil || !strings.Contains(out.String(), want) {
				t.Errorf("%d ranks: %q, %v", n, out.String(), err)
			}
		}
	})
}
