// Package bytecode reads MLIR bytecode, and StableHLO's portable artifacts in particular, to the tree that the text
// parser makes.
//
// A portable artifact is MLIR bytecode whose operations are of VHLO, a versioned copy of StableHLO. Every version from
// 0.9.0 to 1.20.0 (bytecode formats 0 to 6) is read, and upgraded as StableHLO's own passes do it: names lose their
// version, flattened attributes become the structures that the text shows, and attributes that only state a default
// are left out.
//
// The input may come from anyone: each length is checked against what is left, nesting is bounded, and what the tree
// holds stays in proportion to the input.
package bytecode

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

const magic = "ML\xefR"

// maxFormat is the newest bytecode format that is known.
const maxFormat = 6

// IsBytecode reports whether data begins as MLIR bytecode does.
func IsBytecode(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }

// Info tells where bytecode comes from.
type Info struct {
	Format   int      // version of the encoding, 0 to 6
	Producer string   // what the writer calls itself: "StableHLO_v1.17.0"
	Version  string   // StableHLO's version, "1.17.0", where the producer says it
	Dialects []string // the dialects that are used, in the order of the file
}

// Sections of a file.
const (
	secString = iota
	secDialect
	secAttrType
	secAttrTypeOffset
	secIR
	secResource
	secResourceOffset
	secDialectVersions
	secProperties
	numSections
)

// Versions of the encoding that changed something.
const (
	formatDialectVersions = 1
	formatRegionSections  = 2
	formatUseLists        = 3
	formatElidedLocations = 4 // of block arguments, where unknown; and the number of operation names
	formatProperties      = 5
)

// span is a part of the input.
type span struct{ from, to int }

// reader reads one file. It panics with a *mlir.Error, which Read recovers.
type reader struct {
	data     []byte
	format   int
	sections [numSections]*span

	strings   []string
	dialects  []string
	ops       []opName
	attrs     []attrEntry
	types     []typeEntry
	locs      []*location // of attributes that are locations
	props     []span
	resources []resource

	depth    int          // nesting of attributes, types and regions
	size     int64        // nodes of the attribute, type or operation being read, as a walk over the tree would count them
	left     int64        // nodes that may still be made
	declared uint64       // values, blocks, operations and regions that the file has said to follow
	values   []mlir.Value // not yet given out
}

const (
	maxDepth = 200
	// A walk over the tree sees each attribute as often as it is used, so that a few bytes can stand for very much.
	// These bound it: no real program comes near.
	minNodes       = 1 << 20
	nodesPerByte   = 64
	maxNodesOfAttr = 1 << 40
)

// Read reads a file of MLIR bytecode. The returned operation is its builtin.module. Constants may alias data, which
// must not be changed afterwards. Errors are of type [*mlir.Error] and have the offset in data.
func Read(data []byte) (module *mlir.Op, info *Info, err error) {
	r := &reader{data: data, left: minNodes + nodesPerByte*int64(len(data))}
	defer func() {
		if x := recover(); x != nil {
			e, ok := x.(*mlir.Error)
			if !ok {
				panic(x)
			}
			module, err = nil, e
		}
	}()
	info = r.header()
	r.readStrings()
	r.readDialects()
	info.Dialects = r.dialects
	r.readProperties()
	r.readResources()
	r.readEntries()
	return r.module(), info, nil
}

func (r *reader) fail(at int, format string, args ...any) {
	panic(&mlir.Error{Offset: at, Msg: fmt.Sprintf(format, args...)})
}

// charge counts nodes of the tree.
func (r *reader) charge(at int, n int64) {
	if n < 0 || n > r.left {
		r.fail(at, "program is out of proportion to its encoding")
	}
	r.left -= n
}

func (r *reader) enter(at int) {
	if r.depth++; r.depth > maxDepth {
		r.fail(at, "nesting deeper than %d", maxDepth)
	}
}

