package bridgelib_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The header that hosts include is the one that libraries are made with.
func TestHeaderIsPublished(t *testing.T) {
	a, err := os.ReadFile("../../../include/isthmus_bridge.h")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("isthmus_bridge.h")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("include/isthmus_bridge.h is not internal/raw/bridgelib/isthmus_bridge.h: copy it")
	}
}

func compiler(t *testing.T, name string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("bridges are for Linux")
	}
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" && strings.HasPrefix(name, "g") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func TestHeaderCompiles(t *testing.T) {
	probe := filepath.Join(t.TempDir(), "probe.c")
	if err := os.WriteFile(probe, []byte("#include \"isthmus_bridge.h\"\nint main(void) { br_desc d; BR_SET(d); return br_describe(&d); }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][3]string{{"gcc", "c", "c11"}, {"g++", "c++", "c++17"}, {"clang", "c", "c17"}} {
		t.Run(c[0], func(t *testing.T) {
			compiler(t, c[0])
			out, err := exec.Command(c[0], "-x", c[1], "-std="+c[2], "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I.", "-fsyntax-only", probe).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestB01RingSanitizers has hosts submit, wait, abandon, cast and listen while the bridge opens and closes, under the thread
// and the address sanitizer: nothing is left, and every token was woken once.
func TestB01RingSanitizers(t *testing.T) {
	compiler(t, "gcc")
	for _, pattern := range []string{"*.c", "*.h", "testdata/*.c"} { // reading them makes go test's cache know of them
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			if _, err := os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	rounds := "12"
	if os.Getenv("ISTHMUS_HAMMER") == "long" {
		rounds = "1000"
	}
	for _, s := range []string{"thread", "address,undefined"} {
		t.Run(s, func(t *testing.T) {
			ring := filepath.Join(t.TempDir(), "ring")
			if out, err := exec.Command("gcc", "-std=gnu11", "-O1", "-g", "-fsanitize="+s, "-fno-sanitize-recover=all", "-I.", "-o", ring, "testdata/ring.c", "-lpthread").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.CommandContext(t.Context(), "timeout", "300", ring, rounds).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
