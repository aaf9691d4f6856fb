package stablehlo_test

import (
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/conformance"
	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// program is a file of the StableHLO project's own tests, or of this repository.
type program struct {
	name string
	src  []byte
}

// testdata reads the StableHLO project's programs; the test is skipped where they are not on this machine.
func testdata(t *testing.T) map[string][]program {
	t.Helper()
	sets := map[string][]program{}
	err := conformance.EachFile(conformance.Archive(t), func(name string, src []byte) error {
		dir, ext := strings.TrimPrefix(path.Dir(name), "stablehlo/"), path.Ext(name)
		if ext == ".bc" || ext == ".mlir" && dir != "tests/vhlo" {
			sets[dir] = append(sets[dir], program{path.Base(name), src})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sets
}

// known are the parts of files that are refused on purpose, with a piece of the message that says why.
var known = map[string]string{
	"invalid_vhlo_future.mlir.bc": "is not known",
}

// roundTrip parses src, prints it, and parses and prints that again: graphs and texts must be equal.
func roundTrip(t *testing.T, src []byte, opts stablehlo.Options) error {
	t.Helper()
	m, err := stablehlo.Parse(src, opts)
	if err != nil {
		return err
	}
	text := m.String()
	again, err := stablehlo.Parse([]byte(text), stablehlo.Options{File: opts.File + " printed", TestOps: true, SkipVerify: opts.SkipVerify})
	if err != nil {
		t.Errorf("%s: printed text: %v\n%.3000s", opts.File, err, text)
		return nil
	}
	if !stablehlo.Equal(m, again) {
		t.Errorf("%s: the printed program is another:\n%s", opts.File, diff(text, again.String()))
	} else if text2 := again.String(); text != text2 {
		t.Errorf("%s: printing twice gives two texts:\n%s", opts.File, diff(text, text2))
	}
	return nil
}

// diff shows the first line that differs.
func diff(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + "\n" + bs[i]
		}
	}
	return "texts are equal\n" + a[:min(len(a), 2000)]
}

// TestTestdata parses, verifies and prints every program of the StableHLO project, and reports how many.
func TestTestdata(t *testing.T) {
	sets := testdata(t)
	names := make([]string, 0, len(sets))
	for name := range sets {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, set := range names {
		t.Run(set, func(t *testing.T) {
			good, parts := 0, 0
			for _, p := range sets[set] {
				pieces := [][]byte{p.src}
				if !stablehlo.IsBytecode(p.src) {
					pieces = stablehlo.SplitInput(p.src)
				}
				line := 1
				for _, src := range pieces {
					parts++
					err := roundTrip(t, src, stablehlo.Options{File: p.name, FirstLine: line, TestOps: true})
					line += strings.Count(string(src), "\n")
					if err == nil {
						good++
						continue
					}
					reason := ""
					for file, why := range known {
						if strings.HasPrefix(p.name, file) {
							reason = why
						}
					}
					if reason == "" || !strings.Contains(err.Error(), reason) {
						t.Errorf("%v", err)
					}
				}
			}
			t.Logf("%d of %d programs in %d files parsed, verified and printed", good, parts, len(sets[set]))
		})
	}
}

// TestBytecode reads, verifies and prints every bytecode file: the samples of all versions, of which one is of a
// version that is still to come, and the corpus.
func TestBytecode(t *testing.T) {
	count := func(programs []program) (good int) {
		for _, p := range programs {
			err := roundTrip(t, p.src, stablehlo.Options{File: p.name})
			switch {
			case p.name == "invalid_vhlo_future.mlir.bc":
				if err == nil || !strings.Contains(err.Error(), known[p.name]) {
					t.Errorf("%s: %v, want a word on its version", p.name, err)
				}
			case err != nil:
				t.Error(err)
			default:
				good++
			}
		}
		return good
	}
	var corpus []program
	files, err := filepath.Glob("../testdata/corpus/*.mlir.bc")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		corpus = append(corpus, program{name, src})
	}
	samples := testdata(t)["tests/vhlo"]
	ours, theirs := count(corpus), count(samples)
	t.Logf("bytecode: corpus %d of %d, samples %d of %d and one of a later version refused", ours, len(corpus), theirs, len(samples))
	if ours != 72 || theirs != 33 || len(samples) != 34 {
		t.Errorf("read %d of the corpus and %d of %d samples, want 72 and 33 of 34", ours, theirs, len(samples))
	}
}

// TestCorpus reads this repository's programs, which JAX made, in both forms. Writing bytecode simplified them, so the
// two forms are compared by their types alone.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../testdata/corpus/*.mlir")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var both [2][2][]string
			for i, name := range []string{file, file + ".bc"} {
				src, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if err := roundTrip(t, src, stablehlo.Options{File: name}); err != nil {
					t.Fatal(err)
				}
				m, err := stablehlo.Parse(src, stablehlo.Options{File: name})
				if err != nil {
					t.Fatal(err)
				}
				both[i] = signature(m)
			}
			if d := cmp.Diff(both[0], both[1]); d != "" {
				t.Errorf("text and bytecode have different types (-text +bytecode):\n%s", d)
			}
		})
	}
}

// signature is the type of a program.
func signature(m *stablehlo.Module) [2][]string {
	var s [2][]string
	for _, a := range m.Main().Args() {
		s[0] = append(s[0], a.Type.String())
	}
	for _, r := range m.Main().Results {
		s[1] = append(s[1], r.String())
	}
	return s
}
