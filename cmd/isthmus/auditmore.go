package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/audit"
)

type layoutCmd struct {
	Packages []string `arg:"" optional:"" help:"Packages, as the go command takes them. The default is ./..."`
	Target   []string `placeholder:"OS/ARCH" help:"The platforms to compare for, such as linux/amd64,windows/arm64. The default is this one."`
	Tags     []string `help:"Build tags."`
	Header   string   `placeholder:"FILE" help:"Say how C lays out the types of this header instead."`
	Type     string   `placeholder:"NAME" help:"With --header: only this one, such as 'struct shape' or the name of a typedef."`
	Include  []string `short:"I" placeholder:"DIR" help:"With --header: where included files lie."`
	Format   string   `enum:"text,json" default:"text" help:"text or json."`
	Output   string   `short:"o" placeholder:"FILE" help:"Write to this file."`
}

// Run compares mirrors with their C. It exits with 1 where one differs, 2 where nothing could be looked at.
func (c *layoutCmd) Run(ctx context.Context, s *streams) error {
	targets := c.Target
	if len(targets) == 0 {
		targets = []string{"/"}
	}
	all := &audit.Layouts{Mirrors: []audit.Mirror{}}
	text := ""
	for _, target := range targets {
		goos, goarch, ok := strings.Cut(target, "/")
		if !ok {
			return fail(exitUsage, fmt.Errorf("audit: layout: target %.40q is not OS/ARCH: %w", target, isthmus.ErrInvalid))
		}
		if c.Header != "" {
			one, err := audit.CLayout(c.Header, c.Type, goos, goarch, c.Include)
			if err != nil {
				return fail(exitBlind, err)
			}
			if len(c.Target) > 1 {
				one = "on " + target + "\n" + one
			}
			text += one
			continue
		}
		l, err := audit.Layout(ctx, audit.Options{Patterns: c.Packages, GOOS: goos, GOARCH: goarch, Tags: c.Tags})
		if err != nil {
			return fail(exitBlind, err)
		}
		all.Mirrors, all.Skipped = append(all.Mirrors, l.Mirrors...), append(all.Skipped, l.Skipped...)
	}
	if c.Header != "" {
		return deliver(s, c.Output, printable(text))
	}
	write := all.WriteText
	if c.Format == "json" {
		write = all.WriteJSON
	}
	if err := deliverAs(s, c.Output, c.Format, write); err != nil {
		return err
	}
	return found(all.Failed())
}

type auditDiffCmd struct {
	Old      string   `arg:"" help:"The report (JSON), folder or git revision before."`
	New      string   `arg:"" optional:"" help:"The one after. The default is this folder."`
	Packages []string `help:"Packages to look at in folders and revisions. The default is ./..."`
	NoCgo    bool     `name:"no-cgo" help:"Do not run cgo on them."`
	Format   string   `enum:"text,json,md" default:"text" help:"text, json or md."`
	Output   string   `short:"o" placeholder:"FILE" help:"Write to this file."`
}

// Run compares. It exits with 1 where there are new findings, 2 where one side could not be looked at.
func (c *auditDiffCmd) Run(ctx context.Context, s *streams) error {
	if c.New == "" {
		c.New = "."
	}
	var sides [2]*audit.Report
	for i, name := range []string{c.Old, c.New} {
		r, err := c.side(ctx, name)
		if err != nil {
			if ctx.Err() != nil {
				return context.Canceled
			}
			return fail(exitBlind, fmt.Errorf("audit: diff: %s: %w", name, err))
		}
		sides[i] = r
	}
	changes := audit.Diff(sides[0], sides[1])
	write := changes.WriteText
	switch c.Format {
	case "json":
		write = changes.WriteJSON
	case "md":
		write = changes.WriteMarkdown
	}
	if err := deliverAs(s, c.Output, c.Format, write); err != nil {
		return err
	}
	return found(changes.Failed())
}

// side reads a report, or audits a folder or revision.
func (c *auditDiffCmd) side(ctx context.Context, name string) (*audit.Report, error) {
	o := audit.Options{Dir: name, Patterns: c.Packages, NoCgo: c.NoCgo}
	switch info, err := os.Stat(name); {
	case err == nil && info.IsDir():
		return audit.Run(ctx, o)
	case err == nil:
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return audit.ReadReport(f)
	}
	tmp, err := os.MkdirTemp("", "isthmus-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if o.Dir, err = checkout(ctx, name, tmp); err != nil {
		return nil, err
	}
	return audit.Run(ctx, o)
}

// checkout writes a revision of the repository around this folder to dir, and returns where this folder is in it.
func checkout(ctx context.Context, revision, dir string) (string, error) {
	if strings.HasPrefix(revision, "-") {
		return "", fmt.Errorf("it is no report, folder or revision: %w", isthmus.ErrNotFound)
	}
	git := func(args ...string) ([]byte, error) {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
			return nil, fmt.Errorf("it is no report, no folder, and git says: %s: %w", said, isthmus.ErrNotFound)
		}
		return out, nil
	}
	prefix, err := git("rev-parse", "--show-prefix")
	if err != nil {
		return "", err
	}
	top, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	archive, err := git("-C", strings.TrimSpace(string(top)), "archive", "--format=tar", revision)
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	for t := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return filepath.Join(dir, filepath.FromSlash(strings.TrimSpace(string(prefix)))), nil
		}
		if err != nil {
			return "", err
		}
		name := filepath.FromSlash(strings.TrimSuffix(h.Name, "/"))
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o777)
		case tar.TypeReg:
			if err = root.MkdirAll(filepath.Dir(name), 0o777); err == nil {
				err = unpack(root, name, t)
			}
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, name)
		}
		if err != nil {
			return "", err
		}
	}
}

func unpack(root *os.Root, name string, from io.Reader) error {
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

type importCmd struct {
	Files []string `arg:"" help:"SARIF 2.1.0, what cargo clippy --message-format=json prints, or reports of isthmus audit --format json; - reads standard input."`
	auditOutput
}

// Run makes one report of several. It exits as audit does.
func (c *importCmd) Run(s *streams) error {
	r := &audit.Report{}
	for _, name := range c.Files {
		if err := importFile(s, r, name); err != nil {
			return fail(exitBlind, err)
		}
	}
	return c.write(s, r, "")
}

type censusCmd struct {
	auditScope
	Rules  bool   `help:"Also audit the packages that use any of it, with all rules but the house's own."`
	Format string `enum:"text,json,md" default:"text" help:"text, json or md."`
	Output string `short:"o" placeholder:"FILE" help:"Write to this file."`
}

// Run counts. Only what could not be looked at is a failure.
func (c *censusCmd) Run(ctx context.Context, s *streams) error {
	m, err := audit.TakeCensus(ctx, c.options(), c.Rules)
	if err != nil {
		if ctx.Err() != nil {
			return context.Canceled
		}
		return fail(exitBlind, err)
	}
	write := m.WriteText
	switch c.Format {
	case "json":
		write = m.WriteJSON
	case "md":
		write = m.WriteMarkdown
	}
	return deliverAs(s, c.Output, c.Format, write)
}
