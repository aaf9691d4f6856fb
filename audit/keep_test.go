package audit_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
)

// TestKept checks that a run that takes results of an earlier one says the same, and takes none of what has changed: in the
// package, in a header that it names, in a package below it, or in the policy.
func TestKept(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const wrapper = "package clib\n\n// #include <stdlib.h>\nimport \"C\"\n\nimport \"unsafe\"\n\nfunc New(n int) unsafe.Pointer { return C.malloc(C.size_t(n)) }\n"
	write("go.mod", "module example.com/m\n\ngo 1.26\n")
	write("clib/x.go", wrapper+"\nfunc Free(p unsafe.Pointer) { C.free(p) }\n")
	write("use/x.go", "package use\n\nimport \"example.com/m/clib\"\n\nfunc F() byte {\n\tp := clib.New(1)\n\tclib.Free(p)\n\treturn *(*byte)(p)\n}\n")
	write("mirror/sub/s.h", "struct s { int a; };\n")
	write("mirror/x.go", "package mirror\n\n//isthmus:mirrors struct s sub/s.h\ntype S struct{ A int32 }\n")
	run := func(cache string) (text string, findings []string) {
		t.Helper()
		r, err := audit.Run(context.Background(), audit.Options{Dir: dir, NoCgo: true, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		r.Took = 0
		var b bytes.Buffer
		if err := r.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			findings = append(findings, f.Rule+" in "+f.Place.File)
		}
		return b.String(), findings
	}
	same := func(what string, want ...string) {
		t.Helper()
		fresh, findings := run("off")
		if diff := cmp.Diff(want, findings); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", what, diff)
		}
		for _, when := range []string{"first", "again"} {
			if got, _ := run(cache); got != fresh {
				t.Errorf("%s, %s: what was kept is not what is found (-found +kept):\n%s", what, when, cmp.Diff(fresh, got))
			}
		}
	}
	same("at first", "use-after-free in use/x.go")
	kept, err := filepath.Glob(filepath.Join(cache, "found", "*.json"))
	if err != nil || len(kept) != 3 {
		t.Errorf("%d results are kept, want 3 (%v)", len(kept), err)
	}
	write("mirror/sub/s.h", "struct s { long long a; };\n")
	same("a header has changed", "mirror-layout in mirror/x.go", "use-after-free in use/x.go")
	write("clib/x.go", wrapper+"\nvar all []unsafe.Pointer\n\nfunc Free(p unsafe.Pointer) { all = append(all, p) }\n")
	same("a package below has changed", "mirror-layout in mirror/x.go")
	write("isthmus-audit.json", `{"allow": {"unsafe": [], "cgo": ["clib"]}}`)
	same("there is a policy", "confine in clib/x.go", "mirror-layout in mirror/x.go")
	for _, name := range kept {
		if err := os.WriteFile(name, []byte(`{"key": "`), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	same("what was kept is broken", "confine in clib/x.go", "mirror-layout in mirror/x.go")
	write("use/x.go", "package use\n\nimport \"example.com/m/nowhere\"\n\nvar _ = nowhere.X\n")
	same("a package is missing", "confine in clib/x.go", "mirror-layout in mirror/x.go")
}
