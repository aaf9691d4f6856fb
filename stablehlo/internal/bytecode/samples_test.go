package bytecode_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
)

// unpack reads the files of an archive whose path holds part, by their last names.
func unpack(t testing.TB, archive, part string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := conformance.EachFile(archive, func(name string, data []byte) error {
		if strings.Contains(name, part) {
			files[path.Base(name)] = data
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSamples: artifacts of all versions, in each of which nearly every operation, attribute and type of that version
// stands, are the same as the programs that they were made of.
func TestSamples(t *testing.T) {
	files := unpack(t, conformance.Archive(t), "tests/vhlo/")
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
