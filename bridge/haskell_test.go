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
	if err := configure(src, dist); err != nil {
		return "", err
	}
	_, err = runghc(src, "Setup.hs", "build", "-v0", "--builddir="+dist, "--ghc-options=-Werror")
	return filepath.Join(dist, "package.conf.inplace"), err
})

func configure(src, dist string) error {
	_, err := runghc(src, "Setup.hs", "configure", "-v0", "--builddir="+dist, "--disable-optimization", "--enable-shared", "-fhint")
	return err
}

// runghc runs a program in Haskell in that folder, and gives what it prints.
func runghc(dir string, args ...string) (string, error) {
	cmd := exec.Command("runghc", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, tail(string(out)))
	}
	return string(out), err
}

var ghcMu sync.Mutex // programs share objects

// builtHaskell builds the package and the sample's library and module, and says where they are, and GHC's data base. It needs
// Debian's ghc and the packages of GHC that are named here.
func builtHaskell(t *testing.T) (dir, db string) {
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
	dir = generated(t, "haskell")
	db, err := haskellPackage()
	if err != nil {
		t.Fatal(err)
	}
	return dir, db
}

// haskell compiles and links a program of hosts/haskell/tests, beside the library.
func haskell(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	dir, db := builtHaskell(t)
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
	t.Log(tail(run(t, nil, "timeout", "900", haskellHost(t))))
}

// TestB08Unthreaded has a program that was linked without -threaded refused.
func TestB08Unthreaded(t *testing.T) {
	if out := run(t, nil, haskell(t, "hs1", "Host.hs"), "unthreaded"); !strings.HasSuffix(out, "refused\n") {
		t.Error(out)
	}
}

// TestB11Figures has the host count and time its calls.
func TestB11Figures(t *testing.T) {
	out := run(t, nil, "timeout", "900", haskellHost(t), "bench", "20000")
	if strings.Count(out, "20000 calls of") != 3 || !strings.Contains(out, "ns each") {
		t.Error(out)
	}
	t.Log(out)
}

// TestB01HaskellExit leaves main at 100 points while calls are under way, where no bracket runs; and ends GHC's runtime in a
// program that goes on, until the calls that were under way have ended without it.
func TestB01HaskellExit(t *testing.T) {
	host := haskellHost(t)
	for i := range 100 {
		run(t, nil, "timeout", "600", host, "exit", fmt.Sprint(i*331%7000))
	}
	exit := haskell(t, "exit", "Exit.hs", "-threaded", "-no-hs-main", "-optc-I../include", "hosts/haskell/tests/exit.c")
	t.Log(run(t, nil, "timeout", "600", exit))
}

// TestB04HaskellCancel has 4,000 callers in Haskell cancelled, at any point of a call: no slot is left, and no stable pointer.
func TestB04HaskellCancel(t *testing.T) {
	t.Log(run(t, nil, "timeout", "900", haskellHost(t), "cancel"))
}

// TestB06HaskellBlocked has 10,000 callers in Haskell blocked: they wait on a few threads of the operating system.
func TestB06HaskellBlocked(t *testing.T) {
	t.Log(run(t, nil, "timeout", "900", haskellHost(t), "blocked"))
}

// TestB02HaskellCapabilities has calls go on while the number of capabilities grows and both sides collect garbage.
func TestB02HaskellCapabilities(t *testing.T) {
	t.Log(run(t, []string{"GOGC=1"}, "timeout", "900", haskellHost(t), "capabilities"))
}

// TestB10Reload loads scripts into the host's interpreter, again and again: of the one before nothing arrives any more, also
// of one that swallows exceptions; one that does not compile is reported by file and line, and changes nothing.
func TestB10Reload(t *testing.T) {
	host := haskell(t, "reload", "Reload.hs", "-dynamic", "-threaded", "-osuf", "dyn_o", "-hisuf", "dyn_hi")
	dir, db := builtHaskell(t)
	t.Log(tail(run(t, nil, "timeout", "600", host, db, dir, filepath.Join(t.TempDir(), "Script.hs"))))
}

// TestB05Properties has properties of the codec in Haskell hold for random values and random damage of every type of the
// sample, and its bytes be those of the package store where store has the type.
func TestB05Properties(t *testing.T) {
	t.Log(run(t, nil, "timeout", "900", haskell(t, "props", "Properties.hs"), "200"))
}

// TestHaskellPackage has nothing that cabal check would say, and everything of the package documented. It builds by Setup.hs
// with Debian's packages alone, or none of the tests here would run.
func TestHaskellPackage(t *testing.T) {
	dir, _ := builtHaskell(t)
	src, err := filepath.Abs("hosts/haskell")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runghc(src, "tests/Check.hs"); err != nil || out != "" {
		t.Errorf("%v\n%s", err, out)
	}
	docs := filepath.Join(dir, "docs") // not where the package is built: haddock takes it out of the data base
	if err := configure(src, docs); err != nil {
		t.Fatal(err)
	}
	out, err := runghc(src, "Setup.hs", "haddock", "-v1", "--builddir="+docs)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "% ("); n != 4 {
		t.Errorf("haddock tells of %d modules, want 4\n%s", n, tail(out))
	}
	for line := range strings.Lines(out) { // what other packages bring has no place here: their documentation is not installed
		if strings.Contains(line, "(src/") || strings.Contains(line, "out of scope") || strings.Contains(line, "parse error") {
			t.Error(line)
		}
	}
}
