package pjrtserve

import (
	"crypto/sha256"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field that was read: number for wire type 0, bytes for 2.
type field struct {
	id, wire int
	number   uint64
	bytes    []byte
}

func malformed(what string) error {
	return invalid("the protocol buffer is malformed: %s", what)
}

// fields calls f for each field of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		id, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		b = b[n:]
		v := field{id: int(id), wire: int(wire)}
		switch wire {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(id, wire, b)
		}
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		b = b[n:]
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// numbers gives the values of a repeated field, packed or not.
func (v field) numbers() ([]int64, error) {
	if v.wire != 2 {
		return []int64{int64(v.number)}, nil
	}
	var out []int64
	for b := v.bytes; len(b) > 0; {
		x, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return nil, malformed(protowire.ParseError(n).Error())
		}
		out, b = append(out, int64(x)), b[n:]
	}
	return out, nil
}

// message is a protocol buffer that is being written.
type message []byte

func (m *message) number(id int, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, protowire.Number(id), protowire.VarintType), uint64(v))
}

func (m *message) bytes(id int, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, protowire.Number(id), protowire.BytesType), b)
}

func (m *message) packed(id int, values []int64) {
	var b []byte
	for _, v := range values {
		b = protowire.AppendVarint(b, uint64(v))
	}
	m.bytes(id, b)
}

// maxGrid bounds replicas and partitions.
const maxGrid = 1 << 16

// readOptions reads what the server needs of CompileOptionsProto. What it does not know has no meaning here.
func readOptions(raw []byte) (CompileOptions, error) {
	o := CompileOptions{Replicas: 1, Partitions: 1, Raw: slices.Clone(raw)}
	ordinal := int64(-1)
	err := fields(raw, func(f field) error {
		switch {
		case f.id == 3 && f.wire == 2: // executable_build_options
			return fields(f.bytes, func(f field) error {
				switch {
				case f.id == 1 && f.wire == 0:
					ordinal = int64(f.number)
				case f.id == 4 && f.wire == 0:
					return count("replicas", f.number, &o.Replicas)
				case f.id == 5 && f.wire == 0:
					return count("partitions", f.number, &o.Partitions)
				case f.id == 6 && f.wire == 0:
					o.SPMD = f.number != 0
				case f.id == 9 && f.wire == 2:
					var err error
					o.Assignment, err = readAssignment(f.bytes)
					return err
				}
				return nil
			})
		case f.id == 4 && f.wire == 0:
			o.Portable = f.number != 0
		}
		return nil
	})
	if err == nil && o.Assignment == nil && ordinal >= 0 && o.Replicas*o.Partitions == 1 {
		o.Assignment = [][]int{{int(min(ordinal, maxGrid))}}
	}
	if err == nil && o.Assignment != nil && (len(o.Assignment) != o.Replicas || len(o.Assignment[0]) != o.Partitions) {
		err = invalid("devices are assigned to %d replicas of %d partitions, there are %d of %d", len(o.Assignment), len(o.Assignment[0]), o.Replicas, o.Partitions)
	}
	return o, err
}

func count(what string, n uint64, out *int) error {
	if n > maxGrid {
		return invalid("%d %s", n, what)
	}
	*out = max(int(n), 1)
	return nil
}

