package objc

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// maxNesting bounds types within types.
const maxNesting = 32

// Split takes a method's type encoding apart: the result, the receiver, the selector, and the arguments, without offsets and
// qualifiers. It is total: what is no encoding is [isthmus.ErrInvalid].
func Split(encoding string) ([]string, error) {
	var parts []string
	for s := encoding; s != ""; {
		t, rest, err := oneType(s, 0)
		if err != nil {
			return nil, fmt.Errorf("objc: encoding %q: %w", encoding, err)
		}
		parts = append(parts, t)
		s = strings.TrimLeft(rest, "+-0123456789") // where the argument lies, in conventions of long ago
	}
	return parts, nil
}

const qualifiers = "rnNoORVA"

// oneType takes one type off s.
func oneType(s string, depth int) (t, rest string, err error) {
	bad := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("%s at %q: %w", why, s, isthmus.ErrInvalid)
	}
	if depth > maxNesting {
		return bad("too many types within types")
	}
	s = strings.TrimLeft(s, qualifiers)
	if s == "" {
		return bad("a type is missing")
	}
	switch c := s[0]; c {
	case 'c', 'C', 's', 'S', 'i', 'I', 'l', 'L', 'q', 'Q', 't', 'T', 'f', 'd', 'D', 'B', 'v', '*', '#', ':', '?', '%':
		return s[:1], s[1:], nil
	case '@':
		return object(s)
	case '^', 'j':
		in, rest, err := oneType(s[1:], depth+1)
		return s[:1] + in, rest, err
	case 'b':
		rest := strings.TrimLeft(s[1:], "0123456789")
		if len(rest) == len(s)-1 {
			return bad("a bit field without a width")
		}
		return s[:len(s)-len(rest)], rest, nil
	case '[':
		rest := strings.TrimLeft(s[1:], "0123456789")
		count := s[:len(s)-len(rest)]
		in, rest, err := oneType(rest, depth+1)
		if err != nil {
			return "", "", err
		}
		if !strings.HasPrefix(rest, "]") {
			return bad("an array without an end")
		}
		return count + in + "]", rest[1:], nil
	case '{', '(':
		return aggregate(s, depth)
	}
	return bad("no type")
}

// object takes an object, a block, or either with its class's name.
func object(s string) (t, rest string, err error) {
	s, t = s[1:], "@"
	if strings.HasPrefix(s, "?") {
		s, t = s[1:], "@?"
	}
	for open, end := range map[byte]byte{'"': '"', '<': '>'} {
		if s == "" || s[0] != open || open == '<' && t != "@?" {
			continue
		}
		i := strings.IndexByte(s[1:], end)
		if i < 0 {
			return "", "", fmt.Errorf("a name without an end at %q: %w", s, isthmus.ErrInvalid)
		}
		return t, s[i+2:], nil
	}
	return t, s, nil
}

// aggregate takes a struct or a union, and leaves the names of its fields out.
func aggregate(s string, depth int) (t, rest string, err error) {
	end := byte('}')
	if s[0] == '(' {
		end = ')'
	}
	bad := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("%s at %q: %w", why, s, isthmus.ErrInvalid)
	}
	i := strings.IndexAny(s, "="+string(end))
	if i < 0 {
		return bad("a struct without an end")
	}
	var b strings.Builder
	b.WriteString(s[:i])
	if s[i] == end {
		return s[:i+1], s[i+1:], nil
	}
	b.WriteByte('=')
	for rest = s[i+1:]; ; {
		if strings.HasPrefix(rest, `"`) {
			j := strings.IndexByte(rest[1:], '"')
			if j < 0 {
				return bad("a field's name without an end")
			}
			rest = rest[j+2:]
		}
		if rest == "" {
			return bad("a struct without an end")
		}
		if rest[0] == end {
			b.WriteByte(end)
			return b.String(), rest[1:], nil
		}
		var in string
		if in, rest, err = oneType(rest, depth+1); err != nil {
			return "", "", err
		}
		b.WriteString(in)
	}
}

// Same reports whether two types, as [Split] gives them, are passed in the same way.
func Same(want, have string) bool {
	w, h := shape(want), shape(have)
	return w == h || w == "@" && h == "^" // an object or a block that is declared as a pointer
}

func shape(t string) string {
	switch {
	case t == "":
		return ""
	case t[0] == '@', t == "#":
		return "@"
	case t[0] == '^', t == "*":
		return "^"
	case t == "C", t == "c":
		return "B" // BOOL is one of the three
	case t[0] == '{':
		_, body, named := strings.Cut(t, "=")
		if !named {
			return t
		}
		return "{=" + body
	}
	return t
}

// words is how many 64-bit words a struct of integers has, and 0 for what is none, or holds anything else.
func words(t string) int {
	if t == "" || t[0] != '{' {
		return 0
	}
	_, body, _ := strings.Cut(strings.TrimSuffix(t, "}"), "=")
	half := 0
	for _, c := range body {
		switch c {
		case 'Q', 'q':
			if half%2 != 0 {
				return 0
			}
			half += 2
		case 'I', 'i':
			half++
		default:
			return 0
		}
	}
	return (half + 1) / 2
}
