package audit

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// Changes are what became of the findings between two reports.
type Changes struct {
	New   []Finding `json:"new"`
	Fixed []Finding `json:"fixed"`
	Moved []Move    `json:"moved,omitempty"`
	Same  int       `json:"same"`
}

// Move is a finding that is in another place than before.
type Move struct {
	From Place   `json:"from"`
	Now  Finding `json:"now"`
}

// ReadReport reads what [Report.WriteJSON] wrote.
func ReadReport(r io.Reader) (*Report, error) {
	out := new(Report)
	if err := json.NewDecoder(r).Decode(out); err != nil {
		return nil, fmt.Errorf("audit: report: %w: %w", err, isthmus.ErrInvalid)
	}
	return out, nil
}

// Diff compares the findings of two reports. A finding with the same fingerprint is the same; one whose line of source says
// what it said before, in a file or function with another name, has moved. Ignored findings count as gone.
func Diff(before, after *Report) *Changes {
	out := &Changes{New: []Finding{}, Fixed: []Finding{}}
	if before == nil {
		before = &Report{}
	}
	if after == nil {
		after = &Report{}
	}
	text := func(f Finding) string {
		return f.Rule + "\x00" + f.Severity.String() + "\x00" + strings.Join(strings.Fields(f.Source), " ")
	}
	// Where lines are the same in several places, what moved came from a package that is gone.
	gone := func(f Finding) int {
		if slices.ContainsFunc(after.Packages, func(p PackageReport) bool { return p.Path == f.Package }) {
			return 1
		}
		return 0
	}
	old, left := slices.Clone(before.Findings), after.Findings
	slices.SortStableFunc(old, func(a, b Finding) int { return gone(a) - gone(b) })
	for _, key := range []func(Finding) string{func(f Finding) string { return f.Fingerprint }, text} {
		index := map[string][]Finding{}
		for _, f := range old {
			index[key(f)] = append(index[key(f)], f)
		}
		var still []Finding
		for _, f := range left {
			k := key(f)
			was := index[k]
			if len(was) == 0 || k == "" {
				still = append(still, f)
				continue
			}
			index[k] = was[1:]
			if from := was[0].Place; from.File != f.Place.File || from.Line != f.Place.Line {
				out.Moved = append(out.Moved, Move{from, f})
			} else {
				out.Same++
			}
		}
		var rest []Finding
		for _, f := range old {
			k := key(f)
			if unmatched := index[k]; len(unmatched) > 0 && unmatched[0].Place == f.Place {
				rest = append(rest, f)
				index[k] = unmatched[1:]
			}
		}
		old, left = rest, still
	}
	out.New = append(out.New, left...)
	out.Fixed = append(out.Fixed, old...)
	slices.SortStableFunc(out.Fixed, byPlace)
	return out
}

// Failed reports whether there is a new finding that a build should fail for: one that is no note.
func (c *Changes) Failed() bool {
	return c != nil && (&Report{Findings: c.New}).Failed()
}

// WriteText writes a line for each change.
func (c *Changes) WriteText(w io.Writer) error {
	if c == nil {
		return nil
	}
	var b strings.Builder
	for _, f := range c.New {
		fmt.Fprintf(&b, "new: %s: %s: %s [%s]\n", f.Place, f.Severity, f.Message, f.Rule)
	}
	for _, f := range c.Fixed {
		fmt.Fprintf(&b, "fixed: %s: %s: %s [%s]\n", f.Place, f.Severity, f.Message, f.Rule)
	}
	for _, m := range c.Moved {
		fmt.Fprintf(&b, "moved: %s, before at %s: %s [%s]\n", m.Now.Place, m.From, m.Now.Message, m.Now.Rule)
	}
	fmt.Fprintf(&b, "%d new, %d fixed, %d moved, %d the same\n", len(c.New), len(c.Fixed), len(c.Moved), c.Same)
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteJSON writes all changes.
func (c *Changes) WriteJSON(w io.Writer) error { return writeJSON(w, c) }

// WriteMarkdown writes the changes as tables, for a comment on a change of code.
func (c *Changes) WriteMarkdown(w io.Writer) error {
	if c == nil {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**%d new, %d fixed, %d moved, %d the same**\n", len(c.New), len(c.Fixed), len(c.Moved), c.Same)
	for _, part := range []struct {
		title string
		list  []Finding
	}{{"New", c.New}, {"Fixed", c.Fixed}} {
		if len(part.list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| File | Severity | Issue |\n|---|---|---|\n", part.title)
		for _, f := range part.list {
			fmt.Fprintf(&b, "| `%s` L%d | %s | %s (%s) |\n", f.Place.File, f.Place.Line, f.Severity, cell(f.Message), f.Rule)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
