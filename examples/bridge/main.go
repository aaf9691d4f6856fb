// Command bridge builds the library words, and runs a host of it in each language that this machine has a compiler for: C,
// Python, Rust and Haskell.
//
//	go run ./examples/bridge
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "words")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, args := range [][]string{
		{"go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "libwords.so"), "./examples/bridge/words"},
		{"go", "run", "./cmd/isthmus", "bridge", "gen", "./examples/bridge/words", "--out", dir},
	} {
		if err := command(dir, false, args...); err != nil {
			return err
		}
	}
	hosts := "examples/bridge/hosts/"
	link := []string{"-L" + dir, "-lwords"}
	crate := func(name, from string, args ...string) []string {
		return append([]string{"rustc", "--edition=2021", "--crate-name=" + name, "-L" + dir, "--out-dir=" + dir, from}, args...)
	}
	for _, steps := range [][][]string{
		{append([]string{"gcc", "-O2", "-Iinclude", "-I" + dir, "-o", dir + "/host", hosts + "host.c", "-Wl,-rpath," + dir}, link...), {dir + "/host"}},
		{{"python3", hosts + "host.py", dir + "/libwords.so"}},
		{crate("isthmus_bridge", "bridge/hosts/rust/src/lib.rs", "--crate-type=rlib"), crate("words_bridge", dir+"/words_bridge.rs", "--crate-type=rlib", "--extern=isthmus_bridge"), crate("hostrs", hosts+"host.rs", "--extern=isthmus_bridge", "--extern=words_bridge"), {dir + "/hostrs", dir + "/libwords.so"}},
		{append([]string{"ghc", "-v0", "-threaded", "-outputdir", dir, "-i" + dir + ":bridge/hosts/haskell/src", "-o", dir + "/hs", hosts + "Host.hs", "-optl-Wl,-rpath," + dir}, link...), {dir + "/hs"}},
	} {
		if _, err := exec.LookPath(steps[0][0]); err != nil {
			fmt.Println("left out:", err)
			continue
		}
		for i, args := range steps {
			if err := command(dir, i == len(steps)-1, args...); err != nil {
				return err
			}
		}
	}
	return nil
}

// command runs a command; what a host prints is shown, and what a compiler prints when it fails.
func command(dir string, show bool, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+dir+":bridge/hosts/python")
	if show {
		cmd.Stdout = os.Stdout
		return cmd.Run() // the library reports the panic with its stack on standard error
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", args[0], err), errors.New(string(out)))
	}
	return nil
}
