//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// example runs an example from the module's folder, and gives what its hosts print.
func example(t *testing.T, name string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds a library and compiles a host")
	}
	for _, p := range []string{"async", "hint"} {
		if out, err := exec.Command("ghc-pkg", "list", "--simple-output", p).Output(); err != nil || len(bytes.TrimSpace(out)) == 0 {
			if os.Getenv("CI") != "" {
				t.Fatal("GHC is not here, or has no package ", p)
			}
			t.Skip("GHC is not here, or has no package ", p) // ./check brings them
		}
	}
	t.Chdir("../..")
	var out bytes.Buffer
	if err := run(name, &out, args...); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return out.String()
}

// The device's answers are JAX's, the deadline ends the wait, and when the device is done nothing is left: the host fails else.
func TestTensors(t *testing.T) {
	const want = `Haskell: "tensor<1797xi32>": 1790 of 1797 digits are read right, and all as JAX reads them
Haskell: counted to [100]
Haskell: to 2000000, with a deadline of 10 ms: Nothing
Haskell: no program: HandlerFailed
Haskell: nothing is left on the device
`
	if got := example(t, "tensors"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestHint(t *testing.T) {
	script := filepath.Join(t.TempDir(), "Script.hs")
	text, err := os.ReadFile("hint/Script.hs")
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(strings.Replace(string(text), "forever $ do", "do", 1), "  threadDelay 1000000\n", "", 1)
	if err := os.WriteFile(script, []byte(strings.Replace(short, "import Control.Monad\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := example(t, "hint", script), "Haskell: "+script+" runs\nso far 3 words\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
