package clayout_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
)

func read(t *testing.T, goos, goarch, text string) *clayout.Program {
	t.Helper()
	p, ok := clayout.New(clayout.Config{GOOS: goos, GOARCH: goarch})
	if !ok {
		t.Fatalf("%s/%s is not known", goos, goarch)
	}
	p.Add("x.h", text)
	return p
}

// show is a layout in short: size and alignment, and name@offset of each member.
func show(c *clayout.Type) string {
	if err := c.Err(); err != nil {
		return err.Error()
	}
	s := fmt.Sprintf("%d/%d", c.Size(), c.Align())
	for _, f := range c.Fields() {
		s += fmt.Sprintf(" %s@%d", f.Name, f.Offset)
		if f.Bits > 0 {
			s += fmt.Sprintf(".%d:%d", f.First, f.Bits)
		}
	}
	return s
}

func TestLayout(t *testing.T) {
	for _, c := range []struct{ name, text, typ, amd64, i386, windows string }{
		{"plain", "struct s { char c; int64_t l; short h; };", "struct s", "24/8 c@0 l@8 h@16", "16/4 c@0 l@4 h@12", ""},
		{"long", "typedef struct { long a; void *p; } s;", "s", "16/8 a@0 p@8", "8/4 a@0 p@4", "16/8 a@0 p@8"},
		{"array of macro", "#define N (4 << 1)\ntypedef struct s_ { char n[N][2], *m[N - 6]; } s;", "s", "32/8 n@0 m@16", "24/4 n@0 m@16", ""},
		{"enum as length", "enum { A = 3, B };\nstruct s { int x[B]; char c[sizeof(int) * A]; };", "struct s", "28/4 x@0 c@16", "", ""},
		{"union", "union u { int i; double d; char c[9]; };", "union u", "16/8 i@0 d@0 c@0", "12/4 i@0 d@0 c@0", ""},
		{"inner without a name", "struct s { int a; union { int i; double d; }; struct { char x, y; } z; };", "struct s", "24/8 a@0 i@8 d@8 z@16", "", ""},
		{"bits", "struct s { int a : 3, b : 30; unsigned c : 1; char d; };", "struct s", "12/4 a@0.0:3 b@4.0:30 c@7.6:1 d@8", "", ""},
		{"bits of two types", "struct s { char a : 3; int b : 5; };", "struct s", "4/4 a@0.0:3 b@0.3:5", "", "8/4 a@0.0:3 b@4.0:5"},
		{"packed", "struct __attribute__((packed)) s { char c; int i; short h; };", "struct s", "7/1 c@0 i@1 h@5", "", ""},
		{"packed behind", "typedef struct { char c; int i; } __attribute__((__packed__)) s;", "s", "5/1 c@0 i@1", "", ""},
		{"pragma", "#pragma pack(push, 2)\nstruct s { char c; double d; };\n#pragma pack(pop)\nstruct t { char c; double d; };", "struct s", "10/2 c@0 d@2", "", ""},
		{"after pragma", "#pragma pack(push, 2)\nstruct s { char c; double d; };\n#pragma pack(pop)\nstruct t { char c; double d; };", "struct t", "16/8 c@0 d@8", "", ""},
		{"aligned", "struct s { char c; int i __attribute__((aligned(16))); _Alignas(8) char e; };", "struct s", "32/16 c@0 i@16 e@24", "", ""},
		{"functions", "struct s { int (*f)(int, void (*)(char)); char (*a)[4]; int *(*(*g)(void))[3]; };", "struct s", "24/8 f@0 a@8 g@16", "", ""},
		{"flexible", "struct s { int n; char data[]; };", "struct s", "4/4 n@0 data@4", "", ""},
		{"macro for a field", "#define FIELD(t) t *t##_fn\ntypedef void Init(int);\nstruct s { int x; FIELD(Init); };", "struct s", "16/8 x@0 Init_fn@8", "", ""},
		{"conditions", "#if defined(_WIN32) && !defined(X)\n#define T char\n#elif __SIZEOF_POINTER__ == 4\n#define T short\n#else\n#define T int\n#endif\nstruct s { T x; };", "struct s", "4/4 x@0", "2/2 x@0", "1/1 x@0"},
		{"unknown attribute macro", "API_EXPORT typedef struct s s;\nstruct API_CLASS s { int a; };\nAPI_EXPORT int f(s *x) { return x->a; }", "s", "4/4 a@0", "", ""},
		{"itself", "struct s { struct s *next; struct t *other; };", "struct s", "16/8 next@0 other@8", "", ""},
		{"large enum", "typedef enum { BIG = 1LL << 40 } e; struct s { char c; e x; };", "struct s", "16/8 c@0 x@8", "", ""},
		{"not known", "struct s { int a; foo_t f; };", "struct s", "clayout: foo_t is not known, of field f of struct s", "", ""},
		{"length not known", "struct s { int a[MAX_FOO]; };", "struct s", "clayout: the length MAX_FOO of an array is not known, of field a of struct s", "", ""},
		{"declared", "struct s;", "struct s", "clayout: struct s is declared and not defined", "", ""},
		{"none", "", "struct s", "clayout: it is not known", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, on := range []struct{ goos, goarch, want string }{{"linux", "amd64", c.amd64}, {"linux", "386", c.i386}, {"windows", "amd64", c.windows}} {
				if on.want == "" {
					continue
				}
				p := read(t, on.goos, on.goarch, c.text)
				if got := show(p.Lookup(c.typ)); got != on.want {
					t.Errorf("%s/%s: got %s, want %s", on.goos, on.goarch, got, on.want)
				}
			}
		})
	}
}

