//go:build linux

// Command audit measures what the auditor costs beside go vet, staticcheck and gosec, on public modules with much C. Each tool gets
// a copy of the module, without its tests, in a folder that is new, so that its first run finds neither compiled C nor what cgo
// made; the standard library and other dependencies are compiled before. What counts is the time of processors, of the tool and
// all that it starts, and the memory of the largest of these processes.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// modules are what is looked at: a module, and the package in it.
var modules = []struct{ path, version, pkg string }{
	{"github.com/mattn/go-sqlite3", "v1.14.53", "."},
	{"github.com/confluentinc/confluent-kafka-go/v2", "v2.13.0", "./kafka"},
	{"github.com/miekg/pkcs11", "v1.1.2", "."},
}

// cost is what a tool took of a module.
type cost struct {
	dir   string
	args  []string
	cold  time.Duration
	again []time.Duration
	most  int64 // bytes
}

const gosec = "github.com/securego/gosec/v2/cmd/gosec@v2.22.10"

func main() {
	rounds := flag.Int("rounds", 3, "how often each tool runs again")
	only := flag.String("tools", "isthmus,vet,staticcheck,gosec", "the tools")
	part := flag.String("module", "", "only modules with this in their path")
	flag.Parse()
	if err := run(*rounds, strings.Split(*only, ","), *part); err != nil {
		log.Fatal(err)
	}
}

func run(rounds int, tools []string, part string) error {
	tmp, err := os.MkdirTemp("", "isthmus-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	bin := filepath.Join(tmp, "bin")
	for _, c := range [][]string{
		{"isthmus", "go", "build", "-o", filepath.Join(bin, "isthmus"), "github.com/isthmus-ffi/isthmus/cmd/isthmus"},
		{"staticcheck", "go", "build", "-modfile=tools/go.mod", "-o", filepath.Join(bin, "staticcheck"), "honnef.co/go/tools/cmd/staticcheck"},
		{"gosec", "go", "install", gosec},
	} {
		if !slices.Contains(tools, c[0]) {
			continue
		}
		cmd := exec.Command(c[1], c[2:]...)
		cmd.Env = append(os.Environ(), "GOBIN="+bin)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", c[0], err, out)
		}
	}
	fmt.Println("| module | tool | cold, s of processors | again | MB |\n|---|---|--:|--:|--:|")
	for _, m := range modules {
		if !strings.Contains(m.path, part) {
			continue
		}
		out, err := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version).Output()
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		var got struct{ Dir string }
		if err := json.Unmarshal(out, &got); err != nil {
			return err
		}
		all := make([]cost, len(tools))
		for i, tool := range tools {
			c := &all[i]
			c.dir = filepath.Join(tmp, tool, filepath.Base(m.path))
			if err := copyTo(c.dir, got.Dir, m.pkg); err != nil {
				return err
			}
			c.args = map[string][]string{
				"isthmus":     {filepath.Join(bin, "isthmus"), "audit", m.pkg},
				"vet":         {"go", "vet", m.pkg},
				"staticcheck": {filepath.Join(bin, "staticcheck"), m.pkg},
				"gosec":       {filepath.Join(bin, "gosec"), "-quiet", m.pkg},
			}[tool]
			if c.args == nil {
				return fmt.Errorf("there is no tool %s", tool)
			}
			if c.cold, c.most, err = measure(c.dir, c.args); err != nil {
				return err
			}
		}
		for round := range rounds { // in turn, so that other work on the machine meets all of them
			for i, tool := range tools {
				took, mem, err := measure(all[i].dir, all[i].args)
				if err != nil {
					return err
				}
				all[i].again = append(all[i].again, took)
				if round == 0 || tool != "isthmus" {
					all[i].most = max(all[i].most, mem)
				}
			}
		}
		for i, c := range all {
			slices.Sort(c.again)
			fmt.Printf("| %s %s | %s | %.1f | %.2f | %d |\n", m.path, m.version, tools[i], c.cold.Seconds(), c.again[len(c.again)/2].Seconds(), c.most>>20)
		}
	}
	return nil
}

// measure runs a tool, which may find something, and says what it took.
func measure(dir string, args []string) (cpu time.Duration, memory int64, err error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PWD="+dir)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() > 1) {
		return 0, 0, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	p := cmd.ProcessState
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		memory = u.Maxrss << 10 // Linux counts in KiB
	}
	return p.UserTime() + p.SystemTime(), memory, nil
}

// copyTo copies a package, without its tests, and the files of its module.
func copyTo(dir, from, pkg string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		top, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		inside := pkg == "." || top == strings.TrimPrefix(pkg, "./")
		switch {
		case d.IsDir() && rel != "." && !inside:
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, rel), 0o777)
		case strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), b, 0o666)
	})
}
