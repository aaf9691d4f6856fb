// Package archtest pins which packages of this module each package imports. The picture of docs/architecture.md is
// only true while nobody adds an arrow in passing; this test makes a new arrow a line in a reviewed file.
package archtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/imports.txt")

const module = "github.com/isthmus-ffi/isthmus"

// TestImports compares the imports of each package, tests left out, with testdata/imports.txt. Third-party modules are
// listed too: a dependency that reaches a library is a decision. Run with -update after you have made one.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Incomplete", module+"/...")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&got, short(pkg.ImportPath))
		slices.Sort(pkg.Imports)
		for _, imp := range pkg.Imports {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") || imp == "unsafe" || imp == "C" {
				fmt.Fprintln(&got, "\t"+short(imp))
			}
		}
	}
	const golden = "testdata/imports.txt"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("imports changed (-golden +now); if you meant it: go test ./internal/archtest -update\n%s", diff)
	}
}

// TestLayers holds the rules that no golden file should be able to relax.
func TestLayers(t *testing.T) {
	golden, err := os.ReadFile("testdata/imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	pkg := ""
	for line := range strings.Lines(string(golden)) {
		line = strings.TrimSuffix(line, "\n")
		imp, isImport := strings.CutPrefix(line, "\t")
		if !isImport {
			pkg = line
			continue
		}
		raw := strings.HasPrefix(pkg, "./internal/raw/")
		switch {
		case imp == "unsafe" || imp == "C" || strings.HasPrefix(imp, "github.com/ebitengine/purego"):
			if !raw {
				t.Errorf("%s imports %s; only internal/raw may", pkg, imp)
			}
		case raw && strings.HasPrefix(imp, "./") && !strings.HasPrefix(imp, "./internal/raw/") && imp != "./dtype" && imp != ".":
			t.Errorf("%s imports %s; internal/raw is the bottom layer", pkg, imp)
		case pkg == ".":
			t.Errorf("the root package imports %s; it has the standard library only", imp)
		case strings.HasPrefix(pkg, "./stablehlo") && strings.Contains(imp, "internal/raw"):
			t.Errorf("%s imports %s; reading programs needs no native code", pkg, imp)
		}
	}
}

func short(path string) string {
	if path == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(path, module+"/"); ok {
		return "./" + rest
	}
	return path
}
