package npy

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus/dtype"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// Write writes one array as numpy.save does: version 1.0, row-major, little-endian.
func Write(w io.Writer, a Array) error {
	if err := a.Check(); err != nil {
		return err
	}
	head, err := encodeHeader(a)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, head); err != nil {
		return fmt.Errorf("npy: write: %w", err)
	}
	if _, err := w.Write(stored(a)); err != nil {
		return fmt.Errorf("npy: write: %w", err)
	}
	return nil
}

// stored returns the bytes of the elements as ml_dtypes keeps them: those narrower than a byte without their sign
// extended.
func stored(a Array) []byte {
	bits := a.DType.Bits()
	if bits >= 8 || a.DType.Kind() != dtype.Signed {
		return a.Data
	}
	data := bytes.Clone(a.Data)
	for i := range data {
		data[i] &= 1<<bits - 1
	}
	return data
}

// WriteFile writes one array to a file that is there completely or not at all.
func WriteFile(path string, a Array) error {
	if err := a.Check(); err != nil {
		return err
	}
	return writeFile(path, func(w io.Writer) error { return Write(w, a) })
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, 0o666, write); err != nil {
		return fmt.Errorf("npy: write %s: %w", path, err)
	}
	return nil
}

// encodeHeader returns everything that stands before the data.
func encodeHeader(a Array) (string, error) {
	descr, err := describe(a.DType)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "{'descr': %s, 'fortran_order': False, 'shape': (", descr)
	for i, d := range a.Shape {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(d, 10))
	}
	if len(a.Shape) == 1 {
		b.WriteByte(',')
	}
	b.WriteString("), }")
	// numpy leaves room for the first dimension to grow in place to 21 digits.
	if len(a.Shape) > 0 {
		b.WriteString(strings.Repeat(" ", 21-len(strconv.FormatInt(a.Shape[0], 10))))
	}
	// The data begins at a multiple of 64.
	const prefix, align = len(magic) + 4, 64
	pad := align - (prefix+b.Len()+1)%align
	n := b.Len() + pad + 1 // 64 dimensions of 19 digits are far from the 64 KiB that two bytes can say
	return magic + "\x01\x00" + string([]byte{byte(n), byte(n >> 8)}) + b.String() + strings.Repeat(" ", pad) + "\n", nil
}
