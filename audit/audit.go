// Package audit finds the bugs of native boundaries in Go code: what cgo, purego and unsafe make possible and no compiler
// sees. A run loads packages without compiling their C, looks at them with the rules of folder rules, and says what it
// found, what it checked, and what it could not check and why.
package audit

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/tools/go/analysis"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit/internal/load"
	"github.com/isthmus-ffi/isthmus/audit/internal/native"
	"github.com/isthmus-ffi/isthmus/audit/internal/policy"
	"github.com/isthmus-ffi/isthmus/audit/rules"
	"github.com/isthmus-ffi/isthmus/docs/checks"
)

// Severity is how bad a finding is. The zero value is invalid.
type Severity uint8

// The severities.
const (
	_       Severity = iota
	Error            // memory is lost or broken on a path that can be taken
	Warning          // it is, unless something holds that the code does not show
	Policy           // a rule of the house is broken
	Note             // it depends on what only the C library's manual says
)

var severities = [...]string{Error: "error", Warning: "warning", Policy: "policy", Note: "note"}

// String is error, warning, policy or note.
func (s Severity) String() string {
	if int(s) < len(severities) && s > 0 {
		return severities[s]
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText writes the severity's name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads it.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severities[:], string(text))
	if i <= 0 || s == nil {
		return fmt.Errorf("audit: severity %.20q: %w", text, isthmus.ErrInvalid)
	}
	*s = Severity(i)
	return nil
}

// Place is a position in a file. File is relative to the folder of the run, with slashes, where it lies below it.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text,omitempty"` // what happens there
}

// String is file:line:column.
func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Finding is one place where a rule is broken.
type Finding struct {
	Rule        string   `json:"rule"`
	Severity    Severity `json:"severity"`
	Package     string   `json:"package"`
	Function    string   `json:"function,omitempty"`
	Message     string   `json:"message"`
	Place       Place    `json:"place"`
	Path        []Place  `json:"path,omitempty"` // the places on the way to it
	Fixes       []Fix    `json:"fixes,omitempty"`
	Fingerprint string   `json:"fingerprint"`        // stays the same when lines move
	Source      string   `json:"source,omitempty"`   // the line
	Reason      string   `json:"reason,omitempty"`   // of an ignored finding
	Tool        string   `json:"tool,omitempty"`     // that found it, where it was another; "run" where a run did
	Observed    []string `json:"observed,omitempty"` // what a run said at this place
}

// Fix is a change that would repair a finding.
type Fix struct {
	Message string `json:"message"`
	Edits   []Edit `json:"edits"`
}

// Edit replaces the bytes [Start, End) of a file.
type Edit struct {
	File  string `json:"file"`
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
}

// PackageReport says what was looked at in a package.
type PackageReport struct {
	Path      string   `json:"path"`
	Files     int      `json:"files"`
	Functions int      `json:"functions"`     // whose flow was followed
	Cgo       string   `json:"cgo,omitempty"` // "cgo" where cgo told the types of package C, else why it did not
	Skipped   []string `json:"skipped,omitempty"`
	Census    Census   `json:"census"`
}

// Report is what a run found.
type Report struct {
	Findings []Finding       `json:"findings"`
	Ignored  []Finding       `json:"ignored,omitempty"` // with a reason in the source
	Known    int             `json:"known,omitempty"`   // findings that the baseline holds
	Packages []PackageReport `json:"packages"`
	Rules    []string        `json:"rules"`
	Skipped  []string        `json:"skipped,omitempty"`  // what the whole run did not check, and why
	Imported map[string]int  `json:"imported,omitempty"` // findings of other tools, by their names
	Took     time.Duration   `json:"-"`
	dir      string
	trend    []Point
}

