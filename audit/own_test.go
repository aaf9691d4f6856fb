package audit_test

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus/audit"
)

var update = flag.Bool("update", false, "rewrite docs/safety-audit.md")

// TestM10SafetyAuditIsCurrent holds docs/safety-audit.md to the code: every declaration that uses unsafe is there, with its
// argument.
func TestM10SafetyAuditIsCurrent(t *testing.T) {
	got, err := audit.Sites(context.Background(), audit.Options{Dir: "..", Patterns: []string{"./internal/raw/..."}, GOOS: "linux", GOARCH: "amd64", NoCgo: true})
	if err != nil {
		t.Fatal(err)
	}
	const name = "../docs/safety-audit.md"
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/safety-audit.md is not what the code says (-there +now); go test ./audit -run M10 -update\n%s", diff)
	}
}
