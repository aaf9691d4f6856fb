// Package confine holds the rule confine. Its page is docs/checks/audit/confine.md.
package confine

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports what the compiler does not check outside the folders that the policy file names for it.
var Analyzer = native.Rule("confine", run)

func run(p *native.Pass) {
	if p.Policy == nil {
		return
	}
	for _, files := range [][]*ast.File{p.Unit.Files, p.TestFiles} {
		for _, f := range files {
			file(p, f)
		}
	}
	p.Inspect(func(n ast.Node, _ []ast.Node) {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if kind, name := disguised(p.Unit.Info.Uses[sel.Sel]); kind != "" {
				tell(p, kind, sel.Pos(), name)
			}
		}
	})
}

func file(p *native.Pass, f *ast.File) {
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if kind := imported(path); kind != "" {
			tell(p, kind, spec.Pos(), "import of "+path)
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			switch word, _, _ := strings.Cut(c.Text, " "); word {
			case "//go:linkname", "//go:nocheckptr", "//go:uintptrescapes", "//go:uintptrkeepalive":
				tell(p, "linkname", c.Pos(), word)
			case "//export":
				tell(p, "cgo", c.Pos(), word)
			}
		}
	}
}

func imported(path string) string {
	switch {
	case path == "unsafe":
		return "unsafe"
	case path == "C":
		return "cgo"
	case path == "github.com/ebitengine/purego" || strings.HasPrefix(path, "github.com/ebitengine/purego/"):
		return "purego"
	}
	return ""
}

func tell(p *native.Pass, kind string, pos token.Pos, what string) {
	if ok, where := p.Policy.Allows(kind, p.Position(pos).Filename); !ok {
		p.Report(native.Policy, pos, "%s; the policy allows %s in %s only", what, kind, where)
	}
}

// disguised names the parts of the standard library that make pointers out of nothing, or call the kernel.
func disguised(obj types.Object) (kind, name string) {
	if obj == nil || obj.Pkg() == nil {
		return "", ""
	}
	switch obj.Pkg().Path() {
	case "reflect":
		switch obj := obj.(type) {
		case *types.TypeName:
			if obj.Name() == "SliceHeader" || obj.Name() == "StringHeader" {
				return "reflect", "reflect." + obj.Name()
			}
		case *types.Func:
			switch obj.Name() {
			case "UnsafePointer", "UnsafeAddr", "Pointer", "SetPointer", "NewAt":
				return "reflect", "reflect's " + obj.Name()
			}
		}
	case "syscall", "golang.org/x/sys/unix", "golang.org/x/sys/windows":
		switch obj.Name() {
		case "Syscall", "Syscall6", "RawSyscall", "RawSyscall6", "SyscallN":
			return "syscall", obj.Pkg().Name() + "." + obj.Name()
		}
	}
	return "", ""
}
