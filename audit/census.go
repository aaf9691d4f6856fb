package audit

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit/internal/load"
)

// Module is what a module uses that the compiler does not check, in those of its packages that are needed.
type Module struct {
	Path     string   `json:"path"`
	Version  string   `json:"version,omitempty"`
	Main     bool     `json:"main,omitempty"`
	Indirect bool     `json:"indirect,omitempty"` // another dependency needs it
	Packages int      `json:"packages"`
	Native   []string `json:"native,omitempty"` // its packages that use any of the following
	Unsafe   int      `json:"unsafe,omitempty"`
	C        int      `json:"c,omitempty"`       // uses of package C
	Exports  int      `json:"exports,omitempty"` // functions that C calls
	Purego   int      `json:"purego,omitempty"`
	Linkname int      `json:"linkname,omitempty"` // directives that reach into other packages, or hide from checks
	Assembly int      `json:"assembly,omitempty"` // files
	CFiles   int      `json:"c_files,omitempty"`
	Ready    string   `json:"ready"`              // whether it can be relied on
	Errors   int      `json:"errors,omitempty"`   // findings, where rules were run
	Warnings int      `json:"warnings,omitempty"` // likewise
	Skipped  []string `json:"skipped,omitempty"`
}

// Modules is a census of the modules that packages need.
type Modules struct {
	Modules []Module `json:"modules"`
	Rules   bool     `json:"rules"` // they were run
}

