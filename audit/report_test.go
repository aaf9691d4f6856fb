package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit"
)

const leaky = `package p

// #include <stdlib.h>
// #include <stdio.h>
import "C"

import "unsafe"

func Leak(s string) {
	c := C.CString(s)
	C.puts(c)
}

func Path(s string, n int) int {
	c := C.CString(s)
	if n < 0 {
		return 1
	}
	C.free(unsafe.Pointer(c))
	return 0
}
`

// module writes a module and returns its folder. Its C is never compiled: the runs are without cgo.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/m\n\ngo 1.26\n"
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func run(t *testing.T, o audit.Options) *audit.Report {
	t.Helper()
	o.NoCgo = true
	r, err := audit.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func found(r *audit.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Rule+" "+f.Function)
	}
	return out
}

func TestIgnore(t *testing.T) {
	source := strings.Replace(leaky, "c := C.CString(s)\n\tC.puts", "c := C.CString(s) //isthmus:ignore cstring-leak it lives as long as the process\n\tC.puts", 1)
	source = strings.Replace(source, "\tC.free(", "\t//isthmus:ignore double-free nothing is freed twice\n\tC.free(", 1)
	source = strings.Replace(source, "func Path", "//isthmus:ignore leak-on-path\nfunc Path", 1)
	r := run(t, audit.Options{Dir: module(t, map[string]string{"p.go": source})})
	want := []string{"ignore ", "leak-on-path Path", "ignore Path"} // without a reason, found still, not needed
	if diff := cmp.Diff(want, found(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(r.Ignored) != 1 || r.Ignored[0].Reason != "it lives as long as the process" {
		t.Errorf("ignored: %+v", r.Ignored)
	}
}

func TestBaseline(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	r := run(t, audit.Options{Dir: dir})
	if len(r.Findings) != 2 {
		t.Fatal(found(r))
	}
	base := filepath.Join(dir, "baseline")
	if err := os.WriteFile(base, r.Baseline(), 0o666); err != nil {
		t.Fatal(err)
	}
	// Lines move, and one more appears.
	moved := strings.Replace(leaky, "func Leak", "func other(s string) { C.puts(C.CString(s)) }\n\n// Leak leaks.\nfunc Leak", 1)
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(moved), 0o666); err != nil {
		t.Fatal(err)
	}
	r = run(t, audit.Options{Dir: dir, Baseline: base})
	if diff := cmp.Diff([]string{"cstring-leak other"}, found(r)); diff != "" || r.Known != 2 {
		t.Errorf("%d known, findings (-want +got):\n%s", r.Known, diff)
	}
}

func TestFix(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	stop := errors.New("stop")
	if _, err := run(t, audit.Options{Dir: dir}).Fix(func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	n, err := run(t, audit.Options{Dir: dir}).Fix(nil)
	if err != nil || n != 1 {
		t.Fatalf("%d changes, %v", n, err)
	}
	if diff := cmp.Diff([]string{"leak-on-path Path"}, found(run(t, audit.Options{Dir: dir}))); diff != "" {
		t.Errorf("findings after the repair (-want +got):\n%s", diff)
	}
}

// TestFixAllOrNothing lets the second file fail: the first gets its content back.
func TestFixAllOrNothing(t *testing.T) {
	dir := module(t, map[string]string{"a/p.go": leaky, "b/p.go": leaky})
	stop := errors.New("stop")
	n, err := run(t, audit.Options{Dir: dir}).Fix(func(name string, content []byte) error {
		if strings.HasSuffix(filepath.ToSlash(name), "b/p.go") {
			return stop
		}
		return os.WriteFile(name, content, 0o666)
	})
	if n != 0 || !errors.Is(err, stop) {
		t.Errorf("%d changes, %v", n, err)
	}
	for _, name := range []string{"a/p.go", "b/p.go"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != leaky {
			t.Errorf("%s has changed: %v\n%s", name, err, b)
		}
	}
}

// TestFormats looks at what readers of each form rely on.
func TestFormats(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	r := run(t, audit.Options{Dir: dir})
	var text, js, sarif, md, html bytes.Buffer
	for _, err := range []error{r.WriteText(&text), r.WriteJSON(&js), r.WriteSARIF(&sarif), r.WriteMarkdown(&md, "m"), r.WriteHTML(&html, "m")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, have, want string }{
		{"text", text.String(), "p.go:10:16: error: what C.CString gives is never freed; it wants C.free [cstring-leak]"},
		{"text", text.String(), "\tp.go:17:3: returns without freeing"},
		{"text", text.String(), "2 errors, 0 warnings"},
		{"text", text.String(), "not checked:\n  where unsafe may be: there is no policy file"},
		{"text", text.String(), "what only C headers say: cgo was not to be run"},
		{"markdown", md.String(), "### 1. "},
		{"markdown", md.String(), "- `p.go` L10, `Leak`: what C.CString gives"},
		{"markdown", md.String(), "## Recommended order of repair"},
		{"markdown", md.String(), "| `example.com/m` | 2 | "},
		{"markdown", md.String(), "| not safe |"},
		{"html", html.String(), `<span class="here">   10      c := C.CString(s)</span>`},
	} {
		if !strings.Contains(c.have, c.want) {
			t.Errorf("%s lacks %q:\n%s", c.name, c.want, c.have)
		}
	}
	if strings.Contains(html.String(), "src=") || strings.Contains(html.String(), "href=") {
		t.Error("the page needs something that is not in it")
	}
	var back audit.Report
	if err := json.Unmarshal(js.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Findings, back.Findings); diff != "" {
		t.Errorf("JSON (-written +read):\n%s", diff)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
				CodeFlows           []any
				PartialFingerprints map[string]string
			}
		}
	}
	if err := json.Unmarshal(sarif.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) != 2 {
		t.Fatalf("%s", sarif.Bytes())
	}
	for i, res := range log.Runs[0].Results {
		at := res.Locations[0].PhysicalLocation
		if log.Runs[0].Tool.Driver.Rules[res.RuleIndex].ID != res.RuleID || at.ArtifactLocation.URI != "p.go" || at.Region.StartLine != r.Findings[i].Place.Line ||
			at.Region.StartColumn == 0 || res.Level != "error" || len(res.PartialFingerprints) != 1 || (len(res.CodeFlows) > 0) != (len(r.Findings[i].Path) > 0) {
			t.Errorf("result %d: %+v", i, res)
		}
	}
}

