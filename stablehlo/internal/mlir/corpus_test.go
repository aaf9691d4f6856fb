package mlir_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// corpus calls f with each file of the StableHLO project's own test data, which is not part of this repository.
func corpus(t testing.TB, f func(name string, data []byte)) {
	t.Helper()
	err := conformance.EachFile(conformance.Archive(t), func(name string, data []byte) error {
		f(name, data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// parseParts parses each program of a test file and returns the first error.
func parseParts(data []byte) (ops int, err error) {
	line := 1
	for _, part := range mlir.SplitInput(data) {
		m, e := mlir.ParseText(part, mlir.Options{FirstLine: line})
		if e != nil {
			err = errors.Join(err, e)
		} else {
			ops += countOps(m)
		}
		line += bytes.Count(part, []byte{'\n'})
	}
	return ops, err
}

func countOps(o *mlir.Op) int {
	n := 1
	for _, r := range o.Regions {
		for _, b := range r.Blocks {
			for _, o := range b.Ops {
				n += countOps(o)
			}
		}
	}
	return n
}

// TestCorpus reads every text file of the StableHLO project's tests that is a program.
func TestCorpus(t *testing.T) {
	var files, parsed, ops, size int
	var spent time.Duration
	corpus(t, func(name string, data []byte) {
		if !strings.HasSuffix(name, ".mlir") || strings.Contains(name, "/vhlo/") {
			return
		}
		files++
		size += len(data)
		start := time.Now()
		n, err := parseParts(data)
		spent += time.Since(start)
		ops += n
		if err != nil {
			t.Logf("miss: %s: %v", name, err)
			return
		}
		parsed++
	})
	t.Logf("%d of %d files, %d operations, %.1f MB in %v (%.0f MB/s)", parsed, files, ops, float64(size)/1e6, spent, float64(size)/1e6/spent.Seconds())
	if files != 2990 || parsed < 2976 {
		t.Errorf("parsed %d of %d files, want 2976 of 2990 at least", parsed, files)
	}
}
