package puregosignature

import (
	"fmt"
	"go/types"

	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// compare holds a Go signature to C's.
func (c *checker) compare(r registered, sig *types.Signature, params []*clayout.Type, result *clayout.Type, variadic bool) {
	n := sig.Params().Len()
	var list []types.Type
	for i := range n {
		if t := sig.Params().At(i).Type(); !cdecl(t) && !(sig.Variadic() && i == n-1) {
			list = append(list, t)
		}
	}
	switch {
	case sig.Variadic() && !variadic && len(list) <= len(params): // it is filled up by the caller
	case len(list) < len(params) || len(list) > len(params) && !variadic:
		c.Report(native.Error, r.pos, "%s has %s in C, and %d here", r.name, plural(len(params), "argument"), len(list))
		return
	case variadic && (len(list) > len(params) || sig.Variadic()):
		c.Report(native.Warning, r.pos, "%s takes any number of arguments after the first %d, and C passes those in other ways than the ones here on some platforms (Apple's arm64: all on the stack); call it through a C function that takes a fixed number", r.name, len(params))
	}
	for i, p := range params {
		if i < len(list) {
			if why := c.differ(list[i], p); why != "" {
				c.Report(native.Error, r.pos, "argument %d of %s: %s", i+1, r.name, why)
				return
			}
		}
	}
	if sig.Results().Len() == 0 {
		return
	}
	t := sig.Results().At(0).Type()
	if result.Void() {
		c.Report(native.Error, r.pos, "%s has no result in C, and a %s here", r.name, c.show(t))
		return
	}
	if why := c.differ(t, result); why != "" {
		c.Report(native.Error, r.pos, "the result of %s: %s", r.name, why)
	} else if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 && result.Err() == nil && result.Size() != 1 {
		c.Report(native.Warning, r.pos, "the result of %s: bool here, %s in C: only the first of its %d bytes is looked at", r.name, result, result.Size())
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// differ says how a Go type is passed in another way than a C type, or nothing.
func (c *checker) differ(t types.Type, p *clayout.Type) string {
	if p.Err() != nil || param(t) {
		return "" // nothing is claimed of what is not known
	}
	says := func() string { return fmt.Sprintf("%s here, %s in C", c.show(t), p) }
	size := c.Sizes.Sizeof(t)
	_, integer := p.Integer()
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch {
		case u.Info()&types.IsString != 0:
			if elem, _ := p.Elem(); !p.Pointer() || elem != nil && elem.Err() == nil && !elem.Void() && elem.Size() != 1 {
				return says()
			}
		case u.Info()&types.IsFloat != 0:
			if !p.Float() || p.Size() != size {
				return says()
			}
		case u.Kind() == types.UnsafePointer:
			if !p.Pointer() && !(integer && p.Size() == size) {
				return says()
			}
		case u.Info()&types.IsBoolean != 0:
			if !integer && !p.Pointer() || p.Pointer() {
				return says()
			}
		case p.Pointer():
			if size != p.Size() {
				return says() + widths(size, p.Size())
			}
		case !integer:
			return says()
		case size != p.Size():
			return says() + widths(size, p.Size())
		}
	case *types.Pointer, *types.Slice, *types.Signature:
		if !p.Pointer() && !(integer && p.Size() == c.Sizes.Sizeof(types.Typ[types.Uintptr])) {
			return says()
		}
	case *types.Struct:
		if p.Pointer() || !p.Record() {
			return says()
		}
		if size != p.Size() {
			return says() + widths(size, p.Size())
		}
	}
	return ""
}

func widths(here, there int64) string {
	return fmt.Sprintf(": %s, and %d", plural(int(here), "byte"), there)
}
