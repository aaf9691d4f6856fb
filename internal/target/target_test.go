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
		_, err := target.Plugin(c.name)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: error %v, want %q that is %q", c.name, err, c.says, c.is)
		}
	}
	if runtime.GOOS == "linux" { // elsewhere the cache folder has another variable
		_, err := target.Plugin("cpu")
		if !errors.Is(err, plugins.ErrNotInstalled) || !strings.Contains(err.Error(), "isthmus plugin install cpu") {
			t.Errorf("cpu: error %v, want one that says how to install it", err)
		}
	}
}
