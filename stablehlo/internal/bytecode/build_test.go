package bytecode_test

import (
	"encoding/binary"
	"slices"
)

// file builds bytecode by hand, for what no known writer makes.
type file struct {
	format   int
	strings  []string
	dialects []string
	ops      []string // dialect.name
	attrs    []item
	types    []item
	ir       []byte
	resource []byte // sections 5 and 6
	offsets  []byte
}

type item struct {
	dialect int
	data    []byte
}

// u encodes integers: in one byte if they fit, otherwise in the longest form.
func u(vs ...int) (b []byte) {
	for _, v := range vs {
		if 0 <= v && v < 128 {
			b = append(b, byte(v<<1|1))
		} else {
			b = binary.LittleEndian.AppendUint64(append(b, 0), uint64(v))
		}
	}
	return b
}

// s encodes signed integers.
func s(vs ...int) (b []byte) {
	for _, v := range vs {
		b = append(b, u(v<<1^v>>63)...)
	}
	return b
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func index(list *[]string, v string) int {
	i := slices.Index(*list, v)
	if i < 0 {
		i = len(*list)
		*list = append(*list, v)
	}
	return i
}

func (f *file) str(v string) int { return index(&f.strings, v) }

func (f *file) attr(dialect string, data ...[]byte) int {
	f.attrs = append(f.attrs, item{index(&f.dialects, dialect), cat(data...)})
	return len(f.attrs) - 1
}

func (f *file) typ(dialect string, data ...[]byte) int {
	f.types = append(f.types, item{index(&f.dialects, dialect), cat(data...)})
	return len(f.types) - 1
}

func (f *file) unknownLoc() int { return f.attr("builtin", u(15)) }

// tensor makes the VHLO type of a tensor of that element type.
func (f *file) tensor(elem int, dims ...int) int {
	e := f.typ("vhlo", u(elem))
	return f.typ("vhlo", u(20, len(dims)), s(dims...), u(e))
}

// op encodes an operation without a dictionary or successors. attrs is the index of one, or -1.
func (f *file) op(name string, loc, attrs int, results, operands []int, regions ...[]byte) []byte {
	b := u(index(&f.ops, name))
	mask := byte(0)
	var rest []byte
	if attrs >= 0 {
		mask |= 1
		rest = append(rest, u(attrs)...)
	}
	if results != nil {
		mask |= 2
		rest = cat(rest, u(len(results)), u(results...))
	}
	if operands != nil {
		mask |= 4
		rest = cat(rest, u(len(operands)), u(operands...))
	}
	if len(regions) > 0 {
		mask |= 16
		rest = cat(rest, u(len(regions)<<1), cat(regions...))
	}
	return cat(b, []byte{mask}, u(loc), rest)
}

// region encodes a region of one block without arguments.
func region(values int, ops ...[]byte) []byte {
	return cat(u(1, values, len(ops)<<1), cat(ops...))
}

// module puts operations into a module.
func (f *file) module(values int, ops ...[]byte) *file {
	loc := f.unknownLoc()
	f.ir = cat(u(1<<1), f.op("builtin.module", loc, -1, nil, nil, region(values, ops...)))
	return f
}

func section(id byte, data []byte) []byte { return cat([]byte{id}, u(len(data)), data) }

func (f *file) bytes() []byte {
	var dialects, body, offsets []byte
	shift, registered := 0, 0
	if f.format >= 1 {
		shift = 1
	}
	for _, d := range f.dialects {
		dialects = append(dialects, u(f.str(d)<<shift)...)
	}
	dialects = cat(u(len(f.dialects)), dialects)
	if f.format >= 4 {
		dialects = append(dialects, u(len(f.ops))...)
	}
	shift = 0
	if f.format >= 5 {
		shift, registered = 1, 1
	}
	for _, o := range f.ops {
		d, name := o, ""
		for i := range o {
			if o[i] == '.' {
				d, name = o[:i], o[i+1:]
				break
			}
		}
		dialects = cat(dialects, u(slices.Index(f.dialects, d), 1, f.str(name)<<shift|registered))
	}
	offsets = u(len(f.attrs), len(f.types))
	for _, it := range append(slices.Clone(f.attrs), f.types...) {
		offsets = cat(offsets, u(it.dialect, 1, len(it.data)<<1|1))
		body = append(body, it.data...)
	}
	strs := u(len(f.strings))
	for _, v := range slices.Backward(f.strings) {
		strs = append(strs, u(len(v)+1)...)
	}
	for _, v := range f.strings {
		strs = append(append(strs, v...), 0)
	}
	b := cat([]byte("ML\xefR"), u(f.format), []byte("hand\x00"),
		section(0, strs), section(1, dialects), section(2, body), section(3, offsets), section(4, f.ir))
	if f.resource != nil {
		b = cat(b, section(6, f.offsets))
		// The data is aligned to 8 bytes by padding in front of the section's data.
		head := cat([]byte{0x80 | 5}, u(len(f.resource), 8))
		for range (8 - (len(b)+len(head))%8) % 8 {
			head = append(head, 0xcb)
		}
		b = cat(b, head, f.resource)
	}
	return b
}
