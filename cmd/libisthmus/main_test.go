//go:build linux && cgo

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a command; what it prints is in the error.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestR15Torture has C threads read, write, grow and free the same objects: no reader sees another object's word, nothing
// is left, and neither the address sanitizer nor the thread sanitizer has anything to say.
// ISTHMUS_HAMMER=long does it for a minute each.
func TestR15Torture(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library twice")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	seconds := "2"
	if os.Getenv("ISTHMUS_HAMMER") == "long" {
		seconds = "60"
	}
	dir := t.TempDir()
	for _, c := range []struct{ name, library, host string }{
		{"plain", "", "-O2"},
		{"address", "", "-fsanitize=address"},
		{"thread", "-fsanitize=thread", "-fsanitize=thread"},
	} {
		t.Run(c.name, func(t *testing.T) {
			place := filepath.Join(dir, "library"+c.library)
			library := filepath.Join(place, "libisthmus.so")
			if _, err := os.Stat(library); err != nil {
				flags := "-O2 -g " + c.library
				if c.library != "" {
					flags += " -Wno-tsan" // it does not know fences; every word that is shared is read and written whole
				}
				run(t, []string{"CGO_ENABLED=1", "CGO_CFLAGS=" + flags, "CGO_LDFLAGS=" + c.library}, "go", "build", "-buildmode=c-shared", "-o", library, ".")
			}
			host := filepath.Join(place, c.name)
			run(t, nil, "gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-Wno-tsan", c.host, "-I../../include", "-o", host, "testdata/torture.c",
				"-L"+place, "-listhmus", "-Wl,-rpath,"+place, "-lpthread")
			t.Log(strings.TrimSpace(run(t, nil, host, seconds)))
		})
	}
}
