package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// ran is the tool of findings that a run made.
const ran = "run"

// frame is a place on a stack.
type frame struct {
	File     string
	Line     int
	Function string
}

// observation is a line of what a run reported: by [isthmus.JSONReporter], or by the validation layer for hosts that are not
// Go, which has no places.
type observation struct {
	ID, Problem, Call, Text, Object string
	MadeBy                          string `json:"made_by"`
	Site, Made, Ended               []frame
}

// related are the static rules that see, in source, what a rule of the layers sees in a run; the last word of its id counts.
var related = map[string][]string{
	"leak":                {"cstring-leak", "leak-on-path", "handle-leak", "missing-unpin"},
	"lost-loan":           {"missing-unpin", "go-pointer-retained"},
	"double-destroy":      {"double-free", "close-twice", "free-before-set"},
	"use-after-destroy":   {"use-after-free", "close-twice", "missing-keepalive", "keepalive-early"},
	"use-after-delete":    {"use-after-free", "close-twice"},
	"destroyed-in-use":    {"use-after-free", "missing-keepalive"},
	"destroyed-early":     {"use-after-free", "free-before-set", "missing-keepalive"},
	"destroy-of-lent":     {"wrong-free", "free-go-memory"},
	"struct-size":         {"struct-size", "mirror-layout"},
	"unknown-handle":      {"uintptr-kept", "handle-pointer"},
	"wrong-kind":          {"larger-cast"},
	"wrong-thread":        {"last-error-thread", "affine-thread"},
	"host-memory-changed": {"go-pointer-retained", "missing-unpin", "string-write"},
	"send-buffer-changed": {"go-pointer-retained", "missing-unpin"},
	"unfinished-request":  {"go-pointer-retained", "leak-on-path", "handle-leak"},
	"lost-request":        {"go-pointer-retained", "leak-on-path", "handle-leak"},
	"type-mismatch":       {"larger-cast", "mirror-layout", "mirror-constant"},
	"null-argument":       {"empty-slice", "free-before-set"},
	"panic":               {"export-panics"},
}

// Observe merges what a run reported. A finding of the source that the run saw happen at one of its places is marked; what
// the source does not show is added under the rule of the layer. It says how many of each there were.
func (r *Report) Observe(name string, in io.Reader) (marked, added int, err error) {
	if r == nil {
		return 0, 0, fmt.Errorf("audit: runtime: no report: %w", isthmus.ErrInvalid)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return 0, 0, fmt.Errorf("audit: runtime: %s: %w", name, err)
	}
	im := &importer{r: r, seen: map[string]bool{}}
	static := len(r.Findings)
	index := map[string]int{} // of what was added
	count := map[int]int{}
	seen := map[int]bool{}
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var o observation
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil || !strings.Contains(o.ID, "/") {
			return 0, 0, fmt.Errorf("audit: runtime: %s: line %d is no report of a run: %w", name, n, isthmus.ErrInvalid)
		}
		said := o.ID + ": " + o.said()
		hit := false
		for i := range r.Findings[:static] {
			f := &r.Findings[i]
			if slices.Contains(related[path.Base(o.ID)], f.Rule) && im.at(f, slices.Concat(o.Site, o.Made, o.Ended)) {
				hit = true
				if !seen[i] {
					seen[i] = true
					marked++
				}
				if !slices.Contains(f.Observed, said) {
					f.Observed = append(f.Observed, said)
				}
			}
		}
		if hit {
			continue
		}
		f := Finding{Rule: o.ID, Tool: ran, Severity: Error, Message: o.said()}
		if rules := related[path.Base(o.ID)]; len(rules) > 0 {
			f.Message += " (in source: " + strings.Join(rules, ", ") + ")"
		}
		switch path.Base(o.ID) {
		case "leak", "unreceived", "late", "unfinished-request":
			f.Severity = Warning
		case "long-wait", "not-watched":
			f.Severity = Note
		}
		f.Place = Place{File: filepath.ToSlash(name), Line: n, Column: 1}
		for _, stack := range [][]frame{o.Site, o.Made, o.Ended} {
			if at, rest, ok := im.user(stack); ok {
				f.Place = Place{File: im.file(at.File), Line: at.Line, Column: 1}
				f.Function = at.Function[strings.LastIndexByte(at.Function, '/')+1:]
				f.Package = packageOf(at.Function)
				f.Path = rest
				break
			}
		}
		key := fmt.Sprint(f.Rule, f.Place, o.Call)
		if i, ok := index[key]; ok {
			count[i]++
			continue
		}
		im.add(f, false)
		index[key] = len(r.Findings) - 1
		added++
	}
	if err := lines.Err(); err != nil {
		return 0, 0, fmt.Errorf("audit: runtime: %s: %w", name, err)
	}
	for i, more := range count {
		r.Findings[i].Message += fmt.Sprintf(" (%d times)", more+1)
	}
	im.packages()
	slices.SortStableFunc(r.Findings, byPlace)
	return marked, added, nil
}

func (o *observation) said() string {
	s := o.Text
	if o.Call != "" {
		s = o.Call + ": " + s
	}
	if o.Object != "" {
		s += "; " + o.Object
	}
	return s
}

// packageOf is the package in a function's full name.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/')
	if dot := strings.IndexByte(function[slash+1:], '.'); dot >= 0 {
		return function[:slash+1+dot]
	}
	return ""
}

// at reports whether the stack goes through a place of the finding.
func (im *importer) at(f *Finding, stack []frame) bool {
	for _, s := range stack {
		file := im.file(s.File)
		for _, p := range append([]Place{f.Place}, f.Path...) {
			// Paths of binaries that were built with -trimpath begin with the package.
			if p.Line == s.Line && (file == p.File || s.File == f.Package+"/"+path.Base(p.File)) {
				return true
			}
		}
	}
	return false
}

// user finds the innermost frame of the audited code, or of code that is not a library's of this module.
func (im *importer) user(stack []frame) (at frame, rest []Place, ok bool) {
	best := -1
	for i, s := range stack {
		below := !path.IsAbs(im.file(s.File)) && !strings.Contains(s.File, "@")
		if below && filepath.IsAbs(filepath.FromSlash(s.File)) {
			best = i
			break
		}
		if best < 0 && !strings.HasPrefix(s.Function, "github.com/isthmus-ffi/isthmus") && !strings.HasPrefix(s.Function, "runtime.") {
			best = i
		}
	}
	if best < 0 {
		if len(stack) == 0 {
			return frame{}, nil, false
		}
		best = 0
	}
	for _, s := range stack[best+1:] {
		if file := im.file(s.File); !path.IsAbs(file) {
			rest = append(rest, Place{File: file, Line: s.Line, Column: 1, Text: "called by " + s.Function[strings.LastIndexByte(s.Function, '/')+1:]})
		}
	}
	return stack[best], rest, true
}