func (r *reader) header() *Info {
	if !IsBytecode(r.data) {
		r.fail(0, "not MLIR bytecode: it does not begin with ML\\xefR")
	}
	c := &cursor{r: r, p: len(magic), end: len(r.data)}
	v := c.uint()
	if v > maxFormat {
		r.fail(len(magic), "format %d is newer than %d, the newest known; write the program for an older version", v, maxFormat)
	}
	r.format = int(v)
	n := bytes.IndexByte(r.data[c.p:], 0)
	if n < 0 {
		r.fail(c.p, "name of the producer has no end")
	}
	info := &Info{Format: r.format, Producer: string(c.bytes(uint64(n)))}
	c.byte()
	if v, ok := strings.CutPrefix(info.Producer, "StableHLO_v"); ok {
		info.Version = v
	}
	for c.p < c.end {
		at := c.p
		id, s := c.section()
		if r.sections[id] != nil {
			r.fail(at, "section %d stands twice", id)
		}
		r.sections[id] = &s
	}
	for _, id := range []int{secString, secDialect, secAttrType, secAttrTypeOffset, secIR} {
		if r.sections[id] == nil {
			r.fail(len(r.data), "section %d is missing", id)
		}
	}
	if (r.sections[secResource] == nil) != (r.sections[secResourceOffset] == nil) {
		r.fail(len(r.data), "one of the two sections of resources is missing")
	}
	return info
}

func (r *reader) cursor(id int) *cursor {
	s := r.sections[id]
	return &cursor{r: r, p: s.from, end: s.to}
}

// readStrings reads the table of strings. Their lengths come first, in reverse order, and count a final NUL.
func (r *reader) readStrings() {
	c := r.cursor(secString)
	n := c.count()
	lens := make([]uint64, n)
	for i := range lens {
		lens[n-1-i] = c.uint()
	}
	at := c.p
	all := string(r.data[at:c.end])
	r.strings = make([]string, n)
	for i, n := range lens {
		from := c.p - at
		b := c.bytes(n)
		if n == 0 || b[n-1] != 0 {
			r.fail(c.p, "string %d has no end", i)
		}
		r.strings[i] = all[from : from+int(n)-1]
	}
	c.done("strings")
}

func (r *reader) str(at int, i uint64) string {
	if i >= uint64(len(r.strings)) {
		r.fail(at, "string %d of %d", i, len(r.strings))
	}
	return r.strings[i]
}

// opName is an entry of the table of operation names.
type opName struct {
	name       string // canonical, with its dialect
	registered bool   // its properties are in its own encoding, not an attribute
	def        *opDef
	err        string // why the operation cannot be read, told when it is used
}

func (r *reader) readDialects() {
	c := r.cursor(secDialect)
	n := c.count()
	r.dialects = make([]string, n)
	for i := range r.dialects {
		if r.format < formatDialectVersions {
			r.dialects[i] = c.string()
			continue
		}
		at := c.p
		v := c.uint()
		r.dialects[i] = r.str(at, v>>1)
		if v&1 != 0 {
			if id, _ := c.section(); id != secDialectVersions {
				r.fail(at, "version of dialect %s is not in its section", r.dialects[i])
			}
		}
	}
	if r.format >= formatElidedLocations {
		c.uint() // the number of names, which the groups say too
	}
	for c.p < c.end {
		d := r.dialect(c)
		for range c.count() {
			at := c.p
			v, registered := c.uint(), true
			if r.format >= formatProperties {
				registered = v&1 != 0
				v >>= 1
			}
			r.ops = append(r.ops, lookupOp(d, r.str(at, v), registered))
		}
	}
}

func (r *reader) dialect(c *cursor) string {
	at := c.p
	i := c.uint()
	if i >= uint64(len(r.dialects)) {
		r.fail(at, "dialect %d of %d", i, len(r.dialects))
	}
	return r.dialects[i]
}

func (r *reader) readProperties() {
	if r.sections[secProperties] == nil {
		return
	}
	c := r.cursor(secProperties)
	n := c.count()
	r.props = make([]span, n)
	for i := range r.props {
		r.props[i] = c.span(c.uint())
	}
	c.done("properties")
}

// lookupOp gives an operation its canonical name, and what is known of its attributes.
func lookupOp(dialect, name string, registered bool) opName {
	if name == "" {
		return opName{name: dialect, registered: registered}
	}
	full := dialect + "." + name
	if dialect != "vhlo" {
		return opName{name: full, registered: registered, def: otherOps[full]}
	}
	def, known := vhloOps[name]
	if !known {
		return opName{name: full, err: fmt.Sprintf("operation %s is not known; StableHLO up to %s is", full, newest)}
	}
	base := name[:strings.LastIndex(name, "_v")]
	o := opName{name: "stablehlo." + base, registered: registered, def: &def}
	def.vhlo = true
	if base == "func" || base == "call" {
		o.name = "func." + base
	}
	return o
}
