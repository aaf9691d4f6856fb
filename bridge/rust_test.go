//go:build linux && cgo && (amd64 || arm64)

package bridge_test

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus/bridge"
	"github.com/isthmus-ffi/isthmus/bridge/internal/sample"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

var buildRust = sync.OnceValue(func() error {
	src, err := filepath.Abs("hosts/rust")
	if err != nil {
		return err
	}
	crate := func(name, from string, args ...string) error {
		return command("rustc", append([]string{"--edition=2021", "--crate-name=" + name, "-L" + place, "--out-dir", place, from}, args...)...)
	}
	if err := crate("isthmus_bridge", filepath.Join(src, "src/lib.rs"), "--crate-type=rlib", "-O"); err != nil {
		return err
	}
	if err := crate("sample_bridge", filepath.Join(place, "sample_bridge.rs"), "--crate-type=rlib", "--extern=isthmus_bridge"); err != nil {
		return err
	}
	return crate("hostrs", filepath.Join(src, "tests/host.rs"), "--extern=isthmus_bridge", "--extern=sample_bridge")
})

// rust runs tests of the host in Rust, each in a process of its own. It needs Debian's rustc.
func rust(t *testing.T, names ...string) {
	t.Helper()
	tool(t, "rustc")
	reads(t, "hosts/rust")
	dir := generated(t, "rust")
	if err := buildRust(); err != nil {
		t.Fatal(err)
	}
	s, err := sample.New(bridge.Options{}).Schema()
	if err != nil {
		t.Fatal(err)
	}
	other, err := schema.Parse(strings.Replace(s.Text(), "note:utf8", "note:bytes", 1))
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"HOST_SCHEMA=" + other.Text(), "HOST_PRINT=" + other.Fingerprint().String()}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			out := run(t, env, "timeout", "900", filepath.Join(dir, "hostrs"), filepath.Join(dir, "libsample.so"), filepath.Join(dir, "corpus"), name)
			if name == "agreement" && !strings.Contains(out, "Blob.note host=bytes lib=utf8") {
				t.Error(out)
			}
			t.Log(tail(out))
		})
	}
}

func TestB01RustHost(t *testing.T) {
	rust(t, "echo", "use", "reinit", "flight", "race", "fork", "exit", "events", "signals")
}
func TestB02RustHost(t *testing.T) { rust(t, "scopes") }
func TestB03RustHost(t *testing.T) { rust(t, "lengths") }
func TestB04RustHost(t *testing.T) { rust(t, "deadlines", "cancel", "hang") }
func TestB05RustHost(t *testing.T) { rust(t, "corrupt") }
func TestB06RustHost(t *testing.T) { rust(t, "flood") }
func TestB07RustHost(t *testing.T) { rust(t, "panics") }
func TestB09RustHost(t *testing.T) { rust(t, "agreement") }
