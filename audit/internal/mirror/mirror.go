// Package mirror compares Go structs and constants with the C that they are written after: a comment says of which, or a
// cast does.
//
//	//isthmus:mirrors struct point geometry.h
//	type point struct { X, Y int32 }
//
//	//isthmus:mirrors enum colour geometry.h
//	const ( Red = 0; Green = 1 )
//
// Without a header, the C text of the package is meant. For constants, PREFIX_* stands for the macros that begin so.
package mirror

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/cgofile"
	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Result is what the comparison of one declaration said.
type Result struct {
	Pos       token.Pos
	Go, C     string
	Header    string // as the comment has it
	Cast      bool   // a cast or a name, not a comment, says that the one is the other
	Counted   bool   // a constant that its place in a list gives its value, not a number that stands there
	Constant  bool
	Size      int64    // of the Go struct, or how many constants were compared
	Problem   string   // the first difference
	Padded    bool     // which is only an integer that has C's padding too
	Missing   []string // Go constants that no C constant has the name of
	Unchecked string   // why it could not be compared
}

const mark = "//isthmus:mirrors "

type reader struct {
	u     *native.Unit
	texts map[string]*clayout.Program // by header
}

// Compare compares all that the unit mirrors, once.
func Compare(u *native.Unit) []Result {
	return native.Once(u, "mirror", func() []Result { return compare(u) })
}

func compare(u *native.Unit) []Result {
	if u.Pkg == nil {
		return nil
	}
	r := &reader{u: u, texts: map[string]*clayout.Program{}}
	var out []Result
	for _, f := range u.Files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE && g.Tok != token.CONST {
				continue
			}
			group, grouped := annotation(g.Doc)
			if g.Tok == token.CONST && grouped {
				out = append(out, r.constants(f, g.Pos(), group, g.Specs))
			}
			for _, s := range g.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					c, ok := annotation(s.Doc)
					if !ok && len(g.Specs) == 1 {
						c, ok = group, grouped
					}
					if ok {
						out = append(out, r.structure(f, s, c))
					}
				case *ast.ValueSpec:
					if c, ok := annotation(s.Doc); ok && g.Tok == token.CONST {
						out = append(out, r.constants(f, s.Pos(), c, []ast.Spec{s}))
					}
				}
			}
			if g.Tok == token.CONST && !grouped {
				out = append(out, r.same(g)...)
			}
		}
	}
	return append(out, r.casts()...)
}

type target struct{ c, header string }

func annotation(doc *ast.CommentGroup) (target, bool) {
	if doc == nil {
		return target{}, false
	}
	for _, c := range doc.List {
		if rest, ok := strings.CutPrefix(c.Text, mark); ok {
			w := strings.Fields(rest)
			if len(w) == 0 {
				continue
			}
			t := target{c: strings.Join(w, " ")}
			if last := w[len(w)-1]; len(w) > 1 && strings.Contains(last, ".") {
				t = target{strings.Join(w[:len(w)-1], " "), last}
			}
			return t, true
		}
	}
	return target{}, false
}

// platform is what the unit is for.
func (r *reader) platform() (goos, goarch string) {
	goos, goarch = r.u.GOOS, r.u.GOARCH
	if goos == "" {
		goos = build.Default.GOOS
	}
	if goarch == "" {
		goarch = build.Default.GOARCH
	}
	return goos, goarch
}

// program reads a header, or the C text of the package where none is named.
func (r *reader) program(dir, header string) (*clayout.Program, error) {
	goos, goarch := r.platform()
	return r.read(dir, header, clayout.SystemInclude(goos, goarch))
}

// Header reads a header that a file in folder dir of the unit names, or C text where the name is empty.
func Header(u *native.Unit, dir, header string, text ...string) (*clayout.Program, error) {
	r := &reader{u: u, texts: map[string]*clayout.Program{}}
	if header != "" {
		return r.program(dir, header)
	}
	goos, goarch := r.platform()
	p, ok := clayout.New(clayout.Config{GOOS: goos, GOARCH: goarch})
	if !ok {
		return nil, fmt.Errorf("the C of %s/%s is not known", goos, goarch)
	}
	for _, t := range text {
		p.Add("", t)
	}
	return p, nil
}

