package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// bridgeCmd is about libraries that hosts in other languages call.
type bridgeCmd struct {
	Gen    bridgeGenCmd    `cmd:"" help:"Write what hosts need: types, codecs and methods in C, Haskell, Python and Rust."`
	Check  bridgeCheckCmd  `cmd:"" help:"Fail when hosts that were made from a lock file no longer fit."`
	Schema bridgeSchemaCmd `cmd:"" help:"Print what crosses a bridge."`
}

// bridgeSource is where a schema comes from.
type bridgeSource struct {
	From string `arg:"" help:"The library's main package, whose main calls bridge.Main, or a file with a schema."`
}

// schema runs the package with the argument schema, or reads the file.
func (b bridgeSource) schema(ctx context.Context) (*schema.Schema, error) {
	if info, err := os.Stat(b.From); err == nil && info.Mode().IsRegular() && filepath.Ext(b.From) != ".go" {
		text, err := os.ReadFile(b.From)
		if err != nil {
			return nil, err
		}
		return schema.Parse(string(text))
	}
	cmd := exec.CommandContext(ctx, "go", "run", b.From, "schema")
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go run %s schema: %w\n%s", b.From, err, strings.TrimSpace(problems.String()))
	}
	return schema.Parse(out.String())
}

type bridgeSchemaCmd struct{ bridgeSource }

func (c *bridgeSchemaCmd) Run(ctx context.Context, s *streams) error {
	sch, err := c.schema(ctx)
	if err != nil {
		return fail(exitProgram, err)
	}
	_, err = fmt.Fprint(s.out, sch.Text())
	return err
}

type bridgeGenCmd struct {
	bridgeSource
	Out  string   `help:"The folder to write to." default:"." type:"path"`
	Lang []string `help:"Which languages: c, haskell, python, rust (default: all)." placeholder:"LANGUAGE"`
	Lock string   `help:"A lock file: a change that breaks its hosts is refused, and then it is written." type:"path" placeholder:"FILE"`
}

func (c *bridgeGenCmd) Run(ctx context.Context, s *streams) error {
	sch, err := c.schema(ctx)
	if err != nil {
		return fail(exitProgram, err)
	}
	if c.Lock != "" {
		if err := follows(sch, c.Lock); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(exitProgram, err)
		}
	}
	langs := c.Lang
	if len(langs) == 0 {
		langs = gen.Languages()
	}
	if err := os.MkdirAll(c.Out, 0o777); err != nil {
		return err
	}
	write := func(path, text string) error {
		if err := atomicfile.WriteBytes(path, 0o666, []byte(text)); err != nil {
			return err
		}
		_, err := fmt.Fprintln(s.out, path)
		return err
	}
	for _, l := range langs {
		f, err := gen.Generate(l, sch)
		if err != nil {
			return fail(exitUsage, err)
		}
		if err := write(filepath.Join(c.Out, f.Name), f.Text); err != nil {
			return err
		}
	}
	if c.Lock != "" {
		return write(c.Lock, sch.Text())
	}
	return nil
}

type bridgeCheckCmd struct {
	bridgeSource
	Lock string `required:"" help:"The lock file that isthmus bridge gen has written." type:"path" placeholder:"FILE"`
}

func (c *bridgeCheckCmd) Run(ctx context.Context, _ *streams) error {
	sch, err := c.schema(ctx)
	if err == nil {
		err = follows(sch, c.Lock)
	}
	return fail(exitProgram, err)
}

// follows says whether hosts made from the lock file are served by a library with this schema.
func follows(s *schema.Schema, lock string) error {
	text, err := os.ReadFile(lock)
	if err != nil {
		return err
	}
	old, err := schema.Parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", lock, err)
	}
	if err := s.Follows(old); err != nil {
		return fmt.Errorf("%s: hosts made from it would break: %w; undo it, or count up Options.Version", lock, err)
	}
	return nil
}
