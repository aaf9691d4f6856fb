package pjrt

// What tests of the package see of its insides.

// Encode is the wire form of compile options.
func Encode(c *Client, o CompileOptions) ([]byte, error) { return o.encode(c) }

// WithoutField takes a field out of a message, at the top (path of one) or inside nested messages.
func WithoutField(b []byte, path ...int) ([]byte, error) {
	var out message
	err := fields(b, func(f field) error {
		switch {
		case f.id == path[0] && len(path) == 1:
		case f.id == path[0] && f.wire == 2:
			in, err := WithoutField(f.bytes, path[1:]...)
			if err != nil {
				return err
			}
			out.bytes(f.id, in)
		case f.wire == 2:
			out.bytes(f.id, f.bytes)
		case f.wire == 0:
			out.varint(f.id, int64(f.number))
		}
		return nil
	})
	return out, err
}

// ReadHLO is what is read out of an optimised program.
func ReadHLO(b []byte, withConfig bool) (params []Type, donated []bool, err error) {
	s, err := readHLO(b, withConfig)
	if err != nil {
		return nil, nil, err
	}
	return s.params, s.donated, nil
}

// LiveValues counts the Go values that plugins hold.
func LiveValues() int {
	values.mu.Lock()
	defer values.mu.Unlock()
	return len(values.live)
}
