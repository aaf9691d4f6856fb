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

// TestR15Valgrind runs the audit's tests of data under valgrind, which sees every access that leads nowhere. Go's own
// stacks look uninitialised to it, so that is not asked.
func TestR15Valgrind(t *testing.T) {
	if os.Getenv("ISTHMUS_HAMMER") != "long" {
		t.Skip("it takes minutes: ./check rtlong")
	}
	need(t, "valgrind")
	sources, err := filepath.Glob("testdata/audit/*.c")
	if err != nil {
		t.Fatal(err)
	}
	program := variants[0].host(t, "valgrind", sources...)
	for _, area := range []string{"tuples", "arrays", "dicts"} {
		t.Run(area, func(t *testing.T) {
			run(t, []string{"GOMAXPROCS=1"}, "valgrind", "--quiet", "--error-exitcode=9", "--undef-value-errors=no", program, area)
		})
	}
}
