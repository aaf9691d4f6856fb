package gen_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// workplace has the corpus and a language's module of the sample.
func workplace(t *testing.T, language string) string {
	t.Helper()
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	hostile(s)
	f, err := gen.Generate(language, s)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := sample.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{f.Name: f.Text, "corpus": string(sample.Encode(cases))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// hostile gives all that a schema has comments that would end, or begin, something in one of the languages.
func hostile(s *schema.Schema) {
	const text = "*/ /* // -} {- \"\"\" ``` 'a' \"\\ \u202e \\u \\\n\n   # |  <b> @x@ ${y}\n> x\n|\x00\x0c\r \ufffd\u2028\t{-# END \\N{x}\n    code();\n\n\"\\"
	s.Docs = map[string]string{}
	for _, d := range s.Defs {
		s.Docs[d.Name] = text
		for _, f := range d.Fields {
			s.Docs[d.Name+"."+f.Name] = text
		}
	}
	for _, m := range s.Methods {
		s.Docs[m.Name] = text
	}
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil && !strings.Contains(name, "/") {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out[max(0, len(out)-6000):])
	}
	t.Logf("%s", out)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	p, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestB05EveryLanguage has the codec of each language that is generated decode the hostile corpus: it accepts and refuses what
// Go does, and writes what it accepted byte by byte as Go does. The one in C runs under the address sanitizer.
func TestB05EveryLanguage(t *testing.T) {
	t.Run("c", func(t *testing.T) {
		dir := workplace(t, "c")
		run(t, dir, "gcc", "-std=c11", "-g", "-Wall", "-Wextra", "-Wno-unused-function", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
			"-I"+absolute(t, "../../include"), "-I.", "-o", "corpus_c", absolute(t, "testdata/corpus.c"))
		run(t, dir, filepath.Join(dir, "corpus_c"), "corpus")
	})
	t.Run("python", func(t *testing.T) {
		dir := workplace(t, "python")
		run(t, dir, "python3", "-c", "import sys; sys.path[:0] = ['.', '"+absolute(t, "../hosts/python")+"']; exec(open('"+absolute(t, "testdata/corpus.py")+"').read())")
	})
	t.Run("rust", func(t *testing.T) {
		if testing.Short() {
			t.Skip("its compiler takes long")
		}
		dir := workplace(t, "rust")
		main, err := os.ReadFile("testdata/corpus.rs")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "main.rs"), main, 0o600); err != nil {
			t.Fatal(err)
		}
		run(t, dir, "rustc", "--edition=2021", "--crate-type=rlib", "--crate-name=isthmus_bridge", "-o", "libisthmus_bridge.rlib", absolute(t, "../hosts/rust/src/lib.rs"))
		run(t, dir, "rustc", "--edition=2021", "-D", "warnings", "-A", "dead_code", "--extern", "isthmus_bridge=libisthmus_bridge.rlib", "-o", "corpus_rs", "main.rs")
		run(t, dir, filepath.Join(dir, "corpus_rs"), "corpus")
	})
	t.Run("haskell", func(t *testing.T) {
		if testing.Short() {
			t.Skip("its compiler takes long")
		}
		dir := workplace(t, "haskell")
		run(t, dir, "ghc", "-O0", "-Wall", "-haddock", "-Winvalid-haddock", "-Werror", "-outputdir", dir, "-i"+dir+":"+absolute(t, "../hosts/haskell/src"), "-o", "corpus_hs", absolute(t, "testdata/Corpus.hs"))
		run(t, dir, filepath.Join(dir, "corpus_hs"), "corpus")
	})
}

// TestPythonNames has fields and methods whose names Python's classes have too.
func TestPythonNames(t *testing.T) {
	s, err := schema.Parse(`isthmus-bridge 1
bridge odd 0
struct Odd bytes:u64 data:bytes field:utf8 list:list<list<u32>> int:i64 str:opt<utf8> class:bool
call call Odd Odd
cast cast Odd
call close Odd Odd
call import Odd Odd
event stats Odd
`)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gen.Generate("python", s)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "python3", "-c", `import sys; sys.path[:0] = ['.', '`+absolute(t, "../hosts/python")+`']
import isthmus_bridge, odd_bridge
v = odd_bridge.Odd(bytes=3, data=b"x", field="f", list=[[1], [2, 3]], int=-1, str=None, class_=True)
assert odd_bridge.CODEC.decode("Odd", odd_bridge.CODEC.encode("Odd", v)) == v and odd_bridge.Odd().list == []
for name in "call call_inline call_async cast close stats subscribe".split():
    assert getattr(odd_bridge.Bridge, name) is getattr(isthmus_bridge.Bridge, name), name
for name in "call_ call__async cast_ close_ close_async import_ import_async stats_".split():
    assert hasattr(odd_bridge.Bridge, name), name`)
}

func TestNamesThatMeet(t *testing.T) {
	field := func(name string) schema.Field { return schema.Field{Name: name, Type: schema.Type{Kind: schema.Bool}} }
	call := func(name string) schema.Method { return schema.Method{Name: name, Kind: schema.Call} }
	for _, c := range []struct {
		what, languages string
		s               schema.Schema
	}{
		{"nothing", "", schema.Schema{
			Defs:    []*schema.Def{{Name: "A", Fields: []schema.Field{field("b"), field("c")}}, {Name: "B", Fields: []schema.Field{field("b")}}},
			Methods: []schema.Method{call("a"), call("b")},
		}},
		{"methods", "c python rust", schema.Schema{Methods: []schema.Method{call("aB"), call("a_b")}}},
		{"a method and another's async form", "python", schema.Schema{Methods: []schema.Method{call("a"), call("aAsync")}}},
		{"fields", "python rust", schema.Schema{Defs: []*schema.Def{{Name: "T", Fields: []schema.Field{field("aB"), field("a_b")}}}}},
		{"fields of two types", "haskell", schema.Schema{Defs: []*schema.Def{
			{Name: "A", Fields: []schema.Field{field("bC")}}, {Name: "AB", Fields: []schema.Field{field("c")}},
		}}},
		{"a method and an alternative", "c", schema.Schema{
			Defs:    []*schema.Def{{Name: "Circle"}, {Name: "Shape", Sum: true, Alts: []string{"Circle"}}},
			Methods: []schema.Method{call("shapeCircle")},
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			for _, language := range gen.Languages() {
				s := c.s
				s.Name = "words"
				_, err := gen.Generate(language, &s)
				if want := slices.Contains(strings.Fields(c.languages), language); want != errors.Is(err, isthmus.ErrInvalid) || !want && err != nil {
					t.Errorf("%s: %v", language, err)
				}
			}
		})
	}
}
