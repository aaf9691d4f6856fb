package native

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
	"github.com/isthmus-ffi/isthmus/audit/internal/spec"
	"github.com/isthmus-ffi/isthmus/docs/checks"
)

// The severities, as the categories of diagnostics.
const (
	Error   = "error"   // memory is lost or broken on a path that can be taken
	Warning = "warning" // it is, unless something holds that the code does not show
	Note    = "note"    // it depends on what only the C library's manual says
	Policy  = "policy"  // a rule of the house
)

// Pass is a rule at work on a package.
type Pass struct {
	*analysis.Pass
	*Unit
}

// Report tells of a finding.
func (p *Pass) Report(severity string, pos token.Pos, format string, args ...any) {
	p.ReportPath(severity, pos, nil, nil, format, args...)
}

// ReportPath tells of a finding and of the places on the way to it.
func (p *Pass) ReportPath(severity string, pos token.Pos, related []analysis.RelatedInformation, fixes []analysis.SuggestedFix, format string, args ...any) {
	if p.vet && p.ignored(pos) {
		return
	}
	p.Pass.Report(analysis.Diagnostic{
		Pos: pos, Category: severity, Message: cgofile.Show(fmt.Sprintf(format, args...)), Related: related, SuggestedFixes: fixes,
	})
}

// ignored reports whether a comment //isthmus:ignore RULE REASON stands on the line of pos or above it. The driver of package
// audit does this itself, and also tells of ignores that nothing needs.
func (p *Pass) ignored(pos token.Pos) bool {
	at := p.Position(pos)
	for _, f := range p.Unit.Files {
		if pos < f.FileStart || pos > f.FileEnd {
			continue
		}
		for _, g := range f.Comments {
			for _, c := range g.List {
				w := strings.Fields(c.Text)
				if line := p.Position(c.Pos()).Line; len(w) > 2 && w[0] == "//isthmus:ignore" && w[1] == Slug(p.Analyzer) && (line == at.Line || line+1 == at.Line) {
					return true
				}
			}
		}
	}
	return false
}

// Rule makes the analyzer of a rule. Its page is docs/checks/audit/NAME.md, which begins with what the rule says.
func Rule(name string, run func(*Pass)) *analysis.Analyzer {
	page, _ := checks.Page("audit/" + name)
	title, text, _ := strings.Cut(page, "\n")
	_, title, _ = strings.Cut(title, ": ")
	return &analysis.Analyzer{
		Name:     strings.ReplaceAll(name, "-", "_"), // the framework wants identifiers
		Doc:      title + "\n" + text,
		URL:      "https://github.com/isthmus-ffi/isthmus/blob/main/docs/checks/audit/" + name + ".md",
		Requires: []*analysis.Analyzer{Analyzer},
		Run: func(pass *analysis.Pass) (any, error) {
			u, ok := pass.ResultOf[Analyzer].(*Unit)
			if !ok {
				return nil, fmt.Errorf("%s: no unit", name)
			}
			u.turn.Lock() // drivers of others run rules beside each other, and a unit remembers what it was asked
			defer u.turn.Unlock()
			if len(u.Files) > 0 {
				run(&Pass{pass, u})
			}
			return nil, nil
		},
	}
}

// Slug is the name of a rule as users write it.
func Slug(a *analysis.Analyzer) string { return strings.ReplaceAll(a.Name, "_", "-") }

// Book reads the knowledge about C libraries once.
var Book = sync.OnceValues(spec.Load)

// Analyzer finds a package's original files under a driver that was given cgo's, as go vet is.
var Analyzer = &analysis.Analyzer{
	Name:       "native",
	Doc:        "bring a package into the form that the rules of the auditor read",
	Run:        fromPass,
	ResultType: reflect.TypeFor[*Unit](),
	FactTypes:  []analysis.Fact{new(Facts)},
}

