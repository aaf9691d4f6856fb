//go:build linux && cgo

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestR14Exhaustion gives a host little address space, and has it take all memory and all handles: it is told so each time,
// and goes on.
func TestR14Exhaustion(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	need(t, "bash")
	program := variants[0].host(t, "exhaust", "testdata/exhaust.c")
	t.Log(strings.TrimSpace(run(t, nil, "bash", "-c", "ulimit -v 3000000; exec "+program)))
}

// TestR15LeaksAreNamed has a host forget objects: the end counts them, and tells types and lines to whoever asks.
func TestR15LeaksAreNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	program := variants[0].host(t, "leak", "testdata/leak.c")
	if out := run(t, []string{"ISTHMUS_CHECK="}, program); out != "" {
		t.Errorf("nobody asked for %q", out)
	}
	out := run(t, []string{"ISTHMUS_CHECK=report"}, program)
	for _, want := range []string{"3 array", "leak.c:7\n", "1 string"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

// TestR15Valgrind runs the audit's tests of data under valgrind, which sees every access of C's that leads nowhere. It takes
// Go's stacks, one beside the other, for one that grows and shrinks, so Go's own accesses and what is uninitialised are not
// asked; nor leaks, which the census counts: it would look for pointers in all that the runtime has reserved. What waits has
// stacks of its own, which look to it like Go's.
func TestR15Valgrind(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	need(t, "valgrind")
	sources, err := filepath.Glob("testdata/audit/*.c")
	if err != nil {
		t.Fatal(err)
	}
	program := variants[0].host(t, "valgrind", sources...)
	var not strings.Builder
	for _, bytes := range []int{1, 2, 4, 8, 16, 32} {
		for _, in := range []string{"runtime.*", "runtime/*", "internal/*", "sync*", "github.com/*", "main.*"} {
			fmt.Fprintf(&not, "{\n%s, %d\nMemcheck:Addr%d\nfun:%s\n}\n", in, bytes, bytes, in)
		}
	}
	suppressions := filepath.Join(t.TempDir(), "go.supp")
	if err := os.WriteFile(suppressions, []byte(not.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	areas := []string{"arrays", "tuples", "strings", "dicts", "objects", "closures", "enums", "uniques", "memory"}
	for _, area := range areas {
		t.Run(area, func(t *testing.T) {
			run(t, []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}, "valgrind", "--quiet", "--error-exitcode=9",
				"--leak-check=no", "--undef-value-errors=no", "--suppressions="+suppressions, program, area)
		})
	}
}
