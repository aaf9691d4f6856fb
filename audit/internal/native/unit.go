// Package native gives the rules a package to look at: its syntax at original positions also where it uses cgo, its
// types, its control flow in SSA form, what its C text says, and the flow of native pointers through it.
package native

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
	"github.com/isthmus-ffi/isthmus/audit/internal/spec"
)

// Input is a package before it is checked.
type Input struct {
	Path      string
	Fset      *token.FileSet
	Files     []*ast.File // with comments; those that import "C" are changed
	CgoTypes  *ast.File   // _cgo_gotypes.go, or nil
	Params    map[string][]string
	CText     []string // C files beside the package
	Importer  types.Importer
	Sizes     types.Sizes
	GoVersion string
	Book      *spec.Book
	Imported  map[string]Func // what is known of functions of other packages, as in [Facts]

	GOOS, GOARCH string // the go command's, if empty
}

// Unit is a package that rules look at.
type Unit struct {
	Path      string
	Fset      *token.FileSet
	Files     []*ast.File
	TestFiles []*ast.File // not type-checked
	Pkg       *types.Package
	Info      *types.Info
	Sizes     types.Sizes
	Funcs     []*ssa.Function // with bodies, in order of position; nil where SSA could not be built
	C         *ctext.File
	Book      *spec.Book
	Params    map[string][]string // the C types of the parameters of C functions, where cgo told
	Imported  map[string]Func     // what is known of functions of other packages

	GOOS, GOARCH string // what it is for; the go command's, if empty

	Policy     *policy.Policy // nil where the module has none
	Directives []string       // #cgo lines
	Exported   map[string]token.Pos
	Preambles  []string
	Checked    int      // functions that were checked
	Skipped    []string // what was not checked, and why

	stripped map[*ast.FuncDecl]*ast.BlockStmt
	vet      bool            // it came from a driver of others, which knows no ignores
	evidence map[string]bool // arguments of C functions that a caller frees afterwards
	flows    map[ssa.Value]*Flow
	objects  []Object
	known    map[string]any
	turn     sync.Mutex // of rules
}

// Once is what f says, which is asked once for each key and unit.
func Once[T any](u *Unit, key string, f func() T) T {
	if v, ok := u.known[key].(T); ok {
		return v
	}
	v := f()
	if u.known == nil {
		u.known = map[string]any{}
	}
	u.known[key] = v
	return v
}

// Check type-checks a package and builds its SSA form. It takes packages with errors: a function that does not type-check
// is left out and named in Skipped.
func Check(in Input) *Unit {
	u := &Unit{Path: in.Path, Fset: in.Fset, Files: in.Files, Sizes: in.Sizes, Book: in.Book, Params: in.Params, Imported: in.Imported, Exported: map[string]token.Pos{}, GOOS: in.GOOS, GOARCH: in.GOARCH}
	texts := slices.Clone(in.CText)
	for _, f := range in.Files {
		for _, g := range f.Comments {
			for _, c := range g.List {
				if rest, ok := strings.CutPrefix(c.Text, "//export "); ok {
					name, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
					u.Exported[name] = c.Pos()
				}
			}
		}
		if cgofile.Imports(f) {
			text, directives := cgofile.Preamble(f)
			u.Preambles = append(u.Preambles, text)
			u.Directives = append(u.Directives, directives...)
		}
	}
	u.C = ctext.Parse(append(u.Preambles, texts...)...)
	files := slices.Clone(in.Files)
	if in.CgoTypes != nil {
		cgofile.Strip(in.CgoTypes)
		names := cgofile.Declared(in.CgoTypes)
		for _, f := range files {
			if cgofile.Imports(f) {
				cgofile.Rewrite(f, names)
			}
		}
		files = append(files, in.CgoTypes)
	}
	for range 8 { // what is left out may leave errors elsewhere
		if u.strip(u.types(in, files)) == 0 {
			break
		}
	}
	u.build(files)
	for fn, body := range u.stripped { // what needs no types can still be seen in them
		fn.Body = body
	}
	return u
}

// take leaves out the body of a function while the package is checked and built.
func (u *Unit) take(fn *ast.FuncDecl) {
	if u.stripped == nil {
		u.stripped = map[*ast.FuncDecl]*ast.BlockStmt{}
	}
	u.stripped[fn] = fn.Body
	fn.Body = nil
}

