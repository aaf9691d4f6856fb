package checks_test

import (
	"slices"
	"strings"
	"testing"

	auditrules "github.com/isthmus-ffi/isthmus/audit/rules"
	"github.com/isthmus-ffi/isthmus/docs/checks"
	"github.com/isthmus-ffi/isthmus/internal/mpiwatch"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtlayer"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtlayer"
)

// TestEveryRuleHasAPage, and every page a rule.
func TestEveryRuleHasAPage(t *testing.T) {
	rules := slices.Concat(pjrtlayer.Rules(), mpiwatch.Rules(), rtlayer.Rules())
	for _, a := range auditrules.All() {
		rules = append(rules, "audit/"+strings.ReplaceAll(a.Name, "_", "-"))
	}
	slices.Sort(rules)
	ids := checks.IDs()
	slices.Sort(ids)
	if !slices.Equal(rules, ids) {
		t.Errorf("rules %q, pages %q", rules, ids)
	}
	for _, id := range ids {
		text, ok := checks.Page(id)
		if !ok || !strings.HasPrefix(text, "# "+id+": ") {
			t.Errorf("%s begins %.60q", id, text)
		}
		parts := []string{"\n## Why it matters\n", "\n## What to do\n", "\n## How the layer sees it\n"}
		if strings.HasPrefix(id, "audit/") {
			parts = []string{"\n## Why it matters\n", "\n## What to do\n", "\n## How the auditor sees it\n", "\n## When it is wrong\n"}
		}
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("%s lacks %q", id, part)
			}
		}
	}
	if _, ok := checks.Page("pjrt/no-such-rule"); ok {
		t.Error("a page for a rule that there is not")
	}
}
