//go:build linux && cgo && (amd64 || arm64)

package bridge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestB01TwoBridges has two libraries with a bridge in one process: neither's calls reach the other, each has its own
// generations and limits, one goes on when the other is closed, and dlclose leaves both where they are.
func TestB01TwoBridges(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector does not work in a library")
	}
	dir := library(t)
	text, err := os.ReadFile(filepath.Join(dir, "libsample.so"))
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "libother.so")
	if err := os.WriteFile(other, text, 0o700); err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(t.TempDir(), "two")
	run(t, nil, "gcc", "-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-I../include", "-o", two, "testdata/two.c", "-ldl", "-lpthread")
	run(t, nil, "timeout", "900", two, method(t, "add"), filepath.Join(dir, "libsample.so"), other)
}

// TestHostAddresses has a host that is no position-independent code, as GHC's are, take the addresses that hosts take.
func TestHostAddresses(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector does not work in a library")
	}
	dir := library(t)
	program := filepath.Join(t.TempDir(), "address")
	for _, pic := range [][]string{{"-no-pie", "-fno-pic"}, {"-pie", "-fPIC"}} {
		args := append(pic, "-Wall", "-Werror", "-Wl,--fatal-warnings", "-I../include", "-o", program, "testdata/address.c", "-L"+dir, "-lsample", "-Wl,-rpath,"+dir)
		run(t, nil, "gcc", args...)
		run(t, nil, program)
	}
}

// TestB01GC has the garbage collector of Go run all the time while hosts call, give up, close and begin again.
func TestB01GC(t *testing.T) {
	if raceEnabled {
		t.Skip("the same tests run with the race detector alone")
	}
	dir := library(t)
	if err := buildHost(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"race", "corrupt", "block", "panic", "inline"} {
		t.Run(name, func(t *testing.T) {
			run(t, []string{"GOGC=1", "ROUNDS=20", "CORPUS=" + filepath.Join(dir, "corpus")}, filepath.Join(dir, "host"), hostArgs(t, name)...)
		})
	}
}

// method is the number of a method of the sample.
func method(t *testing.T, name string) string {
	t.Helper()
	for _, a := range hostArgs(t, "") {
		if n, ok := strings.CutPrefix(a, name+"="); ok {
			return n
		}
	}
	t.Fatal(name)
	return ""
}
