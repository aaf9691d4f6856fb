package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

type method struct {
	class, sel, family, ret string
	args                    []string // rust types, self and this dropped
	static, alloc, errOut   bool
	docNil                  bool
	deprecated              bool
	file                    string
}

type facts struct {
	super   map[string]string
	kind    map[string]string // class, protocol
	alias   map[string]string
	enc     map[string]string // resolved struct or enum encodings
	rawEnc  map[string]string
	methods []method
	consts  [][3]string
}

var (
	reClass  = regexp.MustCompile(`(?s)#\[unsafe\(super\(([^)]*)\)\)\]`)
	reTrait  = regexp.MustCompile(`pub unsafe trait (\w+)\s*:\s*([^{]*)\{`)
	reImpl   = regexp.MustCompile(`^(?:unsafe )?impl(?:<[^>]*>)? (\w+)(?:<[^{]*>)?\s*\{`)
	reSel    = regexp.MustCompile(`#\[unsafe\(method(?:_id)?\(([^)]*)\)\)\]`)
	reFam    = regexp.MustCompile(`#\[unsafe\(method_family = (\w+)\)\]`)
	reAlias  = regexp.MustCompile(`(?s)\npub type (\w+)(?:<[^=]*>)?\s*=\s*([^;]+);`)
	reEnc    = regexp.MustCompile(`(?s)unsafe impl Encode for (\w+) \{\s*const ENCODING: Encoding =\s*(.*?);\s*\}`)
	reConst  = regexp.MustCompile(`(?s)impl (\w+) \{\n((?:[^}]|\}[^\n])*?)\n\}`)
	reConst1 = regexp.MustCompile(`#\[doc\(alias = "(\w+)"\)\]\s*(?:#\[deprecated[^\]]*\]\s*)?(?:pub )?const \w+(?:: Self)? = (?:Self\()?([^;]*?)\)?;`)
)

func (m method) object() bool { return strings.Contains(m.ret, "Retained<") }

// ownership is +1 when the caller must release the result, +0 when it is
// autoreleased or borrowed, and - when the result is no object.
func (m method) ownership() string {
	if !m.object() {
		return "-"
	}
	switch m.family {
	case "new", "copy", "mutableCopy", "alloc", "init":
		return "+1"
	}
	return "+0"
}

func (m method) nullity() string {
	switch {
	case !m.object() && !strings.Contains(m.ret, "*"):
		return "-"
	case strings.HasPrefix(m.ret, "Option<"):
		return "nullable"
	case strings.HasPrefix(m.ret, "Result<"):
		return "error"
	case strings.Contains(m.ret, "*mut"), strings.Contains(m.ret, "*const"):
		return "nullable"
	}
	return "nonnull"
}

