// Package unboundedsize reads frames that begin with their size.
package unboundedsize

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

const most = 1 << 20

var errTooLong = errors.New("too long")

func frame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.LittleEndian.Uint32(head[:])) // want unbounded-size:warning
	_, err := io.ReadFull(r, b)
	return b, err
}

func varint(r *bufio.Reader) ([]int64, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	return make([]int64, 0, n+1), nil // want unbounded-size:warning
}

type header struct{ Kind, Size uint32 }

func structure(r io.Reader, order binary.ByteOrder) ([]byte, error) {
	var h header
	if err := binary.Read(r, order, &h); err != nil {
		return nil, err
	}
	return make([]byte, 2*h.Size), nil // want unbounded-size:warning
}

func limited(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > most {
		return nil, errTooLong
	}
	return make([]byte, n), nil
}

func least(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	return make([]byte, 0, min(n, most)), nil
}

func asked(r io.Reader, order binary.ByteOrder) ([]byte, error) {
	var h header
	if err := binary.Read(r, order, &h); err != nil {
		return nil, err
	}
	if err := possible(h.Size); err != nil {
		return nil, err
	}
	return make([]byte, h.Size), nil
}

func possible(n uint32) error {
	if n > most {
		return errTooLong
	}
	return nil
}

func small(b []byte) []byte { return make([]byte, binary.BigEndian.Uint16(b)) }

func few(r io.Reader) ([]header, error) {
	var n uint16
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return nil, err
	}
	return make([]header, n), nil
}

func many(r io.Reader) ([]byte, error) {
	var n uint32
	if err := binary.Read(r, binary.BigEndian, &n); err != nil {
		return nil, err
	}
	return make([]byte, n), nil // want unbounded-size:warning
}

func rest(b []byte) []byte {
	if int(binary.BigEndian.Uint32(b)) > len(b) {
		return nil
	}
	return make([]byte, binary.BigEndian.Uint32(b))
}

var _ = []any{frame, varint, structure, limited, least, asked, small, few, many, rest}
