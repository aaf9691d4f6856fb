// Command hosts counts the words of files in four languages over one runtime. Each host is a program of its own, in C,
// Rust, Python or Go, that reads files, passes texts through a channel and counts in actors and dictionaries, all of them the
// runtime's; the first three load libisthmus.so, which this command builds.
//
//	go run ./examples/hosts c
//	go run ./examples/hosts rust FILE...
//	go run ./examples/hosts python
//	go run ./examples/hosts go
//	go run ./examples/hosts all
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

var hosts = []string{"c", "rust", "python", "go"}

func main() {
	if len(os.Args) < 2 || os.Args[1] != "all" && !slices.Contains(hosts, os.Args[1]) {
		fmt.Fprintln(os.Stderr, "usage: go run ./examples/hosts {c|rust|python|go|all} [FILE...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "hosts:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, which string, files []string) error {
	where, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/isthmus-ffi/isthmus").Output()
	if err != nil {
		return fmt.Errorf("where the sources are: %w", err)
	}
	root := strings.TrimSpace(string(where))
	if len(files) == 0 {
		files = []string{filepath.Join(root, "LICENSE"), filepath.Join(root, "README.md")}
	}
	dir, err := os.MkdirTemp("", "isthmus-hosts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, host := range hosts {
		if which != host && which != "all" {
			continue
		}
		if which == "all" {
			fmt.Printf("%s:\n", host)
		}
		if err := start(ctx, os.Stdout, host, root, dir, files); err != nil {
			return fmt.Errorf("%s: %w", host, err)
		}
	}
	return nil
}

// start builds what a host needs, and runs it.
func start(ctx context.Context, out io.Writer, host, root, dir string, files []string) error {
	if host == "go" {
		return words(ctx, out, files)
	}
	do := func(cmd *exec.Cmd) error {
		cmd.Stdout, cmd.Stderr = out, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(cmd.Path), err)
		}
		return nil
	}
	library := filepath.Join(dir, "libisthmus.so")
	if _, err := os.Stat(library); err != nil {
		build := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", library, "./cmd/libisthmus")
		build.Dir = root
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
		if err := do(build); err != nil {
			return err
		}
	}
	here, program := filepath.Join(root, "examples", "hosts"), filepath.Join(dir, "words-"+host)
	var err error
	switch host {
	case "c":
		err = do(exec.CommandContext(ctx, "gcc", "-std=c11", "-O2", "-Wall", "-I"+filepath.Join(root, "include"), "-o", program, filepath.Join(here, "c", "words.c"),
			"-L"+dir, "-listhmus", "-Wl,-rpath,"+dir))
	case "rust":
		err = do(exec.CommandContext(ctx, "rustc", "--edition=2021", "-O", "-L", dir, "-C", "link-arg=-Wl,-rpath,"+dir, "-o", program, filepath.Join(here, "rust", "words.rs")))
	case "python":
		return do(exec.CommandContext(ctx, "python3", append([]string{filepath.Join(here, "python", "words.py"), library}, files...)...))
	}
	if err != nil {
		return err
	}
	return do(exec.CommandContext(ctx, program, files...))
}
