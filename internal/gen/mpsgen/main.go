// Command mpsgen writes what package metal knows of Metal's classes: their methods' types, who owns the results, which may be nil or
// bring an error, and constants. It reads the published Rust bindings of Apple's frameworks, which are generated from Apple's headers,
// and takes facts alone. Which rows are wanted stands in a file.
//
// The bindings are pinned, and brought by cargo, once. Without cargo or a network the file stays as it is, which mpsgen says.
//
// Usage: mpsgen -rows rows.txt -out zfacts.go
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/format"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// crates are the pinned bindings, by the sums of their archives.
var crates = []struct{ name, sum string }{
	{"objc2-foundation", "e3e0adef53c21f888deb4fa59fc59f7eb17404926ee8a6f59f5df0fd7f9f3272"},
	{"objc2-metal", "a0125f776a10d00af4152d74616409f0d4a2053a6f57fa5b7d6aa2854ac04794"},
	{"objc2-metal-performance-shaders", "46a10f15ff4e2045f947ffca8a17fc351b155c321de16f04278a008a1f446784"},
}

const version = "0.3.2"

func main() {
	log.SetFlags(0)
	log.SetPrefix("mpsgen: ")
	rows := flag.String("rows", "rows.txt", "the rows that are wanted")
	out := flag.String("out", "zfacts.go", "file to write")
	flag.Parse()
	dir, err := bring()
	if errors.Is(err, errAbsent) {
		log.Printf("%s stays as it is: %v", *out, err)
		return
	}
	if err == nil {
		err = run(dir, *rows, *out)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// errAbsent is that the bindings cannot be had here.
var errAbsent = errors.New("the Rust bindings are not here")

// bring returns a folder with the crates' sources, from the user's cache or by cargo.
func bring() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAbsent, err)
	}
	dir := filepath.Join(cache, "isthmus", "crates-"+version+"-"+crates[1].sum[:12])
	if check(dir) == nil {
		return dir, nil
	}
	if os.Getenv("ISTHMUS_OFFLINE") != "" {
		return "", fmt.Errorf("%w: ISTHMUS_OFFLINE is set", errAbsent)
	}
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAbsent, err)
	}
	work, err := os.MkdirTemp("", "mpsgen-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	manifest := "[package]\nname = \"facts\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\n"
	for _, c := range crates {
		manifest += c.name + " = \"=" + version + "\"\n"
	}
	if err := os.MkdirAll(filepath.Join(work, "src"), 0o755); err != nil {
		return "", err
	}
	for name, text := range map[string]string{"Cargo.toml": manifest, "src/lib.rs": ""} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(cargo, "vendor", "-q", "vendor")
	cmd.Dir = work
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: cargo vendor: %w: %s", errAbsent, err, bytes.TrimSpace(text))
	}
	brought := filepath.Join(work, "vendor")
	if err := check(brought); err != nil {
		return "", err
	}
	for _, c := range crates {
		if err := os.CopyFS(filepath.Join(dir, c.name), os.DirFS(filepath.Join(brought, c.name))); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return dir, check(dir)
}

// check reports whether a folder has the pinned crates.
func check(dir string) error {
	for _, c := range crates {
		text, err := os.ReadFile(filepath.Join(dir, c.name, ".cargo-checksum.json"))
		if err != nil {
			return err
		}
		var sums struct{ Package string }
		if err := json.Unmarshal(text, &sums); err != nil {
			return err
		}
		if sums.Package != c.sum {
			return fmt.Errorf("%s %s has the sum %s and not %s", c.name, version, sums.Package, c.sum)
		}
	}
	return nil
}

// row is one that is wanted.
type row struct {
	class, selector string
	meta            bool
}

func readRows(path string) (rows []row, enums []string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	class := ""
	for s := bufio.NewScanner(file); s.Scan(); {
		l := strings.TrimSpace(s.Text())
		switch {
		case l == "" || l[0] == '#':
		case strings.HasPrefix(l, "enum "):
			enums = append(enums, l[len("enum "):])
		case l[0] == '-' || l[0] == '+':
			rows = append(rows, row{class, l[1:], l[0] == '+'})
		default:
			class = l
		}
	}
	return rows, enums, nil
}

