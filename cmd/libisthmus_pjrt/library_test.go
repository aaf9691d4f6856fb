//go:build linux && cgo

package main_test

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// build makes the library as its documentation says, and a client in C.
func build(t *testing.T) (library, client string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes half a minute to build")
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("gcc must be installed")
		}
		t.Skip("no C compiler")
	}
	dir := t.TempDir()
	library, client = filepath.Join(dir, "libisthmus_pjrt.so"), filepath.Join(dir, "client")
	for _, args := range [][]string{
		{"go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", library, "."},
		{cc, "-D_GNU_SOURCE", "-O1", "-I../../internal/raw/pjrtc/headers/0.114", "-o", client, "testdata/client.c", "-ldl", "-lpthread"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return library, client
}

// The library exports what clients look up, needs the C library alone, and is small. Clients in C use it: from several
// threads, by two clients, under two names at once, and around forks.
func TestLibrary(t *testing.T) {
	library, client := build(t)
	t.Run("file", func(t *testing.T) {
		info, err := os.Stat(library)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes", info.Size())
		if info.Size() > 12e6 {
			t.Errorf("%d bytes, at most 12 MB", info.Size())
		}
		f, err := elf.Open(library)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		libs, err := f.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range libs {
			if !slices.ContainsFunc([]string{"libc.so.", "libpthread.so.", "libdl.so.", "ld-linux"}, func(p string) bool { return strings.HasPrefix(l, p) }) {
				t.Errorf("it needs %s", l)
			}
		}
		symbols, err := f.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF }) {
			t.Error("it does not export GetPjrtApi")
		}
	})
	other := filepath.Join(t.TempDir(), "other.so")
	data, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, data, 0o600); err != nil {
		t.Fatal(err)
	}
	// A goroutine that C entered cannot be ended and then return to C: so nothing in the library calls runtime.Goexit. The
	// names of all its functions stand in it; the second one shows that they are found.
	if bytes.Contains(data, []byte("\x00runtime.Goexit\x00")) || !bytes.Contains(data, []byte("\x00runtime.goexit1\x00")) {
		t.Error("the library can end a goroutine that C entered")
	}
	for _, mode := range []string{"clients", "threads", "twice", "fork", "fork-first"} {
		t.Run(mode, func(t *testing.T) {
			if out, err := exec.CommandContext(t.Context(), client, mode, library, other).CombinedOutput(); err != nil || string(out) != "ok\n" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
