//go:build linux && cgo && (amd64 || arm64)

package bridge_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// haskellPackage builds the package as Debian would: Setup.hs, and Debian's packages alone. It gives GHC's data base.
var haskellPackage = sync.OnceValues(func() (db string, err error) {
	src, err := filepath.Abs("hosts/haskell")
	if err != nil {
		return "", err
	}
	dist := filepath.Join(place, "dist")
	setup := func(args ...string) error {
		cmd := exec.Command("runghc", append([]string{"Setup.hs"}, args...)...)
		cmd.Dir = src
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("Setup.hs %s: %w\n%s", args[0], err, tail(string(out)))
		}
		return nil
	}
	if err := setup("configure", "-v0", "--builddir="+dist, "--disable-optimization", "--enable-shared", "-fhint"); err != nil {
		return "", err
	}
	return filepath.Join(dist, "package.conf.inplace"), setup("build", "-v0", "--builddir="+dist, "--ghc-options=-Werror")
})

var ghcMu sync.Mutex // programs share objects

// haskell compiles and links a program of hosts/haskell/tests, beside the library. It needs Debian's ghc and the packages of
// GHC that are named here.
func haskell(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("compiling it takes long")
	}
	tool(t, "ghc")
	for _, p := range []string{"async", "hint", "QuickCheck", "store"} {
		if out, err := exec.Command("ghc-pkg", "list", "--simple-output", p).Output(); err != nil || len(strings.TrimSpace(string(out))) == 0 {
			if os.Getenv("CI") != "" {
				t.Fatal("GHC has no package ", p)
			}
			t.Skipf("GHC has no package %s: apt install libghc-{async,hint,quickcheck2,store}-dev", p)
		}
	}
	reads(t, "hosts/haskell")
	dir := generated(t, "haskell")
	db, err := haskellPackage()
	if err != nil {
		t.Fatal(err)
	}
	ghcMu.Lock()
	defer ghcMu.Unlock()
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	args := append([]string{
		"-v0", "-O0", "-Wall", "-Werror", "-package-db", db, "-outputdir", filepath.Join(dir, "o"), "-i" + dir, "-o", program,
		filepath.Join("hosts/haskell/tests", source), "-L" + dir, "-lsample", "-optl-Wl,-rpath," + dir,
	}, flags...)
	if err := command("ghc", args...); err != nil {
		t.Fatal(err)
	}
	return program
}

func haskellHost(t *testing.T) string {
	return haskell(t, "hs", "Host.hs", "-threaded", "-with-rtsopts=-N2")
}

// TestB02HaskellHost has threads, scopes, deadlines, cancellation, closing, forks and signals in a host in Haskell.
func TestB02HaskellHost(t *testing.T) {
	t.Log(tail(run(t, nil, "timeout", "300", haskellHost(t))))
}

// TestB08Unthreaded has a program that was linked without -threaded refused.
func TestB08Unthreaded(t *testing.T) {
	if out := run(t, nil, haskell(t, "hs1", "Host.hs"), "unthreaded"); !strings.HasSuffix(out, "refused\n") {
		t.Error(out)
	}
}

// TestB11Figures has the host count and time its calls.
func TestB11Figures(t *testing.T) {
	out := run(t, nil, "timeout", "300", haskellHost(t), "bench", "20000")
	if strings.Count(out, "20000 calls of") != 3 || !strings.Contains(out, "ns each") {
		t.Error(out)
	}
	t.Log(out)
}

// TestB01HaskellExit leaves main while calls are under way, where no bracket runs.
func TestB01HaskellExit(t *testing.T) {
	host := haskellHost(t)
	for range 10 {
		run(t, nil, "timeout", "100", host, "exit")
	}
}

// TestB10Reload loads scripts into the host's interpreter, again and again: of the one before nothing arrives any more, also
// of one that swallows exceptions; one that does not compile is reported by file and line, and changes nothing.
func TestB10Reload(t *testing.T) {
	host := haskell(t, "reload", "Reload.hs", "-dynamic", "-threaded", "-osuf", "dyn_o", "-hisuf", "dyn_hi")
	db, err := haskellPackage()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(tail(run(t, nil, "timeout", "600", host, db, place, filepath.Join(t.TempDir(), "Script.hs"))))
}
