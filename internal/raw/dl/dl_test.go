package dl_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/ctest"
	"github.com/isthmus-ffi/isthmus/internal/leaktest"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
)

func TestMain(m *testing.M) { leaktest.Main(m, ctest.Clean) }

func TestOpenSaysWhatWasTried(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.so")
	_, err := dl.Open("", missing, text, "nul\x00.so")
	var open *dl.OpenError
	if !errors.As(err, &open) || !errors.Is(err, isthmus.ErrNotFound) || !errors.Is(err, isthmus.ErrInvalid) {
		t.Fatalf("Open: %v", err)
	}
	if len(open.Tried) != 4 {
		t.Fatalf("%d attempts, want 4: %v", len(open.Tried), err)
	}
	for _, a := range open.Tried {
		if a.Err == nil || !strings.Contains(err.Error(), a.Err.Error()) {
			t.Errorf("the error does not quote %q: %v", a.Path, a.Err)
		}
	}
	if !strings.Contains(err.Error(), missing) || !strings.Contains(err.Error(), text) {
		t.Errorf("the error does not name the paths: %v", err)
	}
	if _, err := dl.Open(); !errors.Is(err, isthmus.ErrNotFound) {
		t.Errorf("Open of nothing: %v", err)
	}
}

func TestLibraryIsLoadedOnce(t *testing.T) {
	fixture := ctest.Open(t)
	path := fixture.Path()
	// The same file by another path, and from many goroutines.
	link := filepath.Join(t.TempDir(), "link.so")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	first, err := dl.Open("nowhere.so", path)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, p := range []string{path, link} {
				if lib, err := dl.Open(p); err != nil || lib != first {
					t.Errorf("Open(%s): %p, %v; want %p", p, lib, err, first)
				}
			}
		})
	}
	wg.Wait()
	if first.Path() != path {
		t.Errorf("Path() = %s, want %s", first.Path(), path)
	}
}

func TestSymbol(t *testing.T) {
	fixture := ctest.Open(t)
	lib, err := dl.Open(fixture.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"slot", "fixture_variable"} {
		if a, err := lib.Symbol(name); err != nil || a == 0 {
			t.Errorf("Symbol(%s) = %#x, %v", name, a, err)
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				_, err := lib.Symbol("no_such_symbol")
				if !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "no_such_symbol") || !strings.Contains(err.Error(), lib.Path()) {
					t.Errorf("Symbol: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if _, err := lib.Symbol(""); !errors.Is(err, isthmus.ErrInvalid) {
		t.Errorf("empty name: %v", err)
	}
	if _, err := (*dl.Library)(nil).Symbol("slot"); !errors.Is(err, isthmus.ErrClosed) {
		t.Errorf("no library: %v", err)
	}
}
