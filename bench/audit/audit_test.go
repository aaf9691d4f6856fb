//go:build linux

package main

import (
	"testing"

	"github.com/isthmus-ffi/isthmus/audit"
)

// BenchmarkExamples audits the examples of all rules, without cgo: nothing but reading and the rules.
func BenchmarkExamples(b *testing.B) {
	for b.Loop() {
		r, err := audit.Run(b.Context(), audit.Options{
			Dir: "../../audit/rules", NoCgo: true, Cache: "off",
			Patterns: []string{"./cstringleak/testdata/src/cstringleak", "./missingkeepalive/testdata/src/missingkeepalive", "./uintptrkept/testdata/src/uintptrkept"},
		})
		if err != nil || len(r.Findings) == 0 {
			b.Fatal(err)
		}
	}
}
