package main

import (
	"bytes"
	"debug/dwarf"
	"fmt"
	"slices"
	"strings"
)

func writeStructs(b *bytes.Buffer, m *model) error {
	b.WriteString("import \"structs\"\n\n")
	var body bytes.Buffer
	for _, c := range sorted(m.structs) {
		s := m.structs[c]
		fmt.Fprintf(&body, "// %s is %s.\ntype %s struct {\n\t_ structs.HostLayout\n", goName(c), c, goName(c))
		seen := map[string]bool{}
		for _, f := range s.Field {
			if f.BitSize != 0 {
				return fmt.Errorf("%s.%s is a bit field", c, f.Name)
			}
			t, err := m.goType(f.Type)
			if err != nil {
				return fmt.Errorf("%s.%s: %w", c, f.Name, err)
			}
			n := fieldName(f)
			if seen[n] {
				return fmt.Errorf("%s has two fields %s", c, n)
			}
			seen[n] = true
			fmt.Fprintf(&body, "\t%s %s\n", n, t)
		}
		body.WriteString("}\n\n")
	}
	for _, c := range sorted(m.opaque) {
		if m.structs[c] == nil {
			fmt.Fprintf(b, "// %s is %s, whose insides are the plugin's own.\ntype %s struct{ _ opaque }\n\n", goName(c), c, goName(c))
		}
	}
	b.Write(body.Bytes())
	return nil
}

func writeEnums(b *bytes.Buffer, m *model) error {
	for _, c := range sorted(m.enums) {
		e := m.enums[c]
		if e.ByteSize != 4 {
			return fmt.Errorf("%s has %d bytes", c, e.ByteSize)
		}
		g := goName(c)
		fmt.Fprintf(b, "// %s is %s.\ntype %s int32\n\n// The values of %s.\nconst (\n", g, c, g, g)
		for _, v := range e.Val {
			fmt.Fprintf(b, "\t%s %s = %d\n", goName(v.Name), g, v.Val)
		}
		b.WriteString(")\n\n")
		fmt.Fprintf(b, "// String returns the C name of v, without the enum's prefix.\nfunc (v %s) String() string {\n\tswitch v {\n", g)
		seen := map[int64]bool{}
		for _, v := range e.Val {
			if !seen[v.Val] {
				fmt.Fprintf(b, "\tcase %d:\n\t\treturn %q\n", v.Val, shortName(c, v.Name))
			}
			seen[v.Val] = true
		}
		fmt.Fprintf(b, "\t}\n\treturn unknownName(%q, int32(v))\n}\n\n", g)
	}
	return nil
}

// shortName takes off what an enumerator has in common with its enum.
func shortName(enum, name string) string {
	for _, p := range []string{enum + "_", strings.TrimSuffix(enum, "_Type") + "_k", strings.TrimSuffix(enum, "_Type") + "_", "PJRT_"} {
		if s, ok := strings.CutPrefix(name, p); ok {
			return s
		}
	}
	return name
}

// sized lists the structs that begin with their own size.
func (m *model) sized() []string {
	return slices.DeleteFunc(sorted(m.structs), func(c string) bool {
		f := m.structs[c].Field
		_, has := m.sizes[c]
		return !has || len(f) == 0 || f[0].Name != "struct_size"
	})
}

func writeSizes(b *bytes.Buffer, m *model) error {
	b.WriteString("// The sizes that structs announce in struct_size: to the end of the last field, without padding.\nconst (\n")
	for _, c := range sorted(m.sizes) {
		if m.structs[c] == nil {
			return fmt.Errorf("%s has a STRUCT_SIZE and no definition", c)
		}
		fmt.Fprintf(b, "\t%sSize = %d\n", goName(c), m.sizes[c])
	}
	b.WriteString(")\n\n")
	for _, c := range m.sized() {
		g := goName(c)
		fmt.Fprintf(b, "// SetSize sets the struct_size of a.\nfunc (a *%s) SetSize() { a.StructSize = %sSize }\n\n", g, g)
	}
	return nil
}

