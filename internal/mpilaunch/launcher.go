// Package mpilaunch finds the launcher that belongs to an MPI library, and runs jobs that leave nothing behind.
//
// A program that another family's launcher has started sees itself alone: each rank is 0 of 1. So the launcher is chosen
// by the library, from the places where it is installed with it, and asked what it is.
package mpilaunch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/isthmus-ffi/isthmus"
)

// The families, as package mpi names them.
const (
	OpenMPI = "Open MPI"
	MPICH   = "MPICH"
)

// Launcher starts MPI programs.
type Launcher struct {
	Path    string
	Family  string
	Version string // its own first line
	Major   int    // of Open MPI, whose options have changed; 0 where it is not known
}

// names are what launchers are called, the surest first.
var names = map[string][]string{
	OpenMPI: {"mpiexec.openmpi", "mpirun.openmpi", "mpiexec", "mpirun"},
	MPICH:   {"mpiexec.mpich", "mpiexec.hydra", "mpiexec", "mpirun"},
}

// Find finds the launcher of a library: beside the library's file, then in the path. looked says what was looked at, and
// what it was.
//
// Errors: [isthmus.ErrNotFound] with all of that.
func Find(ctx context.Context, family, library string) (l Launcher, looked []string, err error) {
	var places []string
	if filepath.IsAbs(library) {
		// lib/libmpi.so, lib/x86_64-linux-gnu/libmpi.so, lib/x86_64-linux-gnu/openmpi/lib/libmpi.so
		for dir, n := filepath.Dir(library), 0; n < 5 && dir != filepath.Dir(dir); n++ {
			dir = filepath.Dir(dir)
			places = append(places, filepath.Join(dir, "bin"))
		}
	}
	places = append(places, filepath.SplitList(os.Getenv("PATH"))...)
	seen := map[string]bool{}
	for _, dir := range places {
		for _, name := range names[family] {
			path := filepath.Join(dir, name)
			if s, err := os.Stat(path); seen[path] || err != nil || s.IsDir() || s.Mode()&0o111 == 0 {
				continue
			}
			seen[path] = true
			got, err := Identify(ctx, path)
			switch {
			case ctx.Err() != nil:
				return Launcher{}, looked, ctx.Err()
			case err != nil:
				looked = append(looked, fmt.Sprintf("%s: %v", path, err))
			case got.Family != family:
				looked = append(looked, fmt.Sprintf("%s is of %s", path, got.Family))
			default:
				return got, append(looked, path+" is of "+family), nil
			}
		}
	}
	what := "none of " + strings.Join(names[family], ", ") + " was found beside it or in PATH"
	if len(looked) > 0 {
		what = strings.Join(looked, "; ")
	}
	return Launcher{}, looked, fmt.Errorf("no launcher of %s for %s: %w: %s", family, library, isthmus.ErrNotFound, what)
}

// Identify asks a launcher what it is.
func Identify(ctx context.Context, path string) (Launcher, error) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Launcher{}, fmt.Errorf("does not say what it is: %w", err)
	}
	text := string(out)
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	l := Launcher{Path: path, Version: first}
	switch {
	case strings.Contains(text, "OpenRTE"), strings.Contains(text, "Open MPI"), strings.Contains(text, "PRTE"):
		l.Family = OpenMPI
		for f := range strings.FieldsSeq(first) {
			if major, _, ok := strings.Cut(f, "."); ok {
				if n, err := strconv.Atoi(major); err == nil {
					l.Major = n
				}
			}
		}
	case strings.Contains(text, "HYDRA"), strings.Contains(text, "Intel(R) MPI"), strings.Contains(text, "MPICH"):
		l.Family = MPICH
		for line := range strings.Lines(text) {
			if v, ok := strings.CutPrefix(strings.TrimSpace(line), "Version:"); ok {
				l.Version = "hydra " + strings.TrimSpace(v)
			}
		}
	default:
		return Launcher{}, fmt.Errorf("is a launcher of no MPI that is known here, it calls itself %q: %w", first, isthmus.ErrVersion)
	}
	return l, nil
}

// Command starts program with n ranks: more than there are processors, if need be, on any of them (a rank that is bound
// to one processor would give Go one), and also for root. env, such as "NAME=value", reaches every rank, on other machines
// too. extra are arguments of the launcher's own.
func (l Launcher) Command(n int, env, extra []string, program ...string) *exec.Cmd {
	args := []string{"-n", strconv.Itoa(n)}
	if l.Family == OpenMPI {
		args = append(args, "--oversubscribe", "--bind-to", "none")
		for _, e := range env {
			name, _, _ := strings.Cut(e, "=")
			args = append(args, "-x", name)
		}
	}
	args = append(append(args, extra...), program...)
	cmd := exec.Command(l.Path, args...)
	cmd.Env = append(os.Environ(), env...)
	if l.Family == OpenMPI {
		cmd.Env = append(cmd.Env, openMPIEnv()...)
	}
	return cmd
}

// openMPIEnv is what Open MPI asks of who is root or has few processors, and what keeps it from writing past the end of a
// receive. What the user has set comes first.
func openMPIEnv() []string {
	var out []string
	for _, e := range []struct {
		root bool
		text string
	}{
		{true, "OMPI_ALLOW_RUN_AS_ROOT=1"},
		{true, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		{true, "PRTE_ALLOW_RUN_AS_ROOT=1"},
		{true, "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1"},
		{false, "OMPI_MCA_rmaps_base_oversubscribe=1"},
		{false, "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe"},
		{false, "OMPI_MCA_btl_base_warn_component_unused=0"},
		// A receiver that copies from the sender's memory writes all of it, however short the receive is (docs/found.md).
		// Open MPI 4 has such a switch too, and then no windows of a program's own memory.
		{false, "OMPI_MCA_smsc=^cma"},
	} {
		name, _, _ := strings.Cut(e.text, "=")
		_, set := os.LookupEnv(name)
		if !set && (!e.root || os.Geteuid() == 0) {
			out = append(out, e.text)
		}
	}
	return slices.Clip(out)
}