// own reads the C text of the package without what the system's headers say.
func (r *reader) own(dir string) (*clayout.Program, error) { return r.read(dir, "", nil) }

func (r *reader) read(dir, header string, system []string) (*clayout.Program, error) {
	key := fmt.Sprint(header, len(system))
	if header != "" {
		key = dir + "\x00" + header
	}
	if p, ok := r.texts[key]; ok {
		return p, nil
	}
	goos, goarch := r.platform()
	p, ok := clayout.New(clayout.Config{GOOS: goos, GOARCH: goarch, Include: slices.Concat(r.dirs(dir), system)})
	if !ok {
		return nil, fmt.Errorf("the C of %s/%s is not known", goos, goarch)
	}
	if header == "" {
		for _, text := range r.u.Preambles {
			p.Add(filepath.Join(dir, "preamble"), text)
		}
		r.texts[key] = p
		return p, nil
	}
	for _, d := range append([]string{dir}, r.dirs(dir)...) {
		path := filepath.Join(d, filepath.FromSlash(header))
		if filepath.IsAbs(header) {
			path = filepath.FromSlash(header)
		}
		if b, err := os.ReadFile(path); err == nil {
			p.Add(path, string(b))
			r.texts[key] = p
			return p, nil
		}
	}
	p.Add("", "#include <"+header+">\n")
	if slices.Contains(p.Notes, header+" is not here") {
		return nil, fmt.Errorf("%s is not here", header)
	}
	r.texts[key] = p
	return p, nil
}

// dirs are the folders that the package's #cgo lines and the environment name, and the package's.
func (r *reader) dirs(dir string) []string {
	out := []string{dir}
	for _, line := range append([]string{os.Getenv("CGO_CPPFLAGS"), os.Getenv("CGO_CFLAGS")}, r.u.Directives...) {
		w := strings.Fields(line)
		for i, f := range w {
			path, ok := strings.CutPrefix(f, "-I")
			if !ok {
				continue
			}
			if path == "" && i+1 < len(w) {
				path = w[i+1]
			}
			path = filepath.FromSlash(strings.ReplaceAll(strings.Trim(path, `"'`), "${SRCDIR}", dir))
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			out = append(out, path)
		}
	}
	return out
}

func (r *reader) dir(pos token.Pos) string { return filepath.Dir(r.u.Position(pos).Filename) }

func (r *reader) structure(f *ast.File, s *ast.TypeSpec, c target) Result {
	res := Result{Pos: s.Name.Pos(), Go: s.Name.Name, C: c.c, Header: c.header}
	obj := r.u.Info.Defs[s.Name]
	if obj == nil || obj.Type() == nil {
		res.Unchecked = "its type is not known"
		return res
	}
	if n, ok := obj.Type().(*types.Named); ok && n.TypeParams().Len() > 0 {
		res.Unchecked = "it has type parameters"
		return res
	}
	p, err := r.program(r.dir(f.Package), c.header)
	if err != nil {
		res.Unchecked = err.Error()
		return res
	}
	ct := p.Lookup(c.c)
	if err := ct.Err(); err != nil {
		res.Unchecked = c.c + ": " + strings.TrimPrefix(err.Error(), "clayout: ") + missing(p)
		return res
	}
	k := checker{sizes: r.u.Sizes}
	res.Size = k.size(obj.Type())
	res.Problem = k.compare("", obj.Type(), ct)
	return res
}

func missing(p *clayout.Program) string {
	if len(p.Notes) == 0 {
		return ""
	}
	return "; " + strings.Join(p.Notes[:min(len(p.Notes), 3)], ", ")
}