// Options say what a run looks at.
type Options struct {
	Dir          string   // the folder that patterns and paths are relative to; the current one if empty
	Patterns     []string // of packages, as the go command takes them; ./... if none
	GOOS, GOARCH string   // those of the go command if empty
	Tags         []string
	Tests        bool     // also imports and directives of test files
	NoCgo        bool     // do not run cgo: the types of package C come from the C text beside the Go code
	Enable       []string // only these rules; all if none
	Disable      []string
	PolicyFile   string // isthmus-audit.json of the module if empty
	Baseline     string // a file of fingerprints that are not reported again
	Cache        string // where to keep what cgo made and was found; the user's cache folder if empty, nowhere if "off"
}

// Run audits packages. The error is for what kept it from looking at anything; what it could not look at otherwise is in the
// report.
func Run(ctx context.Context, o Options) (*Report, error) {
	start := time.Now()
	c, err := o.config()
	if err != nil {
		return nil, err
	}
	dir := c.Dir
	chosen, err := choose(o.Enable, o.Disable)
	if err != nil {
		return nil, err
	}
	pol, err := readPolicy(dir, o.PolicyFile)
	if err != nil {
		return nil, err
	}
	known, err := readBaseline(o.Baseline)
	if err != nil {
		return nil, err
	}
	plan, err := load.List(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	if len(plan.Roots) == 0 {
		return nil, fmt.Errorf("audit: no packages match %s: %w", strings.Join(c.Patterns, " "), isthmus.ErrNotFound)
	}
	r := &Report{dir: dir, Findings: []Finding{}}
	for _, a := range chosen {
		r.Rules = append(r.Rules, native.Slug(a))
	}
	if pol == nil {
		r.Skipped = append(r.Skipped, "where unsafe may be: there is no policy file "+policyName)
	}
	if !o.Tests {
		r.Skipped = append(r.Skipped, "test files: they are looked at with --tests")
	}
	k := &keeper{dir: c.Cache, tool: tool(), setting: fmt.Sprintf("%q %q %q", c.Dir, r.Rules, []any{c.GOOS, c.GOARCH, c.Tags, c.Tests, c.NoCgo, c.Patterns})}
	policies, results := map[string]*policy.Policy{}, map[string]*outcome{}
	for _, p := range plan.Roots {
		policies[p.Path] = pol
		if o.PolicyFile == "" { // a module inside another has its own
			if policies[p.Path], err = readPolicy(p.Dir, ""); err != nil {
				return nil, err
			}
		}
		results[p.Path] = k.get(p, policies[p.Path])
	}
	fset, pkgs, err := plan.Load(ctx, func(path string) bool { return results[path] == nil })
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	for _, p := range pkgs {
		w := &worker{fset: fset, pkg: p, dir: dir, lines: map[string][]string{}}
		if p.Unit != nil {
			p.Unit.Policy = policies[p.Path]
		}
		if results[p.Path], err = w.run(chosen); err != nil {
			return nil, err
		}
	}
	checked := 0
	for _, p := range plan.Roots {
		res := results[p.Path]
		if res.certain && !res.kept {
			k.put(p, policies[p.Path], res)
		}
		if res.Checked {
			checked++
		}
		r.add(res, known)
	}
	if checked == 0 {
		return r, fmt.Errorf("audit: nothing could be looked at: %s", strings.Join(r.Packages[0].Skipped, "; "))
	}
	functions, blind := 0, ""
	for _, p := range r.Packages {
		functions += p.Functions
		if p.Functions == 0 && len(p.Skipped) > 1 && p.Cgo != "" && p.Cgo != "cgo" {
			blind = p.Path + ": " + p.Cgo
		}
	}
	if functions == 0 && blind != "" { // nothing was found because nothing was seen
		return r, fmt.Errorf("audit: no function could be looked at: %s: %w", blind, isthmus.ErrUnsupported)
	}
	slices.SortStableFunc(r.Findings, byPlace)
	slices.SortStableFunc(r.Ignored, byPlace)
	r.Took = time.Since(start)
	return r, nil
}

// config says what to load.
func (o Options) config() (load.Config, error) {
	dir, err := filepath.Abs(cmp.Or(o.Dir, "."))
	if err != nil {
		return load.Config{}, fmt.Errorf("audit: %w", err)
	}
	c := load.Config{Dir: dir, Patterns: o.Patterns, GOOS: o.GOOS, GOARCH: o.GOARCH, Tags: o.Tags, Tests: o.Tests, NoCgo: o.NoCgo, Cache: o.Cache}
	if len(c.Patterns) == 0 {
		c.Patterns = []string{"./..."}
	}
	if c.Cache == "off" {
		c.Cache = ""
	} else if c.Cache == "" {
		if user, err := os.UserCacheDir(); err == nil {
			c.Cache = filepath.Join(user, "isthmus", "audit")
		}
	}
	return c, nil
}

// platform is what the run is for.
func (o Options) platform() (goos, goarch string) {
	return cmp.Or(o.GOOS, build.Default.GOOS), cmp.Or(o.GOARCH, build.Default.GOARCH)
}

func byPlace(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Place.File, b.Place.File), cmp.Compare(a.Place.Line, b.Place.Line), cmp.Compare(a.Place.Column, b.Place.Column), cmp.Compare(a.Rule, b.Rule))
}

