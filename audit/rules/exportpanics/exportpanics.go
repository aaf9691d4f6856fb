// Package exportpanics holds the rule export-panics. Its page is docs/checks/audit/export-panics.md.
package exportpanics

import (
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

const otherType = "where the value has another type"

// Analyzer reports functions that C calls and that may panic: a panic that reaches C ends the program, past all of C's
// own cleanup.
var Analyzer = native.Rule("export-panics", run)

func run(p *native.Pass) {
	for _, fn := range p.Funcs {
		if _, ok := p.Exported[fn.Name()]; !ok || fn.Signature.Recv() != nil || fn.Parent() != nil || recovers(fn) {
			continue
		}
		if i, why := panics(fn, 0); i != nil {
			pos := i.Pos()
			if !pos.IsValid() {
				pos = fn.Pos()
			}
			severity := native.Warning
			if strings.HasSuffix(why, otherType) { // what the package stored itself is mostly of the type that it asks for
				severity = native.Note
			}
			if _, ok := i.(*ssa.Panic); ok && len(fn.Blocks) == 1 { // it is there to panic: what calls it must not go on
				severity = native.Note
			}
			p.Report(severity, pos, "%s is called by C and %s; recover in it, and give C an error", fn.Name(), why)
		}
	}
}

// recovers reports whether a deferred call of fn recovers.
func recovers(fn *ssa.Function) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			d, ok := i.(*ssa.Defer)
			if !ok {
				continue
			}
			callee := d.Call.StaticCallee()
			if callee == nil {
				return true // not known
			}
			if callee.Blocks == nil && callee.Pkg != fn.Pkg && !quiet[callee.String()] {
				return true
			}
			if contains(callee, "recover") {
				return true
			}
		}
	}
	return false
}

// quiet are functions that are often deferred and do not recover.
var quiet = map[string]bool{
	"(*sync.Mutex).Unlock": true, "(*sync.RWMutex).Unlock": true, "(*sync.RWMutex).RUnlock": true, "(*sync.WaitGroup).Done": true,
	"runtime.KeepAlive": true, "runtime.UnlockOSThread": true, "(runtime/cgo.Handle).Delete": true, "(*runtime.Pinner).Unpin": true,
}

func contains(fn *ssa.Function, builtin string) bool {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if call, ok := i.(ssa.CallInstruction); ok && native.GoName(call) == builtin {
				return true
			}
		}
	}
	return false
}

// panics finds what in fn, or in what it calls of its own package, panics by intent: a panic, the end of the program, or a
// type assertion that has no second result. Arithmetic, indexing and nil are everywhere, and not told.
func panics(fn *ssa.Function, depth int) (ssa.Instruction, string) {
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			switch i := i.(type) {
			case *ssa.Panic:
				if !i.Pos().IsValid() {
					continue
				}
				return i, "panics here"
			case *ssa.TypeAssert:
				if !i.CommaOk && !safe(i) {
					return i, "panics here " + otherType
				}
			case *ssa.Call:
				switch name := native.GoName(i); name {
				case "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf", "runtime.Goexit":
					return i, "calls " + name
				}
				callee := i.Call.StaticCallee()
				if callee != nil && callee.Pkg == fn.Pkg && callee.Blocks != nil && depth < 2 && callee != fn && !recovers(callee) {
					if in, why := panics(callee, depth+1); in != nil {
						return i, "calls " + callee.Name() + ", which " + shorten(why)
					}
				}
			}
		}
	}
	return nil, ""
}

func shorten(why string) string {
	return strings.Replace(why, "panics here", "panics", 1)
}

// safe reports whether an assertion cannot fail for want of knowledge: the value of a handle that this package made is
// what it put in, or there is one of several types and a switch asked.
func safe(i *ssa.TypeAssert) bool {
	call, ok := i.X.(*ssa.Call)
	if ok && native.GoName(call) == "(runtime/cgo.Handle).Value" {
		return true
	}
	_, iface := i.AssertedType.Underlying().(*types.Interface)
	return iface && i.Pos() == token.NoPos
}
