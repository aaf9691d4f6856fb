package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// keys names the content of packages: their files, the headers that these name, what the go command says of them, and the
// keys of what they import. A package whose content is not known for certain has the key "". What a system's headers say is
// taken to change with the tools only, as the go command takes it.
type keys struct {
	c       *Config
	setting string
	of      map[string]string
}

const whole = 1 << 20 // larger files are known by their size and time

// keys finds the keys of packages, of which dependencies come first.
func (c *Config) keys(ctx context.Context, all []*listed) map[string]string {
	k := &keys{c: c, of: map[string]string{}}
	h := sha256.New()
	std := slices.IndexFunc(all, func(p *listed) bool { return p.Standard && p.Dir != "" })
	if std >= 0 {
		src := strings.TrimSuffix(filepath.ToSlash(all[std].Dir), "/"+all[std].ImportPath)
		version, err := os.ReadFile(filepath.Join(filepath.FromSlash(src), "..", "VERSION"))
		if err != nil {
			return nil // a Go that is being worked on
		}
		h.Write(version)
	}
	fmt.Fprintf(h, "1 %s %q %q %q %v %v %q\n", runtime.Version(), c.GOOS, c.GOARCH, c.Tags, c.Tests, c.NoCgo, c.Dir)
	for _, name := range []string{"CC", "PATH", "CGO_CFLAGS", "CGO_CPPFLAGS", "CPATH", "C_INCLUDE_PATH", "PKG_CONFIG", "PKG_CONFIG_PATH", "GOFLAGS", "GOAMD64", "GOARM"} {
		fmt.Fprintf(h, "%s=%q\n", name, os.Getenv(name))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		settings, err := os.ReadFile(filepath.Join(dir, "go", "env"))
		fmt.Fprintf(h, "%q %v\n", settings, err == nil)
	}
	k.setting = string(h.Sum(nil))
	for _, p := range all {
		if p.Standard {
			k.of[p.ImportPath] = "standard"
		} else {
			k.of[p.ImportPath] = k.key(ctx, p)
		}
	}
	return k.of
}

// key is that of a package, those of its imports being known.
func (k *keys) key(ctx context.Context, p *listed) string {
	if p.Error != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q %q %q %q %q %q %q %q\n", k.setting, p.ImportPath, p.Dir, p.Name, p.GoFiles, p.CgoFiles, p.IgnoredGoFiles, p.CgoCFLAGS, p.CgoCPPFLAGS, p.TestGoFiles)
	for _, path := range p.Imports {
		path = p.real(path)
		key := k.of[path]
		if key == "" && path != "C" {
			return ""
		}
		fmt.Fprintln(h, path, key)
	}
	fixed := false // the files of a version do not change
	if m := p.Module; m != nil {
		fmt.Fprintln(h, m.Path, m.Version, m.GoVersion)
		fixed = m.Version != "" && m.Replace == nil && strings.Contains(p.Dir, "@"+m.Version)
	}
	if len(p.CgoPkgConfig) > 0 && !k.c.NoCgo {
		out, err := pkgConfig(ctx, p)
		fmt.Fprintln(h, out, err)
	}
	names := slices.Concat(p.GoFiles, p.CgoFiles)
	if !p.DepOnly && k.c.Tests {
		names = slices.Concat(names, p.TestGoFiles, p.XTestGoFiles)
	}
	if !fixed && !sources(h, p, names) {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sources adds the files of a package, the C beside it, and the headers that they name as far as these lie in the folders that the
// package names.
func sources(h hash.Hash, p *listed, names []string) bool {
	dirs := []string{p.Dir}
	for _, f := range slices.Concat(p.CgoCPPFLAGS, p.CgoCFLAGS) {
		if dir, ok := strings.CutPrefix(f, "-I"); ok {
			dirs = append(dirs, dir)
		}
	}
	var queue []string
	seen := map[string]bool{}
	for _, n := range names {
		queue = append(queue, filepath.Join(p.Dir, n))
	}
	if len(p.CgoFiles) > 0 {
		for _, pattern := range []string{"*.h", "*.c"} {
			found, _ := filepath.Glob(filepath.Join(p.Dir, pattern)) // the pattern is right
			queue = append(queue, found...)
		}
	}
	for _, name := range queue {
		seen[name] = true
	}
	for i := 0; i < len(queue); i++ {
		name := queue[i]
		info, err := os.Stat(name)
		if err != nil {
			return false
		}
		fmt.Fprintln(h, name, info.Size())
		if info.Size() > whole {
			fmt.Fprintln(h, info.ModTime().UnixNano())
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return false
		}
		h.Write(text)
		for _, header := range headers(text) {
			for _, dir := range append([]string{filepath.Dir(name)}, dirs...) {
				at := filepath.Join(dir, header)
				if seen[at] {
					continue
				}
				seen[at] = true
				if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
					queue = append(queue, at)
				}
			}
		}
	}
	return true
}

// headers are those that a Go or C text names: in lines #include, and in comments //isthmus:mirrors and //isthmus:calls.
func headers(text []byte) []string {
	var out []string
	for _, word := range []string{"include", "import", "isthmus:mirrors ", "isthmus:calls "} {
		for rest := text; ; {
			i := bytes.Index(rest, []byte(word))
			if i < 0 {
				break
			}
			before := rest[bytes.LastIndexByte(rest[:i], '\n')+1 : i]
			line, _, _ := bytes.Cut(rest[i+len(word):], []byte("\n"))
			rest = rest[i+len(word):]
			name := ""
			if strings.HasPrefix(word, "isthmus:") {
				if f := bytes.Fields(line); len(f) > 0 {
					name = string(f[len(f)-1])
				}
			} else if bytes.HasSuffix(bytes.TrimRight(before, " \t"), []byte("#")) {
				if line = bytes.TrimSpace(line); len(line) > 2 && (line[0] == '<' || line[0] == '"') {
					end := bytes.IndexAny(line[1:], `>"`)
					name = string(line[1 : 1+max(end, 0)])
				}
			}
			if name != "" && !filepath.IsAbs(name) && len(name) < 300 {
				out = append(out, filepath.FromSlash(name))
			}
		}
	}
	return out
}
