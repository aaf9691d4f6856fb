// Package load brings Go packages into memory without compiling the C in them: dependencies without cgo come as export
// data, those with cgo as types from their source, and what is audited as syntax at its original positions. Where cgo
// cannot run (no compiler, no headers, another platform), the types of package C are made up from the C text that is here.
package load

import (
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/internal/spec"
)

// Config says what to load.
type Config struct {
	Dir          string // absolute
	Patterns     []string
	GOOS, GOARCH string // those of the go command, if empty
	Tags         []string
	Tests        bool   // also the test files
	NoCgo        bool   // make up the types of package C even where cgo would run
	Cache        string // a folder for what cgo made, or empty
}

// Package is one that was asked for.
type Package struct {
	Path, Dir string
	Unit      *native.Unit // nil where nothing could be looked at
	Cgo       string       // "", "cgo", or why the types of package C were made up
	Skipped   []string
	Files     int
	GoVersion string
	Certain   bool // cgo did not fail in it or below: the same sources give the same again
}

// Load loads packages. An error means that nothing could be loaded.
func Load(ctx context.Context, c Config) (*token.FileSet, []*Package, error) {
	p, err := List(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return p.Load(ctx, func(string) bool { return true })
}

// Plan is what is there to be loaded.
type Plan struct {
	Roots []Root // the packages that were asked for, dependencies first
	c     Config
	all   []*listed
}

// Root is a package that was asked for.
type Root struct {
	Path, Dir string
	Key       string // changes with all that is known of the package; "" where that is not certain
}

// List finds the packages that were asked for, and reads none of them but for their keys.
func List(ctx context.Context, c Config) (*Plan, error) {
	all, err := c.list(ctx, "1", "Dir,ImportPath,Name,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,ImportMap,Standard,DepOnly,CgoCFLAGS,CgoCPPFLAGS,CgoPkgConfig,Module,Error,IgnoredGoFiles", []string{"-deps"}, c.Patterns)
	if err != nil {
		return nil, err
	}
	p := &Plan{c: c, all: all}
	var keys map[string]string
	if c.Cache != "" {
		keys = c.keys(ctx, all)
	}
	for _, l := range all {
		if !l.DepOnly {
			r := Root{l.ImportPath, l.Dir, keys[l.ImportPath]}
			if l.Standard {
				r.Key = ""
			}
			p.Roots = append(p.Roots, r)
		}
	}
	return p, nil
}

// Load loads those of the packages that are wanted.
func (p *Plan) Load(ctx context.Context, want func(path string) bool) (*token.FileSet, []*Package, error) {
	c, all := p.c, p.all
	if !slices.ContainsFunc(p.Roots, func(r Root) bool { return want(r.Path) }) {
		return nil, nil, nil
	}
	if c.GOARCH == "" {
		c.GOARCH = runtime.GOARCH
	}
	book, err := native.Book()
	if err != nil {
		return nil, nil, err
	}
	l := &loader{
		c: c, ctx: ctx, fset: token.NewFileSet(), byPath: map[string]*listed{}, source: map[string]bool{}, pkgs: map[string]*types.Package{"unsafe": types.Unsafe},
		book: book, facts: map[string]*native.Facts{}, shaky: map[string]bool{}, exports: map[string]string{}, sizes: types.SizesFor("gc", c.GOARCH),
	}
	l.gc = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(l.exports[path]) })
	if l.sizes == nil {
		l.sizes = types.SizesFor("gc", "amd64")
	}
	need := map[string]bool{"runtime/cgo": true, "syscall": true}
	for _, p := range all { // dependencies come first
		l.byPath[p.ImportPath] = p
		if p.Standard && p.DepOnly {
			continue
		}
		from := !p.DepOnly || len(p.CgoFiles) > 0
		for _, imp := range p.Imports {
			from = from || l.source[imp]
		}
		l.source[p.ImportPath] = from
	}
	wanted := map[string]bool{} // and what they import
	for _, p := range slices.Backward(all) {
		if !p.DepOnly && want(p.ImportPath) {
			wanted[p.ImportPath] = true
		}
		if wanted[p.ImportPath] {
			for _, imp := range p.Imports {
				wanted[p.real(imp)] = true
			}
		}
	}
	for _, p := range all {
		if l.source[p.ImportPath] && wanted[p.ImportPath] {
			imports := p.Imports
			if c.Tests && !p.DepOnly {
				imports = append(imports, l.testImports(p)...)
			}
			for _, imp := range imports {
				imp = p.real(imp)
				if imp != "C" && imp != "unsafe" && !l.source[imp] {
					need[imp] = true
				}
			}
		}
	}
	exported, err := c.list(ctx, "0", "ImportPath,Export,Error", []string{"-export"}, slices.Sorted(maps.Keys(need)))
	if err != nil {
		return nil, nil, err
	}
	for _, p := range exported {
		l.exports[p.ImportPath] = p.Export
	}
	var out []*Package
	for _, p := range all {
		if !l.source[p.ImportPath] || !wanted[p.ImportPath] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if p.DepOnly || !want(p.ImportPath) {
			l.dependency(p)
			continue
		}
		pkg := &Package{Path: p.ImportPath, Dir: p.Dir}
		if p.Module != nil {
			pkg.GoVersion = p.Module.GoVersion
		}
		if p.Error != nil {
			pkg.Skipped = append(pkg.Skipped, "the go command says: "+strings.TrimSpace(p.Error.Err))
		}
		in := l.input(p, pkg)
		if len(in.Files) > 0 {
			pkg.Unit = native.Check(in)
			l.facts[p.ImportPath] = pkg.Unit.Facts()
			pkg.Skipped = append(pkg.Skipped, pkg.Unit.Skipped...)
			if pkg.Unit.Pkg != nil {
				l.pkgs[p.ImportPath] = pkg.Unit.Pkg
			}
		}
		if c.Tests {
			l.tests(p, pkg)
		}
		if n := len(p.IgnoredGoFiles); n > 0 {
			pkg.Skipped = append(pkg.Skipped, fmt.Sprintf("%s for other platforms or build tags: %s", files(n), some(p.IgnoredGoFiles)))
		}
		l.shakes(p)
		pkg.Certain = !l.shaky[p.ImportPath]
		out = append(out, pkg)
	}
	return l.fset, out, nil
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func some(names []string) string {
	if len(names) > 4 {
		return strings.Join(names[:4], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

type loader struct {
	c       Config
	ctx     context.Context
	fset    *token.FileSet
	byPath  map[string]*listed
	source  map[string]bool // packages whose types come from source
	pkgs    map[string]*types.Package
	exports map[string]string
	book    *spec.Book
	facts   map[string]*native.Facts // of packages that have any
	shaky   map[string]bool          // packages whose C another run may see
	sizes   types.Sizes
	gc      types.Importer // of export data
}

// importer resolves the imports of p.
func (l *loader) importer(p *listed) types.Importer { return &resolver{l, p} }

type resolver struct {
	l *loader
	p *listed
}

func (i *resolver) Import(path string) (*types.Package, error) {
	return i.l.load(i.p.real(path))
}

func (l *loader) load(path string) (*types.Package, error) {
	if p := l.pkgs[path]; p != nil && (p.Complete() || l.source[path]) {
		return p, nil
	}
	file := l.exports[path]
	if file == "" {
		if p := l.byPath[path]; p != nil && !p.Standard {
			return l.types(p, l.input(p, &Package{})), nil
		}
		return nil, fmt.Errorf("package %s is not here", path)
	}
	return l.gc.Import(path)
}

// dependency brings in a package that was not asked for: its types, and what is known of its functions where it calls C or
// functions of which something is known.
func (l *loader) dependency(p *listed) {
	l.shakes(p)
	in := l.input(p, &Package{})
	if len(p.CgoFiles) == 0 && len(in.Imported) == 0 || len(in.Files) == 0 {
		l.types(p, in)
		return
	}
	u := native.Check(in)
	if u.Pkg == nil {
		l.types(p, l.input(p, &Package{})) // its syntax has been changed
		return
	}
	l.pkgs[p.ImportPath], l.facts[p.ImportPath] = u.Pkg, u.Facts()
}

// shakes marks p when something that it imports is not certain.
func (l *loader) shakes(p *listed) {
	if slices.ContainsFunc(p.Imports, func(imp string) bool { return l.shaky[imp] }) {
		l.shaky[p.ImportPath] = true
	}
}

// imported is what is known of the functions of the packages below p.
func (l *loader) imported(p *listed) map[string]native.Func {
	out := map[string]native.Func{}
	seen := map[string]bool{}
	var add func(p *listed)
	add = func(p *listed) {
		for _, path := range p.Imports {
			path = p.real(path)
			if seen[path] || !l.source[path] {
				continue
			}
			seen[path] = true
			if f := l.facts[path]; f != nil {
				maps.Copy(out, f.Funcs)
			}
			add(l.byPath[path])
		}
	}
	add(p)
	return out
}

// types checks only the declarations of a dependency.
func (l *loader) types(p *listed, in native.Input) *types.Package {
	files := in.Files
	if in.CgoTypes != nil {
		names := cgofile.Declared(in.CgoTypes)
		for _, f := range files {
			if cgofile.Imports(f) {
				cgofile.Rewrite(f, names)
			}
		}
		files = append(slices.Clone(files), in.CgoTypes)
	}
	conf := types.Config{Importer: in.Importer, Sizes: l.sizes, IgnoreFuncBodies: true, FakeImportC: true, GoVersion: in.GoVersion, Error: func(error) {}}
	pkg, _ := conf.Check(p.ImportPath, l.fset, files, nil) // those who import it say what they miss
	if pkg == nil {
		pkg = types.NewPackage(p.ImportPath, p.Name)
	}
	pkg.MarkComplete()
	l.pkgs[p.ImportPath] = pkg
	return pkg
}

func (l *loader) parse(dir string, names []string, pkg *Package) []*ast.File {
	var out []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(l.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			pkg.Skipped = append(pkg.Skipped, fmt.Sprintf("%s: %v", name, short(err)))
		}
		if f != nil && f.Name != nil && f.Name.Name != "" && f.Name.Name != "_" {
			out = append(out, f)
		}
	}
	pkg.Files += len(out)
	return out
}

func short(err error) string {
	s, _, _ := strings.Cut(err.Error(), "\n")
	if i := strings.Index(s, ".go:"); i >= 0 {
		s = s[i+len(".go:"):]
		return "line " + s
	}
	return s
}

func (l *loader) input(p *listed, pkg *Package) native.Input {
	in := native.Input{Path: p.ImportPath, Fset: l.fset, Importer: l.importer(p), Sizes: l.sizes, Book: l.book, Imported: l.imported(p), GOOS: l.c.GOOS, GOARCH: l.c.GOARCH}
	if p.Module != nil && p.Module.GoVersion != "" {
		in.GoVersion = "go" + p.Module.GoVersion
	}
	in.Files = l.parse(p.Dir, append(slices.Clone(p.GoFiles), p.CgoFiles...), pkg)
	if len(p.CgoFiles) == 0 {
		return in
	}
	in.CText = native.CFiles(p.Dir)
	dir, cleanup, err := l.cgo(p)
	defer cleanup()
	if err == nil {
		var f *ast.File
		name := filepath.Join(dir, "_cgo_gotypes.go")
		if f, err = parser.ParseFile(l.fset, name, nil, parser.SkipObjectResolution); err == nil {
			in.CgoTypes, in.Params = f, native.Params(dir)
			pkg.Cgo = "cgo"
			return in
		}
	}
	pkg.Cgo = short(err)
	l.shaky[p.ImportPath] = !l.c.NoCgo && !l.c.elsewhere()
	pkg.Skipped = append(pkg.Skipped, "what only C headers say: "+short(err))
	in.CgoTypes = l.madeUp(in)
	return in
}

// madeUp declares what the files use of package C as far as the C text of the package says what it is.
func (l *loader) madeUp(in native.Input) *ast.File {
	used := map[string]bool{}
	var texts []string
	for _, f := range in.Files {
		if !cgofile.Imports(f) {
			continue
		}
		for name, called := range cgofile.Used(f) {
			used[name] = used[name] || called
		}
		text, _ := cgofile.Preamble(f)
		texts = append(texts, text)
	}
	src := ctext.GoTypes(in.Files[0].Name.Name, used, append(texts, in.CText...)...)
	f, err := parser.ParseFile(l.fset, "_cgo_gotypes.go", src, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	return f
}

func (l *loader) testImports(p *listed) []string {
	var out []string
	for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ImportsOnly)
		if err != nil {
			continue
		}
		for _, s := range f.Imports {
			out = append(out, strings.Trim(s.Path.Value, `"`))
		}
	}
	return out
}

// tests checks the test files of a package for what can be seen in their syntax.
func (l *loader) tests(p *listed, pkg *Package) {
	names := slices.Concat(p.TestGoFiles, p.XTestGoFiles)
	if len(names) == 0 || pkg.Unit == nil {
		return
	}
	pkg.Unit.TestFiles = l.parse(p.Dir, names, pkg)
}
