package objc_test

import (
	_ "embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

//go:embed testdata/apple.c
var apple []byte

// TestM18AppleEntryPoints runs the tests of this package on the entry points of Apple's runtime, in processes of their own: messages by
// objc_msgSend, pools by functions, exceptions as those of C++; and those of exceptions with LLVM's unwinder in place of GCC's.
func TestM18AppleEntryPoints(t *testing.T) {
	open(t)
	if os.Getenv("ISTHMUS_OBJC") != "" || runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("the stand-in is for linux/amd64, and runs once")
	}
	dir := t.TempDir()
	src, lib := filepath.Join(dir, "apple.c"), filepath.Join(dir, "apple.so")
	if err := os.WriteFile(src, apple, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-O1", "-fPIC", "-fexceptions", "-shared", src, "-o", lib, "-l:libobjc.so.4", "-lstdc++").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Skipf("%v\n%s", err, out)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	foundation := regexp.MustCompile(`/\S*/libgnustep-base\.so\S*`).Find(maps) // that of this process
	again := func(t *testing.T, which string, env ...string) {
		cmd := exec.Command(os.Args[0], "-test.run=^("+which+")", "-test.short", "-test.v")
		cmd.Env = append(os.Environ(), append(env, "ISTHMUS_OBJC="+lib, "ISTHMUS_FOUNDATION="+string(foundation))...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestM18AppleThrows") {
			t.Errorf("%v\n%s", err, out)
		}
	}
	t.Run("GCC's unwinder", func(t *testing.T) { again(t, "TestM|TestBlocks") })
	t.Run("LLVM's unwinder", func(t *testing.T) { // Apple's is of that code
		unwinder, _ := filepath.Glob("/usr/lib/llvm-*/lib/libunwind.so.1")
		if len(unwinder) == 0 {
			if os.Getenv("CI") != "" {
				t.Fatal("it is not installed; Debian's package is libunwind-14")
			}
			t.Skip("it is not installed; Debian's package is libunwind-14")
		}
		bound := filepath.Join(t.TempDir(), "bound")
		again(t, "TestM18", "LD_PRELOAD="+unwinder[0], "LD_DEBUG=bindings", "LD_DEBUG_OUTPUT="+bound)
		files, _ := filepath.Glob(bound + ".*")
		for _, f := range files {
			if text, _ := os.ReadFile(f); regexp.MustCompile("to " + regexp.QuoteMeta(unwinder[0]) + ".* `_Unwind_RaiseException'").Match(text) {
				return
			}
		}
		t.Error("nothing was bound to it")
	})
}

func TestM18AppleThrows(t *testing.T) {
	path := os.Getenv("ISTHMUS_OBJC")
	if path == "" {
		t.Skip("TestM18AppleEntryPoints runs it")
	}
	r := open(t)
	if r.Name() != "Apple" || r.Path() != path {
		t.Fatalf("the runtime is %s of %s", r.Name(), r.Path())
	}
	lib, err := dl.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	raise, err := lib.Symbol("apple_raise")
	if err != nil {
		t.Fatal(err)
	}
	caught, err := lib.Symbol("apple_caught")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Define("AppleThrower", "NSObject", objc.Method{Selector: "raise:", Encoding: "v@:@", Fn: raise}); err != nil {
		t.Fatal(err)
	}
	table, err := r.Bind([]objc.Fact{
		{Class: "AppleThrower", Selector: "init", Encoding: "@@:", Retained: true},
		{Class: "AppleThrower", Selector: "raise:", Encoding: "v@:@"},
		{Class: "NSException", Selector: "exceptionWithName:reason:userInfo:", Encoding: "@@:@@@", Meta: true},
		{Class: "NSException", Selector: "retainCount", Encoding: "Q@:"},
	})
	if err != nil {
		t.Fatal(err)
	}
	throwers, exceptions := class(t, table, "AppleThrower"), class(t, table, "NSException")
	for i := range 100 {
		pool(t, r, func(p *objc.Pool) error {
			name, err := p.Text("AppleException")
			if err != nil {
				return err
			}
			why, err := p.Text("as Apple throws")
			if err != nil {
				return err
			}
			var o, e objc.Object
			if err := p.New(&o, throwers, 0); err != nil {
				return err
			}
			defer o.Close()
			if err := p.ClassObject(&e, exceptions, 2, name, why, objc.Obj(nil)); err != nil {
				return err
			}
			defer e.Close()
			before, _ := p.Uint(&e, 3)
			var x *isthmus.Exception
			if err := p.Do(&o, 1, objc.Obj(&e)); !errors.As(err, &x) || x.Name != "AppleException" || x.What != "as Apple throws" {
				t.Errorf("%v", err)
			}
			if after, err := p.Uint(&e, 3); err != nil || after != before {
				t.Errorf("%d references after %d: %v", after, before, err)
			}
			if n := call.Call(caught); int(n) != i+1 {
				t.Errorf("%d exceptions are destroyed, want %d", n, i+1)
			}
			return nil
		})
	}
}
