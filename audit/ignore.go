package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"go/token"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus/audit/internal/native"
)

// ignoreRule is the name under which ignores themselves are reported.
const ignoreRule = "ignore"

// ignore is a comment //isthmus:ignore RULE REASON. It covers its own line and the next.
type ignore struct {
	pos          token.Pos
	file         string
	line         int
	rule, reason string
	used         bool
}

func (i *ignore) covers(f Finding) bool {
	return i.reason != "" && i.file == f.Place.File && (i.line == f.Place.Line || i.line+1 == f.Place.Line) && i.rule == f.Rule
}

func (w *worker) findIgnores(u *native.Unit) []*ignore {
	var out []*ignore
	for _, f := range slices.Concat(u.Files, u.TestFiles) {
		for _, g := range f.Comments {
			for _, c := range g.List {
				rest, ok := strings.CutPrefix(c.Text, "//isthmus:ignore")
				if !ok {
					continue
				}
				rule, reason, _ := strings.Cut(strings.TrimSpace(rest), " ")
				p := w.place(c.Pos())
				ig := &ignore{pos: c.Pos(), file: p.File, line: p.Line, rule: rule, reason: strings.TrimSpace(reason)}
				out = append(out, ig)
			}
		}
	}
	return out
}

// unusedIgnores reports those without a reason, and those that nothing needs any more.
func (w *worker) unusedIgnores(chosen []*analysis.Analyzer) {
	for _, ig := range w.ignores {
		ran := slices.ContainsFunc(chosen, func(a *analysis.Analyzer) bool { return native.Slug(a) == ig.rule })
		f := Finding{Rule: ignoreRule, Severity: Policy, Package: w.pkg.Path, Place: w.place(ig.pos), Function: w.function(ig.pos), Source: w.line(ig.pos)}
		switch {
		case ig.reason == "":
			f.Message = "an ignore needs a reason: //isthmus:ignore RULE REASON"
		case ran && !ig.used:
			f.Message = fmt.Sprintf("nothing of %s is found here any more; remove the ignore", ig.rule)
		default:
			continue
		}
		f.Fingerprint = w.fingerprint(f)
		w.res.Findings = append(w.res.Findings, f)
	}
}

// readBaseline reads a file of fingerprints, the first word of each line.
func readBaseline(name string) (map[string]bool, error) {
	known := map[string]bool{}
	if name == "" {
		return known, nil
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return known, nil // as before the first one was written
	}
	if err != nil {
		return nil, fmt.Errorf("audit: baseline: %w", err)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			known[f[0]] = true
		}
	}
	return known, nil
}

// Baseline is the text of a baseline file that holds all findings of the report.
func (r *Report) Baseline() []byte {
	var b bytes.Buffer
	b.WriteString("# Findings that were there when this file was written. New ones are reported.\n")
	if r == nil {
		return b.Bytes()
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s %s %s %s\n", f.Fingerprint, f.Rule, f.Place.File, f.Function)
	}
	return b.Bytes()
}
