//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"os/exec"
	"strings"
	"testing"
)

// BenchmarkBridge runs each side of each row once, with a few of its operations: whether it works, not how fast.
func BenchmarkBridge(b *testing.B) {
	if _, err := exec.LookPath("gcc"); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		var out strings.Builder
		if err := run(b.Context(), &out, "", 1, "", 100, true); err != nil {
			b.Fatal(err)
		}
		b.Log(out.String())
	}
}
