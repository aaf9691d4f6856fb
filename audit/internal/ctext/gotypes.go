package ctext

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// basic are the types that every C has, as cgo declares them where int has four bytes and long eight.
var basic = map[string]string{
	"char": "int8", "schar": "int8", "uchar": "uint8", "short": "int16", "ushort": "uint16", "int": "int32", "uint": "uint32",
	"long": "int64", "ulong": "uint64", "longlong": "int64", "ulonglong": "uint64", "float": "float32", "double": "float64",
	"bool": "bool", "_Bool": "bool", "void": "[0]byte", "wchar_t": "int32",
}

// same are the names that C's headers have for those, which cgo declares as aliases.
var same = map[string]string{
	"size_t": "ulong", "ssize_t": "long", "ptrdiff_t": "long", "intptr_t": "long", "uintptr_t": "ulong", "off_t": "long", "time_t": "long",
	"int8_t": "schar", "int16_t": "short", "int32_t": "int", "int64_t": "long", "uint8_t": "uchar", "uint16_t": "ushort",
	"uint32_t": "uint", "uint64_t": "ulong",
}

// known are functions that need no header to be declared.
var known = map[string]string{
	"CString":   "func _Cfunc_CString(s string) *_Ctype_char",
	"CBytes":    "func _Cfunc_CBytes(b []byte) unsafe.Pointer",
	"GoString":  "func _Cfunc_GoString(p *_Ctype_char) string",
	"GoStringN": "func _Cfunc_GoStringN(p *_Ctype_char, n _Ctype_int) string",
	"GoBytes":   "func _Cfunc_GoBytes(p unsafe.Pointer, n _Ctype_int) []byte",
	"malloc":    "func _Cfunc__CMalloc(n _Ctype_size_t) unsafe.Pointer",
	"calloc":    "func _Cfunc_calloc(n, m _Ctype_size_t) unsafe.Pointer",
	"realloc":   "func _Cfunc_realloc(p unsafe.Pointer, n _Ctype_size_t) unsafe.Pointer",
	"free":      "func _Cfunc_free(p unsafe.Pointer) _Ctype_void",
	"strlen":    "func _Cfunc_strlen(p *_Ctype_char) _Ctype_size_t",
	"strdup":    "func _Cfunc_strdup(p *_Ctype_char) *_Ctype_char",
	"memcpy":    "func _Cfunc_memcpy(d, s unsafe.Pointer, n _Ctype_size_t) unsafe.Pointer",
	"memset":    "func _Cfunc_memset(d unsafe.Pointer, c _Ctype_int, n _Ctype_size_t) unsafe.Pointer",
	"puts":      "func _Cfunc_puts(p *_Ctype_char) _Ctype_int",
	"getenv":    "func _Cfunc_getenv(p *_Ctype_char) *_Ctype_char",
	"dlopen":    "func _Cfunc_dlopen(p *_Ctype_char, f _Ctype_int) unsafe.Pointer",
	"dlsym":     "func _Cfunc_dlsym(h unsafe.Pointer, p *_Ctype_char) unsafe.Pointer",
	"dlclose":   "func _Cfunc_dlclose(h unsafe.Pointer) _Ctype_int",
	"dlerror":   "func _Cfunc_dlerror() *_Ctype_char",
}

// GoTypes writes the file that cgo would write, as far as the texts and what C always has allow. used are the names and
// whether they are called. What it does not know it leaves out.
func GoTypes(pkg string, used map[string]bool, texts ...string) string {
	w := &writer{types: map[string]string{}, funcs: map[string]string{}, consts: map[string]string{}}
	w.f = Parse(texts...)
	w.declared(texts)
	for _, name := range slices.Sorted(maps.Keys(used)) {
		w.want(name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport \"unsafe\"\n\nvar _ unsafe.Pointer\n", pkg)
	for _, n := range slices.Sorted(maps.Keys(w.consts)) {
		fmt.Fprintf(&b, "const _Ciconst_%s = %s\n", n, w.consts[n])
	}
	for _, n := range slices.Sorted(maps.Keys(w.types)) {
		fmt.Fprintf(&b, "type _Ctype_%s %s\n", n, w.types[n])
	}
	for _, n := range slices.Sorted(maps.Keys(w.funcs)) {
		fmt.Fprintln(&b, w.funcs[n])
	}
	return b.String()
}

type writer struct {
	f      *File
	types  map[string]string // Go definitions
	funcs  map[string]string
	consts map[string]string
	alias  map[string]string // typedef -> C type
	fields map[string][]Param
	values map[string]string
}

// declared collects typedefs, structs, enums and numeric macros.
func (w *writer) declared(texts []string) {
	w.alias, w.fields, w.values = map[string]string{}, map[string][]Param{}, map[string]string{}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			if len(f) == 3 && f[0] == "#define" && number(f[2]) {
				w.values[f[1]] = strings.TrimRight(f[2], "uUlL")
			}
		}
		t := tokens(text)
		for i := 0; i < len(t); i++ {
			switch t[i] {
			case "typedef":
				i = w.typedef(t, i+1)
			case "struct", "union":
				if i+2 < len(t) && t[i+2] == "{" {
					w.fields[t[i]+"_"+t[i+1]] = members(inside(t, i+2))
				}
			case "enum":
				w.enum(t, i)
			}
		}
	}
}

