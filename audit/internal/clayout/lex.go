package clayout

import "strings"

// token is a word, number, literal or mark of C, or a pragma, whose text is its arguments.
type token struct {
	kind byte // 'a' a word, '0' a number, '"' a string, '\'' a character, '.' a mark, '#' a pragma
	text string
	hide *hidden // macros that it came from, which it does not name again
}

type hidden struct {
	name string
	next *hidden
}

func (h *hidden) has(name string) bool {
	for ; h != nil; h = h.next {
		if h.name == name {
			return true
		}
	}
	return false
}

func letter(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// plain joins lines that a backslash parts, and makes a space of each comment.
func plain(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\\\n", "")
	var b strings.Builder
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "//"):
			n := strings.IndexByte(s[i:], '\n')
			if n < 0 {
				return b.String()
			}
			i += n
		case strings.HasPrefix(s[i:], "/*"):
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return b.String()
			}
			b.WriteByte(' ')
			i += n + 4
		case s[i] == '"' || s[i] == '\'':
			n := literal(s[i:])
			b.WriteString(s[i : i+n])
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// literal is the length of the string or character that s begins with. It ends with its line.
func literal(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return i
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

var marks = []string{"...", "<<=", ">>=", "##", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "->", "++", "--"}

func lex(s string) []token {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		j := i + 1
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
			continue
		case digit(c) || c == '.' && j < len(s) && digit(s[j]):
			for j < len(s) && (letter(s[j]) || s[j] == '.' || (s[j] == '+' || s[j] == '-') && strings.IndexByte("eEpP", s[j-1]) >= 0 && !strings.HasPrefix(s[i:], "0x")) {
				j++
			}
			c = '0'
		case letter(c):
			for j < len(s) && letter(s[j]) {
				j++
			}
			if j < len(s) && (s[j] == '"' || s[j] == '\'') && j-i <= 2 && strings.IndexByte("LuU", c) >= 0 { // L"wide"
				i = j
				continue
			}
			c = 'a'
		case c == '"' || c == '\'':
			j = i + literal(s[i:])
		default:
			for _, m := range marks {
				if strings.HasPrefix(s[i:], m) {
					j = i + len(m)
					break
				}
			}
			c = '.'
		}
		out = append(out, token{kind: c, text: s[i:j]})
		i = j
	}
	return out
}
