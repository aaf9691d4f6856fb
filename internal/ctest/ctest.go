// Package ctest compiles the C that tests of the native boundary call.
package ctest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
)

//go:embed testdata/fixture.c
var fixture []byte

//go:embed testdata/throw.cc
var throwing []byte

// built is the compiled fixture, one for a test process: libraries are never closed.
var built struct {
	sync.Mutex
	lib *dl.Library
}

// Lib is the open fixture.
type Lib struct {
	t   testing.TB
	lib *dl.Library
}

// Open returns the fixture, compiled with the machine's C compiler. Without one the test is skipped, and in CI
// (where the variable CI is set) it fails.
func Open(t testing.TB) Lib {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.lib == nil {
		lib, err := dl.Open(compile(t, fixture))
		if err != nil {
			t.Fatalf("open the C fixture: %v", err)
		}
		built.lib = lib
	}
	return Lib{t, built.lib}
}

// Build compiles C source of a test's own and opens it, as Open does. The file is gone when it returns; the library
// stays. flags are for the compiler, such as -I with a folder of headers.
func Build(t testing.TB, source []byte, flags ...string) Lib {
	t.Helper()
	path := compile(t, source, flags...)
	defer os.RemoveAll(filepath.Dir(path))
	lib, err := dl.Open(path)
	if err != nil {
		t.Fatalf("open compiled C: %v", err)
	}
	return Lib{t, lib}
}

// Throwing returns the fixture that throws exceptions. It needs a C++ compiler, as Open needs one for C: the variable
// CXX, or c++, and the one beside a CC that ends in gcc.
func Throwing(t testing.TB) Lib {
	t.Helper()
	return BuildCXX(t, throwing)
}

// BuildCXX is Build for C++.
func BuildCXX(t testing.TB, source []byte, flags ...string) Lib {
	t.Helper()
	cxx := os.Getenv("CXX")
	if cxx == "" {
		cxx = "c++"
		if cross, ok := strings.CutSuffix(os.Getenv("CC"), "gcc"); ok {
			cxx = cross + "g++"
		}
	}
	path := compileWith(t, cxx, "fixture.cc", source, flags...)
	defer os.RemoveAll(filepath.Dir(path))
	lib, err := dl.Open(path)
	if err != nil {
		t.Fatalf("open compiled C++: %v", err)
	}
	return Lib{t, lib}
}

// Fn returns a function of the fixture.
func (l Lib) Fn(name string) call.Fn {
	l.t.Helper()
	fn, err := l.lib.Symbol(name)
	if err != nil {
		l.t.Fatal(err)
	}
	return fn
}

// Path returns the fixture's file.
func (l Lib) Path() string { return l.lib.Path() }

// Clean removes the fixture's file. It is for the end of a test process: leaktest.Main(m, ctest.Clean).
func Clean() {
	built.Lock()
	defer built.Unlock()
	if built.lib != nil {
		os.RemoveAll(filepath.Dir(built.lib.Path()))
	}
}

func compile(t testing.TB, source []byte, flags ...string) string {
	t.Helper()
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	return compileWith(t, cc, "fixture.c", source, flags...)
}

// workFolder is where go test built this program, a folder that it removes in the end; of a program that was built otherwise it is
// the folder for temporary files.
func workFolder() string {
	exe, err := os.Executable()
	if dir := filepath.Dir(exe); err == nil && strings.Contains(dir, "go-build") {
		return dir
	}
	return ""
}

func compileWith(t testing.TB, cc, file string, source []byte, flags ...string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the C fixture needs POSIX threads")
	}
	path, err := exec.LookPath(cc)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no C compiler %q, and CI must have one: %v", cc, err)
		}
		t.Skipf("no C compiler %q", cc)
	}
	// The library stays open as long as the process, and so does its file: later tests open it by its path.
	dir, err := os.MkdirTemp(workFolder(), "isthmus-fixture-")
	if err != nil {
		t.Fatal(err)
	}
	src, lib := filepath.Join(dir, file), filepath.Join(dir, "fixture.so")
	if err := os.WriteFile(src, source, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, append(flags, "-O2", "-fPIC", "-shared", "-o", lib, src, "-lpthread")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cc, err, out)
	}
	return lib
}
