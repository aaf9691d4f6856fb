package main

import (
	"bufio"
	"bytes"
	"debug/dwarf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// version is a pinned header of an older API: its minor number and what it defines.
type version struct {
	minor int
	*model
}

// older reads the headers that are pinned beside the newest one, oldest first. Only pjrt_c_api.h of each is read.
func older(root, tmp, cxx string) ([]version, error) {
	newest, err := minorOf(root)
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(root), "0.*"))
	if err != nil {
		return nil, err
	}
	var out []version
	for _, d := range dirs {
		n, err := minorOf(d)
		if err != nil {
			return nil, err
		}
		if n >= newest {
			continue
		}
		dir := filepath.Join(tmp, filepath.Base(d))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		obj, err := compileText("#include \"xla/pjrt/c/pjrt_c_api.h\"\n", dir, cxx, d)
		if err != nil {
			return nil, err
		}
		m, err := read(obj, 100)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
		out = append(out, version{n, m})
	}
	slices.SortFunc(out, func(a, b version) int { return a.minor - b.minor })
	return out, nil
}

func minorOf(dir string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), "0."))
	if err != nil {
		return 0, fmt.Errorf("%s is not named by an API version: %w", dir, err)
	}
	return n, nil
}

// items names what can be added: slots, fields of structs, values of enums; each with its place.
func (m *model) items() map[string]int64 {
	out := map[string]int64{}
	for name, s := range m.structs {
		for _, f := range s.Field {
			switch {
			case name == "PJRT_Api" && strings.HasPrefix(f.Name, "PJRT_"):
				out[f.Name] = f.ByteOffset
			case f.Name != "":
				out[name+"."+f.Name] = f.ByteOffset
			}
		}
	}
	const types = "PJRT_Buffer_Type" // other enums say nothing that a plugin could be too old for
	if e := m.enums[types]; e != nil {
		for _, v := range e.Val {
			out[types+":"+v.Name] = v.Val
		}
	}
	return out
}

// prefix checks that everything old has is at its place in m: that a plugin of the old version can be driven with
// m's structs. What was only renamed is at the same place.
func (m *model) prefix(old version, changed map[string]int) error {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("0.%d: "+format, append([]any{old.minor}, a...)...))
	}
	for _, name := range sorted(old.structs) {
		was, is := old.structs[name], m.structs[name]
		if old.minor < changed[name] {
			continue
		}
		if is == nil {
			bad("%s is gone", name)
			continue
		}
		for _, f := range was.Field {
			i := slices.IndexFunc(is.Field, func(g *dwarf.StructField) bool { return g.ByteOffset == f.ByteOffset })
			switch {
			case i < 0:
				bad("%s.%s at %d is gone", name, f.Name, f.ByteOffset)
			case is.Field[i].Type.Size() != f.Type.Size():
				bad("%s.%s has %d bytes, was %d", name, f.Name, is.Field[i].Type.Size(), f.Type.Size())
			case is.Field[i].Name != f.Name && name == "PJRT_Api":
				bad("slot %s is %s", f.Name, is.Field[i].Name)
			}
		}
	}
	for _, name := range sorted(old.enums) {
		is := m.enums[name]
		if is == nil {
			bad("%s is gone", name)
			continue
		}
		for _, v := range old.enums[name].Val {
			if !slices.ContainsFunc(is.Val, func(w *dwarf.EnumValue) bool { return w.Val == v.Val && w.Name == v.Name }) {
				bad("%s = %d is gone", v.Name, v.Val)
			}
		}
	}
	return errors.Join(errs...)
}

