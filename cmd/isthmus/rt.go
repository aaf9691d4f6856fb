package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
)

type rtCmd struct {
	Report rtReportCmd `cmd:"" help:"Print the audit of the runtime's C functions, phase by phase, from test results."`
}

type rtReportCmd struct {
	Results string `arg:"" optional:"" type:"existingfile" help:"Results of go test -json. Without them the tests are run, which takes the sources, Go and a C compiler."`
	Source  string `default:"." type:"existingdir" placeholder:"DIR" help:"The sources of isthmus (default: here)."`
	Only    string `placeholder:"NAME" help:"Run the tests one way only: plain, address, thread or go."`
	JSON    bool   `name:"json" help:"Print the report as JSON."`
	Verbose bool   `short:"v" help:"Say on standard error which tests are run."`
}

// audited is a category of the audit of 2025: what it counted, by phase.
type audited struct {
	phase                     int
	area, title, prefix       string
	functions, tests, passing int
}

var categories = []audited{
	{1, "futures", "async/await", "rt_future_", 5, 9, 9},
	{1, "files", "async file I/O", "rt_async_file_", 5, 7, 7},
	{2, "generators", "generators", "rt_generator_", 5, 12, 12},
	{2, "channels", "channels", "rt_channel_", 3, 5, 5},
	{3, "actors", "actors", "rt_actor_", 6, 15, 0},
	{4, "arrays", "arrays", "rt_array_", 7, 10, 9},
	{4, "tuples", "tuples", "rt_tuple_", 4, 5, 5},
	{4, "strings", "strings", "rt_string_", 4, 6, 6},
	{4, "dicts", "dicts", "rt_dict_", 5, 9, 0},
	{5, "objects", "objects", "rt_object_", 5, 8, 8},
	{5, "closures", "closures", "rt_closure_", 4, 6, 6},
	{5, "enums", "enums", "rt_enum_", 3, 5, 5},
	{5, "uniques", "unique pointers", "rt_unique_", 3, 6, 6},
}

var phases = []string{1: "Async/await and file I/O", "Generators and channels", "Actors", "Collections", "Objects"}

type auditWay struct{ name, what, pkg, run string }

// auditWays are where the audit's tests are, and the name of each way they are run: the part of a test's name after the
// first, or the package for those that have no such part.
var auditWays = []auditWay{
	{"plain", "from C", "./cmd/libisthmus", "^TestAudit$/^plain$"},
	{"address", "from C, address sanitizer", "./cmd/libisthmus", "^TestAudit$/^address$"},
	{"thread", "from C, thread sanitizer", "./cmd/libisthmus", "^TestAudit$/^thread$"},
	{"go", "from Go", "./langrt", "^TestAudit$"},
}

// figures are of one category, of a phase or of all.
type figures struct {
	Functions int      `json:"functions"`
	Tests     int      `json:"tests"`
	Passing   int      `json:"passing"`
	Rate      *float64 `json:"rate"` // nil where there are no tests
}

func (f *figures) add(g figures) {
	f.Functions += g.Functions
	f.Tests += g.Tests
	f.Passing += g.Passing
	f.Rate = nil
	if f.Tests > 0 {
		r := float64(f.Passing) / float64(f.Tests)
		f.Rate = &r
	}
}

// rtLine is one line of the report.
type rtLine struct {
	Phase    int     `json:"phase,omitempty"`
	Name     string  `json:"name"`
	Ours     figures `json:"ours"`
	Original figures `json:"original"`
}

type rtWay struct {
	what    string
	Name    string `json:"name"`
	Tests   int    `json:"tests"`
	Passing int    `json:"passing"`
}

type rtReport struct {
	Categories []rtLine `json:"categories"`
	Phases     []rtLine `json:"phases"`
	Total      rtLine   `json:"total"`
	Ways       []rtWay  `json:"ways"`
	Failed     []string `json:"failed"`  // tests that did not pass, with the way
	Missing    []string `json:"missing"` // what could not be run, and why
}

