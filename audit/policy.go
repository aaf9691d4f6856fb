package audit

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
)

const policyName = policy.Name

func readPolicy(dir, file string) (*policy.Policy, error) {
	var p *policy.Policy
	var err error
	if file != "" {
		p, err = policy.Read(file)
	} else {
		p, err = policy.Find(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("audit: policy: %w", err)
	}
	return p, nil
}

// Census counts what the compiler does not check.
type Census struct {
	Unsafe  int `json:"unsafe,omitempty"`  // uses of package unsafe
	C       int `json:"c,omitempty"`       // uses of package C
	Exports int `json:"exports,omitempty"` // functions that C calls
	Purego  int `json:"purego,omitempty"`  // uses of purego
}

func (c *Census) add(d Census) {
	c.Unsafe += d.Unsafe
	c.C += d.C
	c.Exports += d.Exports
	c.Purego += d.Purego
}

func census(u *native.Unit) Census {
	c := Census{Exports: len(u.Exported)}
	for _, f := range u.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok {
					if pkg, ok := u.Info.Uses[x].(*types.PkgName); ok {
						switch path := pkg.Imported().Path(); {
						case path == "unsafe":
							c.Unsafe++
						case strings.HasPrefix(path, "github.com/ebitengine/purego"):
							c.Purego++
						}
					}
				}
			case *ast.Ident:
				if strings.HasPrefix(n.Name, "_C") && n.Name != "_C" {
					c.C++
				}
			}
			return true
		})
	}
	return c
}
