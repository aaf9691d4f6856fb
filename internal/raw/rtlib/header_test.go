//go:build cgo && (linux || darwin) && (amd64 || arm64)

package rtlib_test

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlayer"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlib"
)

var update = flag.Bool("update", false, "write isthmus_rt_check.h")

//go:embed isthmus_rt.h
var header []byte

// The header that programs include is the one that the library is made with.
func TestHeaderIsPublished(t *testing.T) {
	for _, name := range []string{"isthmus_rt.h", "isthmus_rt_check.h"} {
		published, err := os.ReadFile("../../../include/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if ours, err := os.ReadFile(name); err != nil || !bytes.Equal(published, ours) {
			t.Errorf("include/%s is not internal/raw/rtlib/%[1]s: copy it (%v)", name, err)
		}
	}
}

// The header of the validation layer is made from its spec. The spec has every function that the header has, but those that
// do nothing with an object that could be wrong.
func TestCheckHeader(t *testing.T) {
	want, err := rtlayer.Header(string(header))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, name := range []string{"isthmus_rt_check.h", "../../../include/isthmus_rt_check.h"} {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := os.ReadFile("isthmus_rt_check.h"); err != nil || string(got) != want {
		t.Errorf("isthmus_rt_check.h is not what the spec says: go test ./internal/raw/rtlib -run TestCheckHeader -update (%v)", err)
	}
	spec, err := rtlayer.Spec()
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range probes {
		asks := strings.HasPrefix(args.answer, "-") || slices.Contains([]string{"rt_type", "rt_count", "rt_as_float", "rt_made_at", "rt_site"}, name)
		if spec.Funcs[name] == nil && !asks {
			t.Errorf("rt.spec lacks %s(%s)", name, args.params)
		}
	}
}

// Every function that the header declares is in the library, and by its name in the table for programs that load code.
func TestHeaderAndLibrary(t *testing.T) {
	found := declared(t)
	if len(found) < 50 {
		t.Fatalf("%d functions found in the header", len(found))
	}
	for name := range found {
		if rtlib.Function(name) == 0 {
			t.Errorf("%s is not in the library", name)
		}
	}
}

// The header compiles without a warning as each language that it is for, inline and not, and has the layout and the
// numbers that Go has.
func TestHeaderCompiles(t *testing.T) {
	var probe strings.Builder
	probe.WriteString("#include \"isthmus_rt.h\"\n#ifdef __cplusplus\n#define _Static_assert static_assert\n#endif\n")
	for text, n := range rtheap.Layout() {
		fmt.Fprintf(&probe, "_Static_assert((long long)(%s) == %dLL, \"%s\");\n", text, n, text)
	}
	probe.WriteString("int main(void) { return rt_init() + (int)rt_array_len(rt_int(1)); }\n")
	path := filepath.Join(t.TempDir(), "probe.c")
	if err := os.WriteFile(path, []byte(probe.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ compiler, language, std string }{
		{"gcc", "c", "c11"},
		{"gcc", "c", "c17"},
		{"g++", "c++", "c++17"},
		{"g++", "c++", "c++20"},
		{"clang", "c", "c11"},
		{"clang++", "c++", "c++17"},
	} {
		t.Run(c.compiler+" "+c.std, func(t *testing.T) {
			cc, err := exec.LookPath(c.compiler)
			switch {
			case err == nil:
			case os.Getenv("CI") != "" && strings.HasPrefix(c.compiler, "g"):
				t.Fatal(err)
			default:
				t.Skip(err)
			}
			for _, inline := range []string{"-URT_NO_INLINE", "-DRT_NO_INLINE", "-DRT_CHECK"} {
				out, err := exec.Command(cc, "-x", c.language, "-std="+c.std, "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror",
					inline, "-I.", "-fsyntax-only", path).CombinedOutput()
				if err != nil {
					t.Errorf("%s: %v\n%s", inline, err, out)
				}
			}
		})
	}
}
