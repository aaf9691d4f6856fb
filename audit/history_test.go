package audit_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
)

// TestHistory holds the rules to bugs that public modules had: each is found in the shape that the code had before it was
// mended, on its line, and nothing is found in the code after.
func TestHistory(t *testing.T) {
	bugs, err := os.ReadDir("testdata/history")
	if err != nil || len(bugs) < 20 {
		t.Fatal(len(bugs), err)
	}
	var dirs []string
	for _, b := range bugs {
		for _, side := range []string{"before", "after"} {
			dirs = append(dirs, "./testdata/history/"+b.Name()+"/"+side)
		}
	}
	want := marksOf(t, dirs)
	for _, b := range bugs {
		if n := "testdata/history/" + b.Name() + "/before/"; !slices.ContainsFunc(want, func(m string) bool { return strings.HasPrefix(m, n) }) {
			t.Errorf("%s has no mark", n)
		}
	}
	for _, c := range []struct {
		name  string
		noCgo bool
	}{{"cgo", false}, {"without headers", true}} {
		t.Run(c.name, func(t *testing.T) {
			if !c.noCgo && testing.Short() {
				t.Skip("it starts cgo for each package")
			}
			got := corpus(t, audit.Options{Patterns: dirs, NoCgo: c.noCgo, Disable: house})
			got = slices.DeleteFunc(got, func(g string) bool { return strings.HasSuffix(g, ":note") })
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-marked +found):\n%s", diff)
			}
		})
	}
}

// TestHistoryDoc holds the table in docs/history.md to the examples.
func TestHistoryDoc(t *testing.T) {
	bugs, err := filepath.Glob("testdata/history/*/before/x.go")
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, name := range bugs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		bug, source := field(string(text), "// Bug: "), field(string(text), "// Source: ")
		if bug == "" || !strings.HasPrefix(source, "github.com/") {
			t.Errorf("%s does not say what the bug is and where it was", name)
		}
		var rules []string
		for line := range strings.Lines(string(text)) {
			if m := want.FindStringSubmatch(strings.TrimSpace(line)); m != nil {
				rule, _, _ := strings.Cut(m[1], ":")
				rules = append(rules, "`"+rule+"`")
			}
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", path.Base(filepath.ToSlash(filepath.Dir(filepath.Dir(name)))), bug, strings.Join(slices.Compact(rules), ", "), source)
	}
	const file, head = "../docs/history.md", "| bug | what was wrong | found by | source |\n|---|---|---|---|\n"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(old), head)
	if !ok {
		t.Fatalf("%s has no table", file)
	}
	now := before + head + rows.String()
	if *update {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(old), now); diff != "" {
		t.Errorf("%s is not what the examples say (-there +now); go test ./audit -run HistoryDoc -update\n%s", file, diff)
	}
}

func field(text, name string) string {
	_, rest, _ := strings.Cut(text, name)
	line, _, _ := strings.Cut(rest, "\n")
	return line
}
