package bytecode

import "github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"

// resource is a blob that an attribute names; nil if it is of another kind.
type resource struct {
	key  string
	blob *span
}

const resourceBlob = 0

// readResources finds the blobs of the dialects. Those of other providers are of no use here.
func (r *reader) readResources() {
	if r.sections[secResource] == nil {
		return
	}
	c, body := r.cursor(secResourceOffset), r.cursor(secResource)
	group := func(keep bool) {
		for range c.count() {
			key := c.string()
			s := body.span(c.uint())
			kind := c.byte()
			if !keep {
				continue
			}
			res := resource{key: key}
			if kind == resourceBlob && s.from < s.to {
				b := r.blob(s)
				res.blob = &b
			}
			r.resources = append(r.resources, res)
		}
	}
	for range c.count() {
		c.string()
		group(false)
	}
	for c.p < c.end {
		r.dialect(c)
		group(true)
	}
}

// blob reads the alignment and the length of a blob, which is aligned in the file.
func (r *reader) blob(s span) span {
	c := &cursor{r: r, p: s.from, end: s.to}
	// The length stands between the alignment and the padding.
	a, n := c.uint(), c.uint()
	c.align(s.from, a)
	b := c.span(n)
	c.done("resource")
	return b
}

// resourceAttr reads dense_resource<key> : type.
func (r *reader) resourceAttr(c *cursor) mlir.Attr {
	at := c.p
	t := c.typ()
	i := c.uint()
	if i >= uint64(len(r.resources)) {
		r.fail(at, "resource %d of %d", i, len(r.resources))
	}
	res := r.resources[i]
	if res.blob == nil {
		r.fail(at, "resource %q has no data", res.key)
	}
	return r.dense(at, t, r.data[res.blob.from:res.blob.to:res.blob.to])
}