func (f *facts) read(path string) {
	b, err := os.ReadFile(path)
	if err != nil {
		return
	}
	s := string(b)
	for _, m := range reAlias.FindAllStringSubmatch(s, -1) {
		f.alias[m[1]] = strings.Join(strings.Fields(m[2]), " ")
	}
	for _, m := range reEnc.FindAllStringSubmatch(s, -1) {
		f.rawEnc[m[1]] = strings.Join(strings.Fields(m[2]), " ")
	}
	for _, m := range reConst.FindAllStringSubmatch(s, -1) {
		for _, c := range reConst1.FindAllStringSubmatch(m[2], -1) {
			f.consts = append(f.consts, [3]string{m[1], c[1], strings.Join(strings.Fields(c[2]), " ")})
		}
	}
	// bitflags
	for _, blk := range regexp.MustCompile(`(?s)bitflags::bitflags! \{\s*impl (\w+): \w+ \{(.*?)\n    \}`).FindAllStringSubmatch(s, -1) {
		for _, c := range regexp.MustCompile(`#\[doc\(alias = "(\w+)"\)\]\s*const \w+ = ([^;]*);`).FindAllStringSubmatch(blk[2], -1) {
			f.consts = append(f.consts, [3]string{blk[1], c[1], strings.Join(strings.Fields(c[2]), " ")})
		}
	}
	lines := strings.Split(s, "\n")
	cur, docs, super := "", "", ""
	inClass := false
	var sel, fam string
	dep := false
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		t := strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "extern_class!("):
			inClass = true
		case inClass && reClass.MatchString(t):
			super = strings.TrimSpace(strings.Split(reClass.FindStringSubmatch(t)[1], ",")[0])
		case inClass && strings.HasPrefix(t, "#[unsafe(super("):
			// several lines
			j := i
			var sb strings.Builder
			for ; j < len(lines) && !strings.Contains(lines[j], ")]"); j++ {
				sb.WriteString(strings.TrimSpace(lines[j]))
			}
			sb.WriteString(strings.TrimSpace(lines[j]))
			if m := reClass.FindStringSubmatch(sb.String()); m != nil {
				super = strings.TrimSpace(strings.Split(m[1], ",")[0])
			}
		case inClass && strings.HasPrefix(t, "pub struct "):
			name := regexp.MustCompile(`pub struct (\w+)`).FindStringSubmatch(t)[1]
			f.kind[name], f.super[name] = "class", super
			inClass = false
		}
		if m := reTrait.FindStringSubmatch(t); m != nil {
			cur = m[1]
			f.kind[cur] = "protocol"
			f.super[cur] = strings.TrimSpace(m[2])
			continue
		}
		if strings.HasPrefix(t, "pub unsafe trait ") {
			cur = regexp.MustCompile(`trait (\w+)`).FindStringSubmatch(t)[1]
			cur = strings.TrimSuffix(cur, ":")
			f.kind[cur] = "protocol"
		}
		if m := reImpl.FindStringSubmatch(l); m != nil {
			cur = m[1]
		}
		if strings.HasPrefix(t, "///") {
			docs += " " + strings.TrimSpace(strings.TrimPrefix(t, "///"))
			continue
		}
		if strings.HasPrefix(t, "#[deprecated") {
			dep = true
		}
		if m := reSel.FindStringSubmatch(t); m != nil {
			sel = m[1]
			continue
		}
		if m := reFam.FindStringSubmatch(t); m != nil {
			fam = m[1]
			continue
		}
		if sel != "" && strings.Contains(t, "fn ") && !strings.HasPrefix(t, "#") {
			// signature up to ';'
			var sb strings.Builder
			for ; i < len(lines); i++ {
				sb.WriteString(" " + strings.TrimSpace(lines[i]))
				if strings.HasSuffix(strings.TrimSpace(lines[i]), ";") || strings.HasSuffix(strings.TrimSpace(lines[i]), "{") {
					break
				}
			}
			m := parseSig(sb.String())
			m.class, m.sel, m.family, m.deprecated, m.file = cur, sel, fam, dep, path
			if strings.HasSuffix(sel, ":_") {
				m.sel = strings.TrimSuffix(sel, "_")
				m.errOut = true
			} else if sel == "_" || strings.HasSuffix(sel, "error:_") {
				m.errOut = true
			}
			d := strings.ToLower(docs)
			m.docNil = m.object() && regexp.MustCompile(`or nil|or .nil.|returns? nil|returning nil|nil if|nil, if|null if|or null`).MatchString(d)
			f.methods = append(f.methods, m)
			sel, fam, docs, dep = "", "", "", false
			continue
		}
		if !strings.HasPrefix(t, "#[") && !strings.HasPrefix(t, "feature") && !strings.HasPrefix(t, "))]") {
			docs = ""
			if t != "" {
				dep = false
			}
		}
	}
}

