package audit

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed report.html
var page string

const excerpt = 3 // lines of source around a finding

// WriteHTML writes the report as one file without anything outside it, with the source around each finding.
func (r *Report) WriteHTML(w io.Writer, title string) error {
	if r == nil {
		return nil
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"excerpt": r.excerpt,
		"why":     func(rule string) string { p, _ := Explain(rule); return section(p, "Why it matters") },
		"fix":     func(rule string) string { p, _ := Explain(rule); return section(p, "What to do") },
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return t.Execute(w, map[string]any{
		"Title": title, "Summary": strings.Split(strings.TrimSpace(r.summary()), "\n"), "Groups": r.byRule(), "Packages": r.readiness(),
		"Skipped": r.notChecked(), "Ignored": r.Ignored, "Trend": r.trends(), "Width": width, "Height": height,
	})
}

type sourceLine struct {
	Number int
	Text   string
	Here   bool
}

// excerpt reads the lines around a place. A file that is gone since has none.
func (r *Report) excerpt(p Place) []sourceLine {
	lines := r.lines(p.File)
	var out []sourceLine
	for n := max(1, p.Line-excerpt); n <= min(len(lines), p.Line+excerpt); n++ {
		out = append(out, sourceLine{n, strings.ReplaceAll(lines[n-1], "\t", "    "), n == p.Line})
	}
	return out
}
