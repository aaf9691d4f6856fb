package plugins

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// Options says how to install. The zero value fetches with the machine's own tools.
type Options struct {
	// Wheel is a package file that is there already; it must be the pinned one. Empty: fetch it.
	Wheel string
	// Progress, when set, is called with what happens next, in the goroutine that installs.
	Progress func(step string)
}

// scratch is the prefix of the folders that installations work in.
const scratch = ".install-"

// Install makes the pinned library part of the store and returns where it is. When it is there already, nothing is
// done. Cancelling ctx stops a fetch and leaves the store as it was.
func (s Store) Install(ctx context.Context, p Pin, opts Options) (Installed, error) {
	if p.OS != runtime.GOOS || p.Arch != runtime.GOARCH {
		return Installed{}, fmt.Errorf("plugins: %s exists for %s/%s, this is %s/%s; a library built elsewhere can be used by its path: %w", p.Name, p.OS, p.Arch, runtime.GOOS, runtime.GOARCH, ErrPlatform)
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if i, err := s.FindPin(p); err == nil {
		return i, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path(p)), 0o777); err != nil {
		return Installed{}, fmt.Errorf("plugins: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(s.Dir, p.Name, "lock"))
	if err != nil {
		return Installed{}, fmt.Errorf("plugins: wait for another installation of %s: %w", p.Name, err)
	}
	defer unlock()
	// Another process may have done it while this one waited.
	if i, err := s.FindPin(p); err == nil {
		return i, nil
	}
	if err := s.sweep(p); err != nil {
		return Installed{}, err
	}
	if err := s.install(ctx, p, opts); err != nil {
		return Installed{}, err
	}
	return s.FindPin(p)
}

// sweep removes what killed installations left. The caller holds the lock, so nobody works there.
func (s Store) sweep(p Pin) error {
	for _, pattern := range []string{filepath.Join(s.Dir, p.Name, scratch+"*"), filepath.Join(s.Dir, p.Name, "*", ".*.part")} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("plugins: %w", err)
		}
		for _, path := range left {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("plugins: remove what an interrupted installation left: %w", err)
			}
		}
	}
	return nil
}

func (s Store) install(ctx context.Context, p Pin, opts Options) error {
	if opts.Wheel != "" {
		return s.fromWheel(ctx, p, opts.Wheel, opts)
	}
	// Beside the target, because /tmp is often too small for libraries of this size.
	dir, err := os.MkdirTemp(filepath.Join(s.Dir, p.Name), scratch)
	if err != nil {
		return fmt.Errorf("plugins: %w", err)
	}
	defer os.RemoveAll(dir)
	got, err := fetch(ctx, p, dir, opts.Progress)
	if err != nil {
		return err
	}
	if got.wheel != "" {
		return s.fromWheel(ctx, p, got.wheel, opts)
	}
	f, err := os.Open(got.library)
	if err != nil {
		return fmt.Errorf("plugins: %s: the package holds no %s: %w", p.Name, p.Member, err)
	}
	defer f.Close()
	return s.put(ctx, p, f, opts)
}

// fromWheel takes the library out of a package file whose hash is the pinned one.
func (s Store) fromWheel(ctx context.Context, p Pin, path string, opts Options) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("plugins: %w", err)
	}
	defer f.Close()
	opts.Progress("checking " + filepath.Base(path))
	hash := sha256.New()
	size, err := io.Copy(hash, reader(ctx, f))
	if err != nil {
		return fmt.Errorf("plugins: read %s: %w", path, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != p.WheelSHA256 {
		return fmt.Errorf("plugins: %s has the SHA-256 %s, %s %s has %s: %w", path, got, p.Package, p.Version, p.WheelSHA256, ErrMismatch)
	}
	z, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("plugins: %s: %w: %w", path, err, ErrMismatch)
	}
	for _, m := range z.File {
		if m.Name != p.Member {
			continue
		}
		if m.UncompressedSize64 != uint64(p.Size) {
			return fmt.Errorf("plugins: %s: %s has %d bytes, want %d: %w", path, p.Member, m.UncompressedSize64, p.Size, ErrMismatch)
		}
		r, err := m.Open()
		if err != nil {
			return fmt.Errorf("plugins: %s: %w: %w", path, err, ErrMismatch)
		}
		defer r.Close()
		return s.put(ctx, p, r, opts)
	}
	return fmt.Errorf("plugins: %s holds no %s: %w", path, p.Member, ErrMismatch)
}

// put writes the library to its place when what r gives is the pinned one.
func (s Store) put(ctx context.Context, p Pin, r io.Reader, opts Options) error {
	path := s.path(p)
	opts.Progress("writing " + path)
	err := atomicfile.Write(path, 0o777, func(w io.Writer) error {
		hash := sha256.New()
		n, err := io.Copy(io.MultiWriter(w, hash), io.LimitReader(reader(ctx, r), p.Size+1))
		if err != nil {
			return err
		}
		if got := hex.EncodeToString(hash.Sum(nil)); n != p.Size || got != p.SHA256 {
			return fmt.Errorf("library of %d bytes with the SHA-256 %s, want %d with %s: %w", n, got, p.Size, p.SHA256, ErrMismatch)
		}
		return ctx.Err()
	})
	if err != nil {
		return fmt.Errorf("plugins: %s: %w", p.Name, err)
	}
	return nil
}

// reader stops with ctx's error when ctx is done.
func reader(ctx context.Context, r io.Reader) io.Reader { return cancelable{ctx, r} }

type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
