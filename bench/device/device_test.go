package main

import "testing"

// BenchmarkDevice runs every case on every peer that is there, for benchstat.
func BenchmarkDevice(b *testing.B) {
	list, err := peers(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		for _, p := range list {
			if err := p.close(); err != nil {
				b.Error(err)
			}
		}
	}()
	all, err := cases()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range all {
		for _, p := range list {
			b.Run("case="+c.name+"/device="+p.name(), func(b *testing.B) {
				t, err := p.prepare(b.Context(), c)
				if err != nil {
					b.Fatal(err)
				}
				if t == nil {
					b.Skip("it has no program for this case")
				}
				defer t.close()
				b.ReportAllocs()
				b.SetBytes(c.bytes)
				for b.Loop() {
					if _, err := t.times(1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
