package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/isthmus-ffi/isthmus"
)

// Import adds what another tool found, so that one report is about both sides of a boundary: SARIF 2.1.0 of any tool, the JSON
// messages of cargo clippy and rustc, or a report of this package. It says how many findings were added; one that is there
// already is not added again. Paths below the folder of the report become relative to it.
func (r *Report) Import(name string, in io.Reader) (int, error) {
	if r == nil {
		return 0, fmt.Errorf("audit: import: no report: %w", isthmus.ErrInvalid)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		return 0, fmt.Errorf("audit: import: %s: %w", name, err)
	}
	im := &importer{r: r, seen: map[string]bool{}}
	for _, f := range slices.Concat(r.Findings, r.Ignored) {
		im.seen[f.Fingerprint] = true
	}
	var head struct {
		Version  string
		Runs     []json.RawMessage
		Findings []json.RawMessage
		Rules    []string
		Reason   string
	}
	first := json.NewDecoder(bytes.NewReader(b))
	if err := first.Decode(&head); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("audit: import: %s is no JSON: %w: %w", name, err, isthmus.ErrInvalid)
	}
	switch {
	case head.Runs != nil || head.Version == "2.1.0":
		err = im.sarif(b)
	case head.Findings != nil:
		err = im.report(b)
	case head.Reason != "":
		err = im.cargo(b)
	default:
		err = fmt.Errorf("it holds neither SARIF 2.1.0 nor messages of cargo nor a report: %w", isthmus.ErrInvalid)
	}
	if err != nil {
		return 0, fmt.Errorf("audit: import: %s: %w", name, err)
	}
	im.packages()
	slices.SortStableFunc(r.Findings, byPlace)
	slices.SortStableFunc(r.Ignored, byPlace)
	return im.added, nil
}

type importer struct {
	r     *Report
	seen  map[string]bool
	files map[string]map[string]bool // of packages
	added int
}

// add takes a finding of another tool.
func (im *importer) add(f Finding, ignored bool) {
	f.Place.File = im.file(f.Place.File)
	for i := range f.Path {
		f.Path[i].File = im.file(f.Path[i].File)
	}
	if f.Package == "" {
		f.Package = path.Dir(f.Place.File)
	}
	if f.Fingerprint == "" {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%v\x00%s", f.Tool, f.Rule, f.Place, f.Message))
		f.Fingerprint = hex.EncodeToString(sum[:8])
	}
	if im.seen[f.Fingerprint] {
		return
	}
	im.seen[f.Fingerprint] = true
	im.added++
	if im.files == nil {
		im.files = map[string]map[string]bool{}
	}
	if im.files[f.Package] == nil {
		im.files[f.Package] = map[string]bool{}
	}
	im.files[f.Package][f.Place.File] = true
	if f.Tool != "" {
		if im.r.Imported == nil {
			im.r.Imported = map[string]int{}
		}
		im.r.Imported[f.Tool]++
	}
	if ignored {
		im.r.Ignored = append(im.r.Ignored, f)
	} else {
		im.r.Findings = append(im.r.Findings, f)
	}
}

func (im *importer) file(name string) string {
	if rest, ok := strings.CutPrefix(name, "file://"); ok {
		name = rest
		if at := strings.IndexByte(name, '/'); at > 0 {
			name = name[at:] // file://host/path
		}
		if len(name) > 2 && name[2] == ':' {
			name = name[1:] // file:///C:/x
		}
	}
	if filepath.IsAbs(filepath.FromSlash(name)) && im.r.dir != "" {
		if rel, err := filepath.Rel(im.r.dir, filepath.FromSlash(name)); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
	}
	return path.Clean(filepath.ToSlash(name))
}

// packages lists the folders that findings were imported for.
func (im *importer) packages() {
	for pkg, files := range im.files {
		if i := slices.IndexFunc(im.r.Packages, func(p PackageReport) bool { return p.Path == pkg }); i < 0 {
			im.r.Packages = append(im.r.Packages, PackageReport{Path: pkg, Files: len(files)})
		}
	}
	slices.SortStableFunc(im.r.Packages, func(a, b PackageReport) int { return cmp.Compare(a.Path, b.Path) })
}

// report takes a report of this package.
func (im *importer) report(b []byte) error {
	other, err := ReadReport(bytes.NewReader(b))
	if err != nil {
		return err
	}
	for _, f := range other.Findings {
		im.add(f, false)
	}
	for _, f := range other.Ignored {
		im.add(f, true)
	}
	im.files = nil // it lists its packages itself
	for _, p := range other.Packages {
		if !slices.ContainsFunc(im.r.Packages, func(q PackageReport) bool { return p.Path == q.Path }) {
			im.r.Packages = append(im.r.Packages, p)
		}
	}
	for _, rule := range other.Rules {
		if !slices.Contains(im.r.Rules, rule) {
			im.r.Rules = append(im.r.Rules, rule)
		}
	}
	im.r.Known += other.Known
	im.r.Skipped = append(im.r.Skipped, other.Skipped...)
	return nil
}

// cargo takes the lines of cargo clippy --message-format=json.
func (im *importer) cargo(b []byte) error {
	type span struct {
		File    string `json:"file_name"`
		Line    int    `json:"line_start"`
		Column  int    `json:"column_start"`
		Primary bool   `json:"is_primary"`
		Label   string
		Text    []struct{ Text string }
	}
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		var m struct {
			Reason  string
			Message struct {
				Message, Level string
				Code           *struct{ Code string }
				Spans          []span
			}
		}
		if err := d.Decode(&m); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: %w", err, isthmus.ErrInvalid)
		}
		if m.Reason != "compiler-message" || len(m.Message.Spans) == 0 {
			continue // of an artifact, or how many there were
		}
		f := Finding{Rule: "rustc", Tool: "rustc", Message: m.Message.Message, Severity: level(m.Message.Level)}
		if c := m.Message.Code; c != nil && c.Code != "" {
			f.Rule = c.Code
			if strings.HasPrefix(f.Rule, "clippy::") {
				f.Tool = "clippy"
			}
		}
		for _, s := range m.Message.Spans {
			p := Place{File: s.File, Line: s.Line, Column: s.Column, Text: s.Label}
			switch {
			case s.Primary && f.Place.File == "":
				f.Place = Place{File: s.File, Line: s.Line, Column: s.Column}
				if len(s.Text) > 0 {
					f.Source = strings.TrimSpace(s.Text[0].Text)
				}
			case s.Label != "":
				f.Path = append(f.Path, p)
			}
		}
		if f.Place.File != "" {
			im.add(f, false)
		}
	}
}

// level is the severity behind the word of another tool.
func level(s string) Severity {
	switch {
	case strings.HasPrefix(s, "error"):
		return Error
	case s == "warning" || s == "":
		return Warning
	}
	return Note
}

// The parts of SARIF 2.1.0 that are read.
type (
	sarifMessage struct {
		Text, ID  string
		Arguments []string
	}
	sarifPlace struct {
		PhysicalLocation struct {
			ArtifactLocation struct {
				URI, URIBaseID string
				Index          *int
			}
			Region struct {
				StartLine, StartColumn int
				Snippet                struct{ Text string }
			}
		}
		Message sarifMessage
	}
	sarifComponent struct {
		Name  string
		Rules []struct {
			ID                   string
			DefaultConfiguration struct{ Level string }
			MessageStrings       map[string]sarifMessage
		}
	}
	sarifInput struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver     sarifComponent
				Extensions []sarifComponent
			}
			OriginalURIBaseIDs map[string]struct{ URI, URIBaseID string }
			Artifacts          []struct {
				Location struct{ URI, URIBaseID string }
			}
			Results []struct {
				RuleID    string
				RuleIndex *int
				Rule      struct {
					ID            string
					Index         *int
					ToolComponent struct{ Index *int }
				}
				Kind, Level, BaselineState string
				Message                    sarifMessage
				Locations                  []sarifPlace
				CodeFlows                  []struct {
					ThreadFlows []struct {
						Locations []struct{ Location sarifPlace }
					}
				}
				PartialFingerprints map[string]string
				Suppressions        []struct{ Status, Justification string }
			}
		}
	}
)

func (im *importer) sarif(b []byte) error {
	var log sarifInput
	if err := json.Unmarshal(b, &log); err != nil {
		return fmt.Errorf("%w: %w", err, isthmus.ErrInvalid)
	}
	if log.Version != "2.1.0" {
		return fmt.Errorf("SARIF %.20q; only 2.1.0 is read: %w", log.Version, isthmus.ErrVersion)
	}
	for _, run := range log.Runs {
		base := func(id string) string {
			out := ""
			for range 10 { // bases may have bases
				b, ok := run.OriginalURIBaseIDs[id]
				if !ok {
					break
				}
				out = b.URI + out
				id = b.URIBaseID
			}
			return out
		}
		place := func(l sarifPlace) Place {
			a := l.PhysicalLocation.ArtifactLocation
			uri, id := a.URI, a.URIBaseID
			if uri == "" && a.Index != nil && *a.Index >= 0 && *a.Index < len(run.Artifacts) {
				uri, id = run.Artifacts[*a.Index].Location.URI, run.Artifacts[*a.Index].Location.URIBaseID
			}
			uri = base(id) + uri
			if plain, err := url.PathUnescape(uri); err == nil {
				uri = plain
			}
			region := l.PhysicalLocation.Region
			return Place{File: uri, Line: max(region.StartLine, 1), Column: max(region.StartColumn, 1), Text: l.Message.Text}
		}
		for _, res := range run.Results {
			if res.Kind != "" && res.Kind != "fail" && res.Kind != "review" && res.Kind != "open" || res.BaselineState == "absent" || len(res.Locations) == 0 {
				continue // it passed, or is gone, or is nowhere
			}
			component := run.Tool.Driver
			if n := res.Rule.ToolComponent.Index; n != nil && *n >= 0 && *n < len(run.Tool.Extensions) {
				component = run.Tool.Extensions[*n]
			}
			f := Finding{Tool: run.Tool.Driver.Name, Rule: cmp.Or(res.RuleID, res.Rule.ID), Message: res.Message.Text, Place: place(res.Locations[0])}
			f.Place.Text = ""
			f.Source = strings.TrimSpace(res.Locations[0].PhysicalLocation.Region.Snippet.Text)
			lev := res.Level
			index := res.RuleIndex
			if index == nil {
				index = res.Rule.Index
			}
			for i, rule := range component.Rules {
				if index != nil && *index == i || index == nil && rule.ID == f.Rule {
					f.Rule = cmp.Or(f.Rule, rule.ID)
					lev = cmp.Or(lev, rule.DefaultConfiguration.Level)
					if f.Message == "" {
						f.Message = rule.MessageStrings[res.Message.ID].Text
					}
					break
				}
			}
			for i, a := range res.Message.Arguments {
				f.Message = strings.ReplaceAll(f.Message, "{"+strconv.Itoa(i)+"}", a)
			}
			f.Severity = level(lev)
			for _, flow := range res.CodeFlows[:min(len(res.CodeFlows), 1)] {
				for _, thread := range flow.ThreadFlows {
					for _, l := range thread.Locations {
						f.Path = append(f.Path, place(l.Location))
					}
				}
			}
			for _, k := range slices.Sorted(maps.Keys(res.PartialFingerprints)) {
				f.Fingerprint = res.PartialFingerprints[k]
				if f.Tool != own {
					f.Fingerprint = f.Tool + "/" + f.Rule + "/" + f.Fingerprint
				}
				break
			}
			ignored := false
			for _, s := range res.Suppressions {
				if s.Status == "" || s.Status == "accepted" {
					ignored, f.Reason = true, cmp.Or(s.Justification, "suppressed there")
				}
			}
			im.add(f, ignored)
		}
	}
	return nil
}

const own = "isthmus audit" // as a tool's name in SARIF
