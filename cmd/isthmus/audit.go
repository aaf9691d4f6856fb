package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus/audit"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// The exit codes of audit are those of vet and its like.
const (
	exitFindings = 1
	exitBlind    = 2
)

type auditGroup struct {
	Check  auditCmd     `cmd:"" default:"withargs" help:"Look at packages; what isthmus audit alone does."`
	Layout layoutCmd    `cmd:"" help:"Compare Go structs and constants with the C that they are written after."`
	Diff   auditDiffCmd `cmd:"" help:"Say which findings are new, fixed and moved between two reports, folders or revisions."`
	Import importCmd    `cmd:"" help:"Make one report of the reports of several tools: SARIF 2.1.0, messages of cargo clippy, reports of isthmus audit."`
	Census censusCmd    `cmd:"" help:"Count what the modules that packages need use of cgo, unsafe, purego, linkname and assembly."`
}

// Help shows how it is used.
func (auditGroup) Help() string {
	return `Examples:

    isthmus audit ./...
    isthmus audit --format html -o audit.html --trend audit.jsonl
    isthmus audit --with-runtime run.jsonl
    isthmus audit layout --target linux/amd64,windows/arm64 ./...
    isthmus audit layout --header shape.h --type "struct shape"
    isthmus audit diff main HEAD
    isthmus audit import go.json clippy.json --format md
    isthmus audit census --rules

isthmus audit check --help lists what isthmus audit itself takes. Exit codes: 0 clean, 1 findings, 2 nothing could be looked at.`
}

// auditScope are the options that say what is looked at.
type auditScope struct {
	Packages []string `arg:"" optional:"" help:"Packages, as the go command takes them. The default is ./..."`
	GOOS     string   `name:"goos" placeholder:"OS" help:"Audit for this operating system."`
	GOARCH   string   `name:"goarch" placeholder:"ARCH" help:"Audit for this architecture."`
	Tags     []string `help:"Build tags."`
	NoCgo    bool     `name:"no-cgo" help:"Do not run cgo: take the types of C from the C text beside the Go code."`
	NoCache  bool     `name:"no-cache" help:"Do not keep what cgo makes."`
}

func (c *auditScope) options() audit.Options {
	o := audit.Options{Patterns: c.Packages, GOOS: c.GOOS, GOARCH: c.GOARCH, Tags: c.Tags, NoCgo: c.NoCgo}
	if c.NoCache {
		o.Cache = "off"
	}
	return o
}

type auditCmd struct {
	auditScope
	auditOutput
	Enable      []string `placeholder:"RULE" help:"Only these rules."`
	Disable     []string `placeholder:"RULE" help:"Not these rules."`
	Policy      string   `placeholder:"FILE" help:"The policy file. The default is isthmus-audit.json of the module."`
	Baseline    string   `placeholder:"FILE" help:"Do not report again what this file holds."`
	Update      bool     `help:"Write the baseline, with all that is found."`
	Fix         bool     `help:"Make the changes that are offered."`
	Sites       bool     `help:"List the uses of unsafe with the arguments for them instead."`
	Tests       bool     `help:"Also imports and directives of test files."`
	Import      []string `placeholder:"FILE" help:"Add what other tools found: SARIF 2.1.0, messages of cargo clippy."`
	WithRuntime []string `name:"with-runtime" placeholder:"FILE" help:"Add what a run observed: a file that ISTHMUS_REPORT, isthmus.JSONReporter or ISTHMUS_LAYER_REPORT wrote."`
	Label       string   `placeholder:"NAME" help:"What to call this run in the history, such as a revision."`
}

// auditOutput are the options of what is written.
type auditOutput struct {
	Format string `enum:"text,json,sarif,md,html" default:"text" help:"text, json, sarif, md or html."`
	Output string `short:"o" placeholder:"FILE" help:"Write the report to this file."`
	Trend  string `placeholder:"FILE" help:"Add what was counted to this history, which the HTML report draws."`
}

// Run audits packages. It exits with 1 where there are findings, 2 where nothing could be looked at.
func (c *auditCmd) Run(ctx context.Context, s *streams) error {
	o := c.options()
	o.Tests, o.Enable, o.Disable, o.PolicyFile, o.Baseline = c.Tests, c.Enable, c.Disable, c.Policy, c.Baseline
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
		return deliver(s, c.Output, list)
	}
	if _, err := os.Stat(o.Baseline); o.Baseline != "" && errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(s.err, "isthmus: audit: there is no baseline %s yet; --update writes it\n", printable(o.Baseline))
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
		fmt.Fprintf(s.err, "written to %s, findings: %d\n", c.Baseline, len(r.Findings))
		return nil
	}
	if c.Fix {
		n, err := r.Fix(func(name string, content []byte) error { return atomicfile.WriteBytes(name, 0o666, content) })
		if err != nil {
			return fail(exitOther, err)
		}
		fmt.Fprintf(s.err, "changes made: %d; audit again\n", n)
	}
	for _, name := range c.Import {
		if err := importFile(s, r, name); err != nil {
			return fail(exitBlind, err)
		}
	}
	for _, name := range c.WithRuntime {
		err := reading(name, func(f io.Reader) error {
			marked, added, err := r.Observe(name, f)
			if err == nil {
				fmt.Fprintf(s.err, "%s: %d findings were observed, %d more were added\n", name, marked, added)
			}
			return err
		})
		if err != nil {
			return fail(exitBlind, err)
		}
	}
	return c.write(s, r, c.Label)
}

// write delivers a report, and says by the exit code whether there are findings.
func (c *auditOutput) write(s *streams, r *audit.Report, label string) error {
	if c.Trend != "" {
		b, err := os.ReadFile(c.Trend)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(exitOther, err)
		}
		points, err := audit.ReadTrend(b)
		if err != nil {
			return fail(exitOther, fmt.Errorf("%s: %w", c.Trend, err))
		}
		points = append(points, r.Point(time.Now(), label))
		if err := atomicfile.WriteBytes(c.Trend, 0o666, audit.WriteTrend(points)); err != nil {
			return fail(exitOther, err)
		}
		r.SetTrend(points)
	}
	write := r.WriteText
	switch c.Format {
	case "json":
		write = r.WriteJSON
	case "sarif":
		write = r.WriteSARIF
	case "md":
		write = func(w io.Writer) error { return r.WriteMarkdown(w, title()) }
	case "html":
		write = func(w io.Writer) error { return r.WriteHTML(w, title()) }
	}
	if err := deliverAs(s, c.Output, c.Format, write); err != nil {
		return err
	}
	return found(r.Failed())
}

func found(failed bool) error {
	if !failed {
		return nil
	}
	return fail(exitFindings, errors.New("audit: there are findings; isthmus explain RULE says what a rule is about"))
}

// deliverAs delivers what write writes in that format; text for people is made harmless to a terminal.
func deliverAs(s *streams, file, format string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return fail(exitOther, err)
	}
	text := b.String()
	if format == "text" {
		text = printable(text)
	}
	return deliver(s, file, text)
}

func deliver(s *streams, file, text string) error {
	if file == "" {
		_, err := io.WriteString(s.out, text)
		return err
	}
	return fail(exitOther, atomicfile.WriteBytes(file, 0o666, []byte(text)))
}

func reading(name string, use func(io.Reader) error) error {
	if name == "-" {
		return use(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	return use(f)
}

func importFile(s *streams, r *audit.Report, name string) error {
	return reading(name, func(f io.Reader) error {
		n, err := r.Import(name, f)
		if err == nil {
			fmt.Fprintf(s.err, "%s, findings: %d\n", name, n)
		}
		return err
	})
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