func parseSig(s string) method {
	var m method
	i := strings.Index(s, "(")
	depth, j := 0, i
	for ; j < len(s); j++ {
		if s[j] == '(' {
			depth++
		} else if s[j] == ')' {
			depth--
			if depth == 0 {
				break
			}
		}
	}
	for _, a := range split(s[i+1:j], ',') {
		a = strings.TrimSpace(a)
		switch {
		case a == "", a == "_: &Self":
		case a == "&self", a == "&mut self", a == "self":
			m.static = false
			m.alloc = true // has a receiver
		case strings.HasPrefix(a, "this:"):
			m.alloc = true
		default:
			if k := strings.Index(a, ": "); k >= 0 {
				m.args = append(m.args, strings.TrimSpace(a[k+2:]))
			}
		}
	}
	m.static = !m.alloc
	r := strings.TrimSpace(s[j+1:])
	r = strings.TrimSuffix(strings.TrimSuffix(r, ";"), "{")
	if k := strings.Index(r, " where "); k >= 0 {
		r = r[:k]
	}
	m.ret = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(r), "->"))
	return m
}

func split(s string, sep byte) (out []string) {
	d, st := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '<', '[':
			d++
		case ')', ']':
			d--
		case '>':
			if i == 0 || s[i-1] != '-' {
				d--
			}
		case sep:
			if d == 0 {
				out = append(out, s[st:i])
				st = i + 1
			}
		}
	}
	return append(out, s[st:])
}

func (f *facts) encode(m method, amd64 bool) (string, error) {
	r, err := f.typ(m.ret, amd64)
	if err != nil {
		return "", err
	}
	out := r + "@:"
	for _, a := range m.args {
		e, err := f.typ(a, amd64)
		if err != nil {
			return "", err
		}
		out += e
	}
	if m.errOut {
		out += "^@"
	}
	return out, nil
}

var prim = map[string]string{
	"": "v", "()": "v", "NSUInteger": "Q", "usize": "Q", "NSInteger": "q", "isize": "q", "u64": "Q", "i64": "q", "u32": "I", "i32": "i", "u16": "S", "i16": "s",
	"u8": "C", "i8": "c", "c_float": "f", "f32": "f", "c_double": "d", "f64": "d", "c_int": "i", "c_uint": "I", "c_char": "c", "c_uchar": "C", "c_short": "s", "c_ushort": "S",
	"c_long": "q", "c_ulong": "Q", "c_longlong": "q", "c_ulonglong": "Q", "c_void": "v", "CGFloat": "d", "CFTimeInterval": "d", "NSTimeInterval": "d", "TimeInterval": "d",
	"AnyObject": "@", "AnyClass": "#", "Sel": ":", "NSStringEncoding": "Q", "Bool": "B", "unichar": "S", "simd_float3": "?", "NSZone": "{_NSZone=}",
}

func (f *facts) typ(t string, amd64 bool) (string, error) {
	t = strings.TrimSpace(t)
	if t == "bool" {
		if amd64 {
			return "c", nil
		}
		return "B", nil
	}
	if e, ok := prim[t]; ok {
		return e, nil
	}
	for _, p := range []string{"Option<", "Retained<", "Result<", "NonNull<", "Allocated<"} {
		if strings.HasPrefix(t, p) {
			in := t[len(p) : len(t)-1]
			parts := split(in, ',')
			switch p {
			case "Result<":
				if strings.TrimSpace(parts[0]) == "()" {
					return f.typ("bool", amd64)
				}
				return f.typ(parts[0], amd64)
			case "Option<":
				return f.typ(in, amd64)
			case "Retained<", "Allocated<":
				return "@", nil
			case "NonNull<":
				return f.ptr(in, amd64)
			}
		}
	}
	if strings.HasPrefix(t, "&") {
		in := strings.TrimPrefix(strings.TrimPrefix(t, "&"), "mut ")
		in = strings.TrimPrefix(in, "'static ")
		if strings.HasPrefix(in, "block2::") {
			return "@?", nil
		}
		if in == "AnyClass" {
			return "#", nil
		}
		return f.ptr(in, amd64)
	}
	if strings.HasPrefix(t, "*mut ") || strings.HasPrefix(t, "*const ") {
		in := strings.TrimPrefix(strings.TrimPrefix(t, "*mut "), "*const ")
		return f.ptr(in, amd64)
	}
	if strings.HasPrefix(t, "[") {
		return "", fmt.Errorf("array %s", t)
	}
	name := strings.Split(t, "<")[0]
	if r, ok := f.rawEnc[name]; ok {
		return f.rust(r, amd64)
	}
	if a, ok := f.alias[name]; ok {
		return f.typ(a, amd64)
	}
	return "", fmt.Errorf("type %s", t)
}

