package target_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/plugins"
	"github.com/isthmus-ffi/isthmus/internal/target"
)

func TestPluginRefuses(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	text := filepath.Join(t.TempDir(), "text.so")
	if err := os.WriteFile(text, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		is   error
		says string
	}{
		{"", plugins.ErrUnknown, "embedded"},
		{"gpu", plugins.ErrUnknown, `"gpu"`},
		{"plugin.so", isthmus.ErrNotFound, "plugin.so"},
		{filepath.Join("no", "such", "plugin"), isthmus.ErrNotFound, "plugin"},
		{text, isthmus.ErrNotFound, "text.so"},
	} {
		_, err := target.Plugin(t.Context(), c.name)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: error %v, want %q that is %q", c.name, err, c.says, c.is)
		}
	}
	if runtime.GOOS != "darwin" {
		_, err := target.Plugin(t.Context(), target.MPS)
		if !errors.Is(err, isthmus.ErrUnsupported) && !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "use embedded") {
			t.Errorf("mps: error %v, want one that says what to use", err)
		}
	}
	if runtime.GOOS == "linux" { // elsewhere the cache folder has another variable
		_, err := target.Plugin(t.Context(), "cpu")
		if !errors.Is(err, plugins.ErrNotInstalled) || !strings.Contains(err.Error(), "isthmus plugin install cpu") {
			t.Errorf("cpu: error %v, want one that says how to install it", err)
		}
	}
}

// The plugin is taken from wherever python3 looks for packages, the newest first.
func TestCUDA(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a POSIX shell; JAX has no CUDA plugin for Windows")
	}
	bin, site := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	if _, err := target.Plugin(t.Context(), target.CUDA); !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "jax[cuda13]") {
		t.Errorf("no python3: error %v, want one that says what to install", err)
	}
	script := "#!/bin/sh\necho /no/such/folder\necho '" + site + "'\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := target.Plugin(t.Context(), target.CUDA); !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), "jax[cuda13]") {
		t.Errorf("no package: error %v, want one that says what to install", err)
	}
	for _, name := range []string{"xla_cuda12", "xla_cuda13"} {
		dir := filepath.Join(site, "jax_plugins", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "xla_cuda_plugin.so"), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := target.Plugin(t.Context(), target.CUDA)
	if !errors.Is(err, isthmus.ErrNotFound) || !strings.Contains(err.Error(), filepath.Join("xla_cuda13", "xla_cuda_plugin.so")) {
		t.Errorf("error %v, want the newer plugin refused as no library", err)
	}
}
