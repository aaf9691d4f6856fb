package pjrtc_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// compiler finds a C++ compiler; where the lane promises one, its absence is a failure.
func compiler(t *testing.T) string {
	t.Helper()
	for _, c := range []string{"g++", "clang++", "c++"} {
		if p, err := exec.LookPath(c); err == nil {
			return p
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no C++ compiler: g++, clang++ or c++ must be installed")
	}
	t.Skip("no C++ compiler")
	return ""
}

// TestP15StructsMatchTheCCompiler compiles a program that prints the size of every struct and the offset of every
// field, and compares with what Go's compiler says.
func TestP15StructsMatchTheCCompiler(t *testing.T) {
	cxx := compiler(t)
	headers, err := filepath.Glob("headers/0.114/xla/pjrt/c/*.h")
	if err != nil || len(headers) == 0 {
		t.Fatalf("no headers: %v", err)
	}
	var src strings.Builder
	src.WriteString("#include <stdio.h>\n#include <stddef.h>\n")
	for _, h := range headers {
		fmt.Fprintf(&src, "#include %q\n", strings.TrimPrefix(filepath.ToSlash(h), "headers/0.114/"))
	}
	src.WriteString("#include \"xla/ffi/api/c_api.h\"\n#include \"isthmus/more_extensions.h\"\nint main() {\n")
	want := map[string]uintptr{}
	for _, l := range pjrtc.Layouts {
		fmt.Fprintf(&src, "printf(\"%s %%zu\\n\", sizeof(%s));\n", l.Name, l.Name)
		want[l.Name] = l.Size
		for _, f := range l.Fields {
			fmt.Fprintf(&src, "printf(\"%s.%s %%zu\\n\", offsetof(%s, %s));\n", l.Name, f.Name, l.Name, f.Name)
			want[l.Name+"."+f.Name] = f.Offset
		}
	}
	src.WriteString("}\n")
	dir := t.TempDir()
	file, exe := filepath.Join(dir, "probe.cc"), filepath.Join(dir, "probe")
	if err := os.WriteFile(file, []byte(src.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cxx, "-std=c++17", "-w", "-Iheaders/0.114", "-Iheaders", file, "-o", exe).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cxx, err, out)
	}
	out, err := exec.Command(exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uintptr{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var name string
		var n uintptr
		if _, err := fmt.Sscanf(s.Text(), "%s %d", &name, &n); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		got[name] = n
	}
	if len(pjrtc.Layouts) < 350 {
		t.Errorf("only %d structs", len(pjrtc.Layouts))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("C lays structs out differently (-go +c):\n%s", d)
	}
}

// TestP15GeneratedFilesAreCurrent runs the generator again, with every compiler there is.
func TestP15GeneratedFilesAreCurrent(t *testing.T) {
	compiler(t)
	for _, cxx := range []string{"g++", "clang++"} {
		if _, err := exec.LookPath(cxx); err != nil {
			t.Logf("%s is not installed", cxx)
			continue
		}
		dir := t.TempDir()
		cmd := exec.Command("go", "run", "../../gen/pjrtgen", "-root", "headers/0.114", "-more", "headers", "-out", dir, "-cxx", cxx)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cxx, err, out)
		}
		made, err := filepath.Glob(filepath.Join(dir, "z*.go"))
		if err != nil || len(made) == 0 {
			t.Fatalf("%s: nothing generated: %v", cxx, err)
		}
		for _, m := range made {
			want, err := os.ReadFile(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Base(m))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what %s gives; run go generate ./internal/raw/pjrtc", filepath.Base(m), cxx)
			}
		}
	}
}

// TestP15HistoryAgreesWithTheHeaders states wrong versions, and leaves some out: the generator refuses each by name. That
// it takes the true ones, and so that each pinned header is a part of the newest, is in TestP15GeneratedFilesAreCurrent.
func TestP15HistoryAgreesWithTheHeaders(t *testing.T) {
	compiler(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("headers")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "since.txt")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	for was, is := range map[string]string{
		"73 PJRT_Client_UpdateGlobalProcessInfo": "76 PJRT_Client_UpdateGlobalProcessInfo", // 0.75 has it
		"84 PJRT_Buffer_CopyRawToHostFuture":     "83 PJRT_Buffer_CopyRawToHostFuture",     // 0.83 lacks it
		"64 PJRT_ExecuteOptions.context":         "",
		"95 PJRT_Client_Load":                    "95 PJRT_Client_Unload",
		"changed 83 PJRT_ProcessInfo":            "",
	} {
		if !strings.Contains(s, was) {
			t.Fatalf("%q is not in %s", was, file)
		}
		s = strings.Replace(s, was, is, 1)
	}
	if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "run", "../../gen/pjrtgen", "-root", filepath.Join(dir, "0.114"), "-more", dir, "-out", dir, "-cxx", compiler(t)).CombinedOutput()
	if err == nil {
		t.Fatal("it was taken")
	}
	for _, want := range []string{
		"0.76 brought PJRT_Client_UpdateGlobalProcessInfo", "0.83 brought PJRT_Buffer_CopyRawToHostFuture",
		"does not say when PJRT_ExecuteOptions.context came", "does not say when PJRT_Client_Load came", "knows PJRT_Client_Unload",
		"PJRT_ProcessInfo.error_code at 20 is gone",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// TestP15EveryArgumentCarriesItsSize sets the size of some structs and reads it back, among them one whose size is
// not sizeof.
func TestP15EveryArgumentCarriesItsSize(t *testing.T) {
	var (
		ready pjrtc.EventIsReadyArgs
		exec  pjrtc.ExecuteOptions
		api   pjrtc.Api
	)
	for name, c := range map[string]struct {
		set  func()
		got  *uint64
		want uint64
	}{
		"EventIsReadyArgs": {ready.SetSize, &ready.StructSize, 25},
		"ExecuteOptions":   {exec.SetSize, &exec.StructSize, pjrtc.ExecuteOptionsSize},
		"Api":              {api.SetSize, &api.StructSize, 40 + 8*pjrtc.NumSlots},
	} {
		if c.set(); *c.got != c.want {
			t.Errorf("%s: size %d, want %d", name, *c.got, c.want)
		}
	}
}

// TestAwaitAndDestroyTakeOneForm holds what package pjrt relies on: the wait for an event and its destruction take structs
// of one size, and the event stands at one place.
func TestAwaitAndDestroyTakeOneForm(t *testing.T) {
	var (
		await   pjrtc.EventAwaitArgs
		destroy pjrtc.EventDestroyArgs
	)
	if pjrtc.EventAwaitArgsSize != pjrtc.EventDestroyArgsSize || unsafe.Sizeof(await) != unsafe.Sizeof(destroy) || unsafe.Offsetof(await.Event) != unsafe.Offsetof(destroy.Event) {
		t.Error("PJRT_Event_Await_Args and PJRT_Event_Destroy_Args differ")
	}
}

// TestP37AllExtensionsAreKnown counts the extensions and their functions.
func TestP37AllExtensionsAreKnown(t *testing.T) {
	kinds, funcs := 0, 0
	for i, e := range pjrtc.Extensions() {
		if int(e.Type) != i {
			t.Errorf("extension %d has type %d", i, e.Type)
		}
		if e.Struct != "" {
			kinds++
		}
		funcs += len(e.Funcs)
	}
	if kinds != 23 || funcs != 133 {
		t.Errorf("got %d kinds with %d functions, want 23 with 133", kinds, funcs)
	}
	if pjrtc.NumSlots != 138 {
		t.Errorf("got %d slots, want 138", pjrtc.NumSlots)
	}
}