// slots lists the function pointers of PJRT_Api.
func (m *model) slots() []*dwarf.StructField {
	var s []*dwarf.StructField
	for _, f := range m.structs["PJRT_Api"].Field {
		if p, ok := target(f.Type).(*dwarf.PtrType); ok {
			if _, ok := target(p.Type).(*dwarf.FuncType); ok {
				s = append(s, f)
			}
		}
	}
	return s
}

// argument names the struct that a function of the table takes, or "".
func argument(f *dwarf.StructField) string {
	p, ok := target(f.Type).(*dwarf.PtrType)
	if !ok {
		return ""
	}
	fn, ok := target(p.Type).(*dwarf.FuncType)
	if !ok || len(fn.ParamType) != 1 {
		return ""
	}
	a, ok := target(fn.ParamType[0]).(*dwarf.PtrType)
	if !ok {
		return ""
	}
	s, ok := target(a.Type).(*dwarf.StructType)
	if !ok {
		return ""
	}
	return s.StructName
}

// returns tells whether the function returns a PJRT_Error.
func returns(f *dwarf.StructField) bool {
	fn := target(target(f.Type).(*dwarf.PtrType).Type).(*dwarf.FuncType)
	if fn.ReturnType == nil {
		return false
	}
	_, void := target(fn.ReturnType).(*dwarf.VoidType)
	return !void
}

func writeSlots(b *bytes.Buffer, m *model) error {
	slots := m.slots()
	b.WriteString("// Slot is a function of PJRT_Api, by its place in the table.\ntype Slot int\n\n// The slots, in the order of the table.\nconst (\n")
	for i, f := range slots {
		if f.ByteOffset != slots[0].ByteOffset+8*int64(i) {
			return fmt.Errorf("slot %s is at %d", f.Name, f.ByteOffset)
		}
		if i == 0 {
			fmt.Fprintf(b, "\tSlot%s Slot = iota\n", goName(f.Name))
		} else {
			fmt.Fprintf(b, "\tSlot%s\n", goName(f.Name))
		}
	}
	fmt.Fprintf(b, ")\n\n// NumSlots counts the slots of this version.\nconst NumSlots = %d\n\n", len(slots))
	fmt.Fprintf(b, "// firstSlot is the offset of slot 0 in PJRT_Api.\nconst firstSlot = %d\n\n", slots[0].ByteOffset)
	b.WriteString("var slotNames = [NumSlots]string{\n")
	for _, f := range slots {
		fmt.Fprintf(b, "\t%q,\n", f.Name)
	}
	b.WriteString("}\n\n// slotReturnsError tells which functions return a PJRT_Error; the others return nothing.\nvar slotReturnsError = [NumSlots]bool{\n")
	for _, f := range slots {
		fmt.Fprintf(b, "\tSlot%s: %v,\n", goName(f.Name), returns(f))
	}
	b.WriteString("}\n\n")
	seen := map[string]bool{}
	for _, f := range slots {
		a := argument(f)
		if a == "" || m.structs[a] == nil {
			return fmt.Errorf("slot %s has no argument struct", f.Name)
		}
		if seen[a] {
			return fmt.Errorf("two slots take %s", a)
		}
		seen[a] = true
		fmt.Fprintf(b, "// Slot is the function that takes a.\nfunc (*%s) Slot() Slot { return Slot%s }\n\n", goName(a), goName(f.Name))
	}
	return nil
}

// extensionOf finds the struct of an extension type by its name.
func (m *model) extensionOf(enumerator string) string {
	name := strings.TrimPrefix(enumerator, "PJRT_Extension_Type_")
	plain := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "_", "")) }
	for _, c := range sorted(m.structs) {
		f := m.structs[c].Field
		if len(f) == 0 || f[0].Name != "base" {
			continue
		}
		if plain(strings.TrimSuffix(strings.TrimPrefix(c, "PJRT_"), "_Extension")) == plain(name) {
			return c
		}
	}
	return ""
}

