//go:build linux && cgo

package main_test

import (
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

// TestR15Valgrind runs the audit's tests of data under valgrind, which sees every access that leads nowhere. Go's own
// stacks look uninitialised to it, so that is not asked. An area takes a minute, so but one is done;
// ISTHMUS_HAMMER=long does more.
func TestR15Valgrind(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	need(t, "valgrind")
	sources, err := filepath.Glob("testdata/audit/*.c")
	if err != nil {
		t.Fatal(err)
	}
	program := variants[0].host(t, "valgrind", sources...)
	areas := []string{"tuples"}
	if os.Getenv("ISTHMUS_HAMMER") == "long" {
		areas = append(areas, "arrays", "dicts")
	}
	for _, area := range areas {
		t.Run(area, func(t *testing.T) {
			run(t, []string{"GOMAXPROCS=1"}, "valgrind", "--quiet", "--error-exitcode=9", "--undef-value-errors=no", program, area)
		})
	}
}
