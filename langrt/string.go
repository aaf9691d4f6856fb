package langrt

import "github.com/isthmus-ffi/isthmus/internal/raw/rtheap"

// String is a string of bytes, which need not be text. It never changes.
type String struct{ Value }

// NewString makes a string of text, which s owns.
func NewString(s *Scope, text string) (String, error) {
	const op = "string new"
	h, err := heap(op)
	if err != nil {
		return String{}, err
	}
	w, code := h.NewText(text)
	v, err := own(s, op, h, w, code)
	return String{v}, err
}

// NewBytes makes a string of a copy of b, which s owns.
func NewBytes(s *Scope, b []byte) (String, error) {
	const op = "string new"
	h, err := heap(op)
	if err != nil {
		return String{}, err
	}
	w, code := h.NewString(b)
	v, err := own(s, op, h, w, code)
	return String{v}, err
}

// Len is the number of bytes.
func (x String) Len() (int, error) {
	if h := rtheap.Made(); h != nil {
		n, code := h.StringLen(x.raw())
		if code == rtheap.OK {
			return int(n), nil
		}
		return 0, refusal("string len", x.Value, code)
	}
	return 0, notRunning("string len", x.Value)
}

// Text is a copy of the bytes, as a Go string.
func (x String) Text() (string, error) {
	if h := rtheap.Made(); h != nil {
		text, code := h.StringText(x.raw())
		if code == rtheap.OK {
			return text, nil
		}
		return "", refusal("string text", x.Value, code)
	}
	return "", notRunning("string text", x.Value)
}

// Bytes is a copy of the bytes.
func (x String) Bytes() ([]byte, error) { return x.Append(nil) }

// Append appends the bytes to b.
func (x String) Append(b []byte) ([]byte, error) {
	if h := rtheap.Made(); h != nil {
		out, code := h.AppendString(b, x.raw())
		if code == rtheap.OK {
			return out, nil
		}
		return b, refusal("string bytes", x.Value, code)
	}
	return b, notRunning("string bytes", x.Value)
}

// Concat makes a string of x's bytes and then y's, which s owns.
func (x String) Concat(s *Scope, y String) (String, error) {
	const op = "string concat"
	if h := rtheap.Made(); h != nil {
		w, code := h.Concat(x.raw(), y.raw())
		if code != rtheap.OK {
			return String{}, refusalOf(op, x.Value, y.Value, code)
		}
		v, err := own(s, op, h, w, code)
		return String{v}, err
	}
	return String{}, notRunning(op, x.Value)
}