func TestConstants(t *testing.T) {
	p := read(t, "linux", "amd64", "#define A 0x10u\n#define B (A | 1)\n#define F(x) x\n#define S \"s\"\n#define NEG (-1)\n#define C 'c'\n#define CAST ((uint8_t)0x1ff)\ntypedef enum { E0, E1 = B, E2, E3 = E2 << 2 } e;")
	got := map[string]int64{}
	for _, name := range []string{"A", "B", "F", "S", "NEG", "C", "CAST", "E0", "E1", "E2", "E3", "none"} {
		if v, ok := p.Const(name); ok {
			got[name] = v
		}
	}
	want := map[string]int64{"A": 16, "B": 17, "NEG": -1, "C": 'c', "CAST": 255, "E0": 0, "E1": 17, "E2": 18, "E3": 72}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("constants (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"E0", "E1", "E2", "E3"}, p.Enum("e")); diff != "" {
		t.Errorf("enum (-want +got):\n%s", diff)
	}
}

// TestFunctions checks what declarations say that functions take and give.
func TestFunctions(t *testing.T) {
	p := read(t, "linux", "amd64", `
#define API(t) extern t
typedef struct { int a; } s;
API(long) plain(s *p, unsigned char c, double d[4], void (*f)(int));
int *none(void), unknown(), rest(const char *format, ...);
int broken(int a 3) { return 0; }
`)
	for name, want := range map[string]string{
		"plain": "long(s* unsigned char double* pointer to a function)", "none": "int*()", "rest": "int(char* ...)", "unknown": "?", "broken": "?", "s": "?",
	} {
		got := "?"
		if params, result, variadic, ok := p.Func(name).Signature(); ok {
			var list []string
			for _, p := range params {
				got = p.String()
				if p.Pointer() && got == "pointer" {
					e, _ := p.Elem()
					got = e.String() + "*"
				}
				list = append(list, got)
			}
			if variadic {
				list = append(list, "...")
			}
			got = result.String() + "(" + strings.Join(list, " ") + ")"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestIncludes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.h": "#pragma once\n#include \"b.h\"\n#include \"a.h\"\nstruct a { struct b x; };", "b.h": "#ifndef B\n#define B\nstruct b { int y; };\n#endif\n#include <none.h>",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := clayout.New(clayout.Config{GOOS: "linux", GOARCH: "amd64", Include: []string{dir}})
	p.Add("", "#include <a.h>\n#include <stdint.h>\n#include \"b.h\"\n")
	if got := show(p.Lookup("struct a")); got != "4/4 x@0" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"none.h is not here"}, p.Notes); diff != "" {
		t.Error(diff)
	}
}

// TestBlind has a header that is not here: what may stand in it has no value, what is given all the same has.
func TestBlind(t *testing.T) {
	const text = "#include <errno.h>\n#ifndef EHERE\n#define EHERE 7\n#define OTHER 8\n#endif\n#define SUM (EHERE + 1)\n#define PLAIN 9\n"
	p := read(t, "linux", "amd64", text)
	for name, want := range map[string]int64{"EHERE": -1, "SUM": -1, "OTHER": 8, "PLAIN": 9} {
		v, ok := p.Const(name)
		if !ok {
			v = -1
		}
		if v != want {
			t.Errorf("%s: %d, want %d", name, v, want)
		}
	}
}

