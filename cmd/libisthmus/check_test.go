//go:build linux && cgo

package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtlayer"
)

// crimes reads which rules of the layer a C file says that its lines break, by function: "rule:line".
func crimes(t *testing.T, path string) map[string][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := regexp.MustCompile(`^static void ([a-z_]+)\(void\) \{$`)
	mark := regexp.MustCompile(`/\* want (rt/[a-z-]+) \*/$`)
	out := map[string][]string{}
	in, n := "", 0
	for s := bufio.NewScanner(f); s.Scan(); {
		n++
		if m := begin.FindStringSubmatch(s.Text()); m != nil {
			in = m[1]
			out[in] = nil
		}
		if m := mark.FindStringSubmatch(s.Text()); m != nil {
			where := in
			if m[1] == "rt/out-of-order" { // before anything can be
				where = "out_of_order"
			}
			out[where] = append(out[where], fmt.Sprintf("%s:%d", m[1], n))
		}
	}
	return out
}

// finding is what a host's report has of one.
type finding struct {
	ID, Text, Object string
	Site, Made       []struct {
		File string
		Line int
	}
}

func reported(t *testing.T, path string) (out []finding) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, f)
	}
	return out
}

// TestCheckLayer has a host in C break each rule of the layer, and keep all of them: what is reported is what the host says
// of its lines, no more and no less.
func TestCheckLayer(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library")
	}
	const source = "testdata/check/crimes.c"
	program := variants[0].host(t, "check", source)
	want := crimes(t, source)
	broken := map[string]bool{}
	for name, marks := range want {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "report.jsonl")
			run(t, []string{"ISTHMUS_REPORT=" + path, "ISTHMUS_CHECK="}, program, name)
			var got []string
			for _, f := range reported(t, path) {
				at := slices.Concat(f.Site, f.Made)
				if len(at) == 0 || filepath.Base(at[0].File) != "crimes.c" {
					t.Fatalf("%+v", f)
				}
				got = append(got, fmt.Sprintf("%s:%d", f.ID, at[0].Line))
				if f.Object != "" && len(f.Made) == 0 {
					t.Errorf("nobody knows where %s was made: %s", f.Object, f.Text)
				}
			}
			if diff := cmp.Diff(marks, got); diff != "" {
				t.Errorf("findings (-marked +found):\n%s", diff)
			}
		})
		for _, m := range marks {
			id, _, _ := strings.Cut(m, ":")
			broken[id] = true
		}
	}
	for _, id := range rtlayer.Rules() {
		if !broken[id] {
			t.Errorf("no line breaks %s", id)
		}
	}
	t.Run("off", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "report.jsonl")
		out := run(t, []string{"ISTHMUS_REPORT=" + path, "ISTHMUS_CHECK=off"}, program, "double_destroy")
		if _, err := os.Stat(path); err == nil || out != "" {
			t.Errorf("it reports: %s", out)
		}
	})
	t.Run("standard error", func(t *testing.T) {
		out := run(t, []string{"ISTHMUS_REPORT=", "ISTHMUS_CHECK="}, program, "double_destroy")
		if !strings.Contains(out, "rt/double-destroy: rt_release: the last count of v was let go before, by rt_release") {
			t.Error(out)
		}
	})
}