func (u *Unit) types(in Input, files []*ast.File) (bad []types.Error) {
	conf := types.Config{
		Importer: in.Importer, Sizes: in.Sizes, FakeImportC: true, GoVersion: in.GoVersion,
		Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) && !e.Soft {
				bad = append(bad, e)
			}
		},
	}
	u.Info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Implicits: map[ast.Node]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}, Scopes: map[ast.Node]*types.Scope{},
		Instances: map[*ast.Ident]types.Instance{}, FileVersions: map[*ast.File]string{},
	}
	func() {
		defer func() {
			if r := recover(); r != nil {
				bad = append(bad, types.Error{Fset: u.Fset, Msg: fmt.Sprint("the type checker panicked: ", r)})
			}
		}()
		u.Pkg, _ = conf.Check(in.Path, in.Fset, files, u.Info) // its errors are in bad
	}()
	if len(bad) > 0 { // or everything is known
		bad = append(bad, u.missing()...)
	}
	return bad
}

// missing finds the uses of packages that could not be imported, and then what has no type for that reason, of which the type
// checker says nothing.
func (u *Unit) missing() []types.Error {
	var bad, untyped []types.Error
	for _, f := range u.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			t := u.Info.TypeOf(e)
			for ptr, ok := t.(*types.Pointer); ok; ptr, ok = t.(*types.Pointer) {
				t = ptr.Elem()
			}
			if id, ok := e.(*ast.Ident); ok {
				if _, pkg := u.Info.Uses[id].(*types.PkgName); pkg {
					return true
				}
			}
			if t == types.Typ[types.Invalid] && u.enclosing(e.Pos()) != nil { // elsewhere it does no harm
				untyped = append(untyped, types.Error{Fset: u.Fset, Pos: e.Pos(), Msg: "the type of " + types.ExprString(e) + " is not known"})
			}
			sel, ok := e.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && u.Info.Uses[sel.Sel] == nil {
				if pkg, ok := u.Info.Uses[x].(*types.PkgName); ok && pkg.Imported() != nil {
					bad = append(bad, types.Error{Fset: u.Fset, Pos: sel.Pos(), Msg: "package " + pkg.Imported().Path() + " is not here"})
				}
			}
			return true
		})
	}
	return append(bad, untyped...)
}

// strip takes the bodies from the functions that errors are in.
func (u *Unit) strip(bad []types.Error) (stripped int) {
	for _, e := range bad {
		if strings.Contains(e.Msg, "imported and not used") || strings.HasPrefix(e.Msg, "\t") { // that is about the one before
			continue
		}
		if name := u.rename(e); name != "" {
			stripped++
			u.skip(fmt.Sprintf("%s: %s is declared again; it is read with a name of its own", u.at(e.Pos), name))
			continue
		}
		fn := u.enclosing(e.Pos)
		switch {
		case fn == nil:
			if u.drop(e.Pos) {
				stripped++
			}
			u.skip(fmt.Sprintf("%s: %s", u.at(e.Pos), cgofile.Show(e.Msg)))
		case fn.Body != nil:
			u.take(fn)
			stripped++
			name, _, _ := strings.Cut(fn.Name.Name, again)
			u.skip(fmt.Sprintf("%s: function %s: %s", u.at(e.Pos), name, cgofile.Show(e.Msg)))
		}
	}
	return stripped
}

const again = "·" // in the new name of what is declared again

// rename gives what a package declares twice, as folders of small programs do with main, a name of its own.
func (u *Unit) rename(e types.Error) string {
	if !strings.HasSuffix(e.Msg, " redeclared in this block") {
		return ""
	}
	for _, f := range u.Files {
		for _, d := range f.Decls {
			var names []*ast.Ident
			switch d := d.(type) {
			case *ast.FuncDecl:
				names = append(names, d.Name)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						names = append(names, s.Name)
					case *ast.ValueSpec:
						names = append(names, s.Names...)
					}
				}
			}
			for _, n := range names {
				if n.Pos() == e.Pos {
					name := n.Name
					n.Name = fmt.Sprint(name, again, e.Pos)
					return name
				}
			}
		}
	}
	return ""
}