// generator writes random structs that any C compiler takes.
type generator struct {
	r *rand.Rand
	b strings.Builder
}

var scalars = []string{
	"char", "signed char", "unsigned char", "short", "unsigned short", "int", "unsigned", "long", "unsigned long", "long long", "float", "double",
	"void *", "int8_t", "uint16_t", "int32_t", "uint64_t", "size_t", "_Bool", "const char *", "enum color", "long double", "fn_t *", "aligned_t",
}

var bits = []struct {
	name string
	size int
}{{"char", 8}, {"short", 16}, {"int", 32}, {"unsigned", 32}, {"long long", 64}, {"uint8_t", 8}, {"_Bool", 1}}

// body writes the members of a struct and lists the names that offsetof takes.
func (g *generator) body(depth int, prefix string, named *[]string) {
	for i := range 1 + g.r.IntN(6) {
		name := fmt.Sprintf("%sm%d", prefix, i)
		switch k := g.r.IntN(20); {
		case k < 3 && depth < 3:
			word := []string{"struct", "union"}[g.r.IntN(2)]
			attr := []string{"", "", "", " __attribute__((packed))"}[g.r.IntN(4)]
			fmt.Fprintf(&g.b, "%s%s {", word, attr)
			if g.r.IntN(2) == 0 {
				g.body(depth+1, name+"_", named) // their names are the outer one's
				g.b.WriteString("};")
			} else {
				var inner []string
				g.body(depth+1, name+"_", &inner)
				fmt.Fprintf(&g.b, "} %s%s;", name, []string{"", "[3]"}[g.r.IntN(2)])
				*named = append(*named, name)
			}
		case k < 7:
			b := bits[g.r.IntN(len(bits))]
			switch g.r.IntN(8) {
			case 0:
				fmt.Fprintf(&g.b, "%s : 0;", b.name)
			case 1:
				fmt.Fprintf(&g.b, "%s : %d;", b.name, 1+g.r.IntN(b.size))
			default:
				fmt.Fprintf(&g.b, "%s %s : %d;", b.name, name, 1+g.r.IntN(b.size))
			}
		default:
			attr := ""
			switch g.r.IntN(16) {
			case 0:
				attr = " __attribute__((packed))"
			case 1:
				attr = fmt.Sprintf(" __attribute__((aligned(%d)))", 1<<g.r.IntN(6))
			}
			typ := scalars[g.r.IntN(len(scalars))]
			if typ == "aligned_t" {
				attr = ""
			}
			suffix := []string{"", "", "", "[2]", "[DIM][3]"}[g.r.IntN(5)]
			if typ == "aligned_t" {
				suffix = "" // its elements would be smaller than their alignment
			}
			fmt.Fprintf(&g.b, "%s %s%s%s;", typ, name, suffix, attr)
			*named = append(*named, name)
		}
	}
}