func choose(enable, disable []string) ([]*analysis.Analyzer, error) {
	all := rules.All()
	var names []string
	for _, a := range all {
		names = append(names, native.Slug(a))
	}
	for _, n := range slices.Concat(enable, disable) {
		if !slices.Contains(names, n) {
			return nil, fmt.Errorf("audit: there is no rule %.60q; the rules are %s: %w", n, strings.Join(names, ", "), isthmus.ErrNotFound)
		}
	}
	return slices.DeleteFunc(all, func(a *analysis.Analyzer) bool {
		n := native.Slug(a)
		return len(enable) > 0 && !slices.Contains(enable, n) || slices.Contains(disable, n)
	}), nil
}

// Explain is the page of a rule: of the auditor, or of a validation layer, such as pjrt/use-after-destroy.
func Explain(rule string) (string, bool) { return checks.Page(pageID(rule)) }

func pageID(rule string) string {
	if strings.Contains(rule, "/") {
		return rule
	}
	return "audit/" + rule
}

// add adds what a package gave.
func (r *Report) add(res *outcome, known map[string]bool) {
	for _, f := range res.Findings {
		if known[f.Fingerprint] {
			r.Known++
			continue
		}
		r.Findings = append(r.Findings, f)
	}
	r.Ignored = append(r.Ignored, res.Ignored...)
	r.Packages = append(r.Packages, res.Package)
}

// worker looks at one package.
type worker struct {
	res     outcome
	fset    *token.FileSet
	pkg     *load.Package
	dir     string
	lines   map[string][]string
	ignores []*ignore
	seen    map[string]int
}

func (w *worker) run(chosen []*analysis.Analyzer) (*outcome, error) {
	p := w.pkg
	rep := PackageReport{Path: p.Path, Files: p.Files, Cgo: p.Cgo, Skipped: p.Skipped}
	w.res.certain = p.Certain
	if p.Unit == nil {
		w.res.Package = rep
		return &w.res, nil
	}
	w.res.Checked = true
	w.seen = map[string]int{}
	rep.Functions = p.Unit.Checked
	rep.Census = census(p.Unit)
	w.ignores = w.findIgnores(p.Unit)
	var errs []error
	for _, a := range chosen {
		if err := w.rule(a); err != nil {
			rep.Skipped = append(rep.Skipped, err.Error())
			errs = append(errs, err)
		}
	}
	w.unusedIgnores(chosen)
	w.res.Package = rep
	w.res.certain = p.Certain && len(errs) == 0
	if len(errs) == len(chosen) && len(chosen) > 0 {
		return nil, fmt.Errorf("audit: %s: %w", p.Path, errors.Join(errs...))
	}
	return &w.res, nil
}

