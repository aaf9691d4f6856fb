package audit

import (
	"encoding/json"
	"io"
	"strings"
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
	inv := sarifInvocation{Successful: true}
	if r != nil {
		for _, id := range r.Rules {
			rule(id)
		}
		for _, f := range r.Findings {
			run.Results = append(run.Results, result(f, rule(f.Rule)))
		}
		for _, f := range r.Ignored {
			res := result(f, rule(f.Rule))
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

func result(f Finding, index int) sarifResult {
	level := map[Severity]string{Error: "error", Warning: "warning", Policy: "warning", Note: "note"}[f.Severity]
	res := sarifResult{
		RuleID: f.Rule, RuleIndex: index, Level: level, Message: sarifText{Text: f.Message},
		Locations: []sarifLocation{location(f.Place, f.Source)}, Fingerprints: map[string]string{"isthmus/v1": f.Fingerprint},
	}
	if len(f.Observed) > 0 {
		res.Message.Text += "; observed: " + strings.Join(f.Observed, "; ")
	}
	if len(f.Path) > 0 {
		var steps []sarifStep
		for _, p := range f.Path {
			l := location(p, "")
			l.Message = &sarifText{Text: p.Text}
			steps = append(steps, sarifStep{l})
		}
		res.CodeFlows = []sarifFlow{{[]sarifThreadFlow{{steps}}}}
	}
	for _, fix := range f.Fixes {
		out := sarifFix{Description: sarifText{Text: fix.Message}}
		for _, e := range fix.Edits {
			length := e.End - e.Start
			out.Changes = append(out.Changes, sarifChange{sarifArtifact{e.File}, []sarifReplacement{{
				Deleted: sarifRegion{ByteOffset: &e.Start, ByteLength: &length}, Inserted: sarifText{Text: e.New},
			}}})
		}
		res.Fixes = append(res.Fixes, out)
	}
	return res
}

func location(p Place, source string) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{p.File}, Region: sarifRegion{StartLine: max(p.Line, 1), StartColumn: max(p.Column, 1)}}}
	if source != "" {
		l.Physical.Region.Snippet = &sarifText{Text: source}
	}
	return l
}
