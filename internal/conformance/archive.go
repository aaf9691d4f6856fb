package conformance

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"testing"
)

// Archive finds the archive of the project's test programs: the file that ISTHMUS_TESTDATA names, or the one in
// shared/data beside the checkout. The test is skipped where there is neither.
func Archive(t testing.TB) string {
	t.Helper()
	if file := os.Getenv("ISTHMUS_TESTDATA"); file != "" {
		return file
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		file := filepath.Join(dir, "shared", "data", "stablehlo-testdata.tar.gz")
		if _, err := os.Stat(file); err == nil {
			return file
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skip("no test programs: set ISTHMUS_TESTDATA to stablehlo-testdata.tar.gz")
		}
		dir = parent
	}
}

// EachFile calls f with the path and content of each file of the archive.
func EachFile(archive string, f func(name string, data []byte) error) error {
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("conformance: %s: %w", archive, err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("conformance: %s: %w", archive, err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("conformance: %s: %w", h.Name, err)
		}
		if err := f(path.Clean(h.Name), data); err != nil {
			return err
		}
	}
}
