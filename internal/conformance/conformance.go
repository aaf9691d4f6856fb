// Package conformance runs the StableHLO project's own test programs through a device.
//
// The programs check their results themselves: by custom calls such as check.expect_close, or by operations of the
// check dialect. They come in four sets, read from the project's tar.gz archive: testdata (2,325 programs that JAX
// wrote), quantized (126), interpret (515 programs with checks, each a part of a file) and math (47).
package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/isthmus-ffi/isthmus/device/eval"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// Program is one test program.
type Program struct {
	Set      string   // testdata, quantized, interpret or math
	Name     string   // the file's name, with #n for part n of a file
	Parts    [][]byte // each a module of its own; all of them must pass
	Disabled bool     // the project does not run it on its own reference interpreter
}

// A Runner runs a parsed program, the checks in it included. It returns nil if every check holds, and an error with
// [*eval.CheckError] in its chain if one does not.
type Runner interface {
	Run(ctx context.Context, p Program, m *stablehlo.Module) error
}

// Evaluator runs programs on package eval.
type Evaluator struct{}

// Run calls main.
func (Evaluator) Run(ctx context.Context, _ Program, m *stablehlo.Module) error {
	if len(m.Funcs) == 0 {
		return nil // the file begins with a comment and a separator
	}
	_, err := eval.Run(ctx, m, m.Main(), nil, eval.Options{})
	return err
}

// Outcome says how a program ended.
type Outcome uint8

// The outcomes.
const (
	_ Outcome = iota
	Pass
	Unparsed    // Parse or Verify refused it
	Unsupported // the device does not implement something in it
	Mismatch    // a check found a difference
	Failed      // anything else
)

// String returns the outcome in a word.
func (o Outcome) String() string {
	switch o {
	case Pass:
		return "pass"
	case Unparsed:
		return "unparsed"
	case Unsupported:
		return "unsupported"
	case Mismatch:
		return "mismatch"
	case Failed:
		return "failed"
	}
	return "invalid"
}

// Result is the outcome of one program.
type Result struct {
	Program Program
	Outcome Outcome
	Err     error
}

// sets maps a folder of the archive to a set.
var sets = map[string]string{
	"stablehlo/testdata":             "testdata",
	"stablehlo/testdata/quantized":   "quantized",
	"stablehlo/tests/interpret":      "interpret",
	"stablehlo/tests/interpret/chlo": "interpret",
	"stablehlo/tests/math":           "math",
}

// Load reads the programs of the archive at file, sorted by set and name.
func Load(file string) ([]Program, error) {
	var programs []Program
	err := EachFile(file, func(name string, src []byte) error {
		if set := sets[path.Dir(name)]; set != "" && path.Ext(name) == ".mlir" {
			name = strings.TrimPrefix(strings.TrimPrefix(name, "stablehlo/"), "tests/")
			programs = append(programs, split(set, name, src)...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(programs, func(a, b Program) int {
		if c := strings.Compare(a.Set, b.Set); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return programs, nil
}

// split takes a file apart at its separators; parts without checks are left out of the interpret set.
func split(set, name string, src []byte) []Program {
	disabled := bytes.Contains(src[:min(len(src), 400)], []byte("RUN-DISABLED"))
	parts := bytes.Split(src, []byte("// -----"))
	if set != "interpret" {
		return []Program{{Set: set, Name: name, Parts: parts, Disabled: disabled}}
	}
	var programs []Program
	for i, part := range parts {
		if bytes.Contains(part, []byte("check.")) {
			programs = append(programs, Program{set, fmt.Sprintf("%s#%02d", name, i), [][]byte{part}, disabled})
		}
	}
	return programs
}

// Run runs the programs on GOMAXPROCS goroutines, each for at most limit, and returns their results in the same order.
func Run(ctx context.Context, programs []Program, r Runner, limit time.Duration) []Result {
	results := make([]Result, len(programs))
	work := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				results[i] = one(ctx, programs[i], r, limit)
			}
		})
	}
	for i := range programs {
		work <- i
	}
	close(work)
	wg.Wait()
	return results
}

func one(ctx context.Context, p Program, r Runner, limit time.Duration) (res Result) {
	res.Program = p
	var modules []*stablehlo.Module
	for _, src := range p.Parts {
		m, err := stablehlo.Parse(src, stablehlo.Options{TestOps: true})
		if err != nil {
			res.Outcome, res.Err = Unparsed, err
			return res
		}
		modules = append(modules, m)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var err error
	for _, m := range modules {
		if err = r.Run(ctx, p, m); err != nil {
			break
		}
	}
	var check *eval.CheckError
	switch {
	case err == nil:
		res.Outcome = Pass
	case errors.As(err, &check):
		res.Outcome = Mismatch
	case errors.Is(err, eval.ErrUnsupported):
		res.Outcome = Unsupported
	default:
		res.Outcome = Failed
	}
	res.Err = err
	return res
}

// Count is how many programs of a set ended how.
type Count struct {
	Total int
	By    map[Outcome]int
}

// Tally counts results by set.
func Tally(results []Result) map[string]Count {
	counts := map[string]Count{}
	for _, r := range results {
		c := counts[r.Program.Set]
		if c.By == nil {
			c.By = map[Outcome]int{}
		}
		c.Total++
		c.By[r.Outcome]++
		counts[r.Program.Set] = c
	}
	return counts
}

// WriteMisses writes the counts and one line for each program that did not pass: deterministic, for a committed file.
func WriteMisses(w io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString("Programs of the StableHLO project that pass, and the ones that do not, with the reason. The checks are those of\n" +
		"its reference interpreter: equal, at most 3 units in the last place apart, or within 0.001 (the older\n" +
		"expect_almost_eq). Written by: go test ./internal/conformance -run TestConformance -update\n\n")
	counts := Tally(results)
	for _, set := range []string{"testdata", "quantized", "interpret", "math"} {
		c := counts[set]
		fmt.Fprintf(&b, "%s: %d of %d\n", set, c.By[Pass], c.Total)
	}
	for _, r := range results {
		if r.Outcome == Pass {
			continue
		}
		note := ""
		if r.Program.Disabled {
			note = " (disabled in the reference interpreter too)"
		}
		msg, _, _ := strings.Cut(r.Err.Error(), "\n")
		fmt.Fprintf(&b, "\n%s %s%s\n    %s\n", r.Outcome, r.Program.Name, note, msg)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
