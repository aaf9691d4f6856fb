// Command bridge builds libraries in Go, and runs hosts of them in each language that this machine has a compiler for.
//
//	go run ./examples/bridge            # all but hint
//	go run ./examples/bridge words      # counts words: hosts in C, Python, Rust and Haskell
//	go run ./examples/bridge tensors    # a host in Haskell reads digits on the embedded device
//	go run ./examples/bridge hint       # a host in Haskell that loads hint/Script.hs, again when it changes, until interrupted
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

func main() {
	names := os.Args[1:]
	if len(names) == 0 {
		names = []string{"words", "tensors"}
	}
	for _, name := range names {
		if err := run(name, os.Stdout, "examples/bridge/hint/Script.hs"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

const hosts = "examples/bridge/hosts/"

// run builds a library and runs its hosts. The working folder is the module's. args is what the host of hint gets.
func run(name string, w io.Writer, args ...string) error {
	if !slices.Contains([]string{"words", "tensors", "hint"}, name) {
		return fmt.Errorf("there is no example %q; there are words, tensors and hint", name)
	}
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	lib := name
	if name == "hint" {
		lib = "words"
	}
	for _, step := range [][]string{
		{"go", "build", "-buildmode=c-shared", "-o", filepath.Join(dir, "lib"+lib+".so"), "./examples/bridge/" + lib},
		{"go", "run", "./cmd/isthmus", "bridge", "gen", "./examples/bridge/" + lib, "--out", dir},
	} {
		if err := command(dir, nil, step...); err != nil {
			return err
		}
	}
	link := []string{"-L" + dir, "-l" + lib}
	crate := func(name, from string, args ...string) []string {
		return append([]string{"rustc", "--edition=2021", "--crate-name=" + name, "-L" + dir, "--out-dir=" + dir, from}, args...)
	}
	haskell := func(main string, flags ...string) []string {
		return slices.Concat([]string{"ghc", "-v0", "-threaded", "-outputdir", dir, "-i" + dir, "-o", dir + "/hs", main, "-optl-Wl,-rpath," + dir}, link, flags)
	}
	const src = "-ibridge/hosts/haskell/src"
	var all [][][]string // for each host its steps, of which the last runs it
	switch name {
	case "words":
		all = [][][]string{
			{append([]string{"gcc", "-O2", "-Iinclude", "-I" + dir, "-o", dir + "/host", hosts + "host.c", "-Wl,-rpath," + dir}, link...), {dir + "/host"}},
			{{"python3", hosts + "host.py", dir + "/libwords.so"}},
			{crate("isthmus_bridge", "bridge/hosts/rust/src/lib.rs", "--crate-type=rlib"), crate("words_bridge", dir+"/words_bridge.rs", "--crate-type=rlib", "--extern=isthmus_bridge"), crate("hostrs", hosts+"host.rs", "--extern=isthmus_bridge", "--extern=words_bridge"), {dir + "/hostrs", dir + "/libwords.so"}},
			{haskell(hosts+"Host.hs", src), {dir + "/hs"}},
		}
	case "tensors":
		all = [][][]string{{haskell(hosts+"Digits.hs", src), {dir + "/hs", "examples/digits"}}}
	case "hint": // the interpreter takes the package out of a data base of GHC's
		setup, db := "runghc Setup.hs %s -v0 --builddir="+dir+"/dist", dir+"/dist/package.conf.inplace"
		all = [][][]string{{
			{"runghc", "--version"},
			{"sh", "-c", "cd bridge/hosts/haskell && " + fmt.Sprintf(setup, "configure") + " --enable-shared -fhint && " + fmt.Sprintf(setup, "build")},
			haskell(hosts+"Hint.hs", "-dynamic", "-package-db", db),
			append([]string{dir + "/hs", db, dir}, args...),
		}}
	}
	for _, steps := range all {
		if _, err := exec.LookPath(steps[0][0]); err != nil {
			fmt.Fprintln(w, "left out:", err)
			continue
		}
		for i, step := range steps {
			out := w
			if i < len(steps)-1 {
				out = nil
			}
			if err := command(dir, out, step...); err != nil {
				return err
			}
		}
	}
	return nil
}

// command runs a command; what a host prints is shown, and what a compiler prints when it fails.
func command(dir string, w io.Writer, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH="+dir+":bridge/hosts/python")
	if w != nil {
		cmd.Stdout = w
		return cmd.Run() // the library reports the panic with its stack on standard error
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", args[0], err), errors.New(string(out)))
	}
	return nil
}
