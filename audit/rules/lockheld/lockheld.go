// Package lockheld holds the rule lock-held. Its page is docs/checks/audit/lock-held.md.
package lockheld

import (
	"fmt"
	"maps"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports locks that are held while C is called, which calls Go, which waits for the same lock.
var Analyzer = native.Rule("lock-held", run)

func run(p *native.Pass) {
	callbacks := map[string]map[string]ssa.Instruction{} // what the exported functions lock
	for _, fn := range p.Funcs {
		if _, ok := p.Exported[fn.Name()]; ok && fn.Parent() == nil && fn.Signature.Recv() == nil {
			callbacks[fn.Name()] = locks(fn, 0)
		}
	}
	if len(callbacks) == 0 {
		return
	}
	for call, name := range p.Calls() {
		if _, ok := call.(*ssa.Call); !ok {
			continue // later, or on another goroutine
		}
		reached := p.CReach(name)
		for _, back := range slices.Sorted(maps.Keys(callbacks)) {
			if !reached[back] {
				continue
			}
			for lock, inner := range callbacks[back] {
				if outer := held(call, lock); outer != nil {
					p.ReportPath(native.Warning, call.Pos(), []analysis.RelatedInformation{{Pos: outer.Pos(), Message: "locked here"}, {Pos: inner.Pos(), Message: "and again here"}}, nil,
						"C.%s calls %s, which waits for a lock that is held here", name, back)
				}
			}
		}
	}
}

// key names a mutex: a variable of the package, or a field of a type, of which any object is meant.
func key(v ssa.Value) string {
	switch x := v.(type) {
	case *ssa.Global:
		return x.String()
	case *ssa.FieldAddr:
		if g, ok := x.X.(*ssa.Global); ok {
			return fmt.Sprint(g, x.Field)
		}
		if load, ok := x.X.(*ssa.UnOp); ok {
			if g, ok := load.X.(*ssa.Global); ok {
				return fmt.Sprint(g, x.Field)
			}
		}
	}
	return ""
}

// locks are the mutexes that fn locks, or a function of its package that it calls.
func locks(fn *ssa.Function, depth int) map[string]ssa.Instruction {
	out := map[string]ssa.Instruction{}
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			call, ok := i.(*ssa.Call)
			if !ok {
				continue
			}
			switch native.GoName(call) {
			case "(*sync.Mutex).Lock", "(*sync.RWMutex).Lock":
				if k := key(call.Call.Args[0]); k != "" {
					out[k] = call
				}
			default:
				if to := call.Call.StaticCallee(); depth < 2 && to != nil && to.Pkg == fn.Pkg && to.Blocks != nil {
					maps.Copy(out, locks(to, depth+1))
				}
			}
		}
	}
	return out
}

// held is where a mutex was locked that is held whenever a call is made.
func held(call ssa.CallInstruction, lock string) ssa.Instruction {
	fn := call.Parent()
	unlocks := func(i ssa.Instruction) bool {
		c, ok := i.(*ssa.Call)
		return ok && (native.GoName(c) == "(*sync.Mutex).Unlock" || native.GoName(c) == "(*sync.RWMutex).Unlock") && key(c.Call.Args[0]) == lock
	}
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			c, ok := i.(*ssa.Call)
			if !ok || !slices.Contains([]string{"(*sync.Mutex).Lock", "(*sync.RWMutex).Lock", "(*sync.RWMutex).RLock"}, native.GoName(c)) || key(c.Call.Args[0]) != lock {
				continue
			}
			if native.Dominates(c, call) && native.Reaches(c, call, unlocks) {
				return c
			}
		}
	}
	return nil
}
