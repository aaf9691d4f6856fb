// Package checks holds a page for each rule of the auditor and of the validation layers: what it says, why, how to keep
// it, and how it is seen broken. `isthmus explain ID` prints them.
package checks

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed audit/*.md mpi/*.md pjrt/*.md rt/*.md
var pages embed.FS

// Page is the page of a rule such as pjrt/use-after-destroy, in Markdown. ok is false for a rule that there is not.
func Page(id string) (text string, ok bool) {
	b, err := pages.ReadFile(id + ".md")
	return string(b), err == nil
}

// IDs lists the rules in alphabetic order.
func IDs() []string {
	names, err := fs.Glob(pages, "*/*.md")
	if err != nil {
		return nil // the pattern is right
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, ".md")
	}
	return names
}