// casts finds pointers to C structs that become pointers to Go structs of this package, and the other way.
func (r *reader) casts() []Result {
	var out []Result
	seen := map[string]bool{}
	r.u.Inspect(func(n ast.Node, _ []ast.Node) {
		outer, ok := n.(*ast.CallExpr)
		if !ok || len(outer.Args) != 1 || !r.u.Info.Types[outer.Fun].IsType() {
			return
		}
		inner, ok := ast.Unparen(outer.Args[0]).(*ast.CallExpr)
		if !ok || len(inner.Args) != 1 || !r.u.Info.Types[inner.Fun].IsType() {
			return
		}
		if b, ok := r.u.Info.Types[inner.Fun].Type.(*types.Basic); !ok || b.Kind() != types.UnsafePointer {
			return
		}
		to, from := r.u.Info.Types[outer.Fun].Type, r.u.Info.Types[inner.Args[0]].Type
		goType, cType := r.pointee(to), from
		if goType == nil {
			goType, cType = r.pointee(from), to
		}
		name, stars := native.CType(cType)
		if goType == nil || name == "" || stars != 1 {
			return
		}
		name = r.typedef(name)
		for _, word := range []string{"struct", "union", "enum"} {
			if rest, ok := strings.CutPrefix(name, word+"_"); ok {
				name = word + " " + rest
			}
		}
		key := goType.Obj().Name() + "\x00" + name
		if seen[key] {
			return
		}
		seen[key] = true
		res := Result{Pos: outer.Pos(), Go: goType.Obj().Name(), C: name, Cast: true}
		p, err := r.own(r.dir(outer.Pos()))
		if err == nil && p.Lookup(name).Err() != nil {
			p, err = r.program(r.dir(outer.Pos()), "")
		}
		if err != nil {
			res.Unchecked = err.Error()
			out = append(out, res)
			return
		}
		ct := p.Lookup(name)
		if !ct.Record() || ct.Err() != nil || ct.Size() == 0 {
			return // what is opaque to C's readers is not looked into; one way to say so is a struct of an empty array
		}
		k := checker{sizes: r.u.Sizes, prefix: true}
		res.Size = k.size(goType)
		res.Problem = k.compare("", goType, ct)
		if res.Padded = res.Problem == "" && k.padded != ""; res.Padded {
			res.Problem = k.padded
		}
		out = append(out, res)
	})
	return out
}

// typedef is the name of what cgo calls struct___0 because C gives it no tag.
func (r *reader) typedef(name string) string {
	if !strings.HasPrefix(name, "struct___") && !strings.HasPrefix(name, "union___") {
		return name
	}
	scope := r.u.Pkg.Scope()
	untagged := scope.Lookup("_Ctype_" + name)
	for _, n := range scope.Names() {
		t, ok := scope.Lookup(n).(*types.TypeName)
		if rest, cut := strings.CutPrefix(n, "_Ctype_"); ok && cut && untagged != nil && rest != name && types.Identical(t.Type(), untagged.Type()) {
			return rest
		}
	}
	return name
}

// pointee is the Go struct of this package that t points to.
func (r *reader) pointee(t types.Type) *types.Named {
	p, ok := t.(*types.Pointer)
	if !ok {
		return nil
	}
	n, ok := p.Elem().(*types.Named)
	if !ok || n.Obj().Pkg() != r.u.Pkg || strings.HasPrefix(n.Obj().Name(), "_C") || n.TypeParams().Len() > 0 {
		return nil
	}
	s, ok := n.Underlying().(*types.Struct)
	if !ok || s.NumFields() == 0 {
		return nil
	}
	for i := range s.NumFields() {
		if name, stars := native.CType(s.Field(i).Type()); name != "" && stars == 0 {
			return nil // it holds a C struct, and is no copy of one
		}
	}
	return n
}

// same finds constants that the C text of the package has too, under the same name.
func (r *reader) same(g *ast.GenDecl) []Result {
	if !slices.ContainsFunc(r.u.Files, cgofile.Imports) {
		return nil
	}
	var out []Result
	for name, c := range r.named(g.Specs) {
		p, err := r.own(r.dir(g.Pos()))
		if err != nil {
			return nil
		}
		v, ok := p.Const(name.Name)
		if !ok {
			continue
		}
		res := Result{Pos: name.Pos(), Go: name.Name, C: name.Name, Constant: true, Size: 1, Cast: true}
		res.Counted = !literal(g.Specs, name)
		if c != v {
			res.Problem = fmt.Sprintf("is %d; in C it is %d", c, v)
		}
		out = append(out, res)
	}
	slices.SortFunc(out, func(a, b Result) int { return int(a.Pos - b.Pos) })
	return out
}

