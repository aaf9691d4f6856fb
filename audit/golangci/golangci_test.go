package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	_ "github.com/isthmus-ffi/isthmus/audit/golangci"
	"github.com/isthmus-ffi/isthmus/audit/rules"
)

func TestPlugin(t *testing.T) {
	build, err := register.GetPlugin("isthmus")
	if err != nil {
		t.Fatal(err)
	}
	all := len(rules.All())
	for _, c := range []struct {
		settings any
		want     int // -1 for an error
	}{
		{nil, all},
		{map[string]any{"enable": []string{"cstring-leak", "double-free"}}, 2},
		{map[string]any{"disable": []string{"cstring-leak"}}, all - 1},
		{map[string]any{"disable": []string{"no-such-rule"}}, -1},
	} {
		got := -1
		p, err := build(c.settings)
		if err == nil {
			var list []*analysis.Analyzer
			if list, err = p.BuildAnalyzers(); err == nil {
				got = len(list)
				if err := analysis.Validate(list); err != nil {
					t.Error(err)
				}
			}
			if p.GetLoadMode() != register.LoadModeTypesInfo {
				t.Errorf("load mode %q", p.GetLoadMode())
			}
		}
		if got != c.want {
			t.Errorf("%v: %d rules, %v, want %d", c.settings, got, err, c.want)
		}
	}
}
