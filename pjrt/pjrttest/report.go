package pjrttest

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Result is how a check ended.
type Result string

// The results. The package comment says what they mean.
const (
	Pass        Result = "pass"
	Fail        Result = "fail"
	Unsupported Result = "unsupported"
	Skip        Result = "skip"
)

// Outcome is the result of one check.
type Outcome struct {
	ID      string  `json:"id"`
	About   string  `json:"about,omitempty"`
	Result  Result  `json:"result"`
	Detail  string  `json:"detail,omitempty"`
	Crashed bool    `json:"crashed,omitempty"` // the process did not survive the check
	Seconds float64 `json:"seconds"`
}

// Category is the part of the id before the first dot.
func (o Outcome) Category() string {
	c, _, _ := strings.Cut(o.ID, ".")
	return c
}

// Facts are what a plugin is, as far as reading its table tells.
type Facts struct {
	APIMajor   int      `json:"api_major"`
	APIMinor   int      `json:"api_minor"`
	Slots      int      `json:"slots"` // of the functions that this module knows
	Missing    []string `json:"missing,omitempty"`
	Extensions []string `json:"extensions"`
}

func (p *plugin) facts() Facts {
	f := Facts{Extensions: []string{}}
	f.APIMajor, f.APIMinor = p.table.Version()
	for _, s := range p.table.Missing() {
		f.Missing = append(f.Missing, s.String())
	}
	f.Slots = pjrtc.NumSlots - len(f.Missing)
	known := pjrtc.Extensions()
	for _, l := range p.chain {
		if int(l.Type) >= 0 && int(l.Type) < len(known) {
			f.Extensions = append(f.Extensions, known[l.Type].Name)
		} else {
			f.Extensions = append(f.Extensions, fmt.Sprintf("type %d", l.Type))
		}
	}
	return f
}

// Report is what a run found.
type Report struct {
	Plugin   string    `json:"plugin"`
	Started  time.Time `json:"started"`
	Facts    Facts     `json:"facts"`
	Outcomes []Outcome `json:"outcomes"`
}

// Count is how many checks ended with the result.
func (r *Report) Count(res Result) int {
	if r == nil {
		return 0
	}
	n := 0
	for _, o := range r.Outcomes {
		if o.Result == res {
			n++
		}
	}
	return n
}

// ReadReport reads what [Report.WriteJSON] wrote.
func ReadReport(in io.Reader) (*Report, error) {
	r := &Report{}
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("pjrttest: this is no report of a conformance run: %w: %w", err, isthmus.ErrInvalid)
	}
	return r, nil
}

// WriteJSON writes the report as JSON.
func (r *Report) WriteJSON(w io.Writer) error {
	if err := writable(r, w); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writable says what is missing for writing r to w.
func writable(r *Report, w io.Writer) error {
	if r == nil || w == nil {
		return fmt.Errorf("pjrttest: no report, or nowhere to write it: %w", isthmus.ErrInvalid)
	}
	return nil
}

// categories are the categories in the order of the outcomes.
func (r *Report) categories() []string {
	var out []string
	for _, o := range r.Outcomes {
		if !slices.Contains(out, o.Category()) {
			out = append(out, o.Category())
		}
	}
	return out
}

// WriteText writes the report for a terminal: a line a category, then what failed; all tells every check.
func (r *Report) WriteText(w io.Writer, all bool) error {
	if err := writable(r, w); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: PJRT API %d.%d, %d of %d functions, extensions: %s\n\n", r.Plugin, r.Facts.APIMajor, r.Facts.APIMinor, r.Facts.Slots, pjrtc.NumSlots, orNone(strings.Join(r.Facts.Extensions, ", ")))
	for _, c := range r.categories() {
		n := map[Result]int{}
		for _, o := range r.Outcomes {
			if o.Category() == c {
				n[o.Result]++
			}
		}
		fmt.Fprintf(&b, "  %-12s %s\n", c, counts(n))
		for _, o := range r.Outcomes {
			if o.Category() == c && (all || o.Result == Fail) {
				fmt.Fprintf(&b, "    %-11s %-36s %s\n", mark(o), o.ID, o.Detail)
			}
		}
	}
	n := map[Result]int{}
	for _, o := range r.Outcomes {
		n[o.Result]++
	}
	fmt.Fprintf(&b, "\n%d checks: %s\n", len(r.Outcomes), counts(n))
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func mark(o Outcome) string {
	if o.Crashed {
		return "CRASH"
	}
	if o.Result == Fail {
		return "FAIL"
	}
	return string(o.Result)
}

func counts(n map[Result]int) string {
	var parts []string
	for _, r := range []Result{Pass, Fail, Unsupported, Skip} {
		if n[r] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[r], r))
		}
	}
	return strings.Join(parts, ", ")
}

