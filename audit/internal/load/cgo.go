package load

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// cgo runs cgo, and only cgo, on a package: not the C compiler on its C files. It returns the folder with what cgo wrote.
func (l *loader) cgo(p *listed) (dir string, cleanup func(), err error) {
	cleanup = func() {}
	switch {
	case l.c.NoCgo:
		return "", cleanup, errors.New("cgo was not to be run")
	case l.c.elsewhere():
		return "", cleanup, fmt.Errorf("no C compiler for %s/%s is known", l.c.GOOS, l.c.GOARCH)
	}
	// the order of the go command: what the user wants of every package is before what the package wants
	flags := slices.Concat(strings.Fields(os.Getenv("CGO_CPPFLAGS")), p.CgoCPPFLAGS, strings.Fields(os.Getenv("CGO_CFLAGS")), p.CgoCFLAGS)
	unknown := ""
	if len(p.CgoPkgConfig) > 0 {
		out, err := pkgConfig(l.ctx, p)
		if err != nil { // the headers may be where the compiler looks all the same
			unknown = "pkg-config does not know " + strings.Join(p.CgoPkgConfig, ", ")
		}
		flags = append(flags, strings.Fields(out)...)
	}
	key := ""
	if l.c.Cache != "" {
		key = l.key(p, flags)
		dir = filepath.Join(l.c.Cache, key)
		if _, err := os.Stat(filepath.Join(dir, "_cgo_gotypes.go")); err == nil {
			return dir, cleanup, nil
		}
	}
	tmp, err := os.MkdirTemp("", "isthmus-cgo-")
	if err != nil {
		return "", cleanup, err
	}
	cleanup = func() { os.RemoveAll(tmp) }
	args := slices.Concat([]string{"tool", "cgo", "-objdir", tmp + string(filepath.Separator), "-importpath", p.ImportPath, "--", "-I", tmp, "-I", p.Dir}, flags, p.CgoFiles)
	cmd := exec.CommandContext(l.ctx, "go", args...)
	cmd.Dir = p.Dir
	cmd.Env = append(l.c.environ("1"), "PWD="+p.Dir, "TMPDIR="+tmp)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if unknown != "" {
			return "", cleanup, errors.New(unknown)
		}
		return "", cleanup, errors.New(complaint(stderr.String(), err))
	}
	if key != "" { // one that is half there is not taken for one: its types are renamed last
		if err := keep(tmp, filepath.Join(l.c.Cache, key)); err != nil {
			return tmp, cleanup, nil //nolint:nilerr // without a cache the next run is slower
		}
	}
	return tmp, cleanup, nil
}

// elsewhere reports whether it is for another platform, whose C nobody compiles here.
func (c *Config) elsewhere() bool {
	return c.GOOS != "" && c.GOOS != runtime.GOOS || c.GOARCH != runtime.GOARCH
}

// pkgConfig asks for the flags of a package.
func pkgConfig(ctx context.Context, p *listed) (string, error) {
	out, err := exec.CommandContext(ctx, cmp.Or(os.Getenv("PKG_CONFIG"), "pkg-config"), append([]string{"--cflags", "--"}, p.CgoPkgConfig...)...).Output()
	return string(out), err
}

// complaint is the line of the compiler's that says most.
func complaint(stderr string, err error) string {
	for line := range strings.Lines(stderr) {
		if _, msg, ok := strings.Cut(line, "error: "); ok {
			return "cgo: " + strings.TrimSpace(msg)
		}
	}
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return "cgo: " + line
		}
	}
	return "cgo: " + err.Error()
}

// key names what cgo makes of a package: its files, the headers that they name, flags, and the versions of the tools.
func (l *loader) key(p *listed, flags []string) string {
	h := sha256.New()
	fmt.Fprintln(h, "1", runtime.Version(), p.ImportPath, p.Dir, flags, os.Getenv("CC"), l.c.Tags)
	sources(h, p, p.CgoFiles) // without one that cannot be read cgo fails
	return hex.EncodeToString(h.Sum(nil))[:32]
}

func keep(from, to string) error {
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(from, "*.cgo2.c"))
	if err != nil {
		return err
	}
	for _, name := range append(names, filepath.Join(from, "_cgo_gotypes.go")) {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		part := filepath.Join(to, fmt.Sprintf("%s.%d", filepath.Base(name), os.Getpid()))
		if err := os.WriteFile(part, b, 0o666); err != nil {
			return err
		}
		if err := os.Rename(part, filepath.Join(to, filepath.Base(name))); err != nil {
			return err
		}
	}
	return nil
}