// Run prints the report. It fails when a test did, or none was run.
func (c *rtReportCmd) Run(ctx context.Context, s *streams) error {
	if c.Only != "" && !slices.ContainsFunc(auditWays, func(w auditWay) bool { return w.name == c.Only }) {
		return fail(exitUsage, fmt.Errorf("rt report: no tests are run as %.40q; say plain, address, thread or go", c.Only))
	}
	var r auditResults
	if c.Results != "" {
		f, err := os.Open(c.Results)
		if err != nil {
			return fail(exitInput, fmt.Errorf("rt report: %w", err))
		}
		defer f.Close()
		if err := r.read(f); err != nil {
			return fail(exitInput, fmt.Errorf("rt report: %s: %w", c.Results, err))
		}
	} else if err := c.run(ctx, s, &r); err != nil {
		return err
	}
	report := r.report(c.declared())
	if c.JSON {
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		if err := e.Encode(report); err != nil {
			return err
		}
	} else {
		report.print(s.out)
	}
	switch {
	case report.Total.Ours.Tests == 0:
		return fail(exitOther, errors.New("rt report: no result of the audit's tests"))
	case report.Total.Ours.Passing < report.Total.Ours.Tests:
		return fail(exitOther, fmt.Errorf("rt report: %d of %d tests did not pass", report.Total.Ours.Tests-report.Total.Ours.Passing, report.Total.Ours.Tests))
	}
	return nil
}

// run runs the tests.
func (c *rtReportCmd) run(ctx context.Context, s *streams, r *auditResults) error {
	if _, err := os.Stat(filepath.Join(c.Source, "cmd", "libisthmus", "audit_test.go")); err != nil {
		return fail(exitInput, fmt.Errorf("rt report: the sources of isthmus are not in %s; give --source, or a file with results of go test -json: %w", c.Source, isthmus.ErrNotFound))
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fail(exitOther, fmt.Errorf("rt report: the tests take the go command: %w; install Go, or give a file with results of go test -json", err))
	}
	p := newProgress(s)
	p.verbose = c.Verbose
	defer p.stop()
	for _, w := range auditWays {
		if c.Only != "" && c.Only != w.name {
			continue
		}
		p.phase("building and running the tests " + w.what)
		cmd := exec.Command("go", "test", "-json", "-count=1", "-timeout", "20m", "-run", w.run, w.pkg)
		cmd.Dir, cmd.Env = c.Source, os.Environ()
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		err := mpilaunch.Run(ctx, cmd, 5*time.Second) // the tests' processes end with the go command
		if ctx.Err() != nil {
			return &interruption{p.now(), ctx.Err()}
		}
		before := len(r.tests)
		if bad := r.read(&out); bad != nil {
			r.missing = append(r.missing, fmt.Sprintf("%s: %v", w.name, bad))
		}
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit) && len(r.tests) == before: // a test that failed says so itself
			r.missing = append(r.missing, fmt.Sprintf("%s: %s", w.name, cmp.Or(strings.TrimSpace(errs.String()), r.said(), err.Error())))
		case err != nil && exit == nil:
			r.missing = append(r.missing, fmt.Sprintf("%s: %v", w.name, err))
		case err == nil && len(r.tests) == before:
			r.missing = append(r.missing, fmt.Sprintf("%s: %s has no such tests", w.name, w.pkg))
		}
	}
	return nil
}

var declaration = regexp.MustCompile(`(?m)^RT_(?:API|FN)_ .*?\b(rt_[a-z0-9_]+)\(`)

// declared are the functions of the header, nil where it is not here.
func (c *rtReportCmd) declared() []string {
	text, err := os.ReadFile(filepath.Join(c.Source, "include", "isthmus_rt.h"))
	if err != nil {
		return nil
	}
	contract, _, _ := strings.Cut(string(text), "/* ---- What follows is how")
	var names []string
	for _, m := range declaration.FindAllStringSubmatch(contract, -1) {
		names = append(names, m[1])
	}
	return names
}

// auditResults are what go test said.
type auditResults struct {
	tests   map[auditTest]string // pass, fail or skip
	missing []string
	last    []string // the last lines that a package printed
}

// auditTest is one test, run one way.
type auditTest struct{ area, name, way string }

func (r *auditResults) said() string { return strings.TrimSpace(strings.Join(r.last, "")) }

