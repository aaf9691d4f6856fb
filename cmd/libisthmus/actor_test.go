//go:build linux && cgo

package main_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// eachCase runs every case of a program in C that includes check.h, in a process of its own: plain, under the address
// sanitizer and under the thread sanitizer. After each case nothing is left.
// include is a folder of headers of the test's own.
func eachCase(t *testing.T, name, include string) {
	if testing.Short() {
		t.Skip("it builds the library twice")
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			program := v.host(t, name, "testdata/"+name+".c", "-iquote"+cmp.Or(include, "testdata"))
			for _, c := range strings.Fields(run(t, nil, program, "list")) {
				t.Run(c, func(t *testing.T) {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
					defer cancel()
					cmd := exec.CommandContext(ctx, program, c)
					cmd.Env = os.Environ()
					if v.name != "plain" {
						cmd.Env = append(cmd.Env, "RT_TEST_SMALL=1")
					}
					if os.Getenv("ISTHMUS_HAMMER") == "long" {
						cmd.Env = append(cmd.Env, "RT_TEST_MS=60000")
					}
					out, err := cmd.CombinedOutput()
					if said := strings.TrimSpace(string(out)); err != nil || said != "ok "+c {
						t.Errorf("%v\n%s", err, said)
					}
				})
			}
		})
	}
}

// TestR03Generators: the corners of generators, without a stack and with one.
func TestR03Generators(t *testing.T) { eachCase(t, "generators", "") }

// TestR05Actors: rings, storms of joins, full mailboxes, ends in every state, ten thousand bodies that wait and a hundred
// thousand handlers.
func TestR05Actors(t *testing.T) { eachCase(t, "actors", "") }
