package stablehlo_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/stablehlo"
)

// FuzzParse feeds damaged programs: none may panic, take long, or verify and then fail to print and read back.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.mlir", "../testdata/corpus/*.mlir", "../testdata/corpus/*.mlir.bc"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			src, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(src) < 16<<10 {
				f.Add(src)
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		start := time.Now()
		m, err := stablehlo.Parse(src, stablehlo.Options{TestOps: true})
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("took %v", d)
		}
		if err != nil {
			return
		}
		text := m.String()
		again, err := stablehlo.Parse([]byte(text), stablehlo.Options{TestOps: true})
		if err != nil {
			t.Fatalf("printed text: %v\n%s", err, text)
		}
		if !stablehlo.Equal(m, again) {
			t.Fatalf("the printed program is another:\n%s\n%s", text, again)
		}
	})
}
