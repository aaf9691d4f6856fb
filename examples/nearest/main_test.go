package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	for question, want := range map[string]string{"Lichtenstain": "Liechtenstein", "Kazachstan": "Kazakhstan", "Philipines": "Philippines"} {
		var out bytes.Buffer
		if err := run(t.Context(), &out, []string{question}, true); err != nil {
			t.Fatal(err)
		}
		_, answers, _ := strings.Cut(out.String(), "\n")
		if f := strings.Fields(answers); len(f) < 3 || f[0] != question || f[2] != want {
			t.Errorf("%q is answered by %q, want %q", question, answers, want)
		}
	}
}
