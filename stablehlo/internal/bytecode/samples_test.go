package bytecode_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
)

// untar reads the files of a .tar.gz whose name keep accepts.
func untar(t testing.TB, name string, keep func(string) bool) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if keep(h.Name) {
			if files[path.Base(h.Name)], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// samples gives StableHLO's own artifacts of every version, with their texts.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	name := os.Getenv("ISTHMUS_TESTDATA")
	if name == "" {
		name = "../../../../shared/data/stablehlo-testdata.tar.gz"
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			t.Skip("StableHLO's test data is not here: set ISTHMUS_TESTDATA to stablehlo-testdata.tar.gz")
		}
	}
	return untar(t, name, func(n string) bool { return strings.Contains(n, "tests/vhlo/") })
}

// TestSamples: artifacts of all versions, in each of which nearly every operation, attribute and type of that version
// stands, are the same as the programs that they were made of.
func TestSamples(t *testing.T) {
	files := samples(t)
	const future = "invalid_vhlo_future.mlir.bc"
	n := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text, ok := strings.CutSuffix(name, ".bc")
		if !ok {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			_, info, err := bytecode.Read(files[name])
			if name == future {
				if err == nil || !strings.Contains(err.Error(), "vhlo.constant_v99 is not known") {
					t.Errorf("error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v := strings.ReplaceAll(info.Version, ".", "_"); !strings.Contains(name, v) {
				t.Errorf("version is %s", info.Version)
			}
			compare(t, files[text], files[name], true)
		})
	}
	if n < 34 {
		t.Errorf("%d samples, want 34", n)
	}
}
