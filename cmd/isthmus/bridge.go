package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	goformat "go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
	"github.com/isthmus-ffi/isthmus/internal/atomicfile"
)

// bridgeCmd is about libraries that hosts in other languages call.
type bridgeCmd struct {
	Gen    bridgeGenCmd    `cmd:"" help:"Write what hosts need: types, codecs and methods in C, Haskell, Python and Rust; and codecs in Go for the library."`
	Check  bridgeCheckCmd  `cmd:"" help:"Fail when hosts that were made from a lock file no longer fit."`
	Schema bridgeSchemaCmd `cmd:"" help:"Print what crosses a bridge."`
}

// bridgeSource is where a schema comes from.
type bridgeSource struct {
	From string `arg:"" help:"The library's main package, whose main calls bridge.Main, or a file with a schema."`
}

// file says whether it is a file with a schema.
func (b bridgeSource) file() bool {
	info, err := os.Stat(b.From)
	return err == nil && info.Mode().IsRegular() && filepath.Ext(b.From) != ".go"
}

// schema runs the package with the argument schema, or reads the file.
func (b bridgeSource) schema(ctx context.Context) (*schema.Schema, error) {
	if b.file() {
		text, err := os.ReadFile(b.From)
		if err != nil {
			return nil, err
		}
		return schema.Parse(string(text))
	}
	out, err := goSays(ctx, "run", b.From, "schema")
	if err != nil {
		return nil, err
	}
	return schema.Parse(string(out))
}

// commented is the schema with the comments of the package, where it comes from one.
func (b bridgeSource) commented(ctx context.Context) (*schema.Schema, error) {
	s, err := b.schema(ctx)
	if err != nil || b.file() {
		return s, err
	}
	// The package before those that it imports, for what two of them have.
	list, err := goSays(ctx, "list", "-deps", "-f", "{{if not .Standard}}{{.Dir}}{{end}}", b.From)
	if err != nil {
		return nil, err
	}
	dirs := strings.Split(strings.TrimSpace(string(list)), "\n")
	slices.Reverse(dirs)
	return s, gen.Comments(s, dirs...)
}

// goSays gives what the go command prints.
func goSays(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(problems.String()))
	}
	return out.Bytes(), nil
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
	Lang []string `help:"Which languages: c, haskell, python, rust (default: these); go: the library's own codecs, for bridge.Codecs, in the package whose folder is --out." placeholder:"LANGUAGE"`
	Lock string   `help:"A lock file: a change that breaks its hosts is refused, and then it is written." type:"path" placeholder:"FILE"`
}

func (bridgeGenCmd) Help() string {
	return `What is written has the comments of the package's Go types, fields and methods: those above bridge.Call, or of the handler.

It builds on files of the module github.com/isthmus-ffi/isthmus, in the folder that

    go list -m -f '{{.Dir}}' github.com/isthmus-ffi/isthmus

prints: include/isthmus_bridge.h for C, and what is in bridge/hosts for Haskell, Python and Rust. A host in each language is in examples/bridge/hosts.`
}

func (c *bridgeGenCmd) Run(ctx context.Context, s *streams) error {
	if slices.Contains(c.Lang, "go") {
		path, err := c.codec(ctx)
		if err == nil {
			_, err = fmt.Fprintln(s.out, path)
		}
		c.Lang = slices.DeleteFunc(c.Lang, func(l string) bool { return l == "go" })
		if err != nil || len(c.Lang) == 0 {
			return fail(exitProgram, err)
		}
	}
	sch, err := c.commented(ctx)
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

// codec writes the codecs in Go. The file that is there may not compile any more, or not be there while the package needs it:
// the library's program is built with one in its place that has no codecs.
func (c *bridgeGenCmd) codec(ctx context.Context) (string, error) {
	path, err := filepath.Abs(filepath.Join(c.Out, "zwire.go"))
	if err != nil {
		return "", err
	}
	out, err := goSays(ctx, "list", "-e", "-f", "{{.Name}}", filepath.Dir(path))
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	stub, overlay := filepath.Join(dir, "stub.go"), filepath.Join(dir, "overlay.json")
	text := "package " + strings.TrimSpace(string(out)) + "\n\nimport \"github.com/isthmus-ffi/isthmus/bridge/schema\"\n\nfunc wireCodecs() []schema.Generated { return nil }\n"
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: stub}})
	if err != nil {
		return "", err
	}
	if err := errors.Join(os.WriteFile(stub, []byte(text), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return "", err
	}
	source, err := goSays(ctx, "run", "-overlay="+overlay, c.From, "codec")
	if err != nil {
		return "", err
	}
	formatted, err := goformat.Source(source)
	if err != nil {
		return "", err
	}
	return path, atomicfile.WriteBytes(path, 0o666, formatted)
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
