package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asTool makes the test's binary the command.
const asTool = "ISTHMUS_VET_TEST_IS_THE_TOOL"

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main() // ends the process
	}
	os.Exit(m.Run())
}

// vetter writes a module, and gives what runs go vet with the command in it.
func vetter(t *testing.T, files map[string]string, env string) func(args ...string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	tool, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (string, error) {
		cmd := exec.Command("go", append([]string{"vet", "-vettool=" + tool}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asTool+"=1", "GOFLAGS=-mod=mod", "GOWORK=off", env)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
}

// TestVettool runs go vet with the command over a module with findings in two packages, one of them ignored.
func TestVettool(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	vet := vetter(t, map[string]string{
		"go.mod":             "module example.com/m\n\ngo 1.26\n",
		"isthmus-audit.json": `{"allow": {"unsafe": ["q"], "cgo": [], "purego": [], "syscall": [], "linkname": [], "reflect": []}}`,
		"s.h":                "struct s { char *a; long long b; };\n",
		"p.go":               "package m\n\nimport \"unsafe\"\n\nimport _ \"example.com/m/q\"\n\n//isthmus:mirrors struct s s.h\ntype S struct {\n\tA uintptr\n\tB int32\n}\n\nvar _ unsafe.Pointer\n",
		"q/q.go":             "package q\n\nimport \"unsafe\"\n\nfunc F(p unsafe.Pointer) []byte {\n\treturn (*[1 << 28]byte)(p)[:7]\n}\n\nfunc G(p unsafe.Pointer) []byte {\n\t//isthmus:ignore huge-array it is cut\n\treturn (*[1 << 28]byte)(p)[:7]\n}\n",
		"good/good.go":       "package good\n",
	}, "CGO_ENABLED=0")
	out, err := vet("./...")
	if err == nil {
		t.Errorf("go vet is content:\n%s", out)
	}
	var got []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	for _, want := range []string{"p.go:3:8: ", "p.go:8:6: S is not laid out as struct s: B has 4 bytes, C's long long has 8", "q/q.go:6:9: "} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(strings.TrimPrefix(s, "./"), want) }) {
			t.Errorf("%q is not among\n%s", want, strings.Join(got, "\n"))
		}
	}
	if strings.Contains(out, "q.go:11") || strings.Contains(out, "good") {
		t.Errorf("what is ignored or good is reported:\n%s", out)
	}
	// One rule alone, as JSON.
	out, err = vet("-json", "-huge_array", "./q")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out = out[max(strings.Index(out, "{"), 0):] // behind # example.com/m/q, where go vet says that
	var tree map[string]map[string][]struct{ Posn, Message string }
	if err := json.Unmarshal([]byte(out), &tree); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var rules []string
	for rule := range tree["example.com/m/q"] {
		rules = append(rules, rule)
	}
	if diff := cmp.Diff([]string{"huge_array"}, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestVettoolAcrossPackages checks that what is known of a function in one package is used where another one calls it.
func TestVettoolAcrossPackages(t *testing.T) {
	for _, tool := range []string{"go", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("there is no " + tool)
		}
	}
	vet := vetter(t, map[string]string{
		"go.mod":      "module example.com/m\n\ngo 1.26\n",
		"clib/x.go":   "package clib\n\n// #include <stdlib.h>\nimport \"C\"\n\nimport \"unsafe\"\n\nfunc New(n int) unsafe.Pointer { return C.malloc(C.size_t(n)) }\n\nfunc Free(p unsafe.Pointer) { C.free(p) }\n",
		"middle/x.go": "package middle\n\nimport (\n\t\"unsafe\"\n\n\t\"example.com/m/clib\"\n)\n\nfunc Done(p unsafe.Pointer) { clib.Free(p) }\n",
		"use/x.go":    "package use\n\nimport (\n\t\"example.com/m/clib\"\n\t\"example.com/m/middle\"\n)\n\nfunc Leak() bool { return clib.New(1) == nil }\n\nfunc Good() { middle.Done(clib.New(1)) }\n\nfunc Bad() byte {\n\tp := clib.New(1)\n\tmiddle.Done(p)\n\treturn *(*byte)(p)\n}\n",
	}, "CGO_ENABLED=1")
	out, err := vet("-json", "./use")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"what clib.New gives is never freed; it wants clib.Free", "used after middle.Done freed it at line 14"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, out)
		}
	}
}
