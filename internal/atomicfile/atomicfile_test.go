package atomicfile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

func TestWriteReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, content := range []string{"first", "second"} {
		err := atomicfile.Write(path, 0o644, func(w io.Writer) error {
			_, err := io.WriteString(w, content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("content %q, %v, want %q", got, err, content)
		}
	}
	only(t, path)
}

func TestWriteErrorKeepsTheOldFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := atomicfile.Write(path, 0o644, func(w io.Writer) error {
		w.Write(make([]byte, 1<<20))
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("error %v, want %v", err, stop)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content %q, want the old one", got)
	}
	only(t, path)
}

func TestWriteNeedsTheFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "a")
	err := atomicfile.Write(path, 0o644, func(io.Writer) error { return nil })
	var p *os.PathError
	if !errors.Is(err, os.ErrNotExist) || !errors.As(err, &p) || p.Path != path {
		t.Errorf("error %v, want that %s does not exist", err, path)
	}
}

// only fails the test when anything else lies beside path.
func only(t *testing.T, path string) {
	t.Helper()
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("folder holds %v, %v, want only %s", names, err, filepath.Base(path))
	}
}

func TestWriteKeepsModeAndLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and modes are those of Unix")
	}
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	if err := os.Mkdir(real, 0o777); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(real, "a")
	if err := os.WriteFile(target, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(target, 0o750); err != nil { // the umask may have something to say about the line above
		t.Fatal(err)
	}
	for link, to := range map[string]string{"one": "real/a", "two": "one", "new": "real/b"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		link, target string
		mode         os.FileMode
	}{{"two", "a", 0o750}, {"one", "a", 0o750}, {"new", "b", 0}} {
		path := filepath.Join(dir, c.link)
		if err := atomicfile.WriteBytes(path, 0o644, []byte(c.link)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v, %v", c.link, info, err)
		}
		info, err := os.Lstat(filepath.Join(real, c.target))
		if err != nil || !info.Mode().IsRegular() || c.mode != 0 && info.Mode().Perm() != c.mode {
			t.Errorf("%s: %v, %v, want mode %v", c.target, info, err, c.mode)
		}
		if got, err := os.ReadFile(filepath.Join(real, c.target)); err != nil || string(got) != c.link {
			t.Errorf("%s holds %q, %v", c.target, got, err)
		}
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteBytes(filepath.Join(dir, "loop"), 0o644, nil); err == nil {
		t.Error("a link to itself is written")
	}
	if err := atomicfile.WriteBytes(real, 0o644, nil); err == nil {
		t.Error("a folder is written")
	}
}

// TestWriteToDescriptor writes through names of descriptors, whose owner wants the bytes there.
func TestWriteToDescriptor(t *testing.T) {
	if _, err := os.Stat("/dev/fd"); err != nil {
		t.Skip("descriptors have no names here")
	}
	if err := atomicfile.WriteBytes("/dev/null", 0o644, []byte("x")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("/dev/null"); err != nil || info.Mode().IsRegular() {
		t.Fatalf("/dev/null is %v now, %v", info, err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := atomicfile.WriteBytes(fmt.Sprintf("/dev/fd/%d", w.Fd()), 0o644, []byte("pipe")); err != nil {
		t.Error(err)
	}
	w.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "pipe" {
		t.Errorf("through the pipe came %q, %v", got, err)
	}
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("before "); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteBytes(fmt.Sprintf("/dev/fd/%d", f.Fd()), 0o644, []byte("after")); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "before after" {
		t.Errorf("the log holds %q, %v", got, err)
	}
	only(t, path)
}
