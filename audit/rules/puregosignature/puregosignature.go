// Package puregosignature holds the rule purego-signature. Its page is docs/checks/audit/purego-signature.md.
package puregosignature

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
	"github.com/isthmus-ffi/isthmus/audit/internal/ctext"
	"github.com/isthmus-ffi/isthmus/audit/internal/mirror"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// Analyzer reports Go signatures of C functions and callbacks that purego does not take, or that are not those of C.
var Analyzer = native.Rule("purego-signature", run)

const most = 32 // arguments that purego passes

type checker struct {
	*native.Pass
	headers []*clayout.Program
}

func run(p *native.Pass) {
	if p.Unit.Pkg == nil || !uses(p.Unit.Pkg) {
		return
	}
	c := &checker{Pass: p}
	c.read()
	for _, r := range find(p) {
		c.registered(r)
	}
	p.Inspect(func(n ast.Node, _ []ast.Node) { // many are values of package variables, which have no function
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return
		}
		if fn, ok := p.Unit.Info.Uses[sel.Sel].(*types.Func); !ok || fn.FullName() != purego+"NewCallback" {
			return
		}
		if t := p.Unit.Info.TypeOf(call.Args[0]); t == nil {
			return
		} else if sig, ok := t.Underlying().(*types.Signature); ok {
			if why := c.callback(sig); why != "" {
				p.Report(native.Error, call.Pos(), "purego.NewCallback panics: %s", why)
			}
		}
	})
	p.Instrs(func(_ *ssa.Function, i ssa.Instruction) {
		if call, ok := i.(ssa.CallInstruction); ok && native.GoName(call) == purego+"SyscallN" {
			c.syscall(call)
		}
	})
}

func uses(pkg *types.Package) bool {
	for _, i := range pkg.Imports() {
		if i.Path()+"." == purego {
			return true
		}
	}
	return false
}

const mark = "//isthmus:calls "

// read reads the headers that comments name, and what is known of the C library.
func (c *checker) read() {
	for _, f := range c.Unit.Files {
		for _, g := range f.Comments {
			for _, comment := range g.List {
				header, ok := strings.CutPrefix(comment.Text, mark)
				if !ok {
					continue
				}
				p, err := mirror.Header(c.Unit, filepath.Dir(c.Position(comment.Pos()).Filename), strings.TrimSpace(header))
				if err != nil {
					c.Report(native.Note, comment.Pos(), "signatures were not compared with C: %v", err)
					continue
				}
				c.headers = append(c.headers, p)
			}
		}
	}
	if p, err := mirror.Header(c.Unit, "", "", c.Book.Headers...); err == nil {
		c.headers = append(c.headers, p)
	}
}

func (c *checker) registered(r registered) {
	name := r.name
	if name == "" {
		name = "a function"
	}
	sig := signature(r.typ)
	if sig == nil {
		if _, open := r.typ.Underlying().(*types.Interface); !open && !param(r.typ) {
			c.Report(native.Error, r.pos, "purego panics: it wants a pointer to a function variable for %s, not %s", name, c.show(r.typ))
		}
		return
	}
	if why := c.call(sig); why != "" {
		c.Report(native.Error, r.pos, "purego panics for %s: %s", name, why)
		return
	}
	c.strings(r, sig)
	for _, h := range c.headers {
		if params, result, variadic, ok := h.Func(r.name).Signature(); ok {
			c.compare(r, sig, params, result, variadic)
			return
		}
	}
}

// param reports whether a type is a type parameter, of which nothing is known.
func param(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.TypeParam)
	if ptr, isPtr := t.Underlying().(*types.Pointer); isPtr {
		_, ok = types.Unalias(ptr.Elem()).(*types.TypeParam)
	}
	return ok
}

// call says why purego does not take the signature of a C function, or nothing.
func (c *checker) call(sig *types.Signature) string {
	words := 0
	for i := range sig.Params().Len() {
		t := sig.Params().At(i).Type()
		switch u := t.Underlying().(type) {
		case *types.Signature:
			if why := c.callback(u); why != "" {
				return fmt.Sprintf("its argument %d is a callback, and %s", i+1, why)
			}
			words++
			continue
		case *types.Slice, *types.Pointer:
		case *types.Struct:
			if cdecl(t) {
				continue
			}
			if why := c.structure(u, true); why != "" {
				return fmt.Sprintf("its argument %d is a struct: %s", i+1, why)
			}
		case *types.Basic:
			if u.Info()&types.IsComplex != 0 {
				return fmt.Sprintf("its argument %d is a %s", i+1, c.show(t))
			}
			if u.Info()&types.IsFloat != 0 {
				continue
			}
		default:
			if !param(t) {
				return fmt.Sprintf("its argument %d is a %s, which C has not", i+1, c.show(t))
			}
		}
		words++
	}
	if words > most {
		return fmt.Sprintf("it has %d arguments, and %d can be passed", words, most)
	}
	if n := sig.Results().Len(); n > 1 {
		return fmt.Sprintf("it has %d results; C has one", n)
	} else if n == 0 {
		return ""
	}
	t := sig.Results().At(0).Type()
	switch u := t.Underlying().(type) {
	case *types.Pointer, *types.Signature:
		return ""
	case *types.Struct:
		if why := c.structure(u, true); why != "" {
			return "its result is a struct: " + why
		}
		return ""
	case *types.Basic:
		if u.Info()&types.IsComplex == 0 {
			return ""
		}
	}
	if param(t) {
		return ""
	}
	return fmt.Sprintf("its result is a %s, which C has not", c.show(t))
}

