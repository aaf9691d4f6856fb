package main

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit"
	"github.com/isthmus-ffi/isthmus/docs/checks"
)

type explainCmd struct {
	ID string `arg:"" optional:"" help:"A rule, such as cstring-leak or pjrt/use-after-destroy. Without one, all are listed."`
}

// Run prints the page of a rule, or the list of the rules.
func (c *explainCmd) Run(s *streams) error {
	if c.ID != "" {
		text, ok := checks.Page(c.ID)
		if !ok {
			text, ok = audit.Explain(c.ID)
		}
		if !ok {
			return fail(exitUsage, fmt.Errorf("explain: there is no rule %.60q; isthmus explain lists them: %w", c.ID, isthmus.ErrNotFound))
		}
		fmt.Fprint(s.out, text)
		return nil
	}
	for _, id := range checks.IDs() {
		text, _ := checks.Page(id)
		title, _, _ := strings.Cut(text, "\n")
		fmt.Fprintf(s.out, "%-28s %s\n", id, strings.TrimPrefix(title, "# "+id+": "))
	}
	return nil
}
