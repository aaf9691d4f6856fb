// Package shortinput decodes messages.
package shortinput

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

var errShort = errors.New("short")

// Message is a kind and a size.
type Message struct {
	Kind byte
	Size uint32
}

// UnmarshalBinary panics for less than five bytes.
func (m *Message) UnmarshalBinary(data []byte) error {
	m.Kind = data[0] // want short-input:warning
	m.Size = binary.LittleEndian.Uint32(data[1:])
	return nil
}

// ParseSize panics for less than four bytes.
func ParseSize(b []byte) (uint32, error) {
	return binary.BigEndian.Uint32(b), nil // want short-input:warning
}

// DecodeTail panics for less than eight bytes.
func DecodeTail(b []byte) (string, error) {
	return string(b[8:]), nil // want short-input:warning
}

// DecodeMessage asks first.
func DecodeMessage(data []byte) (m Message, err error) {
	if len(data) < 5 {
		return m, errShort
	}
	m.Kind = data[0]
	m.Size = binary.LittleEndian.Uint32(data[1:])
	return m, nil
}

// ParseKind asks in another function.
func ParseKind(data []byte) (byte, error) {
	if err := long(data, 5); err != nil {
		return 0, err
	}
	return data[4], nil
}

// ParseMagic asks what they begin with.
func ParseMagic(data []byte) ([]byte, error) {
	if !bytes.HasPrefix(data, []byte("MAGIC")) {
		return nil, errShort
	}
	return data[5:], nil
}

// DecodeAny gives an error for whatever goes wrong.
func DecodeAny(data []byte) (kind byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decode: %v", r)
		}
	}()
	return data[0], nil
}

// ParseWords looks at what is there.
func ParseWords(data []byte) (n int, err error) {
	for _, b := range data {
		if b == ' ' {
			n++
		}
	}
	switch len(data) {
	case 1:
		return int(data[0]), nil
	}
	return n, nil
}

// ParseDigest has bytes of a size that the type says.
func ParseDigest(sum [32]byte) (byte, error) { return sum[31], nil }

func long(b []byte, n int) error {
	if len(b) < n {
		return errShort
	}
	return nil
}