// callback says why purego does not make a callback with the signature, or nothing.
func (c *checker) callback(sig *types.Signature) string {
	for i := range sig.Params().Len() {
		t := sig.Params().At(i).Type()
		switch u := t.Underlying().(type) {
		case *types.Pointer:
			continue
		case *types.Struct:
			if cdecl(t) && i == 0 {
				continue
			}
			if cdecl(t) {
				return "purego.CDecl has to be the first argument"
			}
			if why := c.structure(u, false); why != "" {
				return fmt.Sprintf("its argument %d is a struct: %s", i+1, why)
			}
			continue
		case *types.Basic:
			if u.Info()&(types.IsComplex|types.IsString) == 0 {
				continue
			}
		case *types.Array:
			continue // it does what nobody expects, but does not panic
		}
		if !param(t) {
			return fmt.Sprintf("its argument %d is a %s, which C cannot give", i+1, c.show(t))
		}
	}
	goos, _ := c.platform()
	if n := sig.Results().Len(); n > 1 {
		return fmt.Sprintf("it has %d results; a callback has one", n)
	} else if n == 0 {
		if goos == "windows" {
			return "it has no result; on Windows a callback has one"
		}
		return ""
	}
	t := sig.Results().At(0).Type()
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return ""
	case *types.Struct:
		if why := c.structure(u, false); why != "" {
			return "its result is a struct: " + why
		}
		return ""
	case *types.Basic:
		if u.Info()&(types.IsInteger|types.IsBoolean) != 0 || u.Kind() == types.UnsafePointer {
			return ""
		}
	}
	if param(t) {
		return ""
	}
	return fmt.Sprintf("its result is a %s, which a callback cannot give", c.show(t))
}

func (c *checker) platform() (goos, goarch string) {
	goos, goarch = build.Default.GOOS, build.Default.GOARCH
	if c.GOOS != "" {
		goos = c.GOOS
	}
	if c.GOARCH != "" {
		goarch = c.GOARCH
	}
	return goos, goarch
}

// structure says why a struct cannot be passed by value, or nothing; down is from Go to C.
func (c *checker) structure(s *types.Struct, down bool) string {
	goos, goarch := c.platform()
	switch goarch {
	case "amd64", "arm64":
	case "loong64", "ppc64le":
		if !down {
			return "callbacks take none on " + goarch
		}
	default:
		return "none are passed by value on " + goarch
	}
	switch goos {
	case "android", "darwin", "ios", "linux":
	case "windows":
		if !down {
			return "callbacks take none on Windows"
		}
	default:
		return "none are passed by value on " + goos
	}
	for i := range s.NumFields() {
		f := s.Field(i)
		t := f.Type()
		if a, ok := t.Underlying().(*types.Array); ok {
			t = a.Elem()
		}
		switch u := t.Underlying().(type) {
		case *types.Struct:
			if why := c.structure(u, down); why != "" {
				return why
			}
			continue
		case *types.Pointer:
			continue
		case *types.Basic:
			if u.Info()&(types.IsInteger|types.IsFloat|types.IsBoolean) != 0 || u.Kind() == types.UnsafePointer {
				continue
			}
		case *types.Array:
			if strings.HasSuffix(f.Type().String(), "structs.HostLayout") {
				continue
			}
		}
		return fmt.Sprintf("its field %s is a %s", f.Name(), c.show(f.Type()))
	}
	return ""
}

// strings looks at text whose owner purego's copies leave behind.
func (c *checker) strings(r registered, sig *types.Signature) {
	text := func(t types.Type) bool {
		b, ok := t.Underlying().(*types.Basic)
		return ok && b.Info()&types.IsString != 0
	}
	if sig.Results().Len() == 1 && text(sig.Results().At(0).Type()) && c.Book.New[r.name] != "" {
		c.Report(native.Error, r.pos, "what %s gives is copied into a Go string and never freed; take a *byte, and give it to %s", r.name, c.Book.New[r.name])
	}
	for i := range sig.Params().Len() {
		if role := c.Book.Role(r.name, i); text(sig.Params().At(i).Type()) && (role == ctext.Retains || role == ctext.Takes) {
			c.Report(native.Error, r.pos, "%s keeps its argument %d, and purego's copy of a Go string ends with the call; pass memory of C's", r.name, i+1)
		}
	}
}

// syscall looks at the arguments of a call by address.
func (c *checker) syscall(call ssa.CallInstruction) {
	args := call.Common().Args
	if len(args) != 2 {
		return
	}
	list, ok := args[1].(*ssa.Slice)
	if !ok {
		return
	}
	array, ok := list.X.(*ssa.Alloc)
	if !ok {
		return
	}
	if a, ok := array.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Array); ok && a.Len() > most {
		c.Report(native.Error, call.Pos(), "purego panics: %d arguments are given, and %d can be passed", a.Len(), most)
	}
	for _, r := range *array.Referrers() {
		at, ok := r.(*ssa.IndexAddr)
		if !ok {
			continue
		}
		for _, s := range *at.Referrers() {
			store, ok := s.(*ssa.Store)
			if !ok {
				continue
			}
			conv, ok := store.Val.(*ssa.Convert)
			if !ok {
				continue
			}
			if b, ok := conv.X.Type().Underlying().(*types.Basic); ok && b.Info()&types.IsFloat != 0 {
				c.Report(native.Error, either(conv.Pos(), call.Pos()), "this cuts a %s to a whole number, and passes it where C looks for no float; register the function", c.show(conv.X.Type()))
			}
		}
	}
}

func either(pos, or token.Pos) token.Pos {
	if pos.IsValid() {
		return pos
	}
	return or
}

func (c *checker) show(t types.Type) string { return types.TypeString(t, types.RelativeTo(c.Unit.Pkg)) }