func writeExtensions(b *bytes.Buffer, m *model) error {
	enum := m.enums["PJRT_Extension_Type"]
	b.WriteString("// extensions describes the known extensions, in the order of their ids.\nvar extensions = []Extension{\n")
	found := 0
	for _, v := range enum.Val {
		c := m.extensionOf(v.Name)
		fmt.Fprintf(b, "\t{Type: %d, Name: %q", v.Val, shortName("PJRT_Extension_Type", v.Name))
		if c != "" {
			found++
			fmt.Fprintf(b, ", Struct: %q, Size: %d, Funcs: []ExtensionFunc{\n", c, m.sizes[c])
			for _, f := range m.structs[c].Field {
				if p, ok := target(f.Type).(*dwarf.PtrType); ok {
					if _, ok := target(p.Type).(*dwarf.FuncType); ok {
						fmt.Fprintf(b, "\t\t{Name: %q, Offset: %d, Args: %q, Returns: %v},\n", f.Name, f.ByteOffset, argument(f), returns(f))
					}
				}
			}
			b.WriteString("\t}")
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n\n")
	if found < 23 {
		return fmt.Errorf("only %d extension structs", found)
	}
	writeExtensionFunctions(b, m)
	return nil
}

// writeExtensionFunctions ties each argument struct to its function, and names the functions that share one.
func writeExtensionFunctions(b *bytes.Buffer, m *model) {
	users := map[string]int{}
	each := func(do func(ext string, id int64, f *dwarf.StructField)) {
		for _, v := range m.enums["PJRT_Extension_Type"].Val {
			if c := m.extensionOf(v.Name); c != "" {
				for _, f := range m.structs[c].Field {
					if argument(f) != "" {
						do(shortName("PJRT_Extension_Type", v.Name), v.Val, f)
					}
				}
			}
		}
	}
	each(func(_ string, _ int64, f *dwarf.StructField) { users[argument(f)]++ })
	each(func(ext string, id int64, f *dwarf.StructField) {
		fn := fmt.Sprintf("ExtFunc{Type: %d, Offset: %d, Name: %q, Returns: %v}", id, f.ByteOffset, f.Name, returns(f))
		if users[argument(f)] > 1 {
			fmt.Fprintf(b, "// %s%s is %s of the extension %s.\nvar %[1]s%[2]s = %[5]s\n\n", goName(ext), goName(f.Name), f.Name, ext, fn)
			return
		}
		fmt.Fprintf(b, "// ExtFunc is the function that takes a.\nfunc (*%s) ExtFunc() ExtFunc { return %s }\n\n", goName(argument(f)), fn)
	})
}

// writeLayout writes the compile-time assertions and the same facts as data, for the comparison with a C program.
func writeLayout(b *bytes.Buffer, m *model) error {
	b.WriteString("import \"unsafe\"\n\n")
	b.WriteString("// Each line stops the build where Go would lay a struct out differently from C.\n")
	b.WriteString("// SAFETY: sizes and offsets of types only; no memory is touched.\nvar (\n")
	for _, c := range sorted(m.structs) {
		s, g := m.structs[c], goName(c)
		fmt.Fprintf(b, "\t_ = [1]struct{}{}[unsafe.Sizeof(%s{})-%d]\n", g, s.ByteSize)
		for _, f := range s.Field {
			fmt.Fprintf(b, "\t_ = [1]struct{}{}[unsafe.Offsetof(%s{}.%s)-%d]\n", g, fieldName(f), f.ByteOffset)
		}
	}
	b.WriteString(")\n\n// Layouts lists every struct with its size and the offsets of its fields, by C names.\nvar Layouts = []Layout{\n")
	for _, c := range sorted(m.structs) {
		s, g := m.structs[c], goName(c)
		fmt.Fprintf(b, "\t{%q, unsafe.Sizeof(%s{}), []Field{\n", c, g)
		for _, f := range s.Field {
			if f.Name != "" {
				fmt.Fprintf(b, "\t\t{%q, unsafe.Offsetof(%s{}.%s)},\n", f.Name, g, fieldName(f))
			}
		}
		b.WriteString("\t}},\n")
	}
	b.WriteString("}\n")
	return nil
}
