//go:build linux && cgo && (amd64 || arm64)

package bridge_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// run runs a command; what it prints is in the error.
func run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, tail(string(out)))
	}
	return string(out)
}

func tail(s string) string { return s[max(0, len(s)-8000):] }

// tool skips the test where a compiler or interpreter is missing; in CI that is a failure.
func tool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

var place string // of the library and the hosts: removed when the tests are over

func TestMain(m *testing.M) {
	var err error
	if place, err = os.MkdirTemp("", "bridge"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(place)
	os.Exit(code)
}

var build = sync.OnceValue(func() error {
	cases, err := sample.Corpus()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(place, "corpus"), sample.Encode(cases), 0o600); err != nil {
		return err
	}
	return command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(place, "libsample.so"), "./internal/samplelib")
})

// The race detector does not work in a library; there the host is part of the program.
var buildHost = sync.OnceValue(func() error {
	host := filepath.Join(place, "host")
	if raceEnabled {
		return command("go", "build", "-race", "-tags=isthmus_bridge_host", "-o", host, "./internal/samplehost")
	}
	return command("gcc", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I../include", "-o", host,
		"../internal/raw/bridgelib/host.c", "-L"+place, "-lsample", "-Wl,-rpath,"+place, "-lpthread")
})

func command(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, tail(string(out)))
	}
	return nil
}

// library builds the library of the sample, once, and says where it is.
func library(t testing.TB) string {
	t.Helper()
	tool(t, "gcc")
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return place
}

func hostArgs(t testing.TB, name string) []string {
	t.Helper()
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{name}
	for i := range s.Methods {
		args = append(args, fmt.Sprintf("%s=%d", s.Methods[i].Name, s.Methods[i].ID()))
	}
	return args
}

// hosts runs tests of the host in C, each in a process of its own.
func hosts(t *testing.T, names ...string) {
	dir := library(t)
	if err := buildHost(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			env := []string{"CORPUS=" + filepath.Join(dir, "corpus"), "GORACE=halt_on_error=1", "ROUNDS=" + rounds()}
			if raceEnabled {
				env = append(env, "RACE=1") // the detector's own memory grows
			}
			out := run(t, env, filepath.Join(dir, "host"), hostArgs(t, name)...)
			if testing.Verbose() {
				t.Log(tail(out))
			}
		})
	}
}

// rounds is how often the racing hosts begin and end a bridge: the requirement's 1,000 in the long lane.
func rounds() string {
	switch {
	case os.Getenv("ISTHMUS_HAMMER") == "long":
		return "1000"
	case raceEnabled:
		return "30"
	}
	return "200"
}

func TestB01Generations(t *testing.T) { hosts(t, "use", "reinit", "flight", "fork") }
func TestB01Race(t *testing.T)        { hosts(t, "race") }
func TestB03Lengths(t *testing.T)     { hosts(t, "sizes") }
func TestB04Deadlines(t *testing.T)   { hosts(t, "deadline", "waker", "hang") }
func TestB05Corrupt(t *testing.T)     { hosts(t, "corrupt") }
func TestB06Flood(t *testing.T)       { hosts(t, "flood", "casts") }
func TestB06Block(t *testing.T)       { hosts(t, "block") }
func TestB07Panics(t *testing.T)      { hosts(t, "panic") }
func TestB09Agreement(t *testing.T)   { hosts(t, "agree") }
func TestHost(t *testing.T)           { hosts(t, "echo", "inline", "events", "doorbell", "signals", "misuse") }

// The one thing that is not contained ends the process with a text that says what to do.
func TestB07InlineGoexit(t *testing.T) {
	dir := library(t)
	if err := buildHost(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(dir, "host"), hostArgs(t, "inline_goexit")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "register it without bridge.Inline") {
		t.Errorf("%v\n%s", err, tail(string(out)))
	}
}

// TestB09Mismatch has a host with another schema refused at init, by the name of what differs; one that lacks what is new is
// served.
func TestB09Mismatch(t *testing.T) {
	dir := library(t)
	if err := buildHost(); err != nil {
		t.Fatal(err)
	}
	lib, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"the same", "", "", "0 "},
		{"a field of another type", "note:utf8", "note:bytes", "9 schema mismatch: Blob.note host=bytes lib=utf8 (methods echo, emitWhole, hold, load, mirror, obey, obeyInline, whole)"},
		{"a method that the host lacks", "cast load Blob\n", "", "0 "},
		{"a method that the library lacks", "cast load Blob\n", "cast load Blob\ncast lobe Blob\n", "9 schema mismatch: method lobe host=cast lib=none"},
		{"an option that the host lacks", "extensible struct Growing id:u32 note:opt<utf8> more:opt<Point>", "extensible struct Growing id:u32", "0 "},
		{"an alternative that the host lacks", "open sum Shape Circle Polygon", "open sum Shape Circle", "0 "},
		{"another bridge", "bridge sample 0", "bridge other 0", "9 schema mismatch: bridge host=other lib=sample"},
		{"a newer format", "isthmus-bridge 1", "isthmus-bridge 2", "9 schema mismatch: the host's: schema: it is of format"},
		{"no schema", "struct", "strukt", "9 schema mismatch: the host's: schema: line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(lib.Text(), c.old, c.new, 1)
			print := lib.Fingerprint()
			if text != lib.Text() {
				print = schema.Print{1}
				if host, err := schema.Parse(text); err == nil {
					print = host.Fingerprint()
				}
			}
			out := run(t, []string{"HOST_SCHEMA=" + text, "HOST_PRINT=" + print.String()}, filepath.Join(dir, "host"), hostArgs(t, "mismatch")...)
			if !strings.HasPrefix(out, c.want) {
				t.Errorf("got %q, want %q", out, c.want)
			}
		})
	}
}

// reads makes go test's cache know of files that other programs read.
func reads(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// generated writes a language's module of the sample to where the library is.
func generated(t *testing.T, language string) string {
	t.Helper()
	if raceEnabled || testing.Short() {
		t.Skip("the library that these hosts load has no race detector, and compiling them takes long")
	}
	dir := library(t)
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	f, err := gen.Generate(language, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestB01PythonHost(t *testing.T) {
	tool(t, "python3")
	reads(t, "hosts/python")
	dir := generated(t, "python")
	host, err := filepath.Abs("hosts/python")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(tail(run(t, []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + dir + ":" + host}, "timeout", "900", "python3", filepath.Join(host, "tests/host.py"), filepath.Join(dir, "libsample.so"))))
}

// TestB01CHost has a host in C call through the functions that are generated: replies, errors, deadlines of all kinds, casts
// by the thousand where few fit, events, and a bridge that closes under its callers.
func TestB01CHost(t *testing.T) {
	if raceEnabled {
		t.Skip("the library that it loads has no race detector")
	}
	dir := library(t)
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	f, err := gen.Generate("c", s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, f.Name), []byte(f.Text), 0o600); err != nil {
		t.Fatal(err)
	}
	host := filepath.Join(dir, "client")
	run(t, nil, "gcc", "-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-I../include", "-I"+dir, "-o", host, "testdata/client.c", "-L"+dir, "-lsample", "-Wl,-rpath,"+dir, "-lpthread")
	run(t, nil, host)
}
