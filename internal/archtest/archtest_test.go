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

// rules of docs/architecture.md that no golden file should be able to relax: a package that begins with from (a whole
// path element) imports nothing of this module but what begins with one of only.
var rules = []struct {
	from string
	only []string
	why  string
}{
	{".", nil, "the root package is the shared vocabulary: standard library only"},
	{"./dtype", nil, "element types stand on their own"},
	{"./npy", []string{"./dtype", "./internal/atomicfile"}, "reading arrays needs no native code"},
	{"./ffi", []string{".", "./internal/raw"}, "ownership knows nothing of what is owned"},
	{"./pjrt", []string{".", "./dtype", "./ffi", "./internal/raw", "./pjrt"}, "the client reaches every device through the C function table"},
	{"./mpi", []string{".", "./ffi", "./internal/raw", "./internal/mpilaunch", "./internal/mpiwatch", "./mpi", "./pjrt/kv"}, "message passing knows nothing of devices"},
	{"./mps", []string{".", "./dtype", "./ffi", "./internal/raw", "./device/kernel", "./device/linalg", "./mps"}, "matrices know nothing of programs"},
	{"./stablehlo", []string{".", "./dtype", "./stablehlo"}, "reading programs needs no native code and no device"},
	{"./device/kernel", []string{".", "./dtype", "./device/kernel"}, "kernels know arrays, not programs"},
	{"./device/linalg", []string{"./device/kernel"}, "factorisations know matrices, not programs"},
	{"./device/eval", []string{".", "./dtype", "./stablehlo", "./device/linalg"}, "the oracle shares no code with what it judges"},
	{"./device/plan", []string{".", "./dtype", "./stablehlo", "./device", "./internal/raw/mem"}, "of native things the fast path has memory only"},
	{"./internal/raw", []string{".", "./dtype", "./internal/raw", "./ffi"}, "the bottom layer"},
	{"./audit", []string{".", "./audit", "./docs/checks", "./internal/atomicfile"}, "the auditor is for any module"},
}

// TestLayers holds the rules against the imports of today.
func TestLayers(t *testing.T) {
	golden, err := os.ReadFile("testdata/imports.txt")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	pkg := ""
	for line := range strings.Lines(string(golden)) {
		line = strings.TrimSuffix(line, "\n")
		imp, isImport := strings.CutPrefix(line, "\t")
		if !isImport {
			pkg = line
			for _, r := range rules {
				used[r.from] = used[r.from] || under(pkg, r.from)
			}
			continue
		}
		ours := imp == "." || strings.HasPrefix(imp, "./")
		switch {
		case imp == "unsafe", imp == "C", under(imp, "github.com/ebitengine/purego"):
			if !under(pkg, "./internal/raw") {
				t.Errorf("%s imports %s; only internal/raw may", pkg, imp)
			}
			continue
		case under(imp, "./cmd"), under(imp, "./examples"):
			t.Errorf("%s imports the command %s", pkg, imp)
		case pkg == "." || pkg == "./dtype" || !ours && library(pkg) && !under(imp, "golang.org/x/sys") &&
			!(under(imp, "google.golang.org/protobuf") && under(pkg, "./pjrt")): // docs/adr/0008
			t.Errorf("%s imports %s; a package that users link has the standard library and this module only, and x/sys", pkg, imp)
		case under(imp, "./ffi") && under(pkg, "./internal/raw") && pkg != "./internal/raw/pjrtserve" && pkg != "./internal/raw/objc":
			t.Errorf("%s imports %s; only a table that is served, and objects that count their owners, have owners below it", pkg, imp)
		case pkg == "./device/embedded": // where the device and the client's plugin meet, and the only place
			continue
		case pkg == "./pjrt/pjrttest" && (imp == "./device" || imp == "./device/embedded"): // it judges plugins, ours too
			continue
		case pkg == "./mpi/mpicoll" && slices.Contains([]string{"./device/eval", "./dtype", "./stablehlo"}, imp), // where ranks and devices meet
			pkg == "./mpi/mpipjrt" && slices.Contains([]string{"./dtype", "./pjrt"}, imp):
			continue
		case under(pkg, "./device") && under(imp, "./pjrt"):
			t.Errorf("%s imports %s; the device is behind the table", pkg, imp)
		}
		for _, r := range rules {
			if ours && under(pkg, r.from) && !slices.ContainsFunc(r.only, func(only string) bool { return under(imp, only) }) {
				t.Errorf("%s imports %s; %s", pkg, imp, r.why)
			}
		}
	}
	for _, r := range rules {
		if !used[r.from] {
			t.Errorf("no package is under %s any more; remove its rule", r.from)
		}
	}
}

// under says whether path is root or below it; the module's own root has nothing below it.
func under(path, root string) bool {
	return path == root || root != "." && strings.HasPrefix(path, root+"/")
}

// library says whether others may import the package, directly or through one that they import.
func library(pkg string) bool {
	for _, not := range []string{"./cmd", "./examples", "./audit", "./internal/archtest", "./internal/gen", "./internal/leaktest", "./internal/niltest", "./bench"} {
		if under(pkg, not) {
			return false
		}
	}
	return !under(pkg, "./internal/raw") // it may have purego, which the first rule sees to
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
