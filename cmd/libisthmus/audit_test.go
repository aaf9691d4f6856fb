//go:build linux && cgo

package main_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// areas are the audit's, with the requirement that each is of, and how many tests the audit counted.
var areas = []struct {
	name  string
	count int
}{
	{"futures", 9},
	{"channels", 5},
	{"arrays", 10},
	{"tuples", 5},
	{"strings", 6},
	{"dicts", 9},
	{"objects", 8},
	{"closures", 6},
	{"enums", 5},
	{"uniques", 6},
	{"generators", 12},
	{"actors", 15},
	{"files", 7},
	{"memory", 0}, // which the audit has none for
}

// TestAudit runs the audit's tests, C programs beside the library as a host has it: plain, under the address sanitizer, under
// the thread sanitizer, and with the validation layer. A program that dies fails the test it died in, and all that would have come after.
func TestAudit(t *testing.T) { // R01 R02 R03 R04 R05 R06 R07 R08 R09 R10 R11 R12 R13 R16
	if testing.Short() {
		t.Skip("it builds the library twice")
	}
	sources, err := filepath.Glob("testdata/audit/*.c")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(variants, variant{"checked", "", "-DRT_CHECK -fsanitize=undefined -fno-sanitize-recover"}) {
		t.Run(v.name, func(t *testing.T) {
			program := v.host(t, "audit", sources...)
			if v.name == "checked" {
				report := filepath.Join(t.TempDir(), "report.jsonl")
				t.Setenv("ISTHMUS_REPORT", report)
				t.Setenv("ISTHMUS_CHECK", "validate")
				// The audit uses dead objects and wrong ones, but lets no count go that it does not have, and forgets none.
				defer func() {
					found := reported(t, report)
					for _, f := range found {
						if f.ID == "rt/destroy-of-lent" || f.ID == "rt/leak" {
							t.Errorf("false alarm: %+v", f)
						}
					}
					if len(found) < 100 {
						t.Errorf("%d findings of the validation layer", len(found))
					}
				}()
			}
			listed := map[string][]string{}
			for line := range strings.Lines(run(t, nil, program, "list")) {
				area, name, _ := strings.Cut(strings.TrimSpace(line), " ")
				listed[area] = append(listed[area], name)
			}
			for _, a := range areas {
				t.Run(a.name, func(t *testing.T) {
					if len(listed[a.name]) < a.count {
						t.Errorf("%d tests, the audit has %d", len(listed[a.name]), a.count)
					}
					said, fate := auditRun(t, program, a.name)
					for _, name := range listed[a.name] {
						t.Run(name, func(t *testing.T) {
							if said[name] != "ok" {
								t.Error(said[name], fate)
							}
						})
					}
					if fate != "" && !t.Failed() {
						t.Error(fate)
					}
				})
			}
		})
	}
}

// auditRun runs one area, and returns what was said of each test, and how it ended when it did not end well.
func auditRun(t *testing.T, program, area string) (said map[string]string, fate string) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, area)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	said = map[string]string{}
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "ok "); ok {
			said[name] = "ok"
		} else if rest, ok := strings.CutPrefix(line, "not ok "); ok {
			name, why, _ := strings.Cut(rest, ": ")
			said[name] = why
		}
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1 || stderr.Len() > 0) {
		fate = "the program ended with " + err.Error() + "\n" + stderr.String()
	}
	return said, fate
}
