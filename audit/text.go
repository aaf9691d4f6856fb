package audit

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Count returns how many findings of each severity there are.
func (r *Report) Count() map[Severity]int {
	n := map[Severity]int{}
	if r != nil {
		for _, f := range r.Findings {
			n[f.Severity]++
		}
	}
	return n
}

// Failed reports whether there is a finding that a build should fail for: one that is no note.
func (r *Report) Failed() bool {
	n := r.Count()
	return n[Error]+n[Warning]+n[Policy] > 0
}

// WriteText writes the report for a terminal: a line for each finding, then what was checked and what was not.
func (r *Report) WriteText(w io.Writer) error {
	if r == nil {
		return nil
	}
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", f.Place, f.Severity, f.Message, f.Rule)
		for _, o := range f.Observed {
			fmt.Fprintf(&b, "\tobserved: %s\n", o)
		}
		for _, p := range f.Path {
			fmt.Fprintf(&b, "\t%s: %s\n", p, p.Text)
		}
	}
	if len(r.Findings) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(r.summary())
	if skipped := r.notChecked(); len(skipped) > 0 {
		b.WriteString("not checked:\n")
		for _, s := range skipped {
			fmt.Fprintf(&b, "  %s\n", s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// summary says in a few lines what was found and what was looked at.
func (r *Report) summary() string {
	var b strings.Builder
	n := r.Count()
	fmt.Fprintf(&b, "%s, %s, %s, %s", plural(n[Error], "error"), plural(n[Warning], "warning"), plural(n[Policy], "breach")+" of policy", plural(n[Note], "note"))
	if len(r.Ignored) > 0 {
		fmt.Fprintf(&b, "; %d ignored with a reason", len(r.Ignored))
	}
	if r.Known > 0 {
		fmt.Fprintf(&b, "; %d in the baseline", r.Known)
	}
	files, functions, cgo, made := 0, 0, 0, 0
	var c Census
	for _, p := range r.Packages {
		files += p.Files
		functions += p.Functions
		c.add(p.Census)
		switch p.Cgo {
		case "":
		case "cgo":
			cgo++
		default:
			made++
		}
	}
	fmt.Fprintf(&b, "\nchecked: %s, %s, %s with %s", plural(len(r.Packages), "package"), plural(files, "file"), plural(functions, "function"), plural(len(r.Rules), "rule"))
	if cgo+made > 0 {
		fmt.Fprintf(&b, "; %s of C by cgo", plural(cgo, "package"))
		if made > 0 {
			fmt.Fprintf(&b, ", %d from their C text alone", made)
		}
	}
	if len(r.Imported) > 0 {
		var from []string
		for _, tool := range slices.Sorted(maps.Keys(r.Imported)) {
			from = append(from, fmt.Sprintf("%d of %s", r.Imported[tool], tool))
		}
		fmt.Fprintf(&b, "\nfindings of others: %s", strings.Join(from, ", "))
	}
	fmt.Fprintf(&b, "\nin them: %s of unsafe, %s of C, %s for C, %s of purego\n", plural(c.Unsafe, "use"), plural(c.C, "use"), plural(c.Exports, "function"), plural(c.Purego, "use"))
	return b.String()
}

func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// notChecked lists what was left out, and why.
func (r *Report) notChecked() []string {
	out := slices.Clone(r.Skipped)
	for _, p := range r.Packages {
		places := map[string][]string{} // by reason
		for _, s := range p.Skipped {
			if m := skippedAt.FindStringSubmatch(s); m != nil {
				places[m[2]] = append(places[m[2]], m[1])
			}
		}
		for _, s := range p.Skipped {
			if m := skippedAt.FindStringSubmatch(s); m != nil && len(places[m[2]]) != 1 {
				if at := places[m[2]]; len(at) > shownPlaces {
					s = fmt.Sprintf("%s, in %d places (JSON has all): %s, ...", m[2], len(at), strings.Join(at[:shownPlaces], ", "))
				} else if len(at) > 1 {
					s = fmt.Sprintf("%s: %s", m[2], strings.Join(at, ", "))
				} else {
					continue // it is there already
				}
				places[m[2]] = nil
			}
			out = append(out, p.Path+": "+s)
		}
	}
	return out
}

// shownPlaces are the places that were not looked at for one reason which a report for people lists.
const shownPlaces = 4

// skippedAt is a place that was not looked at, such as "x.go:3: function F", and why.
var skippedAt = regexp.MustCompile(`^(\S+\.go:\d+(?:: function \S+)?): (.+)$`)

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// byRule groups findings that are the same bug in several places, in the order in which they should be repaired: errors
// first, and of those the rules with most findings.
func (r *Report) byRule() []group {
	index := map[string]*group{}
	for _, f := range r.Findings {
		key := f.Severity.String() + f.Rule
		if index[key] == nil {
			index[key] = &group{Rule: f.Rule, Severity: f.Severity}
		}
		index[key].Findings = append(index[key].Findings, f)
	}
	out := make([]group, 0, len(index))
	for _, k := range slices.Sorted(maps.Keys(index)) {
		out = append(out, *index[k])
	}
	slices.SortStableFunc(out, func(a, b group) int {
		if a.Severity != b.Severity {
			return int(a.Severity) - int(b.Severity)
		}
		return len(b.Findings) - len(a.Findings)
	})
	return out
}

type group struct {
	Rule     string
	Severity Severity
	Findings []Finding
}

// readiness says of each package whether it can be relied on.
func (r *Report) readiness() []verdict {
	out := make([]verdict, 0, len(r.Packages))
	for _, p := range r.Packages {
		v := verdict{PackageReport: p}
		for _, f := range r.Findings {
			if f.Package == p.Path {
				v.Counts[f.Severity]++
			}
		}
		switch {
		case p.Files > 0 && p.Functions == 0 && len(p.Skipped) > 0:
			v.Ready = "not checked"
		case v.Counts[Error] > 0:
			v.Ready = "not safe"
		case v.Counts[Warning]+v.Counts[Policy] > 0:
			v.Ready = "with care"
		case p.Cgo != "" && p.Cgo != "cgo":
			v.Ready = "as far as seen"
		default:
			v.Ready = "ready"
		}
		out = append(out, v)
	}
	return out
}

type verdict struct {
	PackageReport
	Counts [len(severities)]int
	Ready  string
}

// Of is how many findings of a severity, by name, there are: for templates.
func (v verdict) Of(name string) int {
	var s Severity
	if s.UnmarshalText([]byte(name)) != nil {
		return 0
	}
	return v.Counts[s]
}