// history finds the version that brought each item: from since.txt, which must agree with every pinned header. What
// the oldest header has is as old as that, 0.
func (m *model) history(file string, versions []version) error {
	stated, changed, err := readSince(file)
	if err != nil {
		return err
	}
	m.changed = changed
	m.since = map[string]int{}
	all := m.items()
	var errs []error
	for _, v := range versions {
		errs = append(errs, m.prefix(v, changed))
	}
	for _, name := range sorted(all) {
		lacks, has, whole := 0, m.minor, false
		for _, v := range versions {
			if _, ok := v.items()[name]; !ok {
				lacks, whole = v.minor, !v.owns(name)
			} else if has == m.minor {
				has = v.minor
			}
		}
		s, ok := stated[name]
		delete(stated, name)
		switch {
		case !ok && (lacks == 0 || whole): // a struct that came as a whole is as old as what takes it
		case !ok:
			errs = append(errs, fmt.Errorf("%s does not say when %s came: after 0.%d, in 0.%d at the latest", file, name, lacks, has))
		case s <= lacks || s > has:
			errs = append(errs, fmt.Errorf("%s says that 0.%d brought %s: 0.%d lacks it, 0.%d has it", file, s, name, lacks, has))
		default:
			m.since[name] = s
		}
	}
	for _, name := range sorted(stated) {
		errs = append(errs, fmt.Errorf("%s knows %s, the headers do not", file, name))
	}
	return errors.Join(errs...)
}

// owns reports whether v has the struct or the enum that an item is in.
func (v version) owns(item string) bool {
	if owner, _, ok := strings.Cut(item, "."); ok {
		return v.structs[owner] != nil
	}
	if owner, _, ok := strings.Cut(item, ":"); ok {
		return v.enums[owner] != nil
	}
	return true
}

// readSince reads lines of a minor version and the name of what it brought, and of "changed", a version and a struct
// that was laid out in another way before it; # begins a comment.
func readSince(file string) (since, changed map[string]int, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	since, changed = map[string]int{}, map[string]int{}
	for s := bufio.NewScanner(f); s.Scan(); {
		line, _, _ := strings.Cut(s.Text(), "#")
		w := strings.Fields(line)
		to := since
		if len(w) > 0 && w[0] == "changed" {
			to, w = changed, w[1:]
		}
		if len(w) == 0 {
			continue
		}
		n, err := strconv.Atoi(w[0])
		if err != nil || len(w) != 2 || to[w[1]] != 0 {
			return nil, nil, fmt.Errorf("%s: bad line %q", file, s.Text())
		}
		to[w[1]] = n
	}
	return since, changed, nil
}

// writeSince writes what history found.
func writeSince(b *bytes.Buffer, m *model) error {
	b.WriteString("// slotSince are the minor versions that brought functions, in the form that this module knows.\nvar slotSince = [NumSlots]uint8{\n")
	for _, f := range m.slots() {
		since := m.since[f.Name]
		for _, a := range m.structs[argument(f)].Field {
			if p, ok := target(a.Type).(*dwarf.PtrType); ok {
				if s, ok := target(p.Type).(*dwarf.StructType); ok {
					since = max(since, m.changed[s.StructName])
				}
			}
		}
		if since != 0 {
			fmt.Fprintf(b, "\tSlot%s: %d,\n", goName(f.Name), since)
		}
	}
	b.WriteString("}\n\n// slotChanged are those among them that older plugins have in another form.\nvar slotChanged = map[Slot]uint8{\n")
	for _, f := range m.slots() {
		for _, a := range m.structs[argument(f)].Field {
			if p, ok := target(a.Type).(*dwarf.PtrType); ok {
				if s, ok := target(p.Type).(*dwarf.StructType); ok && m.changed[s.StructName] != 0 {
					fmt.Fprintf(b, "\tSlot%s: %d,\n", goName(f.Name), m.changed[s.StructName])
				}
			}
		}
	}
	b.WriteString("}\n\n// fieldSince are the minor versions that brought fields, by their C names.\nvar fieldSince = map[string]uint8{\n")
	for _, name := range sorted(m.since) {
		if strings.Contains(name, ".") {
			fmt.Fprintf(b, "\t%q: %d,\n", name, m.since[name])
		}
	}
	b.WriteString("}\n\n// typeSince are the minor versions that brought element types.\nvar typeSince = map[BufferType]uint8{\n")
	for _, name := range sorted(m.since) {
		if _, v, ok := strings.Cut(name, ":"); ok {
			fmt.Fprintf(b, "\t%s: %d,\n", goName(v), m.since[name])
		}
	}
	b.WriteString("}\n")
	return nil
}