func run(dir, rowsFile, out string) error {
	rows, enums, err := readRows(rowsFile)
	if err != nil {
		return err
	}
	f := &facts{super: map[string]string{}, kind: map[string]string{}, alias: map[string]string{}, enc: map[string]string{}, rawEnc: map[string]string{}}
	for _, c := range crates {
		err := filepath.WalkDir(filepath.Join(dir, c.name, "src"), func(p string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(p, ".rs") {
				f.read(p)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by mpsgen from rows.txt and the facts of the crates objc2-metal, -metal-performance-shaders and\n// -foundation %s. DO NOT EDIT.\n\n", version)
	b.WriteString("package metal\n\nimport \"github.com/isthmus-ffi/isthmus/internal/raw/objc\"\n\n// The rows of the table of facts.\nconst (\n")
	var table bytes.Buffer
	for i, r := range rows {
		m, err := f.find(r)
		if err != nil {
			return err
		}
		enc, err := f.encode(m, false)
		if err != nil {
			return fmt.Errorf("%s %s: %w", r.class, r.selector, err)
		}
		name := "row" + r.class + goName(r.selector)
		if i == 0 {
			name += " objc.Row = iota"
		}
		fmt.Fprintln(&b, name)
		fmt.Fprintf(&table, "{Class: %q, Selector: %q, Encoding: %q", r.class, r.selector, enc)
		for _, flag := range []struct {
			is   bool
			name string
		}{
			{r.meta, "Meta"},
			{m.ownership() == "+1", "Retained"},
			{m.nullity() == "nullable" || m.docNil, "Nullable"},
			{m.errOut, "ErrorOut"},
		} {
			if flag.is {
				fmt.Fprintf(&table, ", %s: true", flag.name)
			}
		}
		table.WriteString("},\n")
	}
	b.WriteString(")\n\n// facts are what is known of the methods.\nvar facts = [...]objc.Fact{\n")
	b.Write(table.Bytes())
	b.WriteString("}\n")
	for _, e := range enums {
		fmt.Fprintf(&b, "\n// %s.\nconst (\n", e)
		n := 0
		for _, c := range f.consts {
			if c[0] != e {
				continue
			}
			v, err := f.value(c[2])
			if err != nil {
				return fmt.Errorf("%s: %w", c[1], err)
			}
			n++
			if v >= 1<<24 {
				fmt.Fprintf(&b, "%s = %#x\n", c[1], v)
			} else {
				fmt.Fprintf(&b, "%s = %d\n", c[1], v)
			}
		}
		if n == 0 {
			return fmt.Errorf("there is no enumeration %s", e)
		}
		b.WriteString(")\n")
	}
	src, err := format.Source(b.Bytes())
	if err != nil {
		return err
	}
	return os.WriteFile(out, src, 0o644)
}

// find looks for a row's method in its class, and then in what that inherits from.
func (f *facts) find(r row) (method, error) {
	for todo, seen := []string{r.class}, map[string]bool{}; len(todo) > 0; todo = todo[1:] {
		c := strings.TrimSpace(todo[0])
		if seen[c] {
			continue
		}
		seen[c] = true
		i := slices.IndexFunc(f.methods, func(m method) bool { return m.class == c && m.sel == r.selector && m.static == r.meta })
		if i >= 0 {
			return f.methods[i], nil
		}
		todo = append(todo, strings.Split(f.super[c], "+")...)
	}
	return method{}, fmt.Errorf("the bindings have no %s %s", r.class, r.selector)
}

// value evaluates a constant.
func (f *facts) value(expr string) (v int64, err error) {
	for _, term := range strings.Split(expr, "|") {
		term = strings.TrimSpace(term)
		if n, err := strconv.ParseInt(term, 0, 64); err == nil {
			v |= n
			continue
		}
		name := strings.ReplaceAll(strings.TrimSuffix(term, ".0"), "::", "")
		i := slices.IndexFunc(f.consts, func(c [3]string) bool { return c[1] == name })
		if i < 0 {
			return 0, fmt.Errorf("what is %q?", term)
		}
		n, err := f.value(f.consts[i][2])
		if err != nil {
			return 0, err
		}
		v |= n
	}
	return v, nil
}

// goName makes a name of a selector.
func goName(selector string) string {
	var b strings.Builder
	for _, part := range strings.Split(selector, ":") {
		if part != "" {
			b.WriteRune(unicode.ToUpper(rune(part[0])))
			b.WriteString(part[1:])
		}
	}
	return b.String()
}
