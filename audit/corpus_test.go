package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
)

var want = regexp.MustCompile(`// want ([a-z0-9:, -]+)$`)

// house are the rules that this module's policy is about, not the examples.
var house = []string{"confine", "safety-comment", "raw-pointer-api"}

// TestCorpus runs every rule over the examples of all rules. Each example has bad code, whose lines are marked, and code
// that looks like it and is good: a finding without a mark is a failure as much as a mark without a finding.
func TestCorpus(t *testing.T) {
	var confined, examples []string
	for _, d := range folders(t) {
		if strings.Contains(d, "/confine/") {
			confined = append(confined, d)
		} else {
			examples = append(examples, d)
		}
	}
	got := corpus(t, audit.Options{Patterns: confined})
	got = append(got, corpus(t, audit.Options{Patterns: examples, Disable: house})...)
	slices.Sort(got)
	if diff := cmp.Diff(marks(t), got); diff != "" {
		t.Errorf("findings (-marked +found):\n%s", diff)
	}
}

// TestCorpusWithoutHeaders looks at the same where cgo does not run: fewer are found, and nothing else is.
func TestCorpusWithoutHeaders(t *testing.T) {
	var examples []string
	all := marks(t)
	for _, d := range folders(t) {
		if !strings.Contains(d, "/confine/") {
			examples = append(examples, d)
		}
	}
	all = slices.DeleteFunc(all, func(m string) bool { return strings.Contains(m, "/confine/") })
	got := corpus(t, audit.Options{Patterns: examples, NoCgo: true, Disable: house})
	found := 0
	for _, g := range got {
		if slices.Contains(all, g) {
			found++
		} else {
			t.Errorf("false alarm: %s", g)
		}
	}
	t.Logf("%d of %d are found without headers", found, len(all))
	if found < len(all)*8/10 {
		for _, m := range all {
			if !slices.Contains(got, m) {
				t.Logf("not found: %s", m)
			}
		}
		t.Errorf("only %d of %d are found without headers", found, len(all))
	}
}

func folders(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("rules/*/testdata/src/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	dirs := []string{"./rules/confine/testdata/src/internal/raw/deep"}
	for _, f := range files {
		dirs = append(dirs, "./"+filepath.ToSlash(filepath.Dir(f)))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func corpus(t *testing.T, o audit.Options) []string {
	t.Helper()
	r, err := audit.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Packages {
		for _, s := range p.Skipped {
			if o.NoCgo && testing.Verbose() {
				t.Logf("%s: %s", p.Path, s)
			} else if !o.NoCgo {
				t.Errorf("%s was not looked at: %s", p.Path, s)
			}
		}
	}
	got := []string{}
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s:%d: %s:%s", f.Place.File, f.Place.Line, f.Rule, f.Severity))
		if testing.Verbose() {
			t.Logf("%s: %s: %s: %s", f.Place, f.Rule, f.Severity, f.Message)
		}
	}
	return got
}

// marks reads the comments "// want RULE", with :SEVERITY where the rule has more than one.
func marks(t *testing.T) []string {
	t.Helper()
	return marksOf(t, folders(t))
}

func marksOf(t *testing.T, dirs []string) []string {
	t.Helper()
	out := []string{}
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for s := bufio.NewScanner(f); s.Scan(); {
				n++
				m := want.FindStringSubmatch(s.Text())
				if m == nil {
					continue
				}
				for _, w := range strings.Split(m[1], ",") {
					rule, sev, ok := strings.Cut(strings.TrimSpace(w), ":")
					if !ok {
						sev = "error"
					}
					out = append(out, fmt.Sprintf("%s:%d: %s:%s", filepath.ToSlash(filepath.Clean(name)), n, rule, sev))
				}
			}
			f.Close()
		}
	}
	slices.Sort(out)
	return out
}
