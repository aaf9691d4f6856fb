package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/isthmus-ffi/isthmus/dtype"
)

const (
	magic = "\x93NUMPY"
	// maxHeader bounds the dictionary; numpy's own limit is 10,000 characters.
	maxHeader = 1 << 16
	// unknown is the size of a source that does not tell it.
	unknown = -1
)

// Read reads one array, and no byte beyond it, so that arrays written one after the other can be read so too.
func Read(r io.Reader, opts Options) (Array, error) { return read(r, unknown, false, opts) }

// ReadFile reads the array in a .npy file. A file that goes on after its array is an error.
func ReadFile(path string, opts Options) (Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return Array{}, fmt.Errorf("npy: %w", err)
	}
	defer f.Close()
	// A pipe or device has no size of its own: it is read until the array is complete.
	size := int64(unknown)
	info, err := f.Stat()
	if err != nil {
		return Array{}, fmt.Errorf("npy: %w", err)
	}
	if info.Mode().IsRegular() {
		size = info.Size()
	}
	a, err := read(f, size, size != unknown, opts)
	if err != nil {
		return Array{}, fmt.Errorf("%w (file %s)", err, path)
	}
	return a, nil
}

// read reads one array from a source of size bytes; when the size is known, all of it must be the array. real says
// that the bytes are certainly there, so that memory may be taken for all of them at once.
func read(r io.Reader, size int64, real bool, opts Options) (Array, error) {
	h, headerLen, err := readHeader(r)
	if err != nil {
		return Array{}, err
	}
	l, err := resolve(h.descr, opts)
	if err != nil {
		return Array{}, err
	}
	need, err := byteLen(l.typ, h.shape)
	if err != nil {
		return Array{}, err
	}
	if opts.MaxBytes > 0 && need > opts.MaxBytes {
		return Array{}, fmt.Errorf("npy: %s array of shape %v takes %d bytes, the limit is %d: %w", l.typ, h.shape, need, opts.MaxBytes, ErrTooLarge)
	}
	if size != unknown {
		switch have := size - headerLen; {
		case have < need:
			return Array{}, fmt.Errorf("npy: truncated: %s array of shape %v takes %d bytes, %d are there: %w", l.typ, h.shape, need, max(have, 0), ErrFormat)
		case have > need:
			return Array{}, fmt.Errorf("npy: %d bytes follow the array: %w", have-need, ErrFormat)
		}
	}
	data, err := readData(r, need, real)
	if err != nil {
		return Array{}, err
	}
	swap(data, l.swap)
	normalize(data, l.typ)
	if h.fortran {
		data = rowMajor(data, h.shape, l.typ.Size())
	}
	return Array{DType: l.typ, Shape: h.shape, Data: data}, nil
}

// readHeader reads up to the first byte of the data and returns how many bytes that was.
func readHeader(r io.Reader) (header, int64, error) {
	head := make([]byte, 12)
	if _, err := io.ReadFull(r, head[:8]); err != nil {
		return header{}, 0, short("magic and version", err)
	}
	if string(head[:6]) != magic {
		return header{}, 0, fmt.Errorf("npy: begins with % x, an array file with % x: %w", head[:6], magic, ErrFormat)
	}
	var prefix int
	switch major, minor := head[6], head[7]; {
	case major == 1 && minor == 0:
		prefix = 10
	case (major == 2 || major == 3) && minor == 0:
		prefix = 12
	default:
		return header{}, 0, fmt.Errorf("npy: file format %d.%d; 1.0, 2.0 and 3.0 are read: %w", major, minor, ErrFormat)
	}
	if _, err := io.ReadFull(r, head[8:prefix]); err != nil {
		return header{}, 0, short("header length", err)
	}
	n := int64(binary.LittleEndian.Uint16(head[8:]))
	if prefix == 12 {
		n = int64(binary.LittleEndian.Uint32(head[8:]))
	}
	if n > maxHeader {
		return header{}, 0, fmt.Errorf("npy: header of %d bytes, at most %d are read: %w", n, maxHeader, ErrFormat)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, 0, short("header", err)
	}
	h, err := parseHeader(string(text))
	return h, int64(prefix) + n, err
}

// readData reads n bytes. When they are not certainly there, memory grows only as they arrive.
func readData(r io.Reader, n int64, real bool) ([]byte, error) {
	if real {
		data := make([]byte, n)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, short("data", err)
		}
		return data, nil
	}
	var b bytes.Buffer
	if m, err := io.Copy(&b, io.LimitReader(r, n)); err != nil {
		return nil, short("data", err)
	} else if m < n {
		return nil, fmt.Errorf("npy: truncated: %d bytes of data, the header says %d: %w", m, n, ErrFormat)
	}
	return b.Bytes(), nil
}

func short(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("npy: truncated in the %s: %w", what, ErrFormat)
	}
	return fmt.Errorf("npy: read %s: %w", what, err)
}

// swap reverses the bytes in each unit.
func swap(data []byte, unit int) {
	if unit == 0 {
		return
	}
	for i := 0; i+unit <= len(data); i += unit {
		slices.Reverse(data[i : i+unit])
	}
}

// normalize gives elements narrower than a byte the form that package dtype defines, whatever the rest of the byte holds.
func normalize(data []byte, t dtype.Type) {
	switch {
	case t == dtype.I1:
		for i, b := range data {
			if b != 0 {
				data[i] = 1
			}
		}
	case t.Bits() < 8 && t.Kind() == dtype.Signed:
		shift := 8 - t.Bits()
		for i, b := range data {
			data[i] = byte(int8(b<<shift) >> shift)
		}
	case t.Bits() < 8:
		for i := range data {
			data[i] &= 1<<t.Bits() - 1
		}
	}
}

// rowMajor returns the elements of a column-major array in row-major order.
func rowMajor(data []byte, shape []int64, size int) []byte {
	if len(data) == 0 || len(shape) < 2 {
		return data
	}
	out := make([]byte, len(data))
	rank := len(shape)
	strides := make([]int, rank)
	step := size
	for i, d := range shape {
		strides[i] = step
		step *= int(d)
	}
	index := make([]int64, rank)
	inner, innerStride := int(shape[rank-1]), strides[rank-1]
	for to, from := 0, 0; ; {
		for j, src := 0, from; j < inner; j, src = j+1, src+innerStride {
			copy(out[to:to+size], data[src:src+size])
			to += size
		}
		i := rank - 2
		for ; i >= 0; i-- {
			index[i]++
			from += strides[i]
			if index[i] < shape[i] {
				break
			}
			from -= strides[i] * int(shape[i])
			index[i] = 0
		}
		if i < 0 {
			return out
		}
	}
}
