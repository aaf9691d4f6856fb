package audit_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
	auditrules "github.com/isthmus-ffi/isthmus/audit/rules"
	"github.com/isthmus-ffi/isthmus/docs/checks"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

// TestObserved runs programs that break rules where only a run shows it, each under the validation layer of its boundary:
// the source alone has no finding, and with what the run reported each is at the line that is marked, in Go or in C, with
// the rule of the source beside it where there is one.
func TestObserved(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	for _, name := range []string{"pjrt", "mpi", "rt"} {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "mpi":
				if all, err := mpitest.Libraries(); err != nil || len(all) == 0 {
					t.Skip("no MPI library is installed", err)
				}
			case "rt":
				needCgo(t)
			}
			dir := "./testdata/observed/" + name
			report := observe(t, dir)
			f, err := os.Open(report)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := audit.Run(context.Background(), audit.Options{Patterns: []string{dir}, Disable: house})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range r.Findings {
				t.Errorf("the source shows it: %s: %s: %s", f.Place, f.Rule, f.Message)
			}
			if _, _, err := r.Observe(report, f); err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, f := range r.Findings {
				got = append(got, fmt.Sprintf("%s:%d: %s", f.Place.File, f.Place.Line, f.Rule))
				page, ok := checks.Page(f.Rule)
				if !ok || f.Tool != "run" {
					t.Errorf("%s of %q has no page", f.Rule, f.Tool)
				}
				for _, rule := range sourceRules(f.Message) {
					if _, ok := checks.Page("audit/" + rule); !ok {
						t.Errorf("%s: %s is no rule", f.Message, rule)
					}
				}
				if path.Base(f.Rule) == "leak" && (!strings.Contains(f.Message, "leak-on-path") || !strings.Contains(page, "# ")) {
					t.Errorf("%s does not name the rule for the source", f.Message)
				}
			}
			if diff := cmp.Diff(observedMarks(t, dir), got); diff != "" {
				t.Errorf("findings (-marked +found):\n%s", diff)
			}
		})
	}
}

// TestObservedRules has every rule of the layers that a rule of the source stands beside be one.
func TestObservedRules(t *testing.T) {
	names := map[string]bool{}
	for _, a := range auditrules.All() {
		names[strings.ReplaceAll(a.Name, "_", "-")] = true
	}
	layers := map[string]bool{}
	for _, id := range checks.IDs() {
		layers[path.Base(id)] = layers[path.Base(id)] || !strings.HasPrefix(id, "audit/")
	}
	for base, rules := range audit.Related {
		if !layers[base] && !slices.Contains([]string{"lost-loan", "panic"}, base) { // those that package isthmus reports itself
			t.Errorf("no layer has a rule %s", base)
		}
		for _, r := range rules {
			if !names[r] {
				t.Errorf("%s: there is no rule %s", base, r)
			}
		}
	}
}

var inSource = regexp.MustCompile(`\(in source: ([a-z0-9, -]+)\)`)

func sourceRules(message string) []string {
	if m := inSource.FindStringSubmatch(message); m != nil {
		return strings.Split(m[1], ", ")
	}
	return nil
}

func needCgo(t *testing.T) {
	t.Helper()
	out, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil || strings.TrimSpace(string(out)) != "1" {
		t.Skip("without cgo", err)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip(err)
	}
}

// observe builds and runs a program, and returns the file with what was reported.
func observe(t *testing.T, dir string) string {
	t.Helper()
	tmp := t.TempDir()
	program, report := filepath.Join(tmp, "program"), filepath.Join(tmp, "run.jsonl")
	if out, err := exec.Command("go", "build", "-o", program, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "ISTHMUS_REPORT="+report, "ISTHMUS_CHECK=validate")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return report
}

var wantObserved = regexp.MustCompile(`// want ((?:pjrt|mpi|rt)/[a-z-]+)$`)

func observedMarks(t *testing.T, dir string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if m := wantObserved.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
			out = append(out, fmt.Sprintf("%s/main.go:%d: %s", path.Clean(dir), n, m[1]))
		}
	}
	return out
}