// rule runs a rule. A rule that panics is a bug of ours: it is said, and the others go on.
func (w *worker) rule(a *analysis.Analyzer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rule %s: it panicked, which is a bug of isthmus: %v", native.Slug(a), r)
		}
	}()
	u := w.pkg.Unit
	pass := &analysis.Pass{
		Analyzer: a, Fset: w.fset, Files: u.Files, Pkg: u.Pkg, TypesInfo: u.Info, TypesSizes: u.Sizes,
		ResultOf: map[*analysis.Analyzer]any{native.Analyzer: u},
		Report:   func(d analysis.Diagnostic) { w.found(native.Slug(a), d) },
	}
	_, err = a.Run(pass)
	return err
}

func (w *worker) found(rule string, d analysis.Diagnostic) {
	f := Finding{Rule: rule, Package: w.pkg.Path, Message: d.Message, Place: w.place(d.Pos), Function: w.function(d.Pos)}
	if f.Severity.UnmarshalText([]byte(d.Category)) != nil {
		f.Severity = Warning
	}
	for _, rel := range d.Related {
		p := w.place(rel.Pos)
		p.Text = rel.Message
		f.Path = append(f.Path, p)
	}
	for _, fix := range d.SuggestedFixes {
		out := Fix{Message: fix.Message}
		for _, e := range fix.TextEdits {
			start, end := w.fset.PositionFor(e.Pos, false), w.fset.PositionFor(e.End, false)
			if !end.IsValid() {
				end = start
			}
			out.Edits = append(out.Edits, Edit{File: w.relative(start.Filename), Start: start.Offset, End: end.Offset, New: string(e.NewText)})
		}
		f.Fixes = append(f.Fixes, out)
	}
	f.Source = w.line(d.Pos)
	f.Fingerprint = w.fingerprint(f)
	w.add(f)
}

func (w *worker) add(f Finding) {
	for _, ig := range w.ignores {
		if ig.covers(f) {
			ig.used = true
			f.Reason = ig.reason
			w.res.Ignored = append(w.res.Ignored, f)
			return
		}
	}
	w.res.Findings = append(w.res.Findings, f)
}

// fingerprint names a finding by what does not change when code above it does.
func (w *worker) fingerprint(f Finding) string {
	text := strings.Join([]string{f.Rule, f.Package, f.Function, strings.Join(strings.Fields(f.Source), " ")}, "\x00")
	n := w.seen[text]
	w.seen[text]++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", text, n))
	return hex.EncodeToString(sum[:8])
}

func (w *worker) place(pos token.Pos) Place {
	p := w.fset.Position(pos)
	return Place{File: w.relative(p.Filename), Line: p.Line, Column: p.Column}
}

func (w *worker) relative(name string) string {
	if rel, err := filepath.Rel(w.dir, name); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(name)
}

func (w *worker) line(pos token.Pos) string {
	p := w.fset.Position(pos)
	if w.lines[p.Filename] == nil {
		b, err := os.ReadFile(p.Filename)
		if err != nil {
			return ""
		}
		w.lines[p.Filename] = strings.Split(string(b), "\n")
	}
	if all := w.lines[p.Filename]; p.Line >= 1 && p.Line <= len(all) {
		return strings.TrimSpace(all[p.Line-1])
	}
	return ""
}

// function names the function around pos, as T.M for a method.
func (w *worker) function(pos token.Pos) string {
	for _, f := range w.pkg.Unit.Files {
		if pos < f.FileStart || pos > f.FileEnd {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Pos() <= pos && pos <= fn.End() {
				if fn.Recv != nil && len(fn.Recv.List) > 0 {
					t := fn.Recv.List[0].Type
					if s, ok := t.(*ast.StarExpr); ok {
						t = s.X
					}
					if i, ok := t.(*ast.IndexExpr); ok {
						t = i.X
					}
					if id, ok := t.(*ast.Ident); ok {
						return id.Name + "." + fn.Name.Name
					}
				}
				return fn.Name.Name
			}
		}
	}
	return ""
}
