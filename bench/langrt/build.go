//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is one that the host is built with where the machine has it.
type peer struct {
	name, file, define string
	// flags are how to compile it and to link it.
	flags func(ctx context.Context, dir string) (compile, link []string, err error)
	get   string // how to get it
}

var peers = []peer{
	{"Rust, slotmap, crossbeam, tokio", "rust.c", "HAVE_RUST", rust, "https://rustup.rs; Debian 12 has one that is too old for tokio"},
	{"Lua 5.4", "lua.c", "HAVE_LUA", pkgConfig("lua5.4"), "apt-get install pkg-config liblua5.4-dev"},
	{"CPython", "python.c", "HAVE_PYTHON", python, "apt-get install python3-dev"},
	{"GLib", "glib.c", "HAVE_GLIB", pkgConfig("glib-2.0"), "apt-get install pkg-config libglib2.0-dev"},
}

// build makes the host in dir, and says which peers it is without.
func build(ctx context.Context, dir string) (program string, left []string, err error) {
	if _, err := output(ctx, "../..", "go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", filepath.Join(dir, "libisthmus.so"), "./cmd/libisthmus"); err != nil {
		return "", nil, err
	}
	objects := []string{}
	compile := func(object, file string, flags ...string) error {
		object = filepath.Join(dir, object)
		args := append([]string{"-c", "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-I../../include", "-o", object, filepath.Join("testdata/host", file)}, flags...)
		_, err := output(ctx, ".", "gcc", args...)
		if err == nil {
			objects = append(objects, object)
		}
		return err
	}
	var defines, link []string
	for _, p := range peers {
		c, l, err := p.flags(ctx, dir)
		if err == nil {
			err = compile(p.define, p.file, c...)
		}
		if err != nil {
			left = append(left, fmt.Sprintf("%s (to get it: %s): %v", p.name, p.get, err))
			fmt.Fprintln(os.Stderr, "bench/langrt: left out:", left[len(left)-1])
			continue
		}
		defines, link = append(defines, "-D"+p.define), append(link, l...)
	}
	for _, c := range []struct {
		object, file string
		flags        []string
	}{
		{"main", "main.c", defines},
		{"plain", "plain.c", nil},
		{"conc", "conc.c", nil},
		{"actors", "actors.c", nil},
		{"inline", "ours.c", nil},
		{"exported", "ours.c", []string{"-DRT_NO_INLINE"}},
	} {
		if err := compile(c.object, c.file, c.flags...); err != nil {
			return "", nil, err
		}
	}
	program = filepath.Join(dir, "host")
	args := append([]string{"-o", program}, objects...)
	args = append(args, "-L"+dir, "-listhmus", "-Wl,-rpath,"+dir, "-lpthread")
	_, err = output(ctx, ".", "gcc", append(args, link...)...)
	return program, left, err
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

func pkgConfig(name string) func(context.Context, string) ([]string, []string, error) {
	return func(ctx context.Context, _ string) ([]string, []string, error) {
		c, err := output(ctx, ".", "pkg-config", "--cflags", name)
		if err != nil {
			return nil, nil, err
		}
		l, err := output(ctx, ".", "pkg-config", "--libs", name)
		return strings.Fields(c), strings.Fields(l), err
	}
}

// python is the system's CPython: the one that Debian's python3-dev is for, wherever another is first in the path.
func python(ctx context.Context, _ string) ([]string, []string, error) {
	config := "/usr/bin/python3-config"
	if _, err := os.Stat(config); err != nil {
		config = "python3-config"
	}
	c, err := output(ctx, ".", config, "--includes")
	if err != nil {
		return nil, nil, err
	}
	l, err := output(ctx, ".", config, "--ldflags", "--embed")
	return strings.Fields(c), strings.Fields(l), err
}

// rust builds the crate. What cargo built is kept, where the user's caches are.
func rust(ctx context.Context, _ string) ([]string, []string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, nil, err
	}
	target := filepath.Join(cache, "isthmus", "bench-langrt")
	args := []string{"build", "-q", "--release", "--locked", "--target-dir", target}
	if os.Getenv("ISTHMUS_OFFLINE") != "" {
		args = append(args, "--offline")
	}
	if _, err := output(ctx, "testdata/rust", "cargo", args...); err != nil {
		return nil, nil, err
	}
	lib := filepath.Join(target, "release")
	return nil, []string{"-L" + lib, "-lpeers", "-Wl,-rpath," + lib}, nil
}
