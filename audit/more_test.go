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
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit"
)

func TestDiff(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky, "q/q.go": strings.Replace(leaky, "package p", "package q", 1)})
	before := run(t, audit.Options{Dir: dir})
	if len(before.Findings) != 4 {
		t.Fatal(found(before))
	}
	// One is repaired, one is new, one moves down, a package gets another name, and one stays.
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("p.go", strings.Replace(strings.Replace(leaky, "\t\treturn 1\n", "\t\tC.free(unsafe.Pointer(c))\n\t\treturn 1\n", 1), "func Path", "func more(s string) { C.puts(C.CString(s + s)) }\n\nfunc Path", 1))
	if err := os.RemoveAll(filepath.Join(dir, "q")); err != nil {
		t.Fatal(err)
	}
	write("r/r.go", strings.Replace(leaky, "package p", "package r", 1))
	after := run(t, audit.Options{Dir: dir})
	d := audit.Diff(before, after)
	list := func(fs []audit.Finding) []string { return found(&audit.Report{Findings: fs}) }
	if diff := cmp.Diff([]string{"cstring-leak more"}, list(d.New)); diff != "" {
		t.Errorf("new (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"leak-on-path Path"}, list(d.Fixed)); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	var moved []string
	for _, m := range d.Moved {
		moved = append(moved, m.From.File+" "+m.Now.Place.File+" "+m.Now.Function)
	}
	if diff := cmp.Diff([]string{"q/q.go r/r.go Leak", "q/q.go r/r.go Path"}, moved); diff != "" || d.Same != 1 || !d.Failed() {
		t.Errorf("%d the same, failed %v, moved (-want +got):\n%s", d.Same, d.Failed(), diff)
	}
	if d := audit.Diff(after, after); d.Failed() || d.Same != len(after.Findings) || len(d.New)+len(d.Fixed)+len(d.Moved) > 0 {
		t.Errorf("with itself: %+v", d)
	}
	var text, js, md bytes.Buffer
	if err := errors.Join(d.WriteText(&text), d.WriteJSON(&js), d.WriteMarkdown(&md)); err != nil {
		t.Fatal(err)
	}
	for have, want := range map[string]string{text.String(): "1 new, 1 fixed, 2 moved, 1 the same", js.String(): `"new": [`, md.String(): "### New"} {
		if !strings.Contains(have, want) {
			t.Errorf("%q lacks %q", have, want)
		}
	}
}

const clippy = `{"reason":"compiler-artifact","target":{"name":"x"}}
{"reason":"compiler-message","message":{"message":"unsafe block missing a safety comment","level":"warning","code":{"code":"clippy::undocumented_unsafe_blocks"},"spans":[{"file_name":"src/lib.rs","line_start":12,"column_start":5,"is_primary":true,"text":[{"text":"    unsafe { f() }"}]},{"file_name":"src/lib.rs","line_start":3,"column_start":1,"is_primary":false,"label":"declared here","text":[]}]}}
{"reason":"compiler-message","message":{"message":"unsafe block missing a safety comment","level":"warning","code":{"code":"clippy::undocumented_unsafe_blocks"},"spans":[{"file_name":"src/lib.rs","line_start":12,"column_start":5,"is_primary":true,"text":[{"text":"    unsafe { f() }"}]}]}}
{"reason":"compiler-message","message":{"message":"mismatched types","level":"error","code":{"code":"E0308"},"spans":[{"file_name":"src/main.rs","line_start":2,"column_start":9,"is_primary":true}]}}
{"reason":"compiler-message","message":{"message":"2 warnings emitted","level":"warning","spans":[]}}
{"reason":"build-finished","success":true}
`

const otherSARIF = `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"lint","rules":[
  {"id":"L1","defaultConfiguration":{"level":"error"},"messageStrings":{"m":{"text":"{0} is given to {1}"}}},{"id":"L2"}]}},
 "originalUriBaseIds":{"SRC":{"uri":"file://DIR/src/"}},"artifacts":[{"location":{"uri":"a%20b.c"}}],
 "results":[
  {"ruleIndex":0,"message":{"id":"m","arguments":["p","f"]},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"x.c","uriBaseId":"SRC"},"region":{"startLine":7,"snippet":{"text":" f(p);"}}}}],
   "codeFlows":[{"threadFlows":[{"locations":[{"location":{"physicalLocation":{"artifactLocation":{"uri":"x.c","uriBaseId":"SRC"},"region":{"startLine":5}},"message":{"text":"allocated"}}}]}]}]},
  {"ruleId":"L2","level":"note","message":{"text":"a note"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0},"region":{"startLine":1}}}]},
  {"ruleId":"L2","message":{"text":"accepted"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"y.c"}}}],"suppressions":[{"kind":"external","justification":"known"}]},
  {"ruleId":"L2","kind":"pass","message":{"text":"fine"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"y.c"}}}]},
  {"ruleId":"L2","baselineState":"absent","message":{"text":"gone"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"y.c"}}}]}]}]}`

// TestImport makes one report of both sides of a boundary.
func TestImport(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	r := run(t, audit.Options{Dir: dir})
	var mine bytes.Buffer
	if err := r.WriteSARIF(&mine); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"clippy.json", clippy, 2},
		{"clippy.json again", clippy, 0},
		{"lint.sarif", strings.Replace(otherSARIF, "DIR", filepath.ToSlash(dir), 1), 3},
		{"our own, which are there", mine.String(), 0},
	} {
		if n, err := r.Import(c.name, strings.NewReader(c.text)); n != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", c.name, n, err, c.want)
		}
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, strings.Join([]string{f.Place.String(), f.Severity.String(), f.Rule, f.Message}, " "))
	}
	want := []string{
		"a b.c:1:1 note L2 a note",
		"p.go:10:16 error cstring-leak what C.CString gives is never freed; it wants C.free",
		"p.go:15:16 error leak-on-path what C.CString gives is not freed on every path; it wants C.free",
		"src/lib.rs:12:5 warning clippy::undocumented_unsafe_blocks unsafe block missing a safety comment",
		"src/main.rs:2:9 error E0308 mismatched types",
		"src/x.c:7:1 error L1 p is given to f",
	}
	got[2] = want[2] // its words are its rule's affair
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Ignored) != 1 || r.Ignored[0].Reason != "known" {
		t.Errorf("ignored: %+v", r.Ignored)
	}
	if diff := cmp.Diff(map[string]int{"clippy": 1, "rustc": 1, "lint": 3}, r.Imported); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var text, js, sarif, md, html bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteJSON(&js), r.WriteSARIF(&sarif), r.WriteMarkdown(&md, "m"), r.WriteHTML(&html, "m")); err != nil {
		t.Fatal(err)
	}
	for name, have := range map[string]string{"text": text.String(), "json": js.String(), "sarif": sarif.String(), "md": md.String(), "html": html.String()} {
		for _, want := range []string{"clippy::undocumented_unsafe_blocks", "cstring-leak", "src/x.c"} {
			if !strings.Contains(have, want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	// A report may be made of reports alone, and read again.
	sum := &audit.Report{}
	if n, err := sum.Import("all.json", bytes.NewReader(js.Bytes())); n != 7 || err != nil {
		t.Errorf("the report of all: %d, %v", n, err)
	}
	sum = &audit.Report{}
	if n, err := sum.Import("all.sarif", bytes.NewReader(sarif.Bytes())); n != 7 || err != nil || len(sum.Ignored) != 1 {
		t.Errorf("its SARIF: %d, %v", n, err)
	}
	for _, bad := range []string{"", "{", `{"a": 1}`, `{"version": "1.0", "runs": []}`, `[]`, `{"reason": "x"} {`} {
		if _, err := new(audit.Report).Import("bad", strings.NewReader(bad)); !errors.Is(err, isthmus.ErrInvalid) && !errors.Is(err, isthmus.ErrVersion) {
			t.Errorf("%s is taken: %v", bad, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(clippy))
	f.Add([]byte(otherSARIF))
	f.Add([]byte(`{"findings": [{"rule": "x", "severity": "error"}]}`))
	f.Add([]byte(`{"id":"pjrt/leak","text":"x","site":[{"file":"/a/p.go","line":3,"function":"a.b"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &audit.Report{}
		if n, err := r.Import("x", bytes.NewReader(b)); err == nil && n != len(r.Findings)+len(r.Ignored) {
			t.Errorf("%d are said, %d are there", n, len(r.Findings)+len(r.Ignored))
		}
		if _, _, err := r.Observe("x", bytes.NewReader(b)); err != nil && !errors.Is(err, isthmus.ErrInvalid) {
			t.Error(err)
		}
		var out bytes.Buffer
		if err := errors.Join(r.WriteText(&out), r.WriteSARIF(&out), r.WriteMarkdown(&out, "x")); err != nil {
			t.Error(err)
		}
	})
}

// TestObserve marks what a run saw, and adds what only a run sees.
func TestObserve(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	r := run(t, audit.Options{Dir: dir})
	p := filepath.ToSlash(filepath.Join(dir, "p.go"))
	lines := []string{
		`{"id":"pjrt/leak","text":"it was never destroyed","object":"pjrt.Buffer#3","made":[{"file":"/go/pkg/mod/lib@v1/lib.go","line":3,"function":"lib.New"},{"file":"` + p + `","line":10,"function":"example.com/m.Leak"}]}`,
		`{"id":"pjrt/leak","text":"it was never destroyed","made":[{"file":"example.com/m/p.go","line":10,"function":"example.com/m.Leak"}]}`, // -trimpath
		`{"id":"mpi/truncated","call":"MPI_Recv","text":"4 bytes are lost","site":[{"file":"/x/mpi.go","line":1,"function":"github.com/isthmus-ffi/isthmus/mpi.recv"},{"file":"` + p + `","line":10,"function":"example.com/m.Leak"},{"file":"` + p + `","line":20,"function":"example.com/m.Path"}]}`,
		`{"id":"mpi/truncated","call":"MPI_Recv","text":"8 bytes are lost","site":[{"file":"` + p + `","line":10,"function":"example.com/m.Leak"}]}`,
		`{"id":"pjrt/null-argument","call":"PJRT_Client_Devices","text":"args is null"}`, // of a host that is not Go
		``,
	}
	marked, added, err := r.Observe("run.jsonl", strings.NewReader(strings.Join(lines, "\n")))
	if marked != 1 || added != 2 || err != nil {
		t.Fatalf("%d marked, %d added, %v", marked, added, err)
	}
	var got []string
	for _, f := range r.Findings {
		got = append(got, strings.Join(append([]string{f.Place.String(), f.Rule, f.Tool}, f.Observed...), " "))
	}
	want := []string{
		"p.go:10:1 mpi/truncated run", "p.go:10:16 cstring-leak  pjrt/leak: it was never destroyed; pjrt.Buffer#3 pjrt/leak: it was never destroyed",
		"p.go:15:16 leak-on-path ", "run.jsonl:5:1 pjrt/null-argument run",
	}
	got[2] = want[2]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f := r.Findings[0]; f.Package != "example.com/m" || !strings.HasSuffix(f.Message, "(2 times)") || len(f.Path) != 1 || f.Path[0].Line != 20 {
		t.Errorf("%+v", f)
	}
	var md bytes.Buffer
	if err := r.WriteMarkdown(&md, "m"); err != nil || !strings.Contains(md.String(), "**observed**") || !strings.Contains(md.String(), "(mpi/truncated)") {
		t.Errorf("%v\n%s", err, md.String())
	}
	if _, _, err := r.Observe("x", strings.NewReader("no JSON")); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// TestObserveReporter reads what the root package writes.
func TestObserveReporter(t *testing.T) {
	var b bytes.Buffer
	report := isthmus.JSONReporter(&b)
	var e isthmus.Entry
	e.Enter("pjrt.Buffer")
	defer e.Leave()
	report(isthmus.Report{Problem: isthmus.ProblemLeak, Object: e.Object()})
	report(isthmus.Report{Problem: isthmus.ProblemMisuse, Object: e.Object(), Err: &isthmus.Finding{ID: "pjrt/use-after-destroy", Call: "PJRT_Buffer_Size", Text: "it is gone", Site: isthmus.Here()}})
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, audit.Options{Dir: dir, Patterns: []string{"."}, Enable: []string{"cstring-leak"}})
	if marked, added, err := r.Observe("run.jsonl", &b); marked != 0 || added != 2 || err != nil {
		t.Fatalf("%d marked, %d added, %v", marked, added, err)
	}
	for i, id := range []string{"pjrt/leak", "pjrt/use-after-destroy"} {
		f := r.Findings[i]
		if f.Rule != id || f.Place.File != "more_test.go" || f.Function != "audit_test.TestObserveReporter" {
			t.Errorf("%+v", f)
		}
	}
}

func TestTrend(t *testing.T) {
	dir := module(t, map[string]string{"p.go": leaky})
	r := run(t, audit.Options{Dir: dir})
	day := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	points := []audit.Point{(*audit.Report)(nil).Point(day, "v1"), r.Point(day.AddDate(0, 0, 1), "<v2>")}
	back, err := audit.ReadTrend(audit.WriteTrend(points))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(points, back); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if points[1].Errors != 2 || points[1].C == 0 {
		t.Errorf("%+v", points[1])
	}
	var html bytes.Buffer
	r.SetTrend(points)
	if err := r.WriteHTML(&html, "m"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<h2>Trend</h2>", `points="0,40 240,0"`, "from 2026-01-02 v1 to 2026-01-03 &lt;v2&gt;"} {
		if !strings.Contains(html.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, err := audit.ReadTrend([]byte("{}\nx\n")); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestCensus(t *testing.T) {
	dir := module(t, map[string]string{
		"p.go": leaky, "pure/p.go": "package pure\n",
		"u/u.go": "package u\n\nimport u \"unsafe\"\n\nvar X = u.Sizeof(0) + u.Sizeof(1)\n\n//go:linkname f g\nfunc f()\n", "u/u.s": "",
	})
	m, err := audit.TakeCensus(context.Background(), audit.Options{Dir: dir, NoCgo: true}, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []audit.Module{{
		Path: "example.com/m", Main: true, Packages: 3, Native: []string{"example.com/m", "example.com/m/u"}, Unsafe: 3, C: 5, Linkname: 1, Assembly: 1,
		Ready: "not safe", Errors: 2,
	}}
	if diff := cmp.Diff(want, m.Modules); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var text, js, md bytes.Buffer
	if err := errors.Join(m.WriteText(&text), m.WriteJSON(&js), m.WriteMarkdown(&md)); err != nil {
		t.Fatal(err)
	}
	if want := "example.com/m: not safe, 5 uses of C, 3 uses of unsafe, 1 directive, 1 file of assembly, 2 errors; in 2 of 3 packages\n"; !strings.HasPrefix(text.String(), want) {
		t.Errorf("%q does not begin with %q", text.String(), want)
	}
	if !json.Valid(js.Bytes()) || !strings.Contains(md.String(), "| `example.com/m` | 5 | 0 | 0 | 3 | 1 | 1 | 0 | 2 | 0 | not safe |") {
		t.Errorf("%s", md.String())
	}
}

func TestLayout(t *testing.T) {
	dir := module(t, map[string]string{
		"s.h":  "#include <stdint.h>\nstruct s { char c; int64_t n; void *p; };\nenum e { E_A, E_B = 4 };\n",
		"p.go": "package m\n\n//isthmus:mirrors struct s s.h\ntype S struct {\n\tC int8\n\tN int64\n\tP uintptr\n}\n\n//isthmus:mirrors struct s none.h\ntype T struct{}\n\n//isthmus:mirrors enum e s.h\nconst (\n\tA = 0\n\tB = 4\n\tOther = 5\n)\n",
	})
	for _, c := range []struct{ goarch, want string }{
		{"amd64", "p.go:4:6: linux/amd64: S, struct s of s.h: the same, 24 bytes\np.go:11:6: linux/amd64: T, struct s of none.h: not compared: none.h is not here\np.go:14:1: linux/amd64: A, enum e of s.h: the same, 2 constants; not compared: Other\n2 the same, 0 differ, 1 not compared\n"},
		{"arm", "p.go:4:6: linux/arm: S, struct s of s.h: differs: N is at offset 4, C's n at 8\n"},
	} {
		l, err := audit.Layout(context.Background(), audit.Options{Dir: dir, GOOS: "linux", GOARCH: c.goarch})
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := l.WriteText(&text); err != nil || !strings.HasPrefix(text.String(), c.want) || l.Failed() != strings.Contains(c.want, "differs") {
			t.Errorf("%s: %v\n%s", c.goarch, err, text.String())
		}
	}
	if s, err := audit.CLayout(filepath.Join(dir, "s.h"), "struct s", "linux", "386", nil); err != nil || !strings.HasPrefix(s, "struct s: 16 bytes, alignment 4\n") {
		t.Errorf("%v %s", err, s)
	}
	if _, err := audit.CLayout(filepath.Join(dir, "s.h"), "struct none", "linux", "386", nil); !errors.Is(err, isthmus.ErrNotFound) {
		t.Error(err)
	}
}
