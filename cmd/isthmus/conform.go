package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
	"github.com/isthmus-ffi/isthmus/internal/plugins"
	"github.com/isthmus-ffi/isthmus/pjrt/pjrttest"
)

type conformCmd struct {
	Plugin  string            `arg:"" optional:"" help:"Path of a PJRT plugin, the name of an installed one, or embedded."`
	Match   string            `placeholder:"REGEXP" help:"Make only the checks whose ids match."`
	Option  map[string]string `short:"o" placeholder:"NAME=VALUE" help:"An option of the plugin's clients; numbers and true or false are told from text. May be repeated."`
	Timeout time.Duration     `default:"60s" help:"How long one check may take."`
	JSON    string            `name:"json" type:"path" placeholder:"FILE" help:"Write the report as JSON."`
	HTML    string            `name:"html" type:"path" placeholder:"FILE" help:"Write the report as a web page."`
	Verbose bool              `short:"v" help:"Tell every check, not only those that failed."`
	List    bool              `help:"List the checks and what each demands."`
	Diff    []string          `type:"existingfile" sep:"none" placeholder:"FILE" help:"Compare two JSON reports: --diff a.json --diff b.json."`

	Child bool `hidden:"" help:"Make checks for another process."`
}

func (c *conformCmd) Run(ctx context.Context, s *streams) error {
	switch {
	case c.Child:
		return fail(exitOther, pjrttest.Serve(os.Stdin, s.out))
	case c.List:
		for _, i := range pjrttest.Checks() {
			fmt.Fprintf(s.out, "%-48s %s\n", i.ID, i.About)
		}
		return nil
	case len(c.Diff) > 0 || c.Plugin == "":
		return c.diff(s)
	}
	match, err := regexp.Compile(c.Match)
	if err == nil && !slices.ContainsFunc(pjrttest.Checks(), func(i pjrttest.Info) bool { return match.MatchString(i.ID) }) {
		err = errors.New("no check has such an id; isthmus conform --list lists them")
	}
	if err != nil {
		return fail(exitUsage, fmt.Errorf("conform: --match %q: %w", c.Match, err))
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fail(exitOther, fmt.Errorf("conform: this program's own path: %w", err))
	}
	options := map[string]any{}
	for k, v := range c.Option {
		options[k] = typed(v)
	}
	r, err := pjrttest.Run(ctx, pjrttest.Options{
		Plugin: path, ClientOptions: options, Match: c.Match, Timeout: c.Timeout,
		Child: func() *exec.Cmd { return exec.Command(self, "conform", "--child") },
		Progress: func(o pjrttest.Outcome) {
			if s.terminal {
				fmt.Fprintf(s.err, "\r\x1b[K%s", o.ID)
			}
		},
	})
	if s.terminal {
		fmt.Fprint(s.err, "\r\x1b[K")
	}
	if err != nil {
		return fail(exitDevice, err)
	}
	if err := r.WriteText(s.out, c.Verbose); err != nil {
		return err
	}
	for path, write := range map[string]func(io.Writer) error{c.JSON: r.WriteJSON, c.HTML: r.WriteHTML} {
		if path == "" {
			continue
		}
		if err := atomicfile.Write(path, 0o644, write); err != nil {
			return fail(exitOther, fmt.Errorf("conform: write the report: %w", err))
		}
	}
	if n := r.Count(pjrttest.Fail); n > 0 {
		return fail(exitOther, fmt.Errorf("conform: %d checks failed", n))
	}
	return nil
}

func (c *conformCmd) path() (string, error) {
	if c.Plugin == "embedded" {
		return c.Plugin, nil
	}
	if _, err := os.Stat(c.Plugin); err == nil {
		return c.Plugin, nil
	}
	store, err := plugins.Default()
	if err != nil {
		return "", fail(exitDevice, err)
	}
	found, err := store.Find(c.Plugin)
	if err != nil {
		return "", fail(exitDevice, fmt.Errorf("conform: %q is neither a file nor an installed plugin: %w", c.Plugin, err))
	}
	return found.Path, nil
}

func (c *conformCmd) diff(s *streams) error {
	if len(c.Diff) != 2 {
		return fail(exitUsage, fmt.Errorf("conform: give a plugin, or two reports: --diff a.json --diff b.json"))
	}
	var r [2]*pjrttest.Report
	for i, path := range c.Diff {
		f, err := os.Open(path)
		if err != nil {
			return fail(exitInput, fmt.Errorf("conform: %w", err))
		}
		r[i], err = pjrttest.ReadReport(f)
		f.Close()
		if err != nil {
			return fail(exitInput, fmt.Errorf("conform: %s: %w", path, err))
		}
	}
	return pjrttest.WriteDiff(s.out, r[0], r[1])
}

// typed makes of an option's text what it looks like: true or false, a whole number, a list of them, a number, text.
func typed(s string) any {
	if b, err := strconv.ParseBool(s); err == nil && (s == "true" || s == "false") {
		return b
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	var list []int64
	if json.Unmarshal([]byte(s), &list) == nil && list != nil {
		return list
	}
	if f, err := strconv.ParseFloat(s, 32); err == nil {
		return float32(f)
	}
	return s
}
