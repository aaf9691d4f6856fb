package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// listed is what go list says of a package.
type listed struct {
	Dir, ImportPath, Name     string
	GoFiles, CgoFiles         []string
	TestGoFiles, XTestGoFiles []string
	Imports                   []string
	ImportMap                 map[string]string
	Standard, DepOnly         bool
	CgoCFLAGS, CgoCPPFLAGS    []string
	CgoPkgConfig              []string
	Export                    string
	Module                    *module
	SFiles, SysoFiles         []string
	CFiles, CXXFiles, MFiles  []string
	Error                     *struct{ Err string }
	IgnoredGoFiles            []string
}

// real is the package that p means by an import path.
func (p *listed) real(path string) string { return cmp.Or(p.ImportMap[path], path) }

type module struct {
	Path, Version, GoVersion string
	Main, Indirect           bool
	Replace                  *module
}

func (c *Config) environ(cgo string) []string {
	env := append(os.Environ(), "CGO_ENABLED="+cgo, "GOWORK="+os.Getenv("GOWORK"))
	if c.GOOS != "" {
		env = append(env, "GOOS="+c.GOOS)
	}
	if c.GOARCH != "" {
		env = append(env, "GOARCH="+c.GOARCH)
	}
	return append(env, "PWD="+c.Dir)
}

// list runs go list. Packages that it finds something wrong with are in the answer; an error is one of the command.
func (c *Config) list(ctx context.Context, cgo, fields string, flags, patterns []string) ([]*listed, error) {
	args := append([]string{"list", "-e", "-json=" + fields}, flags...)
	if len(c.Tags) > 0 {
		args = append(args, "-tags="+strings.Join(c.Tags, ","))
	}
	args = append(append(args, "--"), patterns...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = c.Dir
	cmd.Env = c.environ(cgo)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(out) == 0) {
		return nil, fmt.Errorf("go list: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	var all []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, p)
	}
}
