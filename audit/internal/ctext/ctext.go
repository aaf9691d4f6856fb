// Package ctext reads as much C as the rules need, in Go: which functions a text declares and defines, and what each
// does with its pointers. It is no compiler: what it does not understand it does not claim.
package ctext

import (
	"slices"
	"strings"
)

// Role says what a C function does with a pointer that it is given.
type Role uint8

// The roles. Unknown comes first, so that nothing is claimed by default.
const (
	Unknown Role = iota
	Borrows      // it uses it until it returns
	Takes        // it becomes its owner, and frees it
	Retains      // it keeps it after it has returned
	Frees        // it frees it
)

// Func is a C function.
type Func struct {
	Name   string
	Result string   // the text of its result type
	Params []Param  // without a lone void
	Body   []string // tokens, nil for a declaration
	roles  []Role
	busy   bool
}

// Param is a parameter of a C function.
type Param struct{ Type, Name string }

// Const reports whether the parameter points to what the function may not change, so that it cannot own it either.
func (p Param) Const() bool {
	return strings.Contains(p.Type, "*") && slices.Contains(strings.Fields(strings.ReplaceAll(p.Type, "*", " * ")), "const")
}

// File is what was read.
type File struct{ Funcs map[string]*Func }

// Parse reads C. It takes any text.
func Parse(texts ...string) *File {
	f := &File{Funcs: make(map[string]*Func)}
	for _, t := range texts {
		f.add(tokens(t))
	}
	return f
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// tokens splits C into words, literals and punctuation; comments and the lines of the preprocessor go.
func tokens(s string) []string {
	var out []string
	line := true // nothing but spaces since the line began
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\n':
			line = true
			i++
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			i++
		case c == '#' && line:
			for i < len(s) && s[i] != '\n' {
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				i++
			}
		case strings.HasPrefix(s[i:], "//"):
			for i < len(s) && s[i] != '\n' {
				i++
			}
		case strings.HasPrefix(s[i:], "/*"):
			end := strings.Index(s[i+2:], "*/")
			if end < 0 {
				return out
			}
			i += end + 4
		case c == '"' || c == '\'':
			j := i + 1
			for j < len(s) && s[j] != c && s[j] != '\n' {
				if s[j] == '\\' {
					j++
				}
				j++
			}
			j = min(j+1, len(s))
			out = append(out, s[i:j])
			i, line = j, false
		case letter(c):
			j := i
			for j < len(s) && letter(s[j]) {
				j++
			}
			out = append(out, s[i:j])
			i, line = j, false
		default:
			n := 1
			for _, op := range []string{"->", "==", "!=", "<=", ">=", "&&", "||", "++", "--"} {
				if strings.HasPrefix(s[i:], op) {
					n = 2
				}
			}
			out = append(out, s[i:i+n])
			i, line = i+n, false
		}
	}
	return out
}

