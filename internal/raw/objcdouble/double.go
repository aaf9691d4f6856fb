// Package objcdouble builds doubles of the classes of Metal and Metal Performance Shaders for tests: an Objective-C library for GNU's
// runtime whose classes compute on the processor, count what is alive, note misuse, and fail when a test asks. One library serves a
// process; it knows one fault at a time.
package objcdouble

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

//go:embed testdata/double.m
var classes []byte

//go:embed testdata/throw.cc
var throwing []byte

// Fault is what goes wrong.
type Fault int

// The faults. The first ones happen at a call, the last three at a commit.
const (
	None       Fault = iota
	Nil              // the result is nil
	Error            // the result is nil and there is an NSError, where the method brings one
	Throw            // an NSException
	ThrowCxx         // a std::runtime_error
	ThrowOther       // an object that is no NSException
	ThrowEvil        // an NSException whose reason throws it again
	GPU              // the command buffer fails with a code
	Hang             // it ends after Release, with a timeout
	Late             // it completes after the next one does, or after Release
)

// Double is the library.
type Double struct {
	path                                     string
	get, arm, release, source, wrong, settle call.Fn
}

// built is the library of this process: libraries are never closed.
var built struct {
	sync.Mutex
	d    *Double
	skip string
}

// Open builds and opens the library. Without an Objective-C compiler or GNUstep the test is skipped, which says why; in CI it fails.
func Open(t testing.TB) *Double {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.d == nil && built.skip == "" {
		path, err := build()
		if err == nil {
			built.d, err = open(path)
		}
		if err != nil {
			built.skip = err.Error()
		}
	}
	if built.d == nil {
		if os.Getenv("CI") != "" && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && call.Trampoline == "assembly" {
			t.Fatalf("CI must have the doubles: %s", built.skip)
		}
		t.Skipf("no doubles of Metal: %s", built.skip)
	}
	return built.d
}

// build compiles the library once for its text and the machine, in the user's cache.
func build() (string, error) {
	if p := os.Getenv("ISTHMUS_DOUBLE"); p != "" { // one that was built for another machine
		return p, nil
	}
	if runtime.GOOS != "linux" || call.Trampoline != "assembly" {
		return "", fmt.Errorf("%s/%s with calls by %s has no runtime for them", runtime.GOOS, runtime.GOARCH, call.Trampoline)
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		return "", err
	}
	flags, err := exec.Command("gnustep-config", "--objc-flags").Output()
	if err != nil {
		return "", fmt.Errorf("gnustep-config: %w", err)
	}
	args := append(strings.Fields(strings.ReplaceAll(string(flags), "-MMD -MP", "")), "-O2", "-w", "-std=gnu11")
	sum := sha256.Sum256(fmt.Append(nil, cc, runtime.GOARCH, args, string(classes), string(throwing)))
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	out := filepath.Join(cache, "isthmus", "double-"+hex.EncodeToString(sum[:8])+".so")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), "double-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string][]byte{"double.m": classes, "throw.cc": throwing} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	for _, step := range [][]string{
		append(args, "-c", "double.m", "-o", "double.o"),
		{"-O2", "-fPIC", "-c", "throw.cc", "-o", "throw.o"},
		{"-shared", "-o", "double.so", "double.o", "throw.o", "-lgnustep-base", "-lobjc", "-lstdc++", "-lpthread", "-ldl", "-lm"},
	} {
		cmd := exec.Command(cc, step...)
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", cc, err, text)
		}
	}
	return out, os.Rename(filepath.Join(dir, "double.so"), out)
}

func open(path string) (*Double, error) {
	lib, err := dl.Open(path)
	if err != nil {
		return nil, err
	}
	d := &Double{path: path}
	for name, fn := range map[string]*call.Fn{
		"dbl_get": &d.get, "dbl_arm": &d.arm, "dbl_release": &d.release, "dbl_source": &d.source, "dbl_misused": &d.wrong,
		"dbl_settle": &d.settle,
	} {
		if *fn, err = lib.Symbol(name); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// Path is the library's file, for metal.Open.
func (d *Double) Path() string { return d.path }

// Live is how many objects of the doubles are alive, when the threads that run command buffers have ended: none may hang.
func (d *Double) Live() int {
	call.Call(d.settle)
	return d.number(0)
}

// Misuses is how often the doubles were used as Metal leaves undefined, and the last time.
func (d *Double) Misuses() (n int, last string) {
	n = d.number(1)
	if n > 0 {
		// SAFETY: owner: the library, for ever; bounds: a C string's own terminator within its 256 bytes; thread: any that is alone
		// with the library, as tests are.
		last = mem.CString(call.Call(d.wrong), 256)
	}
	return n, last
}

// Overlaps is how often two threads were in one kernel.
func (d *Double) Overlaps() int { return d.number(2) }

// Calls is how many calls there were since Arm.
func (d *Double) Calls() int { return d.number(3) }

// Commits is how many commits there were since Arm.
func (d *Double) Commits() int { return d.number(4) }

// Fired reports whether the fault happened.
func (d *Double) Fired() bool { return d.number(5) > 0 }

func (d *Double) number(k uintptr) int { return int(call.Call(d.get, k)) }

// Arm has the call, or commit, that comes after n others fail. code is the command buffer's for GPU.
func (d *Double) Arm(f Fault, n, code int) {
	call.Call(d.arm, uintptr(f), uintptr(n), uintptr(code))
}

// Release lets command buffers that hang fail, and those that are late complete.
func (d *Double) Release() { call.Call(d.release) }

// Source has newLibraryWithSource: give the library at path for a text: its functions isthmus_msl_has and isthmus_msl_run run kernels.
func (d *Double) Source(text, path string) error {
	f := call.Get()
	defer f.Put()
	a, err := f.Text(text)
	if err != nil {
		return err
	}
	b, err := f.Text(path)
	if err != nil {
		return err
	}
	if f.Call(d.source, uintptr(a), uintptr(b))&0xffffffff == 0 {
		return fmt.Errorf("objcdouble: %s is no library of kernels", path)
	}
	return nil
}
