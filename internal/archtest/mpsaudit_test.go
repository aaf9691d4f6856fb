package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mpsLayer is the code that package mps's boundary stands on and that can touch memory which is not Go's: files, or folders.
var mpsLayer = []string{
	"internal/raw/objc/", "internal/raw/metal/", "internal/raw/objcdouble/",
	"internal/raw/call/barrier", "internal/raw/call/wide", "internal/raw/call/frame",
}

// unchecked are the functions of package mem that make a pointer or a slice of an address.
var unchecked = []string{"At", "Slice", "CString", "Clear", "Copy", "String"}

// mpsProof names, for each site, a test that runs it with its hazard in reach, and the file of that test.
var mpsProof = map[string][2]string{
	"call.Guard":                {"TestM18BarrierTellsWhatWasThrown", "internal/raw/call/barrier_test.go"},
	"call.describe":             {"TestM18BarrierTellsWhatWasThrown", "internal/raw/call/barrier_test.go"},
	"call.take":                 {"TestM18BarrierInside", "internal/raw/call/barrier_test.go"},
	"call.drop":                 {"TestM12M18MemoryIsFlat", "internal/raw/objc/memory_test.go"},
	"call.cString":              {"TestM18BarrierTellsWhatWasThrown", "internal/raw/call/barrier_test.go"},
	"call.Step.Thrown":          {"TestM18BarrierTellsSomebody", "internal/raw/call/barrier_test.go"},
	"call.Get":                  {"TestFrameModel", "internal/raw/call/call_test.go"},
	"call.Frame.freeOverflow":   {"TestFrameModel", "internal/raw/call/call_test.go"},
	"call.Frame.take":           {"TestFrameModel", "internal/raw/call/call_test.go"},
	"call.Frame.takeOverflow":   {"TestFrameModel", "internal/raw/call/call_test.go"},
	"call.New":                  {"TestFrameModel", "internal/raw/call/call_test.go"},
	"call.Raw":                  {"TestWidePassesAndReturnsEverything", "internal/raw/call/wide_test.go"},
	"call.Slice":                {"TestFrameRefusesWhatCannotBe", "internal/raw/call/call_test.go"},
	"objc.Runtime.verify":       {"TestM17Verifier", "internal/raw/objc/objc_test.go"},
	"objc.Runtime.Arm":          {"TestM02HandlerAfterClose", "mps/metal/fault_test.go"},
	"objc.prepareBlocks":        {"TestM02OutOfOrder", "mps/metal/fault_test.go"},
	"objc.Pool.Memory":          {"TestM02M03M18FaultWhileOpening", "mps/metal/fault_test.go"},
	"objc.Runtime.text":         {"TestM18ObjectiveCException", "internal/raw/objc/objc_test.go"},
	"objc.Runtime.describe":     {"TestM18ObjectiveCExceptionHammer", "internal/raw/objc/objc_test.go"},
	"objc.Runtime.classOf":      {"TestM02RetainAndRelease", "internal/raw/objc/objc_test.go"},
	"objcdouble.Double.Misuses": {"TestM06M17Everything", "internal/raw/metal/metal_test.go"},
}

// TestM10MPSSafetyAudit holds docs/mps-safety-audit.md to the code: every declaration of the layer under package mps that makes a
// pointer has an argument and a test that exists, or this fails. go test ./internal/archtest -run M10 -update writes it.
func TestM10MPSSafetyAudit(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Uses of unsafe under package mps\n\nWritten by `go test ./internal/archtest -run M10 -update`; do not edit. Every declaration under the packages that send messages to\n" +
		"Objective-C, and of what they call native code by, that makes a pointer or a slice of an address: its argument, and a test that\nruns it with the hazard in reach. [safety-audit.md](safety-audit.md) has the whole module.\n\n| site | argument | test |\n|---|---|---|\n")
	left := maps.Clone(mpsProof)
	n := 0
	for _, file := range tracked(t, "*.go") {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/testdata/") || !slices.ContainsFunc(mpsLayer, func(p string) bool { return strings.HasPrefix(file, p) }) {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join("../..", file), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if declares(d) || !touches(d) {
				continue
			}
			n++
			site := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "internal/raw/") + "." + nameOf(d)
			why := argument(f, d)
			if why == "" {
				t.Errorf("%s: %s makes pointers without a SAFETY comment", fset.Position(d.Pos()), site)
			}
			proof, ok := mpsProof[site]
			if !ok {
				t.Errorf("%s: no test is named for %s; add it to mpsProof", fset.Position(d.Pos()), site)
			}
			delete(left, site)
			if text, err := os.ReadFile(filepath.Join("../..", proof[1])); ok && (err != nil || !regexp.MustCompile(`(?m)^func `+proof[0]+`\(`).Match(text)) {
				t.Errorf("%s: its test %s is not in %s (%v)", site, proof[0], proof[1], err)
			}
			fmt.Fprintf(&b, "| `%s` in [%s](../%s) | %s | [`%s`](../%s) |\n", site, filepath.Base(file), file, why, proof[0], proof[1])
		}
	}
	for site := range left {
		t.Errorf("%s is named in mpsProof and does not make pointers", site)
	}
	if n < 10 {
		t.Errorf("only %d sites were found", n)
	}
	const name = "../../docs/mps-safety-audit.md"
	if *update {
		if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(name); err != nil || string(want) != b.String() {
		t.Errorf("docs/mps-safety-audit.md is not what the code says (%v); go test ./internal/archtest -run M10 -update", err)
	}
}

// touches reports whether a declaration makes a pointer, by package unsafe or by package mem.
func touches(d ast.Decl) bool {
	found := false
	ast.Inspect(d, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok {
				found = found || x.Name == "unsafe" && slices.Contains(pointers, sel.Sel.Name) || x.Name == "mem" && slices.Contains(unchecked, sel.Sel.Name)
			}
		}
		return true
	})
	return found
}

// argument is the text of the SAFETY comments of a declaration, or of the preconditions that it hands on to its callers.
func argument(f *ast.File, d ast.Decl) string {
	begin := d.Pos()
	if doc := docOf(d); doc != nil {
		begin = doc.Pos()
	}
	var out []string
	for _, c := range f.Comments {
		if c.Pos() < begin || c.End() > d.End() {
			continue
		}
		if _, why, ok := strings.Cut(c.Text(), "SAFETY:"); ok {
			out = append(out, strings.Join(strings.Fields(why), " "))
		}
	}
	return strings.ReplaceAll(strings.Join(out, " "), "|", "\\|")
}

// nameOf is a declaration's name, T.M for a method.
func nameOf(d ast.Decl) string {
	f, ok := d.(*ast.FuncDecl)
	if !ok {
		return "declaration"
	}
	if f.Recv == nil {
		return f.Name.Name
	}
	r := f.Recv.List[0].Type
	if s, ok := r.(*ast.StarExpr); ok {
		r = s.X
	}
	if id, ok := r.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