// closing is the index after the bracket that closes the one at i.
func closing(t []string, i int) int {
	depth := 0
	for ; i < len(t); i++ {
		switch t[i] {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(t)
}

// inside are the tokens between the bracket at i and the one that closes it, or the end.
func inside(t []string, i int) []string {
	end := closing(t, i)
	if end > i+1 && strings.Contains(")}]", t[end-1]) {
		end--
	}
	return t[i+1 : max(end, i+1)]
}

func (f *File) add(t []string) {
	start := 0 // where the declaration began
	for i := 0; i < len(t); {
		switch t[i] {
		case ";", "}":
			i++
			start = i
		case "{":
			if i >= 2 && t[i-1][0] == '"' && t[i-2] == "extern" { // extern "C" {
				i++
				start = i
				continue
			}
			i = closing(t, i)
		case "(":
			end := closing(t, i)
			if i > start && word(t[i-1]) && t[start] != "typedef" && end < len(t) && f.function(t, start, i, end) {
				if t[end] == "{" {
					i = closing(t, end)
					start = i
					continue
				}
			}
			i = end
		default:
			i++
		}
	}
}

func word(s string) bool { return letter(s[0]) && (s[0] < '0' || s[0] > '9') }

func (f *File) function(t []string, start, open, end int) bool {
	name := t[open-1]
	if name == "__attribute__" || name == "if" || name == "while" || name == "for" || name == "switch" || name == "return" || name == "sizeof" {
		return false
	}
	result := make([]string, 0, 4)
	for _, w := range t[start : open-1] {
		switch w {
		case "static", "inline", "extern", "__inline", "__inline__":
			continue
		case "=":
			return false // an initial value that calls
		}
		result = append(result, w)
	}
	if len(result) == 0 || start == open-1 {
		return false
	}
	fn := &Func{Name: name, Result: strings.Join(result, " ")}
	depth, from := 0, open+1
	flush := func(to int) {
		words := t[from:to]
		from = to + 1
		if len(words) == 0 || len(words) == 1 && words[0] == "void" {
			return
		}
		p := Param{Type: strings.Join(words, " ")}
		for i, w := range words { // the last word at depth 0, or the one in (*name)
			if word(w) && w != "const" && w != "restrict" && (i > 0) {
				p.Name = w
				if i > 1 && words[i-1] == "*" && words[i-2] == "(" {
					break
				}
			}
			if w == "[" {
				break
			}
		}
		if p.Name != "" && strings.HasSuffix(p.Type, " "+p.Name) {
			p.Type = strings.TrimSuffix(p.Type, " "+p.Name)
		}
		fn.Params = append(fn.Params, p)
	}
	for i := open + 1; i < end-1; i++ {
		switch t[i] {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		case ",":
			if depth == 0 {
				flush(i)
			}
		}
	}
	if from < end-1 {
		flush(end - 1)
	}
	if t[end] == "{" {
		fn.Body = t[end:closing(t, end)]
	}
	if old := f.Funcs[name]; old == nil || old.Body == nil && fn.Body != nil {
		f.Funcs[name] = fn
	}
	return true
}

// Role says what the function name does with its argument i. known answers for functions that the text does not define.
func (f *File) Role(name string, i int, known func(name string, i int) Role) Role {
	if f == nil {
		return Unknown
	}
	fn := f.Funcs[name]
	if fn == nil || i >= len(fn.Params) {
		return Unknown
	}
	if fn.Body == nil {
		if fn.Params[i].Const() {
			return Borrows
		}
		return Unknown
	}
	if fn.busy {
		return Unknown
	}
	if fn.roles == nil {
		fn.busy = true
		roles := make([]Role, len(fn.Params))
		for j, p := range fn.Params {
			roles[j] = f.role(fn, p, known)
		}
		fn.busy = false
		fn.roles = roles
	}
	return fn.roles[i]
}

// role reads the body of fn for what becomes of p.
func (f *File) role(fn *Func, p Param, known func(string, int) Role) Role {
	if p.Name == "" {
		return Borrows // it cannot be used
	}
	names := map[string]bool{p.Name: true} // p and its copies
	b := fn.Body
	worst := Borrows
	up := func(r Role) {
		if r == Unknown && worst == Borrows {
			worst = Unknown
		} else if r > worst || worst == Unknown && r > Borrows {
			worst = r
		}
	}
	for i := 1; i < len(b)-1; i++ {
		if !names[b[i]] || b[i-1] == "->" || b[i-1] == "." {
			continue
		}
		switch next := b[i+1]; {
		case next == "->" || next == "[" || next == "==" || next == "!=":
			continue // what it points to, or a comparison
		}
		prev := b[i-1]
		j := i - 1
		for j > 0 && b[j] == ")" { // casts: ( type * )
			open := opening(b, j)
			if open < 0 || !cast(b[open+1:j]) {
				break
			}
			j = open - 1
			prev = b[j]
		}
		switch {
		case prev == "*" || prev == "!" || prev == "&&" || prev == "||":
		case prev == "=":
			if b[i+1] != ";" && b[i+1] != "," {
				continue // part of an expression: an address beside it, or a test
			}
			left := j - 1
			if left > 0 && word(b[left]) && b[left-1] != "->" && b[left-1] != "." && declares(b, b[left], left) {
				names[b[left]] = true
			} else {
				up(Retains)
			}
		case prev == "return":
			up(Unknown)
		case prev == "(" || prev == ",":
			if callee, n := call(b, j); callee != "" {
				switch {
				case callee == "free" || callee == "if" || callee == "while" || callee == "sizeof":
					if callee == "free" {
						up(Frees)
					}
				default:
					r := f.Role(callee, n, known)
					if r == Unknown && known != nil {
						r = known(callee, n)
					}
					up(r)
				}
			}
		}
	}
	// A body that passes on how to free p has given it away: sqlite3_bind_text(s, i, p, n, &free).
	for i, w := range b {
		if w == "free" && (i+1 >= len(b) || b[i+1] != "(") && worst != Frees {
			worst = Takes
		}
	}
	return worst
}

func opening(t []string, i int) int {
	depth := 0
	for ; i >= 0; i-- {
		switch t[i] {
		case ")", "]", "}":
			depth++
		case "(", "[", "{":
			depth--
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

func cast(t []string) bool {
	for _, w := range t {
		if !word(w) && w != "*" {
			return false
		}
	}
	return len(t) > 0
}

// declares reports whether name is a variable of the body: it follows a type there.
func declares(b []string, name string, before int) bool {
	for i := 1; i <= before; i++ {
		if b[i] == name && (b[i-1] == "*" || word(b[i-1]) && b[i-1] != "return") {
			return true
		}
	}
	return false
}

// call finds the function whose argument list holds the token after j, and which argument that is.
func call(b []string, j int) (string, int) {
	n, depth := 0, 0
	for ; j >= 0; j-- {
		switch b[j] {
		case ")", "]":
			depth++
		case ",":
			if depth == 0 {
				n++
			}
		case "{", "}", ";":
			return "", 0
		case "(", "[":
			if depth > 0 {
				depth--
				continue
			}
			if j > 0 && word(b[j-1]) {
				return b[j-1], n
			}
			return "", 0
		}
	}
	return "", 0
}
