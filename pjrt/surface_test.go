package pjrt_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

var updateSurface = flag.Bool("update-surface", false, "write docs/pjrt-surface.md")

// notCalled are the functions that package pjrt does not call, and why not.
var notCalled = map[string]string{
	"PJRT_Event_Error":                "the error comes with PJRT_Event_OnReady and PJRT_Event_Await",
	"PJRT_Client_AddressableMemories": "memories come from the devices that reach them",
	"PJRT_Device_IsAddressable":       "PJRT_Client_AddressableDevices tells it of all devices at once",
	"PJRT_Buffer_UnsafePointer":       "an address has no owner; views read memory in place",
}

// realTests says where extensions are tested, whole or in part, with a plugin that is not the fake. The fake tests all
// of their functions.
var realTests = map[string]string{
	"AbiVersion": "libtpu", "ExecutableMetadata": "libtpu", "FFI": "XLA CPU", "Layouts": "libtpu", "MemoryDescriptions": "libtpu",
	"PhaseCompile": "libtpu", "Shardings": "XLA CPU, libtpu", "TpuExecutable": "libtpu", "TpuTopology": "libtpu", "XlaTransform": "XLA CPU",
}

// callers finds, for each argument struct, the functions of this package whose source names it.
func callers(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			who := "a type of " + name
			if fn, ok := d.(*ast.FuncDecl); ok {
				who = fn.Name.Name
				if fn.Recv != nil {
					who = receiver(fn.Recv.List[0].Type) + "." + who
				}
			}
			ast.Inspect(d, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "pjrtc" && !slices.Contains(out[sel.Sel.Name], who) {
					out[sel.Sel.Name] = append(out[sel.Sel.Name], who)
				}
				return true
			})
		}
	}
	for _, names := range out {
		slices.Sort(names)
	}
	return out
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// goName is the generator's name of a C struct.
func goName(c string) string {
	c = strings.TrimPrefix(c, "PJRT_")
	var b strings.Builder
	for _, part := range strings.Split(c, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// TestP37P38EverythingIsReached fails for a function of the API or of an extension that nothing in the package uses, and
// holds docs/pjrt-surface.md, which says what does.
func TestP37P38EverythingIsReached(t *testing.T) {
	by := callers(t)
	var b bytes.Buffer
	b.WriteString("# The PJRT API in Go\n\nWhich functions of package `pjrt` use the arguments of each function of PJRT's C API; those in lower case serve others of\nthe package. A test of that package writes this page (`go test ./pjrt -run EverythingIsReached -args -update-surface`), and\nfails for a C function that none uses, unless the reason stands here. For each extension it is said which plugin besides\nthe fake runs it in tests, whole or in part: XLA's CPU plugin, or libtpu, which needs no TPU for what it knows of\ntopologies and programs.\n")
	row := func(fn, args string) {
		names, ok := by[args]
		if reason := notCalled[fn]; ok && reason != "" {
			t.Errorf("%s is called, and stands in the list of those that are not", fn)
		} else if reason != "" {
			fmt.Fprintf(&b, "| `%s` | not called: %s |\n", fn, reason)
			return
		}
		if !ok {
			t.Errorf("nothing in package pjrt uses %s, the arguments of %s", args, fn)
		}
		if len(names) > 4 {
			names = append(names[:4:4], "…")
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", fn, strings.Join(names, ", "))
	}
	n := 0
	b.WriteString("\n## The 138 functions of the table\n\n| function | Go |\n|---|---|\n")
	for s := range pjrtc.Slot(pjrtc.NumSlots) {
		n++
		row(s.String(), goName(s.String())+"Args")
	}
	m := 0
	for _, e := range pjrtc.Extensions() {
		if len(e.Funcs) == 0 {
			continue
		}
		where := realTests[e.Name]
		if where == "" {
			where = "no other plugin"
		}
		fmt.Fprintf(&b, "\n## Extension %s\n\nTested on the fake and on %s.\n\n| function | Go |\n|---|---|\n", e.Name, where)
		for _, fn := range e.Funcs {
			m++
			row(fn.Name, goName(fn.Args))
		}
	}
	if n != 138 {
		t.Errorf("%d functions in the table, want 138", n)
	}
	t.Log(m, "functions of extensions")
	path := filepath.Join("..", "docs", "pjrt-surface.md")
	if *updateSurface {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(old), b.String()); d != "" {
		t.Errorf("docs/pjrt-surface.md is old; run with -update-surface: %s", d)
	}
}