// literal reports whether a number stands behind the name of a constant.
func literal(specs []ast.Spec, name *ast.Ident) bool {
	for _, s := range specs {
		if v, ok := s.(*ast.ValueSpec); ok {
			if i := slices.Index(v.Names, name); i >= 0 && i < len(v.Values) {
				e := ast.Unparen(v.Values[i])
				if u, ok := e.(*ast.UnaryExpr); ok {
					e = u.X
				}
				_, ok := e.(*ast.BasicLit)
				return ok
			}
		}
	}
	return false
}

// named are the integer constants of a declaration.
func (r *reader) named(specs []ast.Spec) map[*ast.Ident]int64 {
	out := map[*ast.Ident]int64{}
	for _, s := range specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for _, n := range v.Names {
			if c, ok := r.u.Info.Defs[n].(*types.Const); ok && n.Name != "_" {
				if i, ok := integer(c); ok {
					out[n] = i
				}
			}
		}
	}
	return out
}

func (r *reader) constants(f *ast.File, pos token.Pos, c target, specs []ast.Spec) Result {
	res := Result{Pos: pos, C: c.c, Header: c.header, Constant: true}
	p, err := r.program(r.dir(f.Package), c.header)
	if err != nil {
		res.Unchecked = err.Error()
		return res
	}
	var names []string
	prefix := ""
	if start, ok := strings.CutSuffix(c.c, "*"); ok {
		prefix = start
		for _, m := range p.Macros() {
			if strings.HasPrefix(m, start) {
				names = append(names, m)
			}
		}
	} else {
		names = p.Enum(c.c)
		if p.Lookup(c.c) == nil && names == nil {
			if _, ok := p.Const(c.c); ok { // a single constant
				names = []string{c.c}
			}
		}
		prefix = common(names)
	}
	values := r.named(specs)
	idents := make([]*ast.Ident, 0, len(values))
	for n := range values {
		idents = append(idents, n)
	}
	slices.SortFunc(idents, func(a, b *ast.Ident) int { return int(a.Pos() - b.Pos()) })
	if len(idents) > 0 {
		res.Go = idents[0].Name
	}
	if len(names) == 0 {
		res.Unchecked = c.c + " is not known" + missing(p)
		return res
	}
	for _, n := range idents {
		cname := match(n.Name, names, prefix, len(idents) == 1 && len(names) == 1)
		v, ok := p.Const(cname)
		if cname == "" || !ok {
			res.Missing = append(res.Missing, n.Name)
			continue
		}
		res.Size++
		if v != values[n] && res.Problem == "" {
			res.Pos, res.Go, res.C = n.Pos(), n.Name, cname
			res.Problem = fmt.Sprintf("is %d; %s in C is %d", values[n], cname, v)
		}
	}
	if res.Size == 0 {
		res.Unchecked = "none of its names is one of " + c.c
	}
	return res
}

// common is what all names begin with: up to an underscore, or before a capital.
func common(names []string) string {
	if len(names) < 2 {
		return ""
	}
	p := names[0]
	for _, n := range names {
		for !strings.HasPrefix(n, p) {
			p = p[:len(p)-1]
		}
	}
	if i := strings.LastIndexByte(p, '_'); i >= 0 {
		return p[:i+1]
	}
	for _, n := range names {
		if rest := n[len(p):]; rest == "" || rest[0] < 'A' || rest[0] > 'Z' {
			return ""
		}
	}
	return p
}

// match finds the C name that a Go constant is written after.
func match(name string, names []string, prefix string, only bool) string {
	if only {
		return names[0]
	}
	best, length := "", 0
	for _, n := range names {
		long, rest := plain(n), plain(strings.TrimPrefix(n, prefix))
		switch {
		case plain(name) == long, plain(name) == rest:
			return n
		case rest != "" && strings.HasSuffix(plain(name), rest) && len(rest) > length:
			best, length = n, len(rest)
		}
	}
	return best
}

// plain is a name without what C and Go write differently.
func plain(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
