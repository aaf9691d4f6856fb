package audit_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isthmus-ffi/isthmus/audit"
)

// TestEnvironment finds headers where the environment says that they are, as the go command does, and where pkg-config does not
// know a library whose headers are there all the same.
func TestEnvironment(t *testing.T) {
	dir := module(t, map[string]string{
		"include/far.h":   "typedef struct { int n; } far_t;\nstatic inline int far_use(const char *p, far_t f) { return *p + f.n; }\n",
		"include/farer.h": "#ifdef FARER\n#define FARER_MAX FARER\n#endif\n",
		"p/p.go": `package p

/*
#cgo pkg-config: no-such-library
#include <stdlib.h>
#include "far.h"
#include "farer.h"
*/
import "C"

func Far(s string) int { return int(C.far_use(C.CString(s), C.far_t{n: C.FARER_MAX})) }
`,
	})
	t.Setenv("CGO_CPPFLAGS", "-DFARER=3")
	t.Setenv("CGO_CFLAGS", "-O1 -I"+filepath.Join(dir, "include"))
	r, err := audit.Run(context.Background(), audit.Options{Dir: dir, Patterns: []string{"./p"}})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Packages[0]; p.Cgo != "cgo" || len(p.Skipped) > 0 {
		t.Fatalf("%q, not checked: %q", p.Cgo, p.Skipped)
	}
	if got := strings.Join(found(r), ", "); got != "cstring-leak Far" {
		t.Errorf("found %s", got)
	}
	// Another place is not taken for the same by the cache.
	t.Setenv("CGO_CFLAGS", "-O1")
	if _, err := audit.Run(context.Background(), audit.Options{Dir: dir, Patterns: []string{"./p"}}); err == nil || !strings.Contains(err.Error(), "pkg-config does not know no-such-library") {
		t.Errorf("without the header: %v", err)
	}
}