// TakeCensus counts what the packages and all that they need, but the standard library, use of what the compiler does not check.
// It reads their syntax only. With rules it also audits those of the packages that use any of it.
func TakeCensus(ctx context.Context, o Options, rules bool) (*Modules, error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	sources, err := load.Sources(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("audit: census: %w", err)
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("audit: census: no packages match %s: %w", strings.Join(c.Patterns, " "), isthmus.ErrNotFound)
	}
	index := map[string]*Module{}
	for _, s := range sources {
		key := s.Module + "\x00" + s.Version
		m := index[key]
		if m == nil {
			m = &Module{Path: cmp.Or(s.Module, "no module"), Version: s.Version, Main: s.Main, Indirect: s.Indirect}
			index[key] = m
		}
		m.Packages++
		m.Unsafe += s.Unsafe
		m.C += s.Cgo
		m.Exports += s.Exports
		m.Purego += s.Purego
		m.Linkname += s.Linkname
		m.Assembly += s.Assembly
		m.CFiles += s.C
		if s.Unsafe+s.Cgo+s.Purego+s.Linkname+s.Assembly+s.C > 0 {
			m.Native = append(m.Native, s.Path)
		}
		for _, why := range s.Skipped {
			m.Skipped = append(m.Skipped, s.Path+": "+why)
		}
	}
	out := &Modules{Rules: rules}
	for _, m := range index {
		switch {
		case m.C > 0 || m.Purego > 0:
			m.Ready = "calls C"
		case m.Assembly > 0:
			m.Ready = "has assembly"
		case m.Unsafe+m.Linkname > 0:
			m.Ready = "uses unsafe"
		default:
			m.Ready = "pure Go"
		}
		out.Modules = append(out.Modules, *m)
	}
	weight := func(m Module) int { return m.C + m.Purego + m.Unsafe + m.Linkname + m.Assembly + m.CFiles }
	slices.SortFunc(out.Modules, func(a, b Module) int {
		if a.Main != b.Main {
			if a.Main {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(a.Path, b.Path))
	})
	if rules {
		if err := out.audit(ctx, o); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// audit runs the rules on the packages that use what they are about.
func (c *Modules) audit(ctx context.Context, o Options) error {
	o.Patterns = nil
	for _, m := range c.Modules {
		o.Patterns = append(o.Patterns, m.Native...)
	}
	if len(o.Patterns) == 0 {
		return nil
	}
	o.Disable = append(slices.Clone(o.Disable), "confine", "safety-comment", "raw-pointer-api") // the house's own
	r, err := Run(ctx, o)
	if r == nil || ctx.Err() != nil {
		return err
	}
	verdicts := map[string]verdict{}
	for _, v := range r.readiness() {
		verdicts[v.Path] = v
	}
	order := []string{"ready", "as far as seen", "with care", "not checked", "not safe"} // the worst counts
	for i := range c.Modules {
		m := &c.Modules[i]
		worst := -1
		for _, p := range m.Native {
			v, ok := verdicts[p]
			if !ok {
				continue
			}
			m.Errors += v.Counts[Error]
			m.Warnings += v.Counts[Warning]
			worst = max(worst, slices.Index(order, v.Ready))
		}
		if worst >= 0 {
			m.Ready = order[worst]
		}
	}
	return nil
}

func (m *Module) name() string {
	if m.Version == "" {
		return m.Path
	}
	return m.Path + " " + m.Version
}

// WriteText writes a line for each module that uses any of it, the most first after the audited one.
func (c *Modules) WriteText(w io.Writer) error {
	if c == nil {
		return nil
	}
	var b strings.Builder
	pure := 0
	for _, m := range c.Modules {
		if len(m.Native) == 0 {
			pure++
			continue
		}
		fmt.Fprintf(&b, "%s: %s", m.name(), m.Ready)
		for _, n := range []struct {
			n    int
			what string
		}{
			{m.C, "use of C"},
			{m.Exports, "function for C"},
			{m.Purego, "use of purego"},
			{m.Unsafe, "use of unsafe"},
			{m.Linkname, "directive"},
			{m.Assembly, "file of assembly"},
			{m.CFiles, "file of C"},
			{m.Errors, "error"},
			{m.Warnings, "warning"},
		} {
			if n.n > 0 {
				fmt.Fprintf(&b, ", %s", ofMany(n.n, n.what))
			}
		}
		fmt.Fprintf(&b, "; in %d of %s\n", len(m.Native), plural(m.Packages, "package"))
	}
	fmt.Fprintf(&b, "%s: %d use what the compiler does not check, %d are pure Go\n", plural(len(c.Modules), "module"), len(c.Modules)-pure, pure)
	for _, m := range c.Modules {
		for _, s := range m.Skipped {
			fmt.Fprintf(&b, "not counted: %s\n", s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ofMany puts the first word into the plural: 2 uses of C.
func ofMany(n int, what string) string {
	head, rest, ok := strings.Cut(what, " ")
	if !ok {
		return plural(n, what)
	}
	return plural(n, head) + " " + rest
}

// WriteJSON writes all modules.
func (c *Modules) WriteJSON(w io.Writer) error { return writeJSON(w, c) }

// WriteMarkdown writes a table.
func (c *Modules) WriteMarkdown(w io.Writer) error {
	if c == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("# Census of native code\n\n| Module | C | for C | purego | unsafe | directives | assembly | C files |")
	if c.Rules {
		b.WriteString(" errors | warnings |")
	}
	b.WriteString(" Verdict |\n|---|--:|--:|--:|--:|--:|--:|--:|")
	if c.Rules {
		b.WriteString("--:|--:|")
	}
	b.WriteString("---|\n")
	pure := 0
	for _, m := range c.Modules {
		if len(m.Native) == 0 {
			pure++
			continue
		}
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %d | %d |", m.name(), m.C, m.Exports, m.Purego, m.Unsafe, m.Linkname, m.Assembly, m.CFiles)
		if c.Rules {
			fmt.Fprintf(&b, " %d | %d |", m.Errors, m.Warnings)
		}
		fmt.Fprintf(&b, " %s |\n", m.Ready)
	}
	fmt.Fprintf(&b, "\nOf %s, %d are pure Go.\n", plural(len(c.Modules), "module"), pure)
	_, err := io.WriteString(w, b.String())
	return err
}