// TestBroken shows that what cannot be looked at is said, and that the rest is looked at.
func TestBroken(t *testing.T) {
	dir := module(t, map[string]string{
		"types/p.go":   leaky + "\nfunc broken() { undefined() }\n",
		"syntax/p.go":  leaky + "\nfunc {\n",
		"missing/p.go": strings.Replace(leaky, `import "unsafe"`, "import (\n\t\"unsafe\"\n\t\"example.com/none\"\n)\n\nvar _ = none.X", 1),
		"good/p.go":    leaky,
		"main/a.go":    leaky + "\nfunc main() {}\n",
		"main/b.go":    strings.NewReplacer("Leak", "main", "Path", "other").Replace(leaky),
		"field/p.go":   strings.Replace(leaky, `import "unsafe"`, "import (\n\t\"unsafe\"\n\t\"example.com/none\"\n)\n\ntype t struct{ x none.X }\n\nfunc (t t) f() { y := t.x; y.G(func() {}); <-y }", 1),
	})
	r := run(t, audit.Options{Dir: dir})
	skipped := map[string]string{}
	counts := map[string]int{}
	for _, p := range r.Packages {
		skipped[p.Path] = strings.Join(p.Skipped, "\n")
	}
	for _, f := range r.Findings {
		counts[f.Package]++
	}
	for pkg, say := range map[string]string{"types": "function broken: undefined: undefined", "syntax": "p.go: line", "missing": "example.com/none", "main": "main is declared again", "field": "function f: the type of"} {
		if !strings.Contains(skipped["example.com/m/"+pkg], say) {
			t.Errorf("%s: %q does not say %q", pkg, skipped["example.com/m/"+pkg], say)
		}
	}
	for pkg, want := range map[string]int{"types": 2, "missing": 2, "good": 2, "field": 2, "main": 4} {
		if counts["example.com/m/"+pkg] != want {
			t.Errorf("%s: %d findings; not checked: %s", pkg, counts["example.com/m/"+pkg], skipped["example.com/m/"+pkg])
		}
	}
}