func (u *Unit) skip(why string) {
	if !slices.Contains(u.Skipped, why) {
		u.Skipped = append(u.Skipped, why)
	}
}

func (u *Unit) at(pos token.Pos) string {
	if !pos.IsValid() {
		return u.Path
	}
	p := u.Fset.Position(pos)
	return fmt.Sprintf("%s:%d", filepath.Base(p.Filename), p.Line)
}

// drop leaves out the package variable whose declaration holds pos.
func (u *Unit) drop(pos token.Pos) bool {
	for _, f := range u.Files {
		if pos < f.FileStart || pos > f.FileEnd {
			continue
		}
		for n, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR || pos < g.Pos() || pos > g.End() {
				continue
			}
			for i, s := range g.Specs {
				if s.Pos() <= pos && pos <= s.End() {
					if len(g.Specs) == 1 {
						f.Decls = slices.Delete(slices.Clone(f.Decls), n, n+1)
					} else {
						g.Specs = slices.Delete(slices.Clone(g.Specs), i, i+1)
					}
					return true
				}
			}
		}
	}
	return false
}

func (u *Unit) enclosing(pos token.Pos) *ast.FuncDecl {
	for _, f := range u.Files {
		if pos < f.FileStart || pos > f.FileEnd {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			end := fn.End()
			if body := u.stripped[fn]; body != nil {
				end = body.End()
			}
			if fn.Pos() <= pos && pos <= end {
				return fn
			}
		}
	}
	return nil
}

// build makes the SSA form. What makes the builder panic is left out and said.
func (u *Unit) build(files []*ast.File) {
	if u.Pkg == nil {
		u.skip("its types are not known")
		return
	}
	defer func() {
		if r := recover(); r != nil {
			u.Funcs = nil
			u.skip(fmt.Sprintf("the flow of pointers: its code could not be brought into SSA form: %v", r))
		}
	}()
	prog := ssa.NewProgram(u.Fset, 0)
	seen := map[*types.Package]bool{}
	var create func([]*types.Package)
	create = func(pkgs []*types.Package) {
		for _, p := range pkgs {
			if !seen[p] {
				seen[p] = true
				prog.CreatePackage(p, nil, nil, true)
				create(p.Imports())
			}
		}
	}
	create(u.Pkg.Imports())
	pkg := prog.CreatePackage(u.Pkg, files, u.Info, false)
	pkg.Build()
	var add func(fn *ssa.Function)
	add = func(fn *ssa.Function) {
		if fn.Blocks != nil {
			u.Funcs = append(u.Funcs, fn)
		}
		for _, a := range fn.AnonFuncs {
			add(a)
		}
	}
	for _, f := range files {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
				if obj, ok := u.Info.Defs[d.Name].(*types.Func); ok {
					if fn := prog.FuncValue(obj); fn != nil {
						add(fn)
					}
				}
			}
		}
	}
	if init := pkg.Func("init"); init != nil {
		for _, a := range init.AnonFuncs {
			add(a)
		}
	}
	sort.SliceStable(u.Funcs, func(i, j int) bool { return u.Funcs[i].Pos() < u.Funcs[j].Pos() })
	u.Checked = len(u.Funcs)
}

// Position is where pos is, in the original file.
func (u *Unit) Position(pos token.Pos) token.Position { return u.Fset.Position(pos) }

// CReach are C function name and what it calls, as far as the bodies of the C text show; functions of Go's are among them.
func (u *Unit) CReach(name string) map[string]bool {
	out := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if out[name] {
			return
		}
		out[name] = true
		fn := u.C.Funcs[name]
		if fn == nil {
			return
		}
		for i, w := range fn.Body[:max(0, len(fn.Body)-1)] {
			if fn.Body[i+1] == "(" && (u.C.Funcs[w] != nil || u.Exported[w].IsValid()) {
				add(w)
			}
		}
	}
	add(name)
	return out
}

// Import is where the unit imports "C", for what its C text says.
func (u *Unit) Import() token.Pos {
	for _, f := range u.Files {
		for _, s := range f.Imports {
			if s.Path.Value == `"C"` {
				return s.Pos()
			}
		}
	}
	return token.NoPos
}
