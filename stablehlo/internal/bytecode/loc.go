package bytecode

import (
	"math"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// location is what an operation's place in the source says that is of use in a message: the innermost place, and the
// outermost name.
type location struct {
	pos  mlir.Pos
	name string

	reading bool
}

// location reads the place that c points to.
func (c *cursor) location() *location {
	at := c.p
	return c.r.location(at, c.uint())
}

func (r *reader) location(at int, i uint64) *location {
	if i >= uint64(len(r.attrs)) {
		r.fail(at, "attribute %d of %d", i, len(r.attrs))
	}
	if l := r.locs[i]; l != nil {
		if l.reading {
			r.fail(at, "a location contains itself")
		}
		return l
	}
	e := &r.attrs[i].entry
	l := &location{}
	r.locs[i] = l
	if e.custom && e.dialect == "builtin" {
		l.reading = true
		r.enter(at)
		*l = r.readLocation(&cursor{r: r, p: e.from, end: e.to})
		r.depth--
	}
	return l
}

func (r *reader) readLocation(c *cursor) (l location) {
	switch c.uint() {
	case locCallSite:
		l = *c.location()
		if l.pos.Line == 0 && l.name == "" {
			l = *c.location()
		}
	case locFile:
		l.pos = mlir.Pos{File: c.stringAttr(), Line: clip(c.uint()), Col: clip(c.uint())}
	case locFileRange:
		l.pos.File = c.stringAttr()
		if n := c.count(); n > 0 {
			l.pos.Line = clip(c.uint())
			if n > 1 {
				l.pos.Col = clip(c.uint())
			}
		}
	case locFused, locFusedMeta:
		for range c.count() {
			in := c.location()
			if l.pos.Line == 0 {
				l.pos = in.pos
			}
			if l.name == "" {
				l.name = in.name
			}
		}
	case locName:
		name := c.stringAttr()
		l = *c.location()
		l.name = name
	}
	return l
}

// clip makes an int of a line or column.
func clip(v uint64) int { return int(min(v, math.MaxInt32)) }
