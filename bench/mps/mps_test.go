package main

import (
	"strings"
	"testing"
)

// BenchmarkMPS runs every case on every peer that is there, for benchstat.
func BenchmarkMPS(b *testing.B) {
	s, err := newSetup(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	for _, c := range s.cases {
		for _, p := range c.peers {
			b.Run("case="+strings.ReplaceAll(c.name, " ", "_")+"/by="+strings.ReplaceAll(p.name, " ", "_"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.once(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
