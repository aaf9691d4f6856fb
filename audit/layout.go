package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit/internal/clayout"
	"github.com/isthmus-ffi/isthmus/audit/internal/load"
	"github.com/isthmus-ffi/isthmus/audit/internal/mirror"
)

// Mirror is a Go struct, or Go constants, that are written after C's.
type Mirror struct {
	Place     Place    `json:"place"`
	Package   string   `json:"package"`
	Go        string   `json:"go"`
	C         string   `json:"c"`
	Header    string   `json:"header,omitempty"`
	Target    string   `json:"target"`              // the platform, such as linux/amd64
	Constants int      `json:"constants,omitempty"` // how many were compared; 0 for a struct
	Size      int64    `json:"size,omitempty"`      // of the Go struct, in bytes
	Problem   string   `json:"problem,omitempty"`   // the first difference
	Missing   []string `json:"missing,omitempty"`   // Go constants that no C constant has the name of
	Unchecked string   `json:"unchecked,omitempty"` // why it was not compared
}

// Layouts are the mirrors of some packages.
type Layouts struct {
	Mirrors []Mirror `json:"mirrors"`
	Skipped []string `json:"skipped,omitempty"` // what was not looked at, and why
}

// Layout compares the Go structs and constants of packages with the C that they are written after, as
// [github.com/isthmus-ffi/isthmus/docs/checks] says at audit/mirror-layout. No C is compiled.
func Layout(ctx context.Context, o Options) (*Layouts, error) {
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	fset, pkgs, err := load.Load(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	out := &Layouts{Mirrors: []Mirror{}}
	w := &worker{fset: fset, dir: c.Dir}
	goos, goarch := o.platform()
	for _, p := range pkgs {
		if p.Unit == nil {
			for _, s := range p.Skipped {
				out.Skipped = append(out.Skipped, p.Path+": "+s)
			}
			continue
		}
		for _, r := range mirror.Compare(p.Unit) {
			m := Mirror{
				Place: w.place(r.Pos), Package: p.Path, Go: r.Go, C: r.C, Header: r.Header, Target: goos + "/" + goarch, Problem: r.Problem, Missing: r.Missing, Unchecked: r.Unchecked,
			}
			if r.Constant {
				m.Constants = int(r.Size)
			} else {
				m.Size = r.Size
			}
			out.Mirrors = append(out.Mirrors, m)
		}
	}
	return out, nil
}

// Failed reports whether something differs.
func (l *Layouts) Failed() bool {
	if l == nil {
		return false
	}
	for _, m := range l.Mirrors {
		if m.Problem != "" {
			return true
		}
	}
	return false
}

// WriteText writes a line for each mirror.
func (l *Layouts) WriteText(w io.Writer) error {
	if l == nil {
		return nil
	}
	var b strings.Builder
	same, differ, not := 0, 0, 0
	for _, m := range l.Mirrors {
		of := m.C
		if m.Header != "" {
			of += " of " + m.Header
		}
		fmt.Fprintf(&b, "%s: %s: %s, %s: ", m.Place, m.Target, m.Go, of)
		switch {
		case m.Problem != "":
			differ++
			fmt.Fprintf(&b, "differs: %s\n", m.Problem)
		case m.Unchecked != "":
			not++
			fmt.Fprintf(&b, "not compared: %s\n", m.Unchecked)
		case m.Constants > 0:
			same++
			fmt.Fprintf(&b, "the same, %s", plural(m.Constants, "constant"))
			if len(m.Missing) > 0 {
				fmt.Fprintf(&b, "; not compared: %s", strings.Join(m.Missing, ", "))
			}
			b.WriteByte('\n')
		default:
			same++
			fmt.Fprintf(&b, "the same, %s\n", plural(int(m.Size), "byte"))
		}
	}
	fmt.Fprintf(&b, "%d the same, %d differ, %d not compared\n", same, differ, not)
	for _, s := range l.Skipped {
		fmt.Fprintf(&b, "not looked at: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes all.
func (l *Layouts) WriteJSON(w io.Writer) error { return writeJSON(w, l) }

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// CLayout says how C lays a type of a header out on a platform: "struct s", "union u" or a typedef. Without a name it
// describes every struct and union of the header.
func CLayout(header, name, goos, goarch string, include []string) (string, error) {
	text, err := os.ReadFile(header)
	if err != nil {
		return "", fmt.Errorf("audit: layout: %w", err)
	}
	goos, goarch = Options{GOOS: goos, GOARCH: goarch}.platform()
	p, ok := clayout.New(clayout.Config{GOOS: goos, GOARCH: goarch, Include: append(include, clayout.SystemInclude(goos, goarch)...)})
	if !ok {
		return "", fmt.Errorf("audit: layout: the C of %s/%s is not known: %w", goos, goarch, isthmus.ErrUnsupported)
	}
	p.Add(header, string(text))
	names := []string{name}
	if name == "" {
		names = p.Records()
	}
	var b strings.Builder
	for _, n := range names {
		t := p.Lookup(n)
		if err := t.Err(); err != nil {
			why := strings.TrimPrefix(err.Error(), "clayout: ")
			if len(p.Notes) > 0 {
				why += "; " + strings.Join(p.Notes, ", ")
			}
			return "", fmt.Errorf("audit: layout: %s: %s: %w", n, why, isthmus.ErrNotFound)
		}
		b.WriteString(t.Describe())
	}
	return b.String(), nil
}