// read takes the results out of the stream of go test -json.
func (r *auditResults) read(from io.Reader) error {
	if r.tests == nil {
		r.tests = map[auditTest]string{}
	}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	n, output := 0, map[string]string{}
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		n++
		var e struct{ Action, Package, ImportPath, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			return fmt.Errorf("line %d is no event of go test -json: %.60q", n, lines.Text())
		}
		switch {
		case e.Action == "output" || e.Action == "build-output":
			output[e.Test] += e.Output
			if e.Test == "" {
				r.last = append(r.last, e.Output)
			}
			continue
		case e.Action != "pass" && e.Action != "fail" && e.Action != "skip":
			continue
		}
		parts := strings.Split(e.Test, "/")
		if parts[0] != "TestAudit" {
			continue
		}
		way, rest := "go", parts[1:]
		for _, w := range auditWays {
			if len(rest) > 0 && rest[0] == w.name {
				way, rest = w.name, rest[1:]
			}
		}
		switch {
		case len(rest) == 2:
			r.tests[auditTest{rest[0], rest[1], way}] = e.Action
		case e.Action == "skip":
			why := strings.TrimSpace(regexp.MustCompile(`(?m)^\s*(=== RUN|--- SKIP|=== ).*$`).ReplaceAllString(output[e.Test], ""))
			r.missing = append(r.missing, fmt.Sprintf("%s was skipped: %s", e.Test, why))
		case e.Action == "fail" && len(rest) == 1: // its own failure, besides those of its tests: fewer tests than there were
			if !slices.ContainsFunc(slices.Collect(maps.Keys(r.tests)), func(t auditTest) bool { return t.area == rest[0] && r.tests[t] == "fail" }) {
				r.tests[auditTest{rest[0], "(the whole)", way}] = "fail"
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return nil
}

// report counts. A test passes when it passes in every way in which it was run.
func (r *auditResults) report(functions []string) *rtReport {
	out := &rtReport{Missing: r.missing, Failed: []string{}, Total: rtLine{Name: "all"}}
	if out.Missing == nil {
		out.Missing = []string{}
	}
	for i, name := range phases[1:] {
		out.Phases = append(out.Phases, rtLine{Phase: i + 1, Name: name})
	}
	ways := map[string]*rtWay{}
	for _, a := range categories {
		passes := map[string]bool{}
		for t, result := range r.tests {
			if t.area != a.area || result == "skip" {
				continue
			}
			was, seen := passes[t.name]
			passes[t.name] = result == "pass" && (was || !seen)
			w := ways[t.way]
			if w == nil {
				w = &rtWay{Name: t.way}
				ways[t.way] = w
			}
			w.Tests++
			if result == "pass" {
				w.Passing++
			} else {
				out.Failed = append(out.Failed, fmt.Sprintf("%s/%s (%s)", t.area, t.name, t.way))
			}
		}
		ours := figures{Tests: len(passes)}
		for _, ok := range passes {
			if ok {
				ours.Passing++
			}
		}
		for _, f := range functions {
			if strings.HasPrefix(f, a.prefix) {
				ours.Functions++
			}
		}
		line := rtLine{Phase: a.phase, Name: a.title}
		line.Ours.add(ours)
		line.Original.add(figures{Functions: a.functions, Tests: a.tests, Passing: a.passing})
		out.Categories = append(out.Categories, line)
		for _, sum := range []*rtLine{&out.Phases[a.phase-1], &out.Total} {
			sum.Ours.add(line.Ours)
			sum.Original.add(line.Original)
		}
		if ours.Tests == 0 {
			out.Missing = append(out.Missing, fmt.Sprintf("%s: no tests were run", a.title))
		}
	}
	slices.Sort(out.Failed)
	for _, w := range auditWays {
		if ways[w.name] != nil {
			ways[w.name].what = w.what
			out.Ways = append(out.Ways, *ways[w.name])
		}
	}
	return out
}

func (f figures) cells() []any {
	rate := "-"
	if f.Rate != nil {
		rate = fmt.Sprintf("%.0f%%", 100**f.Rate)
	}
	functions := any("-")
	if f.Functions > 0 {
		functions = f.Functions
	}
	return []any{functions, f.Tests, f.Passing, rate}
}

func (r *rtReport) print(w io.Writer) {
	header := []any{"", "functions", "tests", "passing", "rate", "", "functions", "tests", "passing", "rate"}
	fmt.Fprintln(w, "The audit of the runtime's C functions: isthmus, and beside it the original as of 2025-01-06.")
	t := newTable(header...)
	row := func(name string, l rtLine) {
		t.AppendRow(append(append(append(table.Row{name}, l.Ours.cells()...), "|"), l.Original.cells()...))
	}
	for _, p := range r.Phases {
		row(fmt.Sprintf("phase %d: %s", p.Phase, p.Name), p)
		for _, c := range r.Categories {
			if c.Phase == p.Phase {
				row("  "+c.Name, c)
			}
		}
	}
	t.AppendSeparator()
	row("all", r.Total)
	fmt.Fprintln(w, t.Render())
	for _, way := range r.Ways {
		fmt.Fprintf(w, "%s: %d of %d\n", way.what, way.Passing, way.Tests)
	}
	for _, f := range r.Failed {
		fmt.Fprintln(w, "failed:", printable(f))
	}
	for _, m := range r.Missing {
		fmt.Fprintln(w, "not run:", printable(m))
	}
}
