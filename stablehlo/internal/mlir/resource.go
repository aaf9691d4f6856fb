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
		if key == "__elided__" {
			p.fail(at, "the elements were left out when the program was printed; print it with all of them")
		}
		p.fail(at, "resource %s is not in the file", key)
	}
	d := Dense{Type: t}
	size := int64(t.Elem.Size())
	l := int64(len(blob))
	switch {
	case n <= (1<<62)/max(size, 1) && l == n*size:
		d.Data = blob
		if t.Elem.Bits() < 8 {
			d.Data = p.unpacked(key, t, func(data []byte) []byte {
				if t.Elem.Bits() == 1 {
					data, _ = p.predicates(data, n, at)
				}
				normalize(data, t.Elem)
				return data
			})
		}
	case t.Elem.Bits() == 1 && l == (n+7)/8:
		d.Data = p.unpacked(key, t, func(data []byte) []byte {
			data, _ = p.predicates(data, n, at)
			return data
		})
	default:
		p.fail(at, "resource %s has %d bytes for %v, which takes %d elements of %d", key, l, t, n, size)
	}
	return d
}

// unpacked returns a changed copy of a resource, made once for all its uses in a type.
func (p *parser) unpacked(key string, t Type, change func([]byte) []byte) []byte {
	name := key + "\x00" + t.String()
	data, ok := p.blobs[name]
	if !ok {
		data = change(bytes.Clone(p.blobs[key]))
		p.blobs[name] = data
	}
	return data
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
