// Package golangci is the module plug-in of golangci-lint for the rules of isthmus audit. It is a module of its own, so that
// only who builds it needs golangci's register.
package golangci

import (
	"fmt"
	"slices"
	"strings"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus/audit/rules"
)

// golangci-lint knows a plug-in by what it registers before main.
var _ = registered()

func registered() struct{} {
	register.Plugin("isthmus", New)
	return struct{}{}
}

// Settings are those under linters.settings.custom.isthmus.settings.
type Settings struct {
	Enable  []string `json:"enable"` // only these rules, such as cstring-leak
	Disable []string `json:"disable"`
}

type plugin struct{ settings Settings }

// New reads the settings.
func New(settings any) (register.LinterPlugin, error) {
	s, err := register.DecodeSettings[Settings](settings)
	if err != nil {
		return nil, err
	}
	return &plugin{s}, nil
}

// BuildAnalyzers are the rules that the settings choose.
func (p *plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	all := rules.All()
	slug := func(a *analysis.Analyzer) string { return strings.ReplaceAll(a.Name, "_", "-") }
	for _, n := range slices.Concat(p.settings.Enable, p.settings.Disable) {
		if !slices.ContainsFunc(all, func(a *analysis.Analyzer) bool { return slug(a) == n }) {
			return nil, fmt.Errorf("isthmus: there is no rule %q", n)
		}
	}
	return slices.DeleteFunc(all, func(a *analysis.Analyzer) bool {
		return len(p.settings.Enable) > 0 && !slices.Contains(p.settings.Enable, slug(a)) || slices.Contains(p.settings.Disable, slug(a))
	}), nil
}

// GetLoadMode says that the rules need types.
func (p *plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
