package load

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Source is what the syntax of a package says, without its types.
type Source struct {
	Path, Module, Version string
	Main                  bool // of the module itself
	Indirect              bool
	Unsafe                int // uses of package unsafe
	Cgo                   int // uses of package C
	Exports               int // functions that C calls
	Purego                int // uses of purego
	Linkname              int // directives that reach into other packages, or hide from checks
	Assembly, C           int // files
	Skipped               []string
}

// Sources reads the packages that patterns name and all that they need but the standard library.
func Sources(ctx context.Context, c Config) ([]Source, error) {
	all, err := c.list(ctx, "1", "Dir,ImportPath,GoFiles,CgoFiles,SFiles,CFiles,CXXFiles,MFiles,SysoFiles,Standard,Module,Error", []string{"-deps"}, c.Patterns)
	if err != nil {
		return nil, err
	}
	var out []Source
	for _, p := range all {
		if p.Standard {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := Source{Path: p.ImportPath, Assembly: len(p.SFiles) + len(p.SysoFiles), C: len(p.CFiles) + len(p.CXXFiles) + len(p.MFiles)}
		if m := p.Module; m != nil {
			s.Module, s.Version, s.Main, s.Indirect = m.Path, m.Version, m.Main, m.Indirect
			if m.Replace != nil {
				s.Version = strings.TrimSpace(s.Version + " => " + m.Replace.Path + " " + m.Replace.Version)
			}
		}
		if p.Error != nil {
			s.Skipped = append(s.Skipped, strings.TrimSpace(p.Error.Err))
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
			if err := s.read(filepath.Join(p.Dir, name)); err != nil {
				s.Skipped = append(s.Skipped, fmt.Sprintf("%s: %v", name, short(err)))
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// read counts what a file uses.
func (s *Source) read(name string) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, b, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return err
	}
	count := map[string]*int{}
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		local := path[strings.LastIndexByte(path, '/')+1:]
		if i.Name != nil {
			local = i.Name.Name
		}
		switch {
		case path == "unsafe":
			count[local] = &s.Unsafe
		case path == "C":
			count[local] = &s.Cgo
			s.Cgo++ // one that only links is a use too
		case strings.HasPrefix(path, "github.com/ebitengine/purego"):
			count[local] = &s.Purego
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && count[x.Name] != nil {
				*count[x.Name]++
			}
		}
		return true
	})
	for _, g := range f.Comments {
		for _, c := range g.List {
			switch word, _, _ := strings.Cut(c.Text, " "); word {
			case "//export":
				s.Exports++
			case "//go:linkname", "//go:noescape", "//go:nocheckptr", "//go:uintptrescapes", "//go:cgo_import_dynamic":
				s.Linkname++
			}
		}
	}
	return err
}
