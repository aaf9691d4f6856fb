package isthmus_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
)

// TestCensusProfile has pprof itself read a census.
func TestCensusProfile(t *testing.T) {
	before := isthmus.Live()
	var entries []*isthmus.Entry
	for range 3 {
		entries = append(entries, makeHere())
	}
	defer func() {
		for _, e := range entries {
			e.Leave()
		}
	}()
	var out bytes.Buffer
	live := isthmus.Live().Since(before)
	if err := live.WriteProfile(&out); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !strings.Contains(string(plain), "makeHere") {
		t.Errorf("the profile names no place: %v", err)
	}
	file := filepath.Join(t.TempDir(), "census")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	top, err := exec.Command("go", "tool", "pprof", "-top", "-cum", file).CombinedOutput()
	if err != nil {
		t.Skipf("no pprof: %v: %s", err, top)
	}
	for _, want := range []string{"Type: objects", "makeHere", live[0].Kind} {
		if !strings.Contains(string(top), want) {
			t.Errorf("pprof says no %q:\n%s", want, top)
		}
	}
	if !strings.Contains(string(top), " 3 ") {
		t.Errorf("pprof does not count 3 objects:\n%s", top)
	}
}
