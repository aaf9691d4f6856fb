//go:build linux && cgo

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// every writes a header of one line for each function of the contract, which says what its parameters are by a letter each:
// see testdata/hostile.c.
func every(t *testing.T) (include string) {
	t.Helper()
	header, err := os.ReadFile("../../include/isthmus_rt.h")
	if err != nil {
		t.Fatal(err)
	}
	contract, _, _ := strings.Cut(string(header), "/* ---- What follows is how")
	kinds := []struct{ of, letter string }{ // the first that a parameter begins with
		{"void (*", "t"},
		{"rt_value (*", "b"},
		{"const uint8_t *", "s"},
		{"const char *", "c"},
		{"const void *", "x"},
		{"rt_value *", "p"},
		{"rt_census_line *", "p"},
		{"uint64_t *", "p"},
		{"double *", "p"},
		{"rt_value ", "v"},
		{"int64_t file", "v"},
		{"int64_t timeout_ns", "w"},
		{"int64_t ", "n"},
		{"uint64_t ", "n"},
		{"int32_t ", "n"},
		{"uint32_t ", "n"},
		{"double ", "n"},
	}
	var b strings.Builder
	n := 0
	declared := regexp.MustCompile(`(?m)^RT_(?:API|FN)_ [^;]*?\b((?:rt|native)_[a-z0-9_]+)\(((?:[^()]|\([^()]*\))*)\);`)
	comma := regexp.MustCompile(`\(\*[a-z]+\)\([^()]*\)`)
	for _, m := range declared.FindAllStringSubmatch(contract, -1) {
		name, params := m[1], comma.ReplaceAllString(m[2], "(*)")
		if name == "rt_shutdown" {
			continue // the host's own
		}
		letters := ""
		for p := range strings.SplitSeq(params, ", ") {
			for _, k := range kinds {
				if strings.HasPrefix(p, k.of) {
					letters += k.letter
					break
				}
			}
		}
		if want := strings.Count(params, ",") + 1; params != "void" && len(letters) != want {
			t.Fatalf("%s(%s): not all of its parameters are known: %q", name, params, letters)
		}
		fmt.Fprintf(&b, "F(%s, %q)\n", name, letters)
		n++
	}
	if n < 130 {
		t.Fatalf("%d functions found", n)
	}
	include = t.TempDir()
	if err := os.WriteFile(filepath.Join(include, "functions.h"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return include
}

// TestR14HostileHosts has hosts do what nobody should: close, cancel and stop what others wait for, call everything with any
// words meanwhile, before the beginning, after the end, in a fork's child, and where a thread or the process ends.
func TestR14HostileHosts(t *testing.T) { eachCase(t, "hostile", every(t)) }

// TestR14Unloaded has a host that loads the library unload it while its threads wait there, and load it again.
func TestR14Unloaded(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	dir := library(t, "")
	program := filepath.Join(dir, "unload")
	run(t, nil, "gcc", "-std=c11", "-D_GNU_SOURCE", "-g", "-Wall", "-I../../include", "-o", program, "testdata/unload.c", "-ldl", "-lpthread")
	if out := run(t, nil, program, filepath.Join(dir, "libisthmus.so")); out != "ok\n" {
		t.Error(out)
	}
}