func number(s string) bool {
	_, err := strconv.ParseUint(strings.TrimRight(s, "uUlL"), 0, 64)
	return err == nil && !strings.ContainsAny(s, "_oO")
}

func (w *writer) typedef(t []string, i int) int {
	start := i
	depth := 0
	for ; i < len(t); i++ {
		switch t[i] {
		case "{", "(", "[":
			depth++
		case "}", ")", "]":
			depth--
		}
		if t[i] == ";" && depth == 0 {
			break
		}
	}
	d := t[start:min(i, len(t))]
	if len(d) < 2 {
		return i
	}
	last := d[len(d)-1]
	if !word(last) {
		if p := slices.Index(d, "("); p >= 0 && p+2 < len(d) && d[p+1] == "*" { // void (*name)(...)
			w.alias[d[p+2]] = "void *"
		}
		return i
	}
	if open := slices.Index(d, "{"); open >= 0 {
		tag := last
		if open > 1 && word(d[open-1]) {
			tag = d[open-1]
		}
		switch d[0] {
		case "struct", "union":
			w.fields[d[0]+"_"+tag] = members(inside(d, open))
			w.alias[last] = d[0] + " " + tag
		case "enum":
			w.enum(d, 0)
			w.alias[last] = "unsigned int"
		}
		return i
	}
	w.alias[last] = strings.Join(d[:len(d)-1], " ")
	return i
}

func (w *writer) enum(t []string, i int) {
	open := i + 1
	if open < len(t) && word(t[open]) {
		open++
	}
	if open >= len(t) || t[open] != "{" {
		return
	}
	body := inside(t, open)
	next, base := 0, ""
	for len(body) > 0 {
		end := slices.Index(body, ",")
		if end < 0 {
			end = len(body)
		}
		item := body[:end]
		body = body[min(end+1, len(body)):]
		if len(item) == 0 {
			continue
		}
		if len(item) >= 3 && item[1] == "=" {
			if len(item) != 3 || !number(item[2]) {
				base = "unknown"
				continue
			}
			base, next = strings.TrimRight(item[2], "uUlL"), 0
		}
		if base == "unknown" {
			continue
		}
		v := fmt.Sprint(next)
		if base != "" {
			v = fmt.Sprintf("%s + %d", base, next)
		}
		w.values[item[0]] = v
		next++
	}
}

// members reads the fields of a struct. nil means that they are not understood.
func members(t []string) []Param {
	var out []Param
	for len(t) > 0 {
		end := slices.Index(t, ";")
		if end < 0 {
			return nil
		}
		d := t[:end]
		t = t[end+1:]
		if slices.Contains(d, "{") || slices.Contains(d, ":") || slices.Contains(d, ",") {
			return nil
		}
		if p := slices.Index(d, "("); p >= 0 {
			if p+2 >= len(d) || d[p+1] != "*" {
				return nil
			}
			out = append(out, Param{"void *", d[p+2]})
			continue
		}
		if open := slices.Index(d, "["); open > 1 && len(d) == open+3 {
			out = append(out, Param{strings.Join(d[:open-1], " ") + " [" + d[open+1] + "]", d[open-1]})
			continue
		}
		if len(d) < 2 || !word(d[len(d)-1]) {
			return nil
		}
		out = append(out, Param{strings.Join(d[:len(d)-1], " "), d[len(d)-1]})
	}
	return out
}

