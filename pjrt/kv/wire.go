package kv

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/isthmus-ffi/isthmus"
)

// One connection carries one request at a time: 12 bytes of head, then key and value.
//
//	request:  'k' 'v' version op | key size u32 | value size u32 | key | value
//	answer:   'k' 'v' version status | 0 u32 | size u32 | value, or the text of the error
//
// A waiting get is a request without an answer yet: the client gives it up by closing the connection. All numbers are
// little-endian.
const (
	version  = 1
	headSize = 12
)

const (
	opGet    byte = 1
	opTryGet byte = 2
	opPut    byte = 3
)

const (
	statusOK       byte = 0
	statusNotFound byte = 1
	statusLimit    byte = 2
	statusInvalid  byte = 3
	statusClosed   byte = 4
	statusOther    byte = 5
)

var statusErrors = [...]error{statusNotFound: isthmus.ErrNotFound, statusLimit: isthmus.ErrLimit, statusInvalid: isthmus.ErrInvalid, statusClosed: isthmus.ErrClosed, statusOther: nil}

// frame is a message: kind is an operation or a status.
type frame struct {
	kind       byte
	key, value []byte
}

// writeFrame sends a message in one piece, so that no reader waits between its parts longer than it must.
func writeFrame(w io.Writer, f frame) error {
	b := make([]byte, headSize, headSize+len(f.key)+len(f.value))
	b[0], b[1], b[2], b[3] = 'k', 'v', version, f.kind
	binary.LittleEndian.PutUint32(b[4:], uint32(len(f.key)))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(f.value)))
	_, err := w.Write(append(append(b, f.key...), f.value...))
	return err
}

// readFrame reads a message of a peer that may say anything: sizes are checked before memory is made for them, and it
// is made as the bytes come.
func readFrame(r io.Reader, kinds byte) (frame, error) {
	var h [headSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return frame{}, err
	}
	if h[0] != 'k' || h[1] != 'v' {
		return frame{}, fmt.Errorf("kv: the peer does not speak this protocol: %w", isthmus.ErrInvalid)
	}
	if h[2] != version {
		return frame{}, fmt.Errorf("kv: the peer speaks version %d, this is %d: %w", h[2], version, isthmus.ErrVersion)
	}
	if h[3] > kinds {
		return frame{}, fmt.Errorf("kv: message %d: %w", h[3], isthmus.ErrInvalid)
	}
	k, v := binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
	if k > MaxKey || v > MaxValue {
		return frame{}, fmt.Errorf("kv: a message with a key of %d bytes and a value of %d: %w", k, v, isthmus.ErrLimit)
	}
	f := frame{kind: h[3]}
	var err error
	if f.key, err = readBytes(r, int(k)); err == nil {
		f.value, err = readBytes(r, int(v))
	}
	return f, err
}

// readBytes reads n bytes and grows with them: a peer that only says it sends much takes no memory.
func readBytes(r io.Reader, n int) ([]byte, error) {
	const step = 64 << 10
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		old := len(b)
		b = append(b, make([]byte, min(n-old, max(old, step)))...)
		if _, err := io.ReadFull(r, b[old:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return b, nil
}
