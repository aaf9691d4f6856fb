package rules_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/isthmus-ffi/isthmus/audit/rules"
)

// Drivers that load packages as golangci-lint does get cgo's files out of the go command's cache, where they are named by their
// hashes.
func TestCachedCgo(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no gcc")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":   "module example.com/m\n\ngo 1.26\n",
		"leaks.go": "package m\n\n// #include <stdlib.h>\nimport \"C\"\n\nfunc First(s string) byte {\n\tp := C.CString(s)\n\treturn byte(*p)\n}\n",
		"plain.go": "package m\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.LoadAllSyntax, Dir: dir, Env: append(os.Environ(), "CGO_ENABLED=1", "GOFLAGS=-mod=mod", "GOWORK=off"),
	}, ".")
	if err != nil || len(pkgs) != 1 || len(pkgs[0].Errors) > 0 {
		t.Fatal(pkgs, err)
	}
	graph, err := checker.Analyze(rules.All(), pkgs, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, root := range graph.Roots {
		if root.Err != nil {
			t.Error(root.Err)
		}
		for _, d := range root.Diagnostics {
			got = append(got, root.Package.Fset.Position(d.Pos).String()+": "+d.Message)
		}
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], filepath.Join(dir, "leaks.go")+":7:") {
		t.Errorf("got %q, want the string that leaks in leaks.go:7", got)
	}
}
