package npy

import (
	"fmt"
	"strconv"
	"strings"
)

// header is what the dictionary at the start of a file says.
type header struct {
	descr   any // a string, or a list of tuples
	fortran bool
	shape   []int64
}

// maxDepth bounds how deep lists and tuples may nest; a header needs 3.
const maxDepth = 8

// parseHeader reads the Python dictionary that describes an array.
func parseHeader(text string) (header, error) {
	p := &parser{text: text}
	h, err := p.header()
	if err != nil {
		return header{}, fmt.Errorf("npy: header, character %d: %w: %w", p.pos, err, ErrFormat)
	}
	return h, nil
}

// parser reads the subset of Python literals that headers are written in.
type parser struct {
	text string
	pos  int
}

type (
	tuple []any
	list  []any
)

func (p *parser) header() (header, error) {
	var h header
	if !p.accept('{') {
		return h, p.want("'{'")
	}
	seen := map[string]bool{}
	for !p.accept('}') {
		key, err := p.str()
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, fmt.Errorf("key %q appears twice", key)
		}
		seen[key] = true
		if !p.accept(':') {
			return h, p.want("':'")
		}
		value, err := p.value(0)
		if err != nil {
			return h, err
		}
		if err := h.set(key, value); err != nil {
			return h, err
		}
		if !p.accept(',') && p.peek() != '}' {
			return h, p.want("',' or '}'")
		}
	}
	if p.peek() != 0 {
		return h, p.want("the end")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return h, fmt.Errorf("key %q is missing", key)
		}
	}
	return h, nil
}

func (h *header) set(key string, value any) error {
	switch key {
	case "descr":
		switch value.(type) {
		case string, list:
			h.descr = value
			return nil
		}
		return fmt.Errorf("descr is neither a string nor a list")
	case "fortran_order":
		b, ok := value.(bool)
		if !ok {
			return fmt.Errorf("fortran_order is neither True nor False")
		}
		h.fortran = b
		return nil
	case "shape":
		dims, ok := value.(tuple)
		if !ok {
			return fmt.Errorf("shape is not a tuple")
		}
		h.shape = make([]int64, len(dims))
		for i, d := range dims {
			n, ok := d.(int64)
			if !ok {
				return fmt.Errorf("dimension %d of the shape is not a number", i)
			}
			h.shape[i] = n
		}
		return nil
	}
	return fmt.Errorf("unknown key %q", key)
}

// peek returns the next character that is not white space, 0 at the end.
func (p *parser) peek() byte {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
	if p.pos == len(p.text) {
		return 0
	}
	return p.text[p.pos]
}

func (p *parser) accept(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *parser) want(what string) error {
	if c := p.peek(); c != 0 {
		return fmt.Errorf("%q where %s should be", c, what)
	}
	return fmt.Errorf("the end where %s should be", what)
}

func (p *parser) value(depth int) (any, error) {
	if depth == maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	switch c := p.peek(); {
	case c == '(':
		p.pos++
		items, comma, err := p.items(')', depth)
		// One value in parentheses without a comma is that value.
		if err == nil && len(items) == 1 && !comma {
			return items[0], nil
		}
		return tuple(items), err
	case c == '[':
		p.pos++
		items, _, err := p.items(']', depth)
		return list(items), err
	case c == '\'' || c == '"':
		return p.str()
	case c >= '0' && c <= '9' || c == '-' || c == '+':
		return p.number()
	}
	for word, b := range map[string]bool{"True": true, "False": false} {
		if strings.HasPrefix(p.text[p.pos:], word) {
			p.pos += len(word)
			return b, nil
		}
	}
	return nil, p.want("a value")
}

// items reads values up to the closing bracket; comma reports whether any comma was seen.
func (p *parser) items(end byte, depth int) (items []any, comma bool, err error) {
	for !p.accept(end) {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, comma, err
		}
		items = append(items, v)
		if p.accept(',') {
			comma = true
		} else if p.peek() != end {
			return nil, comma, p.want(fmt.Sprintf("',' or %q", end))
		}
	}
	return items, comma, nil
}

func (p *parser) str() (string, error) {
	quote := p.peek()
	if quote != '\'' && quote != '"' {
		return "", p.want("a string")
	}
	rest := p.text[p.pos+1:]
	n := strings.IndexByte(rest, quote)
	if n < 0 {
		return "", fmt.Errorf("string without an end")
	}
	if strings.ContainsAny(rest[:n], "\\\n") {
		return "", fmt.Errorf("string with an escape")
	}
	p.pos += n + 2
	return rest[:n], nil
}

func (p *parser) number() (int64, error) {
	start := p.pos
	p.pos++
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.ParseInt(p.text[start:p.pos], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.30q is not a number of 64 bits", p.text[start:p.pos])
	}
	// Python 2 wrote long numbers with this suffix.
	if p.pos < len(p.text) && p.text[p.pos] == 'L' {
		p.pos++
	}
	return n, nil
}
