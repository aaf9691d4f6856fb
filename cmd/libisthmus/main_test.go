//go:build linux && cgo

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// place is where the tests of this package build, once for all of them.
var place string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "libisthmus")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	place = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs a command; what it prints is in the error.
func run(t testing.TB, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// need skips a test that needs a command which is not here; in CI it fails.
func need(t testing.TB, command string) {
	t.Helper()
	if _, err := exec.LookPath(command); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// library builds libisthmus.so once for each kind of flags, and returns its folder.
func library(t testing.TB, flags string) string {
	t.Helper()
	need(t, "gcc")
	build, _ := libraries.LoadOrStore(flags, sync.OnceValues(func() (string, error) {
		dir := filepath.Join(place, "library"+strings.ReplaceAll(flags, " ", ""))
		cgo := "-O2 -g " + flags
		if flags != "" {
			cgo += " -Wno-tsan" // it does not know fences; every word that is shared is read and written whole
		}
		cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "libisthmus.so"), ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS="+cgo, "CGO_LDFLAGS="+flags)
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		return dir, err
	}))
	dir, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var libraries sync.Map

// variant is a way to build a host in C.
type variant struct{ name, library, flags string }

var variants = []variant{
	{"plain", "", "-O2"},
	{"address", "", "-fsanitize=address,undefined -fno-sanitize-recover"},
	{"thread", threads, threads},
}

// threads has the library, too, say what the thread sanitizer finds, and what C leaves undefined. One at a time: cgo looks
// for the first as a word, and tells the sanitizer then of what Go orders.
const threads = "-fsanitize=thread -fsanitize=undefined -fno-sanitize-recover"

// host builds a host from C files beside the library, and returns its path.
func (v variant) host(t testing.TB, name string, sources ...string) string {
	t.Helper()
	dir := library(t, v.library)
	path := filepath.Join(dir, name+"-"+v.name)
	if _, err := os.Stat(path); err == nil {
		return path // another test built it
	}
	args := append(strings.Fields(v.flags), "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wno-tsan", "-I../../include", "-o", path)
	run(t, nil, "gcc", append(append(args, sources...), "-L"+dir, "-listhmus", "-Wl,-rpath,"+dir, "-lpthread")...)
	return path
}

// TestR15Torture has C threads read, write, grow and free the same objects: no reader sees another object's word, nothing
// is left, and neither the address sanitizer nor the thread sanitizer has anything to say.
// ISTHMUS_HAMMER=long makes it a billion reads, under the thread sanitizer a tenth of that.
func TestR15Torture(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library twice")
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			seconds := "2"
			if os.Getenv("ISTHMUS_HAMMER") == "long" {
				seconds = map[string]string{"plain": "120", "address": "360", "thread": "150"}[v.name]
			}
			t.Log(strings.TrimSpace(run(t, nil, v.host(t, "torture", "testdata/torture.c"), seconds)))
		})
	}
}
