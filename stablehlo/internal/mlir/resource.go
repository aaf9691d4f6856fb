package mlir

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// denseResource reads the rest of dense_resource<key> : type, from its '<'.
func (p *parser) denseResource() Attr {
	p.expectByte('<')
	p.space()
	at := p.i
	var key string
	if p.peek() == '"' {
		key = p.str()
	} else {
		key = p.intern(p.suffix("the key of a resource"))
	}
	p.expectByte('>')
	p.expectByte(':')
	p.space()
	typeAt := p.i
	t := p.typ()
	n := p.count(t, typeAt)
	p.findBlobs()
	blob, ok := p.blobs[key]
	if !ok {
		p.fail(at, "resource %s is not in the file", key)
	}
	d := Dense{Type: t}
	size := int64(t.Elem.Size())
	l := int64(len(blob))
	switch {
	case n <= (1<<62)/max(size, 1) && l == n*size:
		d.Data = blob
		if w := t.Elem.Bits(); w < 8 {
			d.Data = bytes.Clone(blob)
			if w == 1 {
				for i := range d.Data {
					d.Data[i] &= 1
				}
			}
			normalize(d.Data, t.Elem)
		}
	case t.Elem.Bits() == 1 && l == (n+7)/8:
		d.Data, d.Splat = p.predicates(bytes.Clone(blob), n, at)
	default:
		p.fail(at, "resource %s has %d bytes for %v, which takes %d elements of %d", key, l, t, n, size)
	}
	return d
}

// findBlobs reads the resources, which stand at the end of the file, before the first constant that uses them.
func (p *parser) findBlobs() {
	if p.blobsRead {
		return
	}
	here := p.i
	if n := bytes.LastIndex(p.src[here:], []byte("{-#")); n >= 0 {
		p.i = here + n
		p.fileMetadata()
	}
	p.blobsRead = true
	p.i = here
}

// fileMetadata reads {-# dialect_resources: {dialect: {key: "0x…"}}, … #-}.
func (p *parser) fileMetadata() {
	p.expect("{-#")
	for !p.eat("#-}") {
		w := string(p.word())
		if w == "" {
			p.want("the name of a section or #-}")
		}
		p.expectByte(':')
		p.expectByte('{')
		for !p.eatByte('}') {
			if len(p.word()) == 0 {
				p.want("the name of a dialect")
			}
			p.expectByte(':')
			p.expectByte('{')
			for !p.eatByte('}') {
				p.resource(w == "dialect_resources")
				if !p.eatByte(',') {
					p.expectByte('}')
					break
				}
			}
			if !p.eatByte(',') {
				p.expectByte('}')
				break
			}
		}
		p.eatByte(',')
	}
}

// resource reads key: value.
func (p *parser) resource(blob bool) {
	p.space()
	at := p.i
	var key string
	if p.peek() == '"' {
		key = p.str()
	} else {
		key = p.intern(p.suffix("the key of a resource"))
	}
	p.expectByte(':')
	switch c := p.peek(); {
	case c == '"' && blob:
		if p.blobsRead {
			p.skipHex()
			return
		}
		b := p.i
		raw := p.hex()
		if len(raw) < 4 {
			p.fail(b, "resource %s has no alignment", key)
		}
		if a := binary.LittleEndian.Uint32(raw); bits.OnesCount32(a) != 1 {
			p.fail(b, "alignment %d of resource %s is not a power of two", a, key)
		}
		if _, twice := p.blobs[key]; twice {
			p.fail(at, "resource %s is given twice", key)
		}
		p.blobs[key] = raw[4:]
	case c == '"':
		p.str()
	case p.eatWord("true") || p.eatWord("false"):
	default:
		p.want("the value of a resource")
	}
}