func (f *facts) ptr(in string, amd64 bool) (string, error) {
	in = strings.TrimSpace(in)
	if strings.HasPrefix(in, "block2::") {
		return "@?", nil
	}
	name := strings.Split(in, "<")[0]
	if a, ok := f.alias[name]; ok && f.rawEnc[name] == "" {
		return f.ptr(a, amd64)
	}
	if name == "AnyClass" {
		return "#", nil
	}
	if name == "ProtocolObject" || name == "AnyObject" || name == "Self" || name == "ObjectType" || name == "KeyType" || f.kind[name] == "class" || strings.HasPrefix(name, "objc2_foundation::") {
		return "@", nil
	}
	if strings.HasPrefix(name, "CG") || strings.HasPrefix(name, "CF") || strings.HasPrefix(name, "IOSurface") || strings.HasPrefix(name, "Dispatch") || name == "NSObject" {
		if name == "NSObject" || strings.HasPrefix(name, "Dispatch") {
			return "@", nil
		}
		return "^{" + name + "=}", nil
	}
	e, err := f.typ(in, amd64)
	if err != nil {
		return "", err
	}
	if e == "c" && (in == "c_char") {
		return "*", nil
	}
	return "^" + e, nil
}

// rust evaluates an Encoding expression of the generated code.
func (f *facts) rust(r string, amd64 bool) (string, error) {
	r = strings.TrimSpace(r)
	r = strings.Trim(r, "&")
	switch {
	case strings.HasPrefix(r, "Encoding::Struct(") || strings.HasPrefix(r, "Encoding::Union("):
		open, cl := "{", "}"
		if strings.HasPrefix(r, "Encoding::Union(") {
			open, cl = "(", ")"
		}
		in := r[strings.Index(r, "(")+1 : strings.LastIndex(r, ")")]
		parts := split(in, ',')
		name := strings.Trim(strings.TrimSpace(parts[0]), `"`)
		out := open + name + "="
		body := strings.TrimSpace(strings.Join(parts[1:], ","))
		body = strings.TrimSuffix(strings.TrimSpace(body), ",")
		body = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(body, "&"), "["), "]")
		for _, e := range split(body, ',') {
			if strings.TrimSpace(e) == "" {
				continue
			}
			x, err := f.rust(e, amd64)
			if err != nil {
				return "", err
			}
			out += x
		}
		return out + cl, nil
	case strings.HasPrefix(r, "Encoding::Array("):
		in := r[len("Encoding::Array(") : len(r)-1]
		parts := split(in, ',')
		x, err := f.rust(parts[1], amd64)
		return "[" + strings.TrimSpace(parts[0]) + x + "]", err
	case strings.HasPrefix(r, "Encoding::Pointer("):
		x, err := f.rust(r[len("Encoding::Pointer("):len(r)-1], amd64)
		return "^" + x, err
	case strings.HasPrefix(r, "<[") && strings.HasSuffix(r, "]>::ENCODING"):
		in := r[2 : len(r)-len("]>::ENCODING")]
		parts := split(in, ';')
		x, err := f.typ(parts[0], amd64)
		return "[" + strings.TrimSpace(parts[1]) + x + "]", err
	case strings.HasSuffix(r, "::ENCODING"):
		return f.typ(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(r, "::ENCODING"), "<"), ">"), amd64)
	}
	return "", fmt.Errorf("encoding %s", r)
}
