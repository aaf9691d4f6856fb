package bytecode

import (
	"encoding/binary"
	"math/bits"
)

// cursor reads a part of the input; its positions are offsets in the whole.
type cursor struct {
	r      *reader
	p, end int
}

func (c *cursor) short() { c.r.fail(c.p, "unexpected end") }

func (c *cursor) byte() byte {
	if c.p >= c.end {
		c.short()
	}
	c.p++
	return c.r.data[c.p-1]
}

func (c *cursor) span(n uint64) span {
	if n > uint64(c.end-c.p) {
		c.short()
	}
	c.p += int(n)
	return span{c.p - int(n), c.p}
}

func (c *cursor) bytes(n uint64) []byte {
	s := c.span(n)
	return c.r.data[s.from:s.to:s.to]
}

// uint reads an integer whose first byte says by its trailing zeros how many bytes follow.
func (c *cursor) uint() uint64 {
	x := c.byte()
	if x&1 != 0 {
		return uint64(x >> 1)
	}
	if x == 0 {
		return binary.LittleEndian.Uint64(c.bytes(8))
	}
	n := bits.TrailingZeros8(x)
	v := uint64(x)
	for i, y := range c.bytes(uint64(n)) {
		v |= uint64(y) << (8 * (i + 1))
	}
	return v >> (n + 1)
}

// int reads a signed integer, in zigzag form.
func (c *cursor) int() int64 {
	u := c.uint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads the number of things that follow, each of which takes a byte at least.
func (c *cursor) count() int {
	at := c.p
	n := c.uint()
	if n > uint64(c.end-c.p) {
		c.r.fail(at, "%d items do not fit into %d bytes", n, c.end-c.p)
	}
	return int(n)
}

// len counts the integers up to the end, without moving.
func (c cursor) len() (n int) {
	for c.p < c.end {
		c.uint()
		n++
	}
	return n
}

// ints reads a list of signed integers.
func (c *cursor) ints() []int64 {
	v := make([]int64, c.count())
	for i := range v {
		v[i] = c.int()
	}
	return v
}

func (c *cursor) string() string {
	at := c.p
	return c.r.str(at, c.uint())
}

// apint reads an integer of known width. The result has the bits of the value only.
func (c *cursor) apint(width int) uint64 {
	switch {
	case width <= 8:
		return uint64(c.byte()) & (1<<width - 1)
	case width < 64:
		return uint64(c.int()) & (1<<width - 1)
	case width == 64:
		return uint64(c.int())
	}
	c.r.fail(c.p, "a number of %d bits is not supported", width)
	return 0
}

// align moves to a multiple of a in the file.
func (c *cursor) align(at int, a uint64) {
	if a == 0 || a&(a-1) != 0 || a > 1<<31 {
		c.r.fail(at, "alignment %d is not a power of two", a)
	}
	for uint64(c.p)&(a-1) != 0 {
		c.byte()
	}
}

// section reads the header of a section, and moves past it.
func (c *cursor) section() (id int, s span) {
	at := c.p
	b := c.byte()
	n := c.uint()
	if id = int(b & 0x7f); id >= numSections {
		c.r.fail(at, "section %d is not known", id)
	}
	if b&0x80 != 0 {
		c.align(at, c.uint())
	}
	return id, c.span(n)
}

// done checks that everything was read.
func (c *cursor) done(what string) {
	if c.p != c.end {
		c.r.fail(c.p, "%d bytes too many after the %s", c.end-c.p, what)
	}
}
