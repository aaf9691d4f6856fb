package pjrttest

import (
	"regexp"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// AddProgram is the program that adds two vectors.
const AddProgram = addProgram

// RunTable makes the checks that match on a table of this process, whose events may take as long as patient.
func RunTable(t *pjrtc.Table, match string, patient time.Duration) []Outcome {
	p := &plugin{table: t, patient: patient, executable: map[string]loaded{}}
	p.chain, p.broken = t.Chain()
	defer p.close()
	var out []Outcome
	for _, c := range checks() {
		if regexp.MustCompile(match).MatchString(c.id) {
			out = append(out, p.make(c))
		}
	}
	return out
}