// Difference is a check with different results in two reports; a result is "" where a report has not the check.
type Difference struct {
	ID   string
	A, B Result
}

// Diff lists the checks whose results differ, in a's order, then those that only b has.
func Diff(a, b *Report) []Difference {
	var out []Difference
	if a == nil || b == nil {
		return nil
	}
	inB := map[string]Result{}
	for _, o := range b.Outcomes {
		inB[o.ID] = o.Result
	}
	for _, o := range a.Outcomes {
		if inB[o.ID] != o.Result {
			out = append(out, Difference{o.ID, o.Result, inB[o.ID]})
		}
		delete(inB, o.ID)
	}
	for _, o := range b.Outcomes {
		if r, ok := inB[o.ID]; ok {
			out = append(out, Difference{o.ID, "", r})
		}
	}
	return out
}

// WriteDiff writes what differs between two reports, the plugins' facts first.
func WriteDiff(w io.Writer, a, b *Report) error {
	if err := errors.Join(writable(a, w), writable(b, w)); err != nil {
		return err
	}
	var s strings.Builder
	fmt.Fprintf(&s, "a: %s (API %d.%d)\nb: %s (API %d.%d)\n", a.Plugin, a.Facts.APIMajor, a.Facts.APIMinor, b.Plugin, b.Facts.APIMajor, b.Facts.APIMinor)
	only := func(name string, x, y []string) {
		x = slices.DeleteFunc(slices.Clone(x), func(e string) bool { return slices.Contains(y, e) })
		if len(x) > 0 {
			fmt.Fprintf(&s, "only in %s: %s\n", name, strings.Join(x, ", "))
		}
	}
	only("a", a.Facts.Extensions, b.Facts.Extensions)
	only("b", b.Facts.Extensions, a.Facts.Extensions)
	d := Diff(a, b)
	for _, x := range d {
		fmt.Fprintf(&s, "  %-36s %-12s %s\n", x.ID, orDash(x.A), orDash(x.B))
	}
	fmt.Fprintf(&s, "%d checks differ\n", len(d))
	_, err := io.WriteString(w, s.String())
	return err
}

func orDash(r Result) string {
	if r == "" {
		return "-"
	}
	return string(r)
}

// WriteHTML writes the report as one page that needs no other file.
func (r *Report) WriteHTML(w io.Writer) error {
	if err := writable(r, w); err != nil {
		return err
	}
	type group struct {
		Name     string
		Counts   string
		Outcomes []Outcome
	}
	var groups []group
	for _, c := range r.categories() {
		g := group{Name: c}
		n := map[Result]int{}
		for _, o := range r.Outcomes {
			if o.Category() == c {
				g.Outcomes = append(g.Outcomes, o)
				n[o.Result]++
			}
		}
		g.Counts = counts(n)
		groups = append(groups, g)
	}
	n := map[Result]int{}
	for _, o := range r.Outcomes {
		n[o.Result]++
	}
	return page.Execute(w, map[string]any{"Report": r, "Groups": groups, "Counts": counts(n), "Extensions": orNone(strings.Join(r.Facts.Extensions, ", "))})
}

var page = template.Must(template.New("report").Funcs(template.FuncMap{"mark": mark, "ms": func(s float64) string { return fmt.Sprintf("%.1f ms", s*1e3) }}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>PJRT conformance: {{.Report.Plugin}}</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:left;vertical-align:top;border-top:1px solid #ddd}
code{font-size:.92em}summary{cursor:pointer;font-weight:600;padding:.3rem 0}.pass{color:#176f2c}.FAIL,.CRASH{color:#fff;background:#b3261e;padding:0 .4em;border-radius:.2em}
.unsupported{color:#7a5c00}.skip{color:#777}
@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}td,th{border-color:#3a3a3a}.pass{color:#7fd48f}.unsupported{color:#e0c060}}
</style>
<h1>PJRT conformance</h1>
<p><code>{{.Report.Plugin}}</code>, API {{.Report.Facts.APIMajor}}.{{.Report.Facts.APIMinor}}, {{.Report.Facts.Slots}} functions, extensions: {{.Extensions}}. {{.Report.Started.Format "2006-01-02 15:04 MST"}}</p>
<p><strong>{{len .Report.Outcomes}} checks: {{.Counts}}</strong></p>
{{range .Groups}}<details open><summary>{{.Name}}: {{.Counts}}</summary><table>
{{range .Outcomes}}<tr id="{{.ID}}"><td><span class="{{mark .}}">{{mark .}}</span></td><td><code>{{.ID}}</code></td><td>{{.About}}{{if .Detail}}<br><small>{{.Detail}}</small>{{end}}</td><td><small>{{ms .Seconds}}</small></td></tr>
{{end}}</table></details>
{{end}}</html>
`))
