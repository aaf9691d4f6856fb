//go:build linux && cgo && (amd64 || arm64)

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus/bridge/gen"
	"github.com/isthmus-ffi/isthmus/bridge/schema"
)

// program is a host that was built.
type program struct {
	name string
	args []string
}

// build makes the library, the peers and the hosts in dir, and says what it left out.
func build(ctx context.Context, dir string, fast bool) (programs []program, left []string, err error) {
	in := func(name string) string { return filepath.Join(dir, name) }
	leave := func(what, how string, err error) {
		left = append(left, fmt.Sprintf("%s (to get it: %s): %v", what, how, err))
		fmt.Fprintln(os.Stderr, "bench/bridge: left out:", left[len(left)-1])
	}
	if _, err := output(ctx, ".", "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", in("libbench.so"), "./lib"); err != nil {
		return nil, nil, err
	}
	text, err := output(ctx, ".", "go", "run", "./lib", "schema")
	if err != nil {
		return nil, nil, err
	}
	s, err := schema.Parse(text + "\n")
	if err != nil {
		return nil, nil, err
	}
	for _, language := range []string{"c", "haskell"} {
		f, err := gen.Generate(language, s)
		if err == nil {
			err = os.WriteFile(in(f.Name), []byte(f.Text), 0o600)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	if _, err := output(ctx, ".", "gcc", "-O2", "-shared", "-fPIC", "-o", in("libbare.so"), "testdata/bare.c"); err != nil {
		return nil, nil, err
	}
	link, defines := []string{"-L" + dir, "-lbench", "-lbare"}, []string(nil)
	if _, err := output(ctx, ".", "rustc", "--edition=2021", "-O", "--crate-type=cdylib", "--crate-name=rs", "-o", in("librs.so"), "testdata/rust/seed.rs"); err != nil {
		leave("Rust, std's channels", "apt-get install rustc", err)
	} else {
		link, defines = append(link, "-lrs"), append(defines, "-DHAVE_RUST")
	}
	if err := flume(ctx, in("libfl.so")); err != nil {
		leave("Rust, flume's channels", "https://rustup.rs", err)
	} else {
		link, defines = append(link, "-lfl"), append(defines, "-DHAVE_FLUME")
	}
	args := append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wno-unused-function", "-I../../include", "-I" + dir, "-o", in("hostc"), "testdata/host.c"}, defines...)
	if _, err := output(ctx, ".", "gcc", append(append(args, link...), "-Wl,-rpath,"+dir, "-lpthread")...); err != nil {
		return nil, nil, err
	}
	if len(defines) == 0 {
		leave("the host in Haskell", "as the peers in Rust", fmt.Errorf("it has nothing to compare with"))
		return []program{{"C", []string{in("hostc")}}}, left, nil
	}
	optimise := "-O1"
	if fast {
		optimise = "-O0"
	}
	args = append([]string{"-v0", optimise, "-threaded", "-rtsopts", "-fPIC", "-outputdir", in("o"), "-i" + dir + ":../../bridge/hosts/haskell/src", "-o", in("hosths"), "testdata/Host.hs"}, defines...)
	if _, err := output(ctx, ".", "ghc", append(append(args, link...), "-optl-Wl,-rpath,"+dir)...); err != nil {
		leave("the host in Haskell", "apt-get install ghc libghc-async-dev", err)
	} else {
		// Not the parallel collector: its threads wait for each other, which on a busy machine is all that one would measure.
		programs = append(programs, program{"Haskell", []string{in("hosths"), "+RTS", "-N2", "-qg"}})
	}
	return append(programs, program{"C", []string{in("hostc")}}), left, nil
}

// flume builds the crate. What cargo built is kept, where the user's caches are.
func flume(ctx context.Context, to string) error {
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	target := filepath.Join(cache, "isthmus", "bench-bridge")
	args := []string{"build", "-q", "--release", "--locked", "--target-dir", target}
	if os.Getenv("ISTHMUS_OFFLINE") != "" {
		args = append(args, "--offline")
	}
	if _, err := output(ctx, "testdata/rust", "cargo", args...); err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(target, "release", "libseed.so"))
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// output runs a command; what it says when it fails is in the error.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1") // of go build
	var bad strings.Builder
	cmd.Stderr = &bad
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(bad.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