// TestOtherPlatform looks at code for a system that is not this one.
func TestOtherPlatform(t *testing.T) {
	dir := module(t, map[string]string{"p_windows.go": leaky, "p.go": "package p\n"})
	r := run(t, audit.Options{Dir: dir, GOOS: "windows", GOARCH: "arm64"})
	if diff := cmp.Diff([]string{"cstring-leak Leak", "leak-on-path Path"}, found(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestPolicy(t *testing.T) {
	policy := `{"allow": {"cgo": ["raw/..."], "unsafe": ["raw"]}, "safety": [], "budget": {}}`
	dir := module(t, map[string]string{"isthmus-audit.json": policy, "raw/p.go": leaky, "raw/deep/p.go": leaky, "p_test.go": "package m\n\nimport _ \"unsafe\"\n", "p.go": "package m\n"})
	r := run(t, audit.Options{Dir: dir, Enable: []string{"confine"}, Tests: true})
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.Place.File)
	}
	if diff := cmp.Diff([]string{"p_test.go", "raw/deep/p.go"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{`{"allow": {"unsave": []}}`, `{"alow": {}}`, `{`} {
		dir := module(t, map[string]string{"isthmus-audit.json": bad, "p.go": "package m\n"})
		if _, err := audit.Run(context.Background(), audit.Options{Dir: dir}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestErrors(t *testing.T) {
	dir := module(t, map[string]string{"p.go": "package m\n"})
	if _, err := audit.Run(context.Background(), audit.Options{Dir: dir, Enable: []string{"no-such-rule"}}); !errors.Is(err, isthmus.ErrNotFound) {
		t.Errorf("a rule that there is not: %v", err)
	}
	if _, err := audit.Run(context.Background(), audit.Options{Dir: dir, Patterns: []string{"./nothing/..."}}); err == nil {
		t.Errorf("no packages: %v", err)
	}
	blind := module(t, map[string]string{"p.go": "package m\n\n// #include <none.h>\nimport \"C\"\n\nfunc F() { C.none_call(C.NONE) }\n"})
	if _, err := audit.Run(context.Background(), audit.Options{Dir: blind, NoCgo: true}); !errors.Is(err, isthmus.ErrUnsupported) {
		t.Errorf("nothing could be seen: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := audit.Run(ctx, audit.Options{Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var none *audit.Report
	if none.Failed() || len(none.Count()) != 0 || none.WriteText(new(bytes.Buffer)) != nil || none.WriteSARIF(new(bytes.Buffer)) != nil {
		t.Error("no report is not empty")
	}
}

// TestNotChecked says each reason once, with the first of its places.
func TestNotChecked(t *testing.T) {
	var b strings.Builder
	r := &audit.Report{Packages: []audit.PackageReport{{Path: "p", Skipped: []string{
		"a.go:1: function A: undefined: C", "what only C headers say: far.h", "a.go:2: undefined: C", "a.go:3: function B: undefined: C", "a.go:4: no x",
		"a.go:5: undefined: C", "a.go:6: undefined: C", "b.go:1: function D: y", "b.go:2: y",
	}}}}
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(b.String(), "not checked:\n")
	want := `  p: undefined: C, in 5 places (JSON has all): a.go:1: function A, a.go:2, a.go:3: function B, a.go:5, ...
  p: what only C headers say: far.h
  p: a.go:4: no x
  p: y: b.go:1: function D, b.go:2
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
