package audit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/docs/checks"
)

// class is a row of docs/classes.md.
type class struct{ id, source, layer, run string }

func classes(t *testing.T) (out []class, text string) {
	t.Helper()
	b, err := os.ReadFile("../docs/classes.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\[([a-z0-9/-]+)\]\(([a-z0-9/.-]+)\)`)
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 7 || !regexp.MustCompile(`^ [A-Z]{3}\d\d $`).MatchString(cells[1]) {
			continue
		}
		c := class{id: strings.TrimSpace(cells[1]), run: strings.TrimSpace(cells[5])}
		for i, to := range map[int]*string{3: &c.source, 4: &c.layer} {
			var ids []string
			for _, m := range link.FindAllStringSubmatch(cells[i], -1) {
				id := m[1]
				if i == 3 {
					id = "audit/" + id
				}
				if _, ok := checks.Page(id); !ok || m[2] != "checks/"+id+".md" {
					t.Errorf("%s: %s leads to %s", c.id, id, m[2])
				}
				ids = append(ids, m[1])
			}
			*to = strings.Join(ids, " ")
		}
		out = append(out, c)
	}
	return out, string(b)
}

// TestClasses holds docs/classes.md to its proofs, but for those that are run, which TestClassesRun does.
func TestClasses(t *testing.T) {
	all, text := classes(t)
	marked := map[string]bool{}
	for _, m := range marks(t) {
		rule, _, _ := strings.Cut(m[strings.LastIndex(m, ": ")+2:], ":")
		marked[rule] = true
	}
	broken := brokenByTests(t)
	inSource, found := 0, 0
	seen := map[string]bool{}
	for _, c := range all {
		if seen[c.id] {
			t.Errorf("%s stands twice", c.id)
		}
		seen[c.id] = true
		if c.source != "" {
			inSource++
			if !marked[c.source] {
				t.Errorf("%s: no line of the corpus is marked with %s", c.id, c.source)
			}
		}
		for _, id := range strings.Fields(c.layer) {
			if !broken(id) {
				t.Errorf("%s: no test breaks %s", c.id, id)
			}
		}
		if c.source+c.layer+c.run != "" {
			found++
		}
	}
	if len(all) != 67 {
		t.Errorf("%d classes", len(all))
	}
	if want := fmt.Sprintf("%d are found in source, %d with\nthe layers and a run", inSource, found); !strings.Contains(text, want) {
		t.Errorf("docs/classes.md does not say %q", want)
	}
	if inSource < 48 || found < 58 {
		t.Errorf("%d are found in source, %d in all", inSource, found)
	}
}

// brokenByTests says whether a test of a layer breaks a rule and looks for its id.
func brokenByTests(t *testing.T) func(id string) bool {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	names := map[string]string{} // of the constants
	for _, m := range regexp.MustCompile(`(?m)^\t([A-Z]\w+) += "([a-z-]+)"$`).FindAllStringSubmatch(read("../internal/raw/layer/engine.go"), -1) {
		names[m[2]] = m[1]
	}
	pjrt, mpi, rt := read("../internal/raw/pjrtlayer/crimes_test.go"), read("../mpi/debug_test.go"), read("../cmd/libisthmus/testdata/check/crimes.c")
	return func(id string) bool {
		prefix, rule, _ := strings.Cut(id, "/")
		switch prefix {
		case "pjrt":
			return names[rule] != "" && regexp.MustCompile(`\blayer\.`+names[rule]+`\b`).MatchString(pjrt)
		case "mpi":
			return strings.Contains(mpi, `"`+id+`"`)
		}
		return strings.Contains(rt, "/* want "+id+" */")
	}
}

// TestClassesRun runs the programs of docs/classes.md. What the address sanitizer finds goes unseen without it.
func TestClassesRun(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the standard library for the address sanitizer")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the go command has no address sanitizer here")
	}
	needCgo(t)
	tmp := t.TempDir()
	source, lib := filepath.Join(tmp, "lib.c"), filepath.Join(tmp, "lib.so")
	if err := os.WriteFile(source, []byte("int answer(void) { return 42; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
	must("gcc", "-shared", "-fPIC", "-o", lib, source)
	plain, asan := filepath.Join(tmp, "plain"), filepath.Join(tmp, "asan")
	must("go", "build", "-o", plain, "./testdata/classes")
	must("go", "build", "-asan", "-o", asan, "./testdata/classes")
	b, err := os.ReadFile("testdata/classes/main.go")
	if err != nil {
		t.Fatal(err)
	}
	says := map[string][2]string{}
	for _, m := range regexp.MustCompile(`(?m)^// (asan|plain): (.*)\nfunc ([a-z]{3}\d\d)\(\)`).FindAllStringSubmatch(string(b), -1) {
		says[strings.ToUpper(m[3])] = [2]string{m[1], m[2]}
	}
	all, _ := classes(t)
	for _, c := range all {
		say, ok := says[c.id]
		if say[0] != c.run {
			t.Errorf("%s: the table says %q, the program %q", c.id, c.run, say[0])
		}
		if !ok {
			continue
		}
		t.Run(c.id, func(t *testing.T) {
			program := map[string]string{"asan": asan, "plain": plain}[say[0]]
			cmd := exec.CommandContext(t.Context(), program, c.id, lib)
			cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=1")
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), say[1]) {
				t.Errorf("%v; %q was not said:\n%s", err, say[1], out)
			}
			if say[0] == "asan" { // it may die by itself, such as of a second free; nothing is said of why
				if out, _ := exec.CommandContext(t.Context(), plain, c.id, lib).CombinedOutput(); strings.Contains(string(out), say[1]) {
					t.Errorf("it needs no sanitizer:\n%s", out)
				}
			}
		})
	}
}
