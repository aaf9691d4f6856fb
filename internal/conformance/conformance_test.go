package conformance_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var update = flag.Bool("update", false, "write docs/conformance-misses.txt")

// report prints what an engine passes, of each set as many programs as floors says at least.
func report(t *testing.T, engine string, results []conformance.Result, floors map[string]int) {
	t.Helper()
	counts := conformance.Tally(results)
	totals := map[string]int{"testdata": 2325, "quantized": 126, "interpret": 515, "math": 47}
	var line []string
	for _, set := range []string{"testdata", "quantized", "interpret", "math"} {
		c := counts[set]
		pass := c.By[conformance.Pass]
		line = append(line, fmt.Sprintf("%s %d of %d", set, pass, c.Total))
		if c.Total != totals[set] || pass < floors[set] {
			t.Errorf("%s: %d of %d pass, want at least %d of %d; %v", set, pass, c.Total, floors[set], totals[set], c.By)
		}
	}
	t.Logf("conformance: %s: %s passed", engine, strings.Join(line, ", "))
}

// TestConformance runs the StableHLO project's programs on the evaluator, whose misses are those of the committed list,
// and through the table of the embedded device.
func TestConformance(t *testing.T) {
	programs, err := conformance.Load(conformance.Archive(t))
	if err != nil {
		t.Fatal(err)
	}
	results := conformance.Run(t.Context(), programs, conformance.Evaluator{}, time.Minute)
	t.Run("evaluator", func(t *testing.T) { testEvaluator(t, results) })
	t.Run("table", func(t *testing.T) { testTable(t, programs, results) })
	t.Run("plugin", func(t *testing.T) { testPlugin(t, programs) })
}

func testEvaluator(t *testing.T, results []conformance.Result) {
	report(t, "evaluator", results, map[string]int{"testdata": 2319, "quantized": 126, "interpret": 515, "math": 47})
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