// want declares what is used of package C under a name.
func (w *writer) want(name string) {
	if v, ok := w.values[name]; ok {
		w.consts[name] = v
		return
	}
	if sig, ok := known[name]; ok {
		w.funcs[name] = sig
		for _, t := range []string{"char", "int", "size_t", "void"} {
			w.typ(t)
		}
		return
	}
	if fn := w.f.Funcs[name]; fn != nil {
		w.function(fn)
		return
	}
	w.typ(name)
}

func (w *writer) function(fn *Func) {
	var params []string
	for i, p := range fn.Params {
		t := w.goType(p.Type)
		if t == "" {
			return
		}
		params = append(params, fmt.Sprintf("p%d %s", i, t))
	}
	result := w.goType(fn.Result)
	if result == "" {
		return
	}
	w.funcs[fn.Name] = fmt.Sprintf("func _Cfunc_%s(%s) %s\nfunc _C2func_%s(%s) (%s, error)", fn.Name, strings.Join(params, ", "), result, fn.Name, strings.Join(params, ", "), result)
}

// typ declares the type that Go code calls C.name. It reports whether it could.
func (w *writer) typ(name string) bool {
	if _, ok := w.types[name]; ok {
		return true
	}
	if g, ok := basic[name]; ok {
		w.types[name] = g
		return true
	}
	if c, ok := same[name]; ok {
		w.types[name] = "= _Ctype_" + c
		return w.typ(c)
	}
	if c, ok := w.alias[name]; ok {
		w.types[name] = "struct{}" // while it refers to itself
		g := w.goType(c)
		if g == "" {
			delete(w.types, name)
			return false
		}
		if name != strings.TrimPrefix(g, "_Ctype_") {
			w.types[name] = "= " + g
		}
		return true
	}
	kind, _, ok := strings.Cut(name, "_")
	if !ok || kind != "struct" && kind != "union" && kind != "enum" {
		return false
	}
	if kind == "enum" {
		w.types[name] = "uint32"
		return true
	}
	w.types[name] = "struct{}"
	fields := w.fields[name]
	if kind == "union" || fields == nil {
		return true
	}
	var b strings.Builder
	b.WriteString("struct {\n")
	for _, f := range fields {
		t := w.goType(f.Type)
		if t == "" {
			return true
		}
		n := f.Name
		if slices.Contains([]string{"type", "func", "range", "map", "var", "chan", "go", "select", "interface", "import", "package", "defer"}, n) {
			n = "_" + n
		}
		fmt.Fprintf(&b, "\t%s %s\n", n, t)
	}
	b.WriteString("}")
	w.types[name] = b.String()
	return true
}

// goType is the Go type of a C type, or "".
func (w *writer) goType(c string) string {
	array := ""
	if before, n, ok := strings.Cut(c, " ["); ok {
		c = before
		n = strings.TrimSuffix(n, "]")
		if v, ok := w.values[n]; ok {
			n = v
		}
		if !number(n) {
			return ""
		}
		array = "[" + strings.TrimRight(n, "uUlL") + "]"
	}
	if strings.ContainsAny(c, "()[") {
		if strings.Contains(c, "( *") {
			return "*[0]byte"
		}
		return ""
	}
	stars := strings.Count(c, "*")
	var words []string
	for _, f := range strings.Fields(strings.ReplaceAll(c, "*", " ")) {
		switch f {
		case "const", "volatile", "restrict", "register", "__restrict":
		default:
			words = append(words, f)
		}
	}
	name := strings.Join(words, " ")
	switch name {
	case "unsigned", "unsigned int":
		name = "uint"
	case "signed", "signed int":
		name = "int"
	case "unsigned char":
		name = "uchar"
	case "signed char":
		name = "schar"
	case "unsigned short", "unsigned short int":
		name = "ushort"
	case "short int":
		name = "short"
	case "unsigned long", "unsigned long int", "long unsigned int":
		name = "ulong"
	case "long int":
		name = "long"
	case "long long", "long long int":
		name = "longlong"
	case "unsigned long long", "unsigned long long int":
		name = "ulonglong"
	}
	if len(words) == 2 && (words[0] == "struct" || words[0] == "union" || words[0] == "enum") {
		name = words[0] + "_" + words[1]
	}
	if strings.Contains(name, " ") || name == "" {
		return ""
	}
	if name == "void" && stars > 0 {
		return array + strings.Repeat("*", stars-1) + "unsafe.Pointer"
	}
	if !w.typ(name) {
		return ""
	}
	return array + strings.Repeat("*", stars) + "_Ctype_" + name
}
