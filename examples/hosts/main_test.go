//go:build linux && cgo

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every host prints the same, and it is right.
func TestHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the library and the hosts")
	}
	dir := t.TempDir()
	text := strings.Repeat("One word, two words; and\tThe-third's \xc3\xa9t\xc3\xa9 "+strings.Repeat("long", 40)+"\n", 300)
	files := []string{filepath.Join(dir, "a"), filepath.Join(dir, "empty"), filepath.Join(dir, "b")}
	for i, s := range []string{text, "", text[len(text)/2:] + "last"} {
		if err := os.WriteFile(files[i], []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := expected(text + " " + text[len(text)/2:] + "last")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range hosts {
		t.Run(host, func(t *testing.T) {
			for name, tool := range map[string]string{"c": "gcc", "rust": "rustc", "python": "python3"} {
				if _, err := exec.LookPath(tool); err != nil && host == name {
					if os.Getenv("CI") != "" {
						t.Fatal(err)
					}
					t.Skip(err) // ./check brings them
				}
			}
			var out bytes.Buffer
			if err := start(t.Context(), &out, host, root, dir, files); err != nil {
				t.Fatal(err)
			}
			if out.String() != want {
				t.Errorf("got\n%swant\n%s", out.String(), want)
			}
			if err := start(t.Context(), &out, host, root, dir, []string{filepath.Join(dir, "missing")}); err == nil {
				t.Error("a missing file is no error")
			}
		})
	}
}

func expected(text string) string {
	n, total := map[string]int{}, 0
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
		for part := range slices.Chunk([]byte(w), longest) {
			n[string(part)]++
			total++
		}
	}
	var list []string
	for w := range n {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(n[b]-n[a], cmp.Compare(a, b)) })
	var b strings.Builder
	fmt.Fprintf(&b, "%d words, %d different\n", total, len(n))
	for _, w := range list[:min(10, len(list))] {
		fmt.Fprintf(&b, "%7d %s\n", n[w], w)
	}
	return b.String()
}
