package confine_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/isthmus-ffi/isthmus/audit/rules/confine"
)

func TestConfine(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), confine.Analyzer, "safe", "internal/raw/deep")
}
