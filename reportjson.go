package isthmus

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
)

// JSONReporter returns a function for [SetReporter] that writes each report to w as one JSON object to a line, with the places
// in the source: what `isthmus audit --with-runtime` reads. It may be called on any goroutine. What w cannot take is
// dropped. A finding of a validation layer has its id; other problems are named after the kind of their object and what
// happened, such as pjrt/leak.
func JSONReporter(w io.Writer) func(Report) {
	var mu sync.Mutex
	return func(r Report) {
		b, err := json.Marshal(r)
		if err != nil || w == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		w.Write(append(b, '\n')) //nolint:errcheck // nobody could be told
	}
}

type jsonFrame struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Function string `json:"function"`
}

type jsonReport struct {
	ID      string      `json:"id"`
	Problem string      `json:"problem,omitempty"`
	Call    string      `json:"call,omitempty"`
	Text    string      `json:"text"`
	Object  string      `json:"object,omitempty"`
	MadeBy  string      `json:"made_by,omitempty"`
	Site    []jsonFrame `json:"site,omitempty"`  // of the call, innermost first
	Made    []jsonFrame `json:"made,omitempty"`  // where the object was made
	Ended   []jsonFrame `json:"ended,omitempty"` // where it was destroyed or given away
}

func jsonFrames(s Site) []jsonFrame {
	var out []jsonFrame
	for _, f := range s.Frames() {
		out = append(out, jsonFrame{f.File, f.Line, f.Function})
	}
	return out
}

// MarshalJSON writes rule, call, text, object and places.
func (f *Finding) MarshalJSON() ([]byte, error) {
	if f == nil {
		return []byte("null"), nil
	}
	return json.Marshal(f.json())
}

func (f *Finding) json() jsonReport {
	out := jsonReport{
		ID: f.ID, Call: f.Call, Text: f.Text, MadeBy: f.MadeBy, Site: jsonFrames(f.Site), Made: jsonFrames(f.Object.Site), Ended: jsonFrames(f.Ended),
	}
	if f.Object.Kind != "" {
		out.Object = f.Object.String()
	}
	return out
}

// MarshalJSON writes what the report is about, as a [Finding] of it does.
func (r Report) MarshalJSON() ([]byte, error) {
	var f *Finding
	if errors.As(r.Err, &f) {
		out := f.json()
		out.Problem = r.Problem.String()
		return json.Marshal(out)
	}
	slugs := map[Problem]string{
		ProblemLeak: "leak", ProblemLostLoan: "lost-loan", ProblemDestroy: "destroy", ProblemPanic: "panic", ProblemStray: "stray-callback",
		ProblemMisuse: "misuse", ProblemLate: "late", ProblemException: "exception",
	}
	kind, _, _ := strings.Cut(r.Object.Kind, ".")
	out := jsonReport{ID: strings.ToLower(kind) + "/" + slugs[r.Problem], Problem: r.Problem.String(), Text: r.Problem.String(), Object: r.Object.String(), Made: jsonFrames(r.Object.Site)}
	if r.Err != nil {
		out.Text += ": " + r.Err.Error()
	}
	return json.Marshal(out)
}
