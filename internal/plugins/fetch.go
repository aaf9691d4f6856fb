package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// fetched is what a tool brought: the package file, or the library out of a package that the tool has checked.
type fetched struct{ wheel, library string }

// tool is a program of this machine that can bring a package.
type tool struct {
	command []string
	// unpacks says that the tool installs into a folder, and keeps no package file. (uv wants to find a Python, too.)
	unpacks bool
}

// tools are tried in this order. They are given no index, mirror or proxy: the machine's own settings hold.
var tools = []tool{
	{command: []string{"python3", "-m", "pip"}},
	{command: []string{"pip3"}},
	{command: []string{"pip"}},
	{command: []string{"python", "-m", "pip"}},
	{command: []string{"uv", "pip"}, unpacks: true},
}

func (t tool) args(p Pin, requirement, dir string) []string {
	args := append([]string(nil), t.command...)
	if t.unpacks {
		args = append(args, "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", dir, "-r", requirement)
		if p.Python != "" {
			libc, _ := strings.CutSuffix(p.Platform, "_x86_64")
			args = append(args, "--python-version", p.Python, "--python-platform", "x86_64-"+libc)
		}
		return args
	}
	args = append(args, "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input",
		"--disable-pip-version-check", "-d", dir, "-r", requirement)
	if p.Python != "" {
		args = append(args, "--python-version", p.Python, "--implementation", "cp", "--abi", p.ABI, "--platform", p.Platform)
	}
	return args
}

// fetch has the first tool that can do it bring the pinned package into dir.
func fetch(ctx context.Context, p Pin, dir string, progress func(string)) (fetched, error) {
	requirement := filepath.Join(dir, "requirement.txt")
	if err := os.WriteFile(requirement, []byte(p.Requirement()), 0o666); err != nil {
		return fetched{}, fmt.Errorf("plugins: %w", err)
	}
	var tried []string
	for i, t := range tools {
		program, err := exec.LookPath(t.command[0])
		if err != nil {
			continue
		}
		into := filepath.Join(dir, fmt.Sprint("from", i))
		if err := os.Mkdir(into, 0o777); err != nil {
			return fetched{}, fmt.Errorf("plugins: %w", err)
		}
		name := strings.Join(t.command, " ")
		progress(fmt.Sprintf("fetching %s %s, a library of %d MB, with %s", p.Package, p.Version, p.Size/1e6, name))
		said, err := run(ctx, program, t.args(p, requirement, into)[1:])
		if ctx.Err() != nil {
			return fetched{}, fmt.Errorf("plugins: fetch %s: %w", p.Package, ctx.Err())
		}
		if err != nil {
			tried = append(tried, fmt.Sprintf("%s: %v: %s", name, err, said))
			continue
		}
		if t.unpacks {
			return fetched{library: filepath.Join(into, filepath.FromSlash(p.Member))}, nil
		}
		wheels, err := filepath.Glob(filepath.Join(into, "*.whl"))
		if err != nil || len(wheels) != 1 {
			tried = append(tried, fmt.Sprintf("%s: brought %d package files", name, len(wheels)))
			continue
		}
		return fetched{wheel: wheels[0]}, nil
	}
	if len(tried) == 0 {
		return fetched{}, fmt.Errorf("plugins: neither pip nor uv is on the PATH; install one of them, or get the file of %s %s on another machine and give it with --wheel: %w", p.Package, p.Version, ErrInstaller)
	}
	return fetched{}, fmt.Errorf("plugins: %s %s could not be fetched; check the connection and the settings of pip or uv, or give the package file with --wheel: %w\n  %s", p.Package, p.Version, ErrInstaller, strings.Join(tried, "\n  "))
}

// run runs a tool and returns the end of what it said.
func run(ctx context.Context, program string, args []string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	// A child of the tool may hold the pipe open after the tool was killed.
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("exit status %d", exit.ExitCode())
	}
	return out.String(), err
}

// tail keeps the last bytes written to it.
type tail struct{ b []byte }

const tailBytes = 2048

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailBytes {
		t.b = append(t.b[:0], t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

// String returns the last few lines.
func (t *tail) String() string {
	b := bytes.TrimSpace(t.b)
	if len(b) > tailBytes {
		b = b[len(b)-tailBytes:]
	}
	lines := strings.Split(strings.ToValidUTF8(string(b), "?"), "\n")
	const most = 6
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return strings.Join(lines, "\n    ")
}
