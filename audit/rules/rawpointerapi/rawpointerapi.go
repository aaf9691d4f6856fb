// Package rawpointerapi holds the rule raw-pointer-api. Its page is docs/checks/audit/raw-pointer-api.md.
package rawpointerapi

import (
	"go/types"
	"strings"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
)

// Analyzer reports exported functions that take or give raw pointers, where the policy has folders for those.
var Analyzer = native.Rule("raw-pointer-api", run)

func run(p *native.Pass) {
	if p.Policy == nil || p.Policy.Raw == nil || p.Unit.Pkg == nil || p.Unit.Pkg.Name() == "main" || strings.Contains("/"+p.Path+"/", "/internal/") {
		return
	}
	scope := p.Unit.Pkg.Scope()
	for _, name := range scope.Names() {
		obj := scope.Lookup(name)
		if !obj.Exported() {
			continue
		}
		check(p, obj, obj.Name())
		if tn, ok := obj.(*types.TypeName); ok {
			if n, ok := types.Unalias(tn.Type()).(*types.Named); ok && n.Obj() == tn {
				for i := range n.NumMethods() {
					if m := n.Method(i); m.Exported() {
						check(p, m, obj.Name()+"."+m.Name())
					}
				}
				fields(p, n)
			}
		}
	}
}

func check(p *native.Pass, obj types.Object, name string) {
	fn, ok := obj.(*types.Func)
	if !ok || !held(p, obj) {
		return
	}
	sig := fn.Signature()
	for _, tuple := range []*types.Tuple{sig.Params(), sig.Results()} {
		for v := range tuple.Variables() {
			if raw(v.Type()) {
				p.Report(native.Policy, obj.Pos(), "%s is exported and has a raw pointer in its signature (%s); give its users a value that cannot be misused", name, types.TypeString(v.Type(), short))
				return
			}
		}
	}
}

// fields reports those of a struct into which anyone may put an address that its methods follow.
func fields(p *native.Pass, n *types.Named) {
	s, ok := n.Underlying().(*types.Struct)
	if !ok || !held(p, n.Obj()) {
		return
	}
	for f := range s.Fields() {
		if f.Exported() && !f.Embedded() && raw(f.Type()) {
			p.Report(native.Policy, f.Pos(), "%s.%s is exported and a raw pointer (%s): anyone may set it; give its users a value that cannot be misused", n.Obj().Name(), f.Name(), types.TypeString(f.Type(), short))
		}
	}
}

// held reports whether the policy has no raw pointers in what an object's folder exports.
func held(p *native.Pass, obj types.Object) bool {
	folder, mine := p.Policy.Folder(p.Position(obj.Pos()).Filename)
	return mine && !policy.Under(folder, p.Policy.Raw)
}

func short(*types.Package) string { return "" }

// raw reports whether a type is an address that anyone may do anything with.
func raw(t types.Type) bool {
	if _, stars := native.CType(t); stars > 0 {
		if name, _ := native.CType(t); name != "" {
			return true
		}
	}
	b, ok := types.Unalias(t).(*types.Basic)
	return ok && (b.Kind() == types.UnsafePointer || b.Kind() == types.Uintptr)
}
