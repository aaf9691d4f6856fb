package rtlayer

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/layer"
)

var prototype = regexp.MustCompile(`(?m)^RT_(?:API|FN)_ (.*?)\b(rt_[a-z0-9_]+)\(((?:[^()]|\([^()]*\))*)\);`)

// Header makes isthmus_rt_check.h: a function in C for each of the spec, which has the layer look at the call. runtime is
// the text of isthmus_rt.h, whose contract has the parameters.
func Header(runtime string) (string, error) {
	s, err := Spec()
	if err != nil {
		return "", err
	}
	contract, _, _ := strings.Cut(runtime, "/* ---- What follows is how")
	var b, macros strings.Builder
	b.WriteString("/* isthmus_rt_check.h: the calls of isthmus_rt.h with the validation layer before them. isthmus_rt.h includes it where\n" +
		" * RT_CHECK is defined. Made from internal/raw/rtlayer/rt.spec: go test ./internal/raw/rtlib -run TestCheckHeader -update. */\n" +
		"#ifndef ISTHMUS_RT_CHECK_H\n#define ISTHMUS_RT_CHECK_H\n\n")
	made := 0
	for _, m := range prototype.FindAllStringSubmatch(contract, -1) {
		if f := s.Funcs[m[2]]; f != nil {
			made++
			if err := wrap(&b, &macros, f, strings.TrimSpace(m[1]), m[3]); err != nil {
				return "", fmt.Errorf("rtlayer: %s: %w", m[2], err)
			}
		}
	}
	if made != len(s.Funcs) {
		return "", fmt.Errorf("rtlayer: %d functions of the spec, %d of them in the header: %w", len(s.Funcs), made, isthmus.ErrInvalid)
	}
	b.WriteString(macros.String())
	b.WriteString("\n#endif /* ISTHMUS_RT_CHECK_H */\n")
	return b.String(), nil
}

// param is a parameter: its declaration, its name, and whether it leads to a value.
type param struct {
	decl, name string
	out        bool
}

var paramName = regexp.MustCompile(`\(\*([a-z_]+)\)|([a-z_]+)$`)

func params(list string) (out []param) {
	depth, from := 0, 0
	for i := 0; i <= len(list); i++ {
		switch {
		case i < len(list) && list[i] == '(':
			depth++
		case i < len(list) && list[i] == ')':
			depth--
		case i == len(list) || list[i] == ',' && depth == 0:
			d := strings.TrimSpace(list[from:i])
			from = i + 1
			if m := paramName.FindStringSubmatch(d); d != "void" && m != nil {
				out = append(out, param{d, m[1] + m[2], strings.HasPrefix(d, "rt_value *")})
			}
		}
	}
	return out
}

// wrap writes the function that stands before another one.
func wrap(b, macros *strings.Builder, f *layer.Func, result, list string) error {
	all := params(list)
	short := strings.TrimPrefix(f.Name, "rt_")
	var decls, names []string
	at := map[string]param{}
	for _, p := range all {
		decls, names = append(decls, p.decl), append(names, p.name)
		at[p.name] = p
	}
	var in, out []string
	before, after := f.Last, f.Last
	for i, op := range f.Ops {
		p, ok := at[op.Field]
		word := "0"
		switch {
		case op.Field == "result":
			out = append(out, fmt.Sprintf("w_[%d] = r_;", i))
		case !ok:
			return fmt.Errorf("there is no parameter %s: %w", op.Field, isthmus.ErrInvalid)
		case p.out:
			out = append(out, fmt.Sprintf("w_[%d] = %s != NULL ? *%s : RT_NIL;", i, p.name, p.name))
		default:
			word = p.name
		}
		before = before || word != "0"
		after = after || op.Act != layer.Use
		in = append(in, word)
	}
	if len(in) == 0 {
		in = []string{"0"}
	}
	good := "1"
	switch result {
	case "rt_value":
		good = "r_ != RT_NIL && r_ != RT_FALSE"
	case "bool":
		good = "r_"
	case "int64_t":
		good = "r_ >= 0"
	}
	w := func(format string, a ...any) { fmt.Fprintf(b, format, a...) }
	space := " "
	if strings.HasSuffix(result, "*") {
		space = ""
	}
	w("static inline %s%srt_checked_%s_(%s) {\n", result, space, short, strings.Join(append(decls, "const char *file_", "int line_"), ", "))
	w("  uint64_t w_[%d] = {%s};\n", len(in), strings.Join(in, ", "))
	if before {
		w("  rt_check_(\"%s\", w_, %d, file_, line_, 0);\n", f.Name, len(f.Ops))
	}
	w("  %s%sr_ = %s(%s);\n", result, space, f.Name, strings.Join(names, ", "))
	if after {
		for _, o := range out {
			w("  %s\n", o)
		}
		w("  rt_check_(\"%s\", w_, %d, file_, line_, (%s) ? 3 : 1);\n", f.Name, len(f.Ops), good)
	}
	w("  return r_;\n}\n\n")
	var args []string
	for _, n := range names {
		args = append(args, "("+n+")")
	}
	fmt.Fprintf(macros, "#define %s(%s) rt_checked_%s_(%s)\n", f.Name, strings.Join(names, ", "), short, strings.Join(append(args, "__FILE__", "__LINE__"), ", "))
	return nil
}
