package mirror

import (
	"cmp"
	"fmt"
	"go/constant"
	"go/types"

	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
)

func integer(c *types.Const) (int64, bool) {
	v := constant.ToInt(c.Val())
	if v.Kind() != constant.Int {
		return 0, false
	}
	if i, ok := constant.Int64Val(v); ok {
		return i, true
	}
	u, ok := constant.Uint64Val(v)
	return int64(u), ok
}

type checker struct {
	sizes  types.Sizes
	prefix bool   // what both have at the beginning is compared
	padded string // the first integer that is larger than C's and ends in the padding behind it
	depth  int
}

func (k *checker) size(t types.Type) int64 { return k.sizes.Sizeof(t) }

// compare says how a Go type differs from C's, or nothing. path names it.
func (k *checker) compare(path string, g types.Type, c *clayout.Type) string {
	if k.depth++; k.depth > 30 {
		return ""
	}
	defer func() { k.depth-- }()
	size := k.size(g)
	if size != c.Size() && path != "" {
		return fmt.Sprintf("%s has %s, C's %s has %d", path, bytes(size), c, c.Size())
	}
	what := "it"
	if path != "" {
		what = path
	}
	switch t := g.Underlying().(type) {
	case *types.Struct:
		if c.Record() && !c.Union() {
			return k.record(path, t, c)
		}
	case *types.Array:
		if elem, n := c.Elem(); elem != nil && !c.Pointer() && n == t.Len() {
			return k.compare(path+"[0]", t.Elem(), elem)
		}
	case *types.Basic:
		_, isInt := c.Integer()
		switch info := t.Info(); {
		case info&types.IsString != 0:
			return what + " is a Go string, which C has not"
		case t.Kind() == types.Bool && isInt && c.String() != "_Bool":
			return fmt.Sprintf("%s is a Go bool over C's %s, which may be more than 0 and 1", what, c)
		case info&types.IsFloat != 0 && !c.Float() && (isInt || c.Pointer()),
			info&types.IsInteger != 0 && c.Float():
			return fmt.Sprintf("%s is %s, C's is %s", what, t, c)
		}
	case *types.Slice, *types.Map, *types.Chan, *types.Interface, *types.Signature:
		return fmt.Sprintf("%s is of type %s, which C has not", what, types.TypeString(g, func(*types.Package) string { return "" }))
	}
	if path == "" && size != c.Size() {
		return fmt.Sprintf("it has %s, C's %s has %d", bytes(size), c, c.Size())
	}
	return ""
}

func bytes(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// field is one of a Go struct, with those of embedded ones in their place.
type field struct {
	name   string
	t      types.Type
	at     int64
	hidden bool // _
}

func (f *field) end(k *checker) int64 { return f.at + k.size(f.t) }

func (k *checker) fields(s *types.Struct, base int64, embedded func(at, size int64) bool) []field {
	var vars []*types.Var
	for i := range s.NumFields() {
		vars = append(vars, s.Field(i))
	}
	var out []field
	for i, at := range k.sizes.Offsetsof(vars) {
		v := vars[i]
		if inner, ok := v.Type().Underlying().(*types.Struct); ok && v.Embedded() && !embedded(base+at, k.size(v.Type())) {
			out = append(out, k.fields(inner, base+at, embedded)...)
			continue
		}
		out = append(out, field{v.Name(), v.Type(), base + at, v.Name() == "_"})
	}
	return out
}

// record compares structs field by field.
func (k *checker) record(path string, s *types.Struct, c *clayout.Type) string {
	cf := c.Fields()
	gf := k.fields(s, 0, func(at, size int64) bool {
		for _, f := range cf {
			if f.Offset == at && f.Type.Record() && f.Type.Size() == size {
				return true
			}
		}
		return false
	})
	dot := path
	if dot != "" {
		dot += "."
	}
	goNames, cNames := map[string]bool{}, map[string]int64{}
	for _, g := range gf {
		goNames[plain(g.name)] = true
	}
	for _, f := range cf {
		cNames[plain(f.Name)] = f.Offset
	}
	i := 0
	for n, g := range gf {
		end := g.end(k)
		if g.hidden || end == g.at {
			for i < len(cf) && cf[i].Offset < end {
				i++
			}
			continue
		}
		if i == len(cf) {
			if k.prefix {
				return ""
			}
			return fmt.Sprintf("%s%s at offset %d is more than C's %s has", dot, g.name, g.at, c)
		}
		f := cf[i]
		if f.Type.Size() == 0 && f.Bits == 0 && n < len(gf) { // a flexible array at the end
			return fmt.Sprintf("%s%s at offset %d is where C's %s ends", dot, g.name, g.at, c)
		}
		// A union without a name: its members lie over each other.
		last, stop := i+1, f.End()
		for last < len(cf) && cf[last].Offset < stop {
			stop = max(stop, cf[last].End())
			last++
		}
		if f.Offset != g.at {
			return fmt.Sprintf("%s%s is at offset %d, C's %s at %d", dot, g.name, g.at, f.Name, f.Offset)
		}
		next := c.Size()
		if last < len(cf) {
			next = cf[last].Offset
		}
		var diff string
		switch {
		case f.Bits > 0:
			if end < f.End() {
				diff = fmt.Sprintf("%s%s has %s, too few for C's bits of %s", dot, g.name, bytes(end-g.at), f.Name)
			}
		case last > i+1 && end >= stop && end <= next: // the whole union
		default:
			diff = k.compare(dot+g.name, g.t, f.Type)
			for _, other := range cf[i+1 : last] {
				if diff != "" && other.Offset == g.at && other.Bits == 0 && k.compare(dot+g.name, g.t, other.Type) == "" {
					diff = ""
				}
			}
		}
		if diff != "" && k.prefix && last == i+1 && end > f.End() && end <= next && integers(g.t, f.Type) {
			k.padded, diff = cmp.Or(k.padded, diff), ""
		}
		if diff != "" {
			return diff
		}
		if at, ok := cNames[plain(g.name)]; ok && at != g.at && goNames[plain(f.Name)] && plain(g.name) != plain(f.Name) && last == i+1 {
			return fmt.Sprintf("%s%s is where C has %s; its own %s is at offset %d", dot, g.name, f.Name, g.name, at)
		}
		for i < len(cf) && (cf[i].Offset < end && (cf[i].Type.Size() > 0 || cf[i].Bits > 0)) {
			i++
		}
	}
	if k.prefix && path == "" {
		return ""
	}
	for ; i < len(cf); i++ {
		if cf[i].End() > cf[i].Offset {
			return fmt.Sprintf("C's %s at offset %d of %s is missing%s", cf[i].Name, cf[i].Offset, c, in(path))
		}
	}
	if size := k.size(s); size != c.Size() {
		return fmt.Sprintf("it has %s, C's %s has %d%s", bytes(size), c, c.Size(), in(path))
	}
	return ""
}

func integers(g types.Type, c *clayout.Type) bool {
	b, ok := g.Underlying().(*types.Basic)
	_, isInt := c.Integer()
	return ok && isInt && b.Info()&types.IsInteger != 0
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}
