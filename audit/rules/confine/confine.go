package confine

import (
	_ "embed"
	"go/ast"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

//go:embed doc.go
var doc string

// Analyzer reports unsafe, cgo, purego and linkname outside the packages that may have them.
var Analyzer = &analysis.Analyzer{
	Name: "confine",
	Doc:  title(doc),
	URL:  "https://pkg.go.dev/github.com/isthmus-ffi/isthmus/audit/rules/confine",
	Run:  run,
}

var allow string

func init() { // the flag must exist before a driver parses its command line; analyzers have no other place for it
	Analyzer.Flags.StringVar(&allow, "allow", "internal/raw", "comma-separated path elements of the packages that may be unsafe")
}

// title is what the analysis framework shows: the text from the line that begins with the analyzer's name.
func title(doc string) string {
	_, text, _ := strings.Cut(doc, "// confine: ")
	text, _, _ = strings.Cut(text, "package confine")
	return "confine: " + strings.TrimSpace(strings.ReplaceAll(text, "\n//", "\n"))
}

func run(pass *analysis.Pass) (any, error) {
	if allowed(pass.Pkg.Path()) {
		return nil, nil
	}
	for _, file := range pass.Files {
		for _, spec := range file.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil && confined(path) {
				pass.Reportf(spec.Pos(), "import of %s outside %s; move the code that needs it there", path, allow)
			}
		}
		for _, group := range file.Comments {
			for _, c := range group.List {
				for _, directive := range []string{"//go:linkname ", "//export "} {
					if strings.HasPrefix(c.Text, directive) {
						pass.Reportf(c.Pos(), "%sdirective outside %s; move the code that needs it there", directive[2:], allow)
					}
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if name := disguised(pass.TypesInfo.Uses[sel.Sel]); name != "" {
					pass.Reportf(sel.Pos(), "%s is unsafe by another name; keep it in %s", name, allow)
				}
			}
			return true
		})
	}
	return nil, nil
}

func allowed(path string) bool {
	path = strings.TrimSuffix(strings.TrimSuffix(path, ".test"), "_test")
	for elem := range strings.SplitSeq(allow, ",") {
		if elem != "" && strings.Contains("/"+path+"/", "/"+strings.Trim(elem, "/")+"/") {
			return true
		}
	}
	return false
}

func confined(path string) bool {
	return path == "unsafe" || path == "C" ||
		path == "github.com/ebitengine/purego" || strings.HasPrefix(path, "github.com/ebitengine/purego/")
}

// disguised names the parts of package reflect that make pointers out of nothing.
func disguised(obj types.Object) string {
	if obj == nil || obj.Pkg() == nil || obj.Pkg().Path() != "reflect" {
		return ""
	}
	switch obj := obj.(type) {
	case *types.TypeName:
		if obj.Name() == "SliceHeader" || obj.Name() == "StringHeader" {
			return "reflect." + obj.Name()
		}
	case *types.Func:
		switch obj.Name() {
		case "UnsafePointer", "UnsafeAddr", "Pointer", "SetPointer", "NewAt":
			return "reflect's " + obj.Name()
		}
	}
	return ""
}
