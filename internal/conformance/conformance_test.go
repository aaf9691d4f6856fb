package conformance_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/conformance"
)

var update = flag.Bool("update", false, "write docs/conformance-misses.txt")

// archive finds the project's test programs; the test is skipped where they are not there.
func archive(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("ISTHMUS_TESTDATA"); file != "" {
		return file
	}
	file := filepath.Join("..", "..", "..", "shared", "data", "stablehlo-testdata.tar.gz")
	if _, err := os.Stat(file); err != nil {
		t.Skip("no test programs: set ISTHMUS_TESTDATA to stablehlo-testdata.tar.gz")
	}
	return file
}

// The evaluator passes at least as many of the StableHLO project's programs as are recorded here, and the committed
// list of misses is the true one.
func TestConformance(t *testing.T) {
	programs, err := conformance.Load(archive(t))
	if err != nil {
		t.Fatal(err)
	}
	results := conformance.Run(t.Context(), programs, conformance.Evaluator{}, time.Minute)
	counts := conformance.Tally(results)
	floors := map[string]struct{ pass, total int }{
		"testdata":  {2319, 2325},
		"quantized": {126, 126},
		"interpret": {515, 515},
		"math":      {47, 47},
	}
	for set, want := range floors {
		c := counts[set]
		t.Logf("%s: %d of %d pass; %v", set, c.By[conformance.Pass], c.Total, c.By)
		if c.Total != want.total || c.By[conformance.Pass] < want.pass {
			t.Errorf("%s: %d of %d pass, want at least %d of %d", set, c.By[conformance.Pass], c.Total, want.pass, want.total)
		}
	}
	var got bytes.Buffer
	if err := conformance.WriteMisses(&got, results); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("..", "..", "docs", "conformance-misses.txt")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("%s is not up to date, run the test with -update (-committed +now):\n%s", file, d)
	}
}
