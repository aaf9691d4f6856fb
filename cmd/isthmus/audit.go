package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// The exit codes of audit are those of vet and its like.
const (
	exitFindings = 1
	exitBlind    = 2
)

type auditCmd struct {
	Packages []string `arg:"" optional:"" help:"Packages, as the go command takes them. The default is ./..."`
	Format   string   `enum:"text,json,sarif,md,html" default:"text" help:"text, json, sarif, md or html."`
	Output   string   `short:"o" help:"Write the report to this file."`
	Enable   []string `help:"Only these rules."`
	Disable  []string `help:"Not these rules."`
	Policy   string   `help:"The policy file. The default is isthmus-audit.json of the module."`
	Baseline string   `help:"Do not report again what this file holds."`
	Update   bool     `help:"Write the baseline, with all that is found."`
	Fix      bool     `help:"Make the changes that are offered."`
	Sites    bool     `help:"List the uses of unsafe with the arguments for them instead."`
	Tests    bool     `help:"Also imports and directives of test files."`
	NoCgo    bool     `name:"no-cgo" help:"Do not run cgo: take the types of C from the C text beside the Go code."`
	GOOS     string   `name:"goos" help:"Audit for this operating system."`
	GOARCH   string   `name:"goarch" help:"Audit for this architecture."`
	Tags     []string `help:"Build tags."`
	NoCache  bool     `name:"no-cache" help:"Do not keep what cgo makes."`
}

// Run audits packages. It exits with 1 where there are findings, 2 where nothing could be looked at.
func (c *auditCmd) Run(ctx context.Context, s *streams) error {
	o := audit.Options{
		Patterns: c.Packages, GOOS: c.GOOS, GOARCH: c.GOARCH, Tags: c.Tags, Tests: c.Tests, NoCgo: c.NoCgo, Enable: c.Enable,
		Disable: c.Disable, PolicyFile: c.Policy, Baseline: c.Baseline,
	}
	if c.NoCache {
		o.Cache = "off"
	}
	if c.Update {
		if c.Baseline == "" {
			return fail(exitUsage, errors.New("audit: --update needs --baseline FILE"))
		}
		o.Baseline = ""
	}
	if c.Sites {
		list, err := audit.Sites(ctx, o)
		if err != nil {
			return fail(exitBlind, err)
		}
		return c.deliver(s, list)
	}
	r, err := audit.Run(ctx, o)
	if err != nil {
		if ctx.Err() != nil {
			return context.Canceled
		}
		return fail(exitBlind, err)
	}
	if c.Update {
		if err := atomicfile.WriteBytes(c.Baseline, 0o666, r.Baseline()); err != nil {
			return fail(exitOther, err)
		}
		fmt.Fprintf(s.err, "%d findings written to %s\n", len(r.Findings), c.Baseline)
		return nil
	}
	if c.Fix {
		n, err := r.Fix(func(name string, content []byte) error { return atomicfile.WriteBytes(name, 0o666, content) })
		if err != nil {
			return fail(exitOther, err)
		}
		fmt.Fprintf(s.err, "%d changes made; audit again\n", n)
	}
	var b bytes.Buffer
	switch c.Format {
	case "json":
		err = r.WriteJSON(&b)
	case "sarif":
		err = r.WriteSARIF(&b)
	case "md":
		err = r.WriteMarkdown(&b, title())
	case "html":
		err = r.WriteHTML(&b, title())
	default:
		err = r.WriteText(&b)
	}
	if err != nil {
		return fail(exitOther, err)
	}
	text := b.String()
	if c.Format == "text" {
		text = printable(text)
	}
	if err := c.deliver(s, text); err != nil {
		return err
	}
	if r.Failed() {
		return fail(exitFindings, fmt.Errorf("audit: there are findings; isthmus explain RULE says what a rule is about: %w", isthmus.ErrInvalid))
	}
	return nil
}

func (c *auditCmd) deliver(s *streams, text string) error {
	if c.Output == "" {
		_, err := io.WriteString(s.out, text)
		return err
	}
	return fail(exitOther, atomicfile.WriteBytes(c.Output, 0o666, []byte(text)))
}

// title names what is audited: the module, or the folder.
func title() string {
	if b, err := os.ReadFile("go.mod"); err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 2 && slices.Contains(f, "module") {
				return f[1]
			}
		}
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return "this folder"
	}
	return filepath.Base(dir)
}