func fromPass(pass *analysis.Pass) (any, error) {
	book, err := Book()
	if err != nil {
		return nil, err
	}
	in := Input{Path: pass.Pkg.Path(), Fset: pass.Fset, Sizes: pass.TypesSizes, Book: book, Importer: imported(pass.Pkg.Imports()), Imported: map[string]Func{}}
	if pass.AllPackageFacts != nil {
		for _, f := range pass.AllPackageFacts() {
			if f, ok := f.Fact.(*Facts); ok {
				maps.Copy(in.Imported, f.Funcs)
			}
		}
	}
	if foreign(pass, in.Imported) {
		return &Unit{Path: in.Path, Fset: pass.Fset, Sizes: in.Sizes, Info: new(types.Info), C: ctext.Parse(), Book: book, vet: true}, nil
	}
	if pass.Module != nil && pass.Module.GoVersion != "" {
		in.GoVersion = "go" + pass.Module.GoVersion
	}
	dir := ""
	for _, f := range pass.Files {
		name := pass.Fset.PositionFor(f.Package, false).Filename
		if cgoTypes(f, name) {
			f, err := parser.ParseFile(pass.Fset, name, nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			in.CgoTypes, in.Params = f, Params(filepath.Dir(name))
			continue
		}
		cached := filepath.Ext(name) != ".go" // the go command's cache has cgo's files by their hashes
		if original := pass.Fset.Position(f.Package).Filename; original != name && (cached || strings.HasSuffix(name, ".cgo1.go")) {
			name = original
			dir = filepath.Dir(name)
		} else if cached {
			continue // the linker's
		}
		// The syntax of the pass belongs to the other analyzers too, so that it is not changed.
		f, err := parser.ParseFile(pass.Fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		in.Files = append(in.Files, f)
	}
	if dir != "" {
		in.CText = CFiles(dir)
	}
	u := Check(in)
	u.vet = true
	if len(in.Files) > 0 {
		if u.Policy, err = policy.Find(filepath.Dir(pass.Fset.Position(in.Files[0].Package).Filename)); err != nil {
			return nil, err
		}
	}
	if f := u.Facts(); f != nil && pass.ExportPackageFact != nil {
		pass.ExportPackageFact(f)
	}
	return u, nil
}

// cgoTypes reports whether a file is cgo's _cgo_gotypes.go, which may have another name.
func cgoTypes(f *ast.File, name string) bool {
	return filepath.Base(name) == "_cgo_gotypes.go" || slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool {
		return i.Name != nil && i.Name.Name == "_cgopackage"
	})
}

// foreign reports whether a package is somebody else's, looked at only for what is known of its functions, and has nothing
// native: drivers ask about every dependency.
func foreign(pass *analysis.Pass, known map[string]Func) bool {
	if m := pass.Module; m == nil || m.Path == "" { // of the standard library, or of none
		return len(pass.Files) > 0 && build.Default.GOROOT != "" && strings.HasPrefix(pass.Fset.PositionFor(pass.Files[0].Package, false).Filename, filepath.Join(build.Default.GOROOT, "src")+string(filepath.Separator))
	} else if m.Version == "" {
		return false
	}
	return len(known) == 0 && !slices.ContainsFunc(pass.Pkg.Imports(), func(p *types.Package) bool {
		switch p.Path() {
		case "unsafe", "runtime/cgo", "syscall", "reflect", "golang.org/x/sys/windows", "golang.org/x/sys/unix":
			return true
		}
		return strings.HasPrefix(p.Path(), "github.com/ebitengine/purego")
	})
}

// imported finds packages among those that a package imports, however far.
type imported []*types.Package

func (i imported) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	seen := map[*types.Package]bool{}
	var find func([]*types.Package) *types.Package
	find = func(pkgs []*types.Package) *types.Package {
		for _, p := range pkgs {
			if seen[p] {
				continue
			}
			seen[p] = true
			if p.Path() == path || strings.HasSuffix(p.Path(), "/vendor/"+path) {
				return p
			}
			if found := find(p.Imports()); found != nil {
				return found
			}
		}
		return nil
	}
	if p := find(i); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("package %s is not here", path)
}

const textLimit = 1 << 20 // of C beside a package; amalgamations are not read

// CFiles reads the headers and small C files of a folder.
func CFiles(dir string) []string {
	var out []string
	total := int64(0)
	for _, pattern := range []string{"*.h", "*.c"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is right
		slices.Sort(names)
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil || total+info.Size() > textLimit {
				continue
			}
			if b, err := os.ReadFile(name); err == nil {
				total += info.Size()
				out = append(out, string(b))
			}
		}
	}
	return out
}

// Params reads from the C files that cgo wrote in dir which type each parameter has in C: there const is still seen.
func Params(dir string) map[string][]string {
	out := map[string][]string{}
	names, _ := filepath.Glob(filepath.Join(dir, "*.cgo2.c")) // the pattern is right
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		fn := ""
		for line := range strings.Lines(string(b)) {
			line = strings.TrimRight(line, "\r\n")
			if rest, ok := strings.CutSuffix(line, "(void *v)"); ok {
				for _, mark := range []string{"_Cfunc_", "_C2func_"} {
					if _, name, ok := strings.Cut(rest, mark); ok {
						fn = name
						out[fn] = nil
					}
				}
				continue
			}
			if strings.HasPrefix(line, "}") {
				fn = ""
			}
			if typ, name, ok := cutLast(strings.TrimSuffix(strings.TrimSpace(line), ";"), " "); ok && fn != "" && param(name) {
				out[fn] = append(out[fn], typ)
			}
		}
	}
	return out
}

func param(s string) bool {
	if len(s) < 2 || s[0] != 'p' {
		return false
	}
	return strings.Trim(s[1:], "0123456789") == ""
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Inspect calls f for each node of the unit's syntax, with the nodes around it.
func (u *Unit) Inspect(f func(n ast.Node, stack []ast.Node)) {
	for _, file := range u.Files {
		var stack []ast.Node
		ast.Inspect(file, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			f(n, stack)
			stack = append(stack, n)
			return true
		})
	}
}
