package pjrt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Protocol buffers' wire format, as much as compile options and program shapes need.

// message is a protocol buffer that is being written.
type message []byte

func (m *message) varint(field int, v int64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3)
	*m = binary.AppendUvarint(*m, uint64(v))
}

func (m *message) flag(field int, v bool) {
	n := int64(0)
	if v {
		n = 1
	}
	m.varint(field, n)
}

func (m *message) bytes(field int, b []byte) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|2)
	*m = binary.AppendUvarint(*m, uint64(len(b)))
	*m = append(*m, b...)
}

func (m *message) packed(field int, values ...int64) {
	var b []byte
	for _, v := range values {
		b = binary.AppendUvarint(b, uint64(v))
	}
	m.bytes(field, b)
}

var errWire = errors.New("malformed protocol buffer")

// field is one field that was read: number for wire types 0, 1 and 5, bytes for 2.
type field struct {
	id, wire int
	number   uint64
	bytes    []byte
}

// fields calls f for each field of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 || key>>3 == 0 || key>>3 > 1<<29 {
			return fmt.Errorf("%w: bad key", errWire)
		}
		b = b[n:]
		v := field{id: int(key >> 3), wire: int(key & 7)}
		switch v.wire {
		case 0:
			if v.number, n = binary.Uvarint(b); n <= 0 {
				return fmt.Errorf("%w: bad number", errWire)
			}
			b = b[n:]
		case 1:
			if len(b) < 8 {
				return fmt.Errorf("%w: it ends early", errWire)
			}
			v.number, b = binary.LittleEndian.Uint64(b), b[8:]
		case 2:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return fmt.Errorf("%w: it ends early", errWire)
			}
			v.bytes, b = b[n:n+int(size)], b[n+int(size):]
		case 5:
			if len(b) < 4 {
				return fmt.Errorf("%w: it ends early", errWire)
			}
			v.number, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
		default:
			return fmt.Errorf("%w: wire type %d", errWire, v.wire)
		}
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
		x, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("%w: bad number", errWire)
		}
		out, b = append(out, int64(x)), b[n:]
	}
	return out, nil
}

func (m *message) double(field int, v float64) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|1)
	*m = binary.LittleEndian.AppendUint64(*m, math.Float64bits(v))
}