// readAssignment reads DeviceAssignmentProto: for each partition, the devices of its replicas.
func readAssignment(raw []byte) ([][]int, error) {
	replicas, partitions := 1, 1
	var columns [][]int64
	err := fields(raw, func(f field) error {
		switch {
		case f.id == 1 && f.wire == 0:
			return count("replicas", f.number, &replicas)
		case f.id == 2 && f.wire == 0:
			return count("partitions", f.number, &partitions)
		case f.id == 3 && f.wire == 2:
			var ids []int64
			err := fields(f.bytes, func(f field) error {
				if f.id != 1 {
					return nil
				}
				n, err := f.numbers()
				ids = append(ids, n...)
				return err
			})
			columns = append(columns, ids)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(columns) != partitions || replicas*partitions > maxGrid {
		return nil, invalid("devices are assigned to %d partitions of %d", len(columns), partitions)
	}
	out := make([][]int, replicas)
	for r := range out {
		out[r] = make([]int, partitions)
		for p, ids := range columns {
			if len(ids) != replicas {
				return nil, invalid("devices are assigned to %d replicas of %d", len(ids), replicas)
			}
			if ids[r] < 0 || ids[r] > maxGrid {
				return nil, invalid("device %d", ids[r])
			}
			out[r][p] = int(ids[r])
		}
	}
	return out, nil
}

// writeAssignment writes DeviceAssignmentProto.
func writeAssignment(replicas, partitions int, devices []int) []byte {
	var m message
	m.number(1, int64(replicas))
	m.number(2, int64(partitions))
	for p := range partitions {
		var ids []int64
		for r := range replicas {
			if i := r*partitions + p; i < len(devices) {
				ids = append(ids, int64(devices[i]))
			}
		}
		var one message
		one.packed(1, ids)
		m.bytes(3, one)
	}
	return m
}

// The serialized form of an executable is the program and its options, after a mark and their SHA-256: reading it compiles it
// again.

const serializedMark = "isthmus executable 2\n"

func (x *executable) serialize() []byte {
	var m message
	m.bytes(1, x.b.Code())
	m.bytes(2, x.options)
	sum := sha256.Sum256(m)
	return append(append([]byte(serializedMark), sum[:]...), m...)
}

func (c *client) deserialize(b, override []byte) (*executable, error) {
	const head = len(serializedMark) + sha256.Size
	if len(b) < head || string(b[:len(serializedMark)]) != serializedMark {
		return nil, invalid("these are not the bytes of an executable of this plugin and version")
	}
	if sum := sha256.Sum256(b[head:]); string(sum[:]) != string(b[len(serializedMark):head]) {
		return nil, invalid("the bytes of the executable were damaged")
	}
	var code, options []byte
	err := fields(b[head:], func(f field) error {
		switch {
		case f.id == 1 && f.wire == 2:
			code = f.bytes
		case f.id == 2 && f.wire == 2:
			options = f.bytes
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(override) > 0 {
		options = override
	}
	return c.build(Program{"mlir", code}, options)
}

// shown is the program as a client reads it: an HLO module of one computation that hands its parameters to the compiled
// program. It tells types, names and donations.
func (x *executable) shown() (format string, code []byte) {
	var m message
	m.bytes(1, []byte(x.b.Name()))
	m.bytes(2, []byte("main"))
	params, results := x.b.Params(), x.b.Results()
	var shape message
	for _, p := range params {
		shape.bytes(1, shapeOf(p))
	}
	result := tupleOf(results)
	shape.bytes(2, result)
	for range params {
		shape.bytes(3, nil)
	}
	var main message
	main.bytes(1, []byte("main"))
	var operands []int64
	for i, p := range params {
		var in message
		in.bytes(1, []byte("parameter"))
		in.bytes(2, []byte("parameter"))
		in.bytes(3, shapeOf(p))
		in.number(9, int64(i))
		in.number(35, int64(i+1))
		operands = append(operands, int64(i+1))
		main.bytes(2, in)
	}
	root := int64(len(params) + 1)
	var out message
	out.bytes(1, []byte("program"))
	out.bytes(2, []byte("custom-call"))
	out.bytes(3, result)
	out.bytes(28, []byte("isthmus.program"))
	out.number(35, root)
	out.packed(36, operands)
	out.bytes(43, []byte(x.b.Fingerprint()))
	main.bytes(2, out)
	main.bytes(4, shape)
	main.number(5, 1)
	main.number(6, root)
	m.bytes(3, main)
	m.bytes(4, shape)
	m.number(5, 1)
	m.number(6, 1)
	var donors message
	for i, d := range x.b.Donated() {
		if d {
			var e message
			e.number(1, int64(i))
			donors.bytes(1, e)
		}
	}
	m.bytes(18, donors)
	return "hlo", m
}

// shapeOf writes a ShapeProto.
func shapeOf(t Type) []byte {
	var m message
	m.number(2, primitive(t.DType))
	dims := slices.Clone(t.Dims)
	moving := make([]int64, len(dims))
	for i, d := range dims {
		if d < 0 {
			dims[i], moving[i] = 0, 1
		}
	}
	m.packed(3, dims)
	var layout message
	layout.packed(1, minorToMajor(len(dims)))
	m.bytes(5, layout)
	m.packed(6, moving)
	return m
}

func tupleOf(types []Type) []byte {
	if len(types) == 1 {
		return shapeOf(types[0])
	}
	var m message
	m.number(2, 13) // TUPLE
	for _, t := range types {
		m.bytes(4, shapeOf(t))
	}
	return m
}
