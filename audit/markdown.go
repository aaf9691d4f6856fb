package audit

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the report as a review: numbered findings by severity, a table of the rest, the order in which to
// repair, what was not checked, and how far each package can be relied on.
func (r *Report) WriteMarkdown(w io.Writer, title string) error {
	if r == nil {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Audit of %s\n\n%s\n", title, strings.ReplaceAll(strings.TrimSpace(r.summary()), "\n", "\n\n"))
	number := 0
	groups := r.byRule()
	numbers := map[string]int{}
	for _, s := range []struct {
		severity Severity
		title    string
	}{{Error, "Errors: memory is lost or broken"}, {Warning, "Warnings: it is, unless something holds that the code does not show"}} {
		first := true
		for _, g := range groups {
			if g.Severity != s.severity {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n## %s\n", s.title)
				first = false
			}
			number++
			numbers[g.Rule+g.Severity.String()] = number
			page, _ := Explain(g.Rule)
			head, text, _ := strings.Cut(page, "\n")
			_, head, _ = strings.Cut(head, ": ")
			if head == "" { // another tool's
				fmt.Fprintf(&b, "\n### %d. %s\n\n", number, g.Rule)
			} else {
				fmt.Fprintf(&b, "\n### %d. %s (%s)\n\n", number, upper(head), g.Rule)
			}
			if len(g.Findings) > 1 {
				fmt.Fprintf(&b, "%d places:\n\n", len(g.Findings))
			}
			for _, f := range g.Findings {
				fmt.Fprintf(&b, "- `%s` L%d", f.Place.File, f.Place.Line)
				if f.Function != "" {
					fmt.Fprintf(&b, ", `%s`", f.Function)
				}
				fmt.Fprintf(&b, ": %s", f.Message)
				for _, p := range f.Path {
					fmt.Fprintf(&b, "; L%d: %s", p.Line, p.Text)
				}
				for _, o := range f.Observed {
					fmt.Fprintf(&b, "; **observed**: %s", o)
				}
				b.WriteByte('\n')
			}
			if why := section(text, "Why it matters"); why != "" {
				fmt.Fprintf(&b, "\n**Why:** %s\n", why)
			}
			if fix := section(text, "What to do"); fix != "" {
				fmt.Fprintf(&b, "\n**Fix:** %s\n", fix)
			}
		}
	}
	rest := false
	for _, g := range groups {
		if g.Severity != Policy && g.Severity != Note {
			continue
		}
		for _, f := range g.Findings {
			if !rest {
				b.WriteString("\n## The rest\n\n| # | File | Severity | Issue |\n|---|------|---|-------|\n")
				rest = true
			}
			number++
			fmt.Fprintf(&b, "| %d | `%s` L%d | %s | %s (%s) |\n", number, f.Place.File, f.Place.Line, f.Severity, cell(f.Message), f.Rule)
		}
	}
	if len(numbers) > 0 {
		b.WriteString("\n## Recommended order of repair\n\n")
		for i, g := range groups {
			if n := numbers[g.Rule+g.Severity.String()]; n > 0 {
				fmt.Fprintf(&b, "%d. **%s** (#%d), %s\n", i+1, g.Rule, n, plural(len(g.Findings), "place"))
			}
		}
	}
	b.WriteString("\n## Readiness\n\n| Package | Functions | Unsafe | C | Errors | Warnings | Policy | Notes | Verdict |\n|---|--:|--:|--:|--:|--:|--:|--:|---|\n")
	for _, v := range r.readiness() {
		fmt.Fprintf(&b, "| `%s` | %d | %d | %d | %d | %d | %d | %d | %s |\n", v.Path, v.Functions, v.Census.Unsafe, v.Census.C, v.Counts[Error], v.Counts[Warning], v.Counts[Policy], v.Counts[Note], v.Ready)
	}
	if len(r.Ignored) > 0 {
		b.WriteString("\n## Ignored with a reason\n\n")
		for _, f := range r.Ignored {
			fmt.Fprintf(&b, "- `%s` L%d, %s: %s. Reason: %s\n", f.Place.File, f.Place.Line, f.Rule, f.Message, f.Reason)
		}
	}
	if skipped := r.notChecked(); len(skipped) > 0 {
		b.WriteString("\n## Not checked\n\n")
		for _, s := range skipped {
			fmt.Fprintf(&b, "- %s\n", s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// section is a part of a rule's page, in one line.
func section(page, title string) string {
	_, text, ok := strings.Cut(page, "\n## "+title+"\n")
	if !ok {
		return ""
	}
	text, _, _ = strings.Cut(text, "\n## ")
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n\n")
	return strings.Join(strings.Fields(text), " ")
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }
