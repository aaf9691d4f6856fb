package audit

import (
	"encoding/json"
	"io"
	"net/url"
	"strings"
	"unicode/utf16"
)

// The parts of SARIF 2.1.0 that a report has.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		ColumnKind  string            `json:"columnKind"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		FullDescription  sarifText `json:"fullDescription"`
		HelpURI          string    `json:"helpUri,omitempty"`
		Help             sarifText `json:"help"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		CodeFlows    []sarifFlow        `json:"codeFlows,omitempty"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
		Fixes        []sarifFix         `json:"fixes,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
		Message  *sarifText    `json:"message,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int        `json:"startLine,omitempty"`
		StartColumn int        `json:"startColumn,omitempty"`
		ByteOffset  *int       `json:"byteOffset,omitempty"`
		ByteLength  *int       `json:"byteLength,omitempty"`
		Snippet     *sarifText `json:"snippet,omitempty"`
	}
	sarifFlow struct {
		ThreadFlows []sarifThreadFlow `json:"threadFlows"`
	}
	sarifThreadFlow struct {
		Locations []sarifStep `json:"locations"`
	}
	sarifStep struct {
		Location sarifLocation `json:"location"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
	sarifFix struct {
		Description sarifText     `json:"description"`
		Changes     []sarifChange `json:"artifactChanges"`
	}
	sarifChange struct {
		Artifact     sarifArtifact      `json:"artifactLocation"`
		Replacements []sarifReplacement `json:"replacements"`
	}
	sarifReplacement struct {
		Deleted  sarifRegion `json:"deletedRegion"`
		Inserted sarifText   `json:"insertedContent"`
	}
)

// WriteSARIF writes the report as SARIF 2.1.0, which code hosts and editors show. What was not checked is there as
// notifications, what was ignored as suppressed results.
func (r *Report) WriteSARIF(w io.Writer) error {
	run := sarifRun{ColumnKind: "utf16CodeUnits", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: own, InformationURI: "https://github.com/isthmus-ffi/isthmus", Rules: []sarifRule{}}
	index := map[string]int{}
	rule := func(id string) int {
		if i, ok := index[id]; ok {
			return i
		}
		page, known := Explain(id)
		title, text, _ := strings.Cut(page, "\n")
		_, title, _ = strings.Cut(title, ": ")
		help := "https://github.com/isthmus-ffi/isthmus/blob/main/docs/checks/" + pageID(id) + ".md"
		if !known {
			title, page, help = id, id, ""
		}
		index[id] = len(run.Tool.Driver.Rules)
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: id, ShortDescription: sarifText{Text: title}, FullDescription: sarifText{Text: title},
			HelpURI: help, Help: sarifText{Text: strings.TrimSpace(title + "\n" + text), Markdown: page},
		})
		return index[id]
	}
	inv, files := sarifInvocation{Successful: true}, sarifFiles{r, map[string][]string{}}
	if r != nil {
		for _, id := range r.Rules {
			rule(id)
		}
		for _, f := range r.Findings {
			run.Results = append(run.Results, files.result(f, rule(f.Rule)))
		}
		for _, f := range r.Ignored {
			res := files.result(f, rule(f.Rule))
			res.Suppressions = []sarifSuppression{{Kind: "inSource", Justification: f.Reason}}
			run.Results = append(run.Results, res)
		}
		for _, s := range r.notChecked() {
			inv.Notifications = append(inv.Notifications, sarifNotification{Level: "note", Message: sarifText{Text: "not checked: " + s}})
		}
	}
	run.Invocations = []sarifInvocation{inv}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// sarifFiles reads the files of findings, for the columns: those of SARIF count UTF-16, those of Go bytes.
type sarifFiles struct {
	r     *Report
	lines map[string][]string
}

// column is the column of a place in UTF-16. Where the file is gone it is that of Go; other tools count as they do.
func (s *sarifFiles) column(p Place, tool string) int {
	if tool != "" {
		return max(p.Column, 1)
	}
	lines, ok := s.lines[p.File]
	if !ok {
		lines = s.r.lines(p.File)
		s.lines[p.File] = lines
	}
	if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len(lines[p.Line-1])+1 {
		return max(p.Column, 1)
	}
	n := 1
	for _, c := range lines[p.Line-1][:p.Column-1] {
		n += max(utf16.RuneLen(c), 1)
	}
	return n
}

// reference is a file as a relative reference, or as a URI where its path is absolute.
func reference(file string) string {
	u := url.URL{Path: file}
	if strings.HasPrefix(file, "/") {
		u.Scheme = "file"
	} else if len(file) > 2 && file[1:3] == ":/" { // of Windows
		u.Scheme, u.Path = "file", "/"+file
	}
	return u.String()
}

func (s *sarifFiles) result(f Finding, index int) sarifResult {
	level := map[Severity]string{Error: "error", Warning: "warning", Policy: "warning", Note: "note"}[f.Severity]
	res := sarifResult{
		RuleID: f.Rule, RuleIndex: index, Level: level, Message: sarifText{Text: f.Message},
		Locations: []sarifLocation{s.location(f.Place, f)}, Fingerprints: map[string]string{"isthmus/v1": f.Fingerprint},
	}
	if len(f.Observed) > 0 {
		res.Message.Text += "; observed: " + strings.Join(f.Observed, "; ")
	}
	if len(f.Path) > 0 {
		var steps []sarifStep
		for _, p := range f.Path {
			l := s.location(p, Finding{Tool: f.Tool})
			l.Message = &sarifText{Text: p.Text}
			steps = append(steps, sarifStep{l})
		}
		res.CodeFlows = []sarifFlow{{[]sarifThreadFlow{{steps}}}}
	}
	for _, fix := range f.Fixes {
		out := sarifFix{Description: sarifText{Text: fix.Message}}
		for _, e := range fix.Edits {
			length := max(e.End-e.Start, 0)
			out.Changes = append(out.Changes, sarifChange{sarifArtifact{reference(e.File)}, []sarifReplacement{{
				Deleted: sarifRegion{ByteOffset: &e.Start, ByteLength: &length}, Inserted: sarifText{Text: e.New},
			}}})
		}
		if len(out.Changes) > 0 {
			res.Fixes = append(res.Fixes, out)
		}
	}
	return res
}

func (s *sarifFiles) location(p Place, f Finding) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{reference(p.File)}, Region: sarifRegion{StartLine: max(p.Line, 1), StartColumn: s.column(p, f.Tool)}}}
	if f.Source != "" {
		l.Physical.Region.Snippet = &sarifText{Text: f.Source}
	}
	return l
}
