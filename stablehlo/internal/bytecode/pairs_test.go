package bytecode_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// compare reads the same program from both forms and compares.
func compare(t *testing.T, text, bc []byte, lenient bool) {
	t.Helper()
	want, err := mlir.ParseText(text, mlir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, info, err := bytecode.Read(bc)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(got, want, lenient); d != "" {
		t.Errorf("artifact of %s differs from its text: %s", info.Version, d)
	}
}

// TestCorpus: each artifact of the corpus is the same as the text that StableHLO's own deserializer makes of it. (The
// text in the corpus is what JAX lowered, before the artifact was simplified.)
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/corpus/*.mlir.bc")
	if err != nil || len(files) < 72 {
		t.Fatalf("corpus has %d programs, want 72 at least (%v)", len(files), err)
	}
	texts := unpack(t, "testdata/corpus.tar.gz", "")
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".bc")
		t.Run(name, func(t *testing.T) {
			if texts[name] == nil {
				t.Fatal("no text: run testdata/canonical.py")
			}
			compare(t, texts[name], readFile(t, f), false)
		})
	}
}

// TestPairs compares any number of programs: ISTHMUS_BYTECODE_PAIRS is a folder of name@version.bc with name@version.txt
// or name.txt beside them, which the reference implementation wrote, or name.mlir, which it read.
func TestPairs(t *testing.T) {
	dir := os.Getenv("ISTHMUS_BYTECODE_PAIRS")
	if dir == "" {
		t.Skip("ISTHMUS_BYTECODE_PAIRS names no folder")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.bc"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pairs in %s (%v)", dir, err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f, ".bc")
		base, _, _ := strings.Cut(name, "@")
		for _, p := range []struct {
			text    string
			lenient bool
		}{{name + ".txt", false}, {base + ".txt", false}, {base + ".mlir", true}} {
			if _, err := os.Stat(p.text); err == nil {
				t.Run(filepath.Base(f), func(t *testing.T) { compare(t, readFile(t, p.text), readFile(t, f), p.lenient) })
				break
			}
		}
	}
}
