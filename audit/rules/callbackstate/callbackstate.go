// Package callbackstate holds the rule callback-state. Its page is docs/checks/audit/callback-state.md.
package callbackstate

import (
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports functions that C calls, maybe on a thread of its own, and that write variables which other functions use.
var Analyzer = native.Rule("callback-state", run)

func run(p *native.Pass) {
	if len(p.Exported) == 0 {
		return
	}
	var callbacks, others []*ssa.Function
	for _, fn := range p.Funcs {
		switch _, ok := p.Exported[fn.Name()]; {
		case ok && fn.Parent() == nil && fn.Signature.Recv() == nil:
			callbacks = append(callbacks, fn)
		case !strings.HasPrefix(fn.Name(), "init"):
			others = append(others, fn)
		}
	}
	own := started(p)
	for _, fn := range callbacks {
		if guarded(fn) {
			continue
		}
		told := map[*ssa.Global]bool{}
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				g := written(i)
				if g == nil || told[g] || g.Pkg != fn.Pkg {
					continue
				}
				told[g] = true
				at := use(others, g)
				if at == nil {
					continue
				}
				other := at.Parent().Name()
				path := []analysis.RelatedInformation{{Pos: at.Pos(), Message: other + " uses it here"}}
				if own[fn.Name()] {
					p.ReportPath(native.Warning, i.Pos(), path, nil, "%s runs on a thread that C starts and writes %s without a lock, which %s uses too", fn.Name(), g.Name(), other)
				} else {
					p.ReportPath(native.Note, i.Pos(), path, nil, "%s writes %s without a lock, which %s uses too: where C calls it on a thread of its own, they race", fn.Name(), g.Name(), other)
				}
			}
		}
	}
}

// starters are C functions that run one of their arguments on another thread.
var starters = map[string]bool{"pthread_create": true, "thrd_create": true, "CreateThread": true, "_beginthreadex": true, "dispatch_async_f": true}

// started are the functions that run on threads which the C text starts.
func started(p *native.Pass) map[string]bool {
	out := map[string]bool{}
	for _, fn := range p.C.Funcs {
		for i, w := range fn.Body {
			if !starters[w] {
				continue
			}
			for _, arg := range fn.Body[i+1:] {
				if arg == ";" {
					break
				}
				if p.C.Funcs[arg] == nil && !p.Exported[arg].IsValid() {
					continue
				}
				for name := range p.CReach(arg) {
					out[name] = true
				}
			}
		}
	}
	return out
}

// written is the variable of the package that an instruction writes to, or to what it points to.
func written(i ssa.Instruction) *ssa.Global {
	switch i := i.(type) {
	case *ssa.Store:
		return global(i.Addr)
	case *ssa.MapUpdate:
		return global(i.Map)
	}
	return nil
}

func global(v ssa.Value) *ssa.Global {
	for {
		switch x := v.(type) {
		case *ssa.Global:
			return x
		case *ssa.FieldAddr:
			v = x.X
		case *ssa.IndexAddr:
			v = x.X
		case *ssa.UnOp:
			v = x.X
		default:
			return nil
		}
	}
}

// guarded reports whether a function takes a lock, of whatever kind.
func guarded(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(ssa.CallInstruction)
			if !ok {
				continue
			}
			name := native.Callee(call)
			if i := strings.LastIndexByte(name, '.'); strings.Contains(strings.ToLower(name[i+1:]), "lock") {
				return true
			}
		}
	}
	return false
}

// use is where the first of some functions reads or writes a variable.
func use(fns []*ssa.Function, g *ssa.Global) ssa.Instruction {
	for _, fn := range fns {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				for _, op := range i.Operands(nil) {
					if *op == ssa.Value(g) && i.Pos().IsValid() {
						return i
					}
				}
			}
		}
	}
	return nil
}