// TestCompiler lays out random structs and those of the system's headers as the C compiler does.
func TestCompiler(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("there is no C compiler of Linux to compare with")
	}
	const seed, many = 1, 500
	g := &generator{r: rand.New(rand.NewPCG(seed, 2))}
	g.b.WriteString("typedef int fn_t(int);\ntypedef int aligned_t __attribute__((aligned(16)));\n#define DIM (sizeof(int) - 2)\nenum color { RED, GREEN = 7 };\n")
	names := make([][]string, many)
	for i := range many {
		pack := g.r.IntN(5) == 0
		if pack {
			fmt.Fprintf(&g.b, "#pragma pack(push, %d)\n", 1<<g.r.IntN(5))
		}
		attr := []string{"", "", "", "", "", "", " __attribute__((packed))", " __attribute__((aligned(32)))"}[g.r.IntN(8)]
		fmt.Fprintf(&g.b, "%s%s s%d {", []string{"struct", "struct", "struct", "union"}[g.r.IntN(4)], attr, i)
		g.body(0, "", &names[i])
		g.b.WriteString("};\n")
		if pack {
			g.b.WriteString("#pragma pack(pop)\n")
		}
	}
	text := g.b.String()
	system := []struct {
		header, name string
		fields       []string
	}{
		{"sys/stat.h", "struct stat", []string{"st_mode", "st_size", "st_mtim"}},
		{"netinet/in.h", "struct sockaddr_in6", []string{"sin6_port", "sin6_addr", "sin6_scope_id"}},
		{"time.h", "struct tm", []string{"tm_year", "tm_zone"}},
		{"dirent.h", "struct dirent", []string{"d_ino", "d_type", "d_name"}},
		{"sys/epoll.h", "struct epoll_event", []string{"events", "data"}},
		{"termios.h", "struct termios", []string{"c_cc", "c_ispeed"}},
		{"sys/resource.h", "struct rusage", []string{"ru_maxrss", "ru_nivcsw"}},
		{"pthread.h", "pthread_mutex_t", []string{"__data", "__align"}},
	}
	var includes strings.Builder
	for _, s := range system {
		fmt.Fprintf(&includes, "#include <%s>\n", s.header)
	}

	// Ours.
	p, ok := clayout.New(clayout.Config{GOOS: runtime.GOOS, GOARCH: runtime.GOARCH, Include: clayout.SystemInclude(runtime.GOOS, runtime.GOARCH)})
	if !ok {
		t.Skip("this platform is not known")
	}
	p.Add("", includes.String()+text)
	var ours, main strings.Builder
	fields := func(key, name string, fields []string) {
		c := p.Lookup(name)
		if err := c.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		fmt.Fprintf(&main, "printf(\"%s %%zu %%zu\\n\", sizeof(%s), _Alignof(%s));\n", key, name, name)
		fmt.Fprintf(&ours, "%s %d %d\n", key, c.Size(), c.Align())
		for _, f := range fields {
			at := int64(-1)
			for _, g := range c.Fields() {
				if g.Name == f {
					at = g.Offset
				}
			}
			fmt.Fprintf(&main, "printf(\"%s.%s %%zu\\n\", offsetof(%s, %s));\n", key, f, name, f)
			fmt.Fprintf(&ours, "%s.%s %d\n", key, f, at)
		}
	}
	for i := range many {
		name := fmt.Sprintf("struct s%d", i)
		if p.Lookup(name) == nil {
			name = fmt.Sprintf("union s%d", i)
		}
		fields(fmt.Sprint(i), name, names[i])
	}
	for _, s := range system {
		fields(s.header, s.name, s.fields)
	}

	// The compiler's.
	dir := t.TempDir()
	src, exe := filepath.Join(dir, "x.c"), filepath.Join(dir, "x")
	all := "#define _GNU_SOURCE 1\n" + includes.String() + "#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n" + text + "int main(void) {\n" + main.String() + "return 0; }\n"
	if err := os.WriteFile(src, []byte(all), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-O0", "-w", "-o", exe, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out[:min(len(out), 2000)])
	}
	theirs, err := exec.Command(exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	got, want := strings.Split(ours.String(), "\n"), strings.Split(string(theirs), "\n")
	wrong := 0
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			if wrong++; wrong <= 10 {
				n, _, _ := strings.Cut(strings.Fields(got[i])[0], ".")
				def := ""
				for line := range strings.Lines(text) {
					if strings.Contains(line, " s"+n+" {") {
						def = line
					}
				}
				t.Errorf("got %s, the compiler says %s: %s", got[i], want[i], def)
			}
		}
	}
	if len(got) != len(want) || wrong > 10 {
		t.Errorf("%d of %d lines differ; the compiler has %d", wrong, len(got), len(want))
	}
}

// FuzzAdd takes any text.
func FuzzAdd(f *testing.F) {
	for _, s := range []string{
		"#define F(x, ...) x##__VA_ARGS__ #x F(x)\nF(a, b) F(F, (1))", "struct s { struct { int a : 3, : 0; } b[sizeof(struct s)]; } __attribute__((aligned(",
		"#if (1 ? 2 : 3) && defined X || !\n#pragma pack(push, 1)\ntypedef union u { char c; } *p, q[2];\n#endif", "enum e : short { A = -1, B = A ? (char)A : ~0u >> 2 };",
		"typedef int (*f(int (*)(void)))[3];", "#define A B B\n#define B C C\n#define C A A\nA",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, on := range []string{"amd64", "386"} {
			p, _ := clayout.New(clayout.Config{GOOS: "linux", GOARCH: on})
			p.Add("x.h", text)
			for _, name := range p.Records() {
				c := p.Lookup(name)
				if c.Size() < 0 || c.Align() < 1 || c.Size()%c.Align() != 0 {
					t.Errorf("%s: %d bytes, alignment %d", name, c.Size(), c.Align())
				}
				for _, f := range c.Fields() {
					if f.Offset < 0 || f.End() > c.Size() {
						t.Errorf("%s.%s is at %d to %d of %d bytes", name, f.Name, f.Offset, f.End(), c.Size())
					}
				}
				_ = c.Describe()
			}
			for _, name := range p.Macros() {
				p.Const(name)
			}
		}
	})
}
