package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// Point is what a run counted, for a trend over many.
type Point struct {
	When     time.Time `json:"when"`
	Label    string    `json:"label,omitempty"` // such as a revision
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Policy   int       `json:"policy"`
	Notes    int       `json:"notes"`
	Ignored  int       `json:"ignored"`
	Known    int       `json:"known"`
	Unsafe   int       `json:"unsafe"`
	C        int       `json:"c"`
}

// Point is what the report counts.
func (r *Report) Point(when time.Time, label string) Point {
	p := Point{When: when.UTC().Truncate(time.Second), Label: label}
	if r == nil {
		return p
	}
	n := r.Count()
	p.Errors, p.Warnings, p.Policy, p.Notes, p.Ignored, p.Known = n[Error], n[Warning], n[Policy], n[Note], len(r.Ignored), r.Known
	for _, k := range r.Packages {
		p.Unsafe += k.Census.Unsafe
		p.C += k.Census.C
	}
	return p
}

// ReadTrend reads a history: one JSON object to a line.
func ReadTrend(b []byte) ([]Point, error) {
	var out []Point
	n := 0
	for line := range bytes.Lines(b) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var p Point
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, fmt.Errorf("audit: trend: line %d: %w: %w", n, err, isthmus.ErrInvalid)
		}
		out = append(out, p)
	}
	return out, nil
}

// WriteTrend is the text of a history.
func WriteTrend(points []Point) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	for _, p := range points {
		if err := e.Encode(p); err != nil {
			return nil // numbers and a string
		}
	}
	return b.Bytes()
}

// SetTrend makes [Report.WriteHTML] draw a history, oldest first.
func (r *Report) SetTrend(points []Point) {
	if r != nil {
		r.trend = points
	}
}

const width, height = 240, 40

// line is one of the lines of a trend.
type line struct {
	Name        string
	First, Last int
	Path        template.HTMLAttr // of an SVG; numbers only
	From, To    string
}

// trends draws what changed over the history.
func (r *Report) trends() []line {
	if len(r.trend) < 2 {
		return nil
	}
	var out []line
	for _, of := range []struct {
		name string
		n    func(Point) int
	}{
		{"errors", func(p Point) int { return p.Errors }},
		{"warnings", func(p Point) int { return p.Warnings }},
		{"policy", func(p Point) int { return p.Policy }},
		{"notes", func(p Point) int { return p.Notes }},
		{"ignored and known", func(p Point) int { return p.Ignored + p.Known }},
		{"uses of unsafe", func(p Point) int { return p.Unsafe }},
		{"uses of C", func(p Point) int { return p.C }},
	} {
		most := 1
		for _, p := range r.trend {
			most = max(most, of.n(p))
		}
		var b strings.Builder
		for i, p := range r.trend {
			fmt.Fprintf(&b, "%s%d,%d", map[bool]string{true: "", false: " "}[i == 0], i*width/(len(r.trend)-1), height-of.n(p)*height/most)
		}
		first, last := r.trend[0], r.trend[len(r.trend)-1]
		label := func(p Point) string { return strings.TrimSpace(p.When.Format("2006-01-02") + " " + p.Label) }
		out = append(out, line{of.name, of.n(first), of.n(last), template.HTMLAttr(`points="` + b.String() + `"`), label(first), label(last)})
	}
	return out
}
