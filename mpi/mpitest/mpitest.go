// Package mpitest runs a test binary as several ranks, on every MPI library that is installed.
//
// A test binary that calls [Main] from TestMain is its own MPI program: a test calls [Run], which starts mpiexec with
// the same binary, and each rank runs the scenario that was registered under the name and says how it went.
package mpitest

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/mpilaunch"
	"github.com/isthmus-ffi/isthmus/mpi"
)

// Library is an installed MPI library with its launcher.
type Library struct {
	Name   string // openmpi, mpich, or "added-" and the name of a folder that ISTHMUS_MPI_PREFIXES lists
	Exec   string // its mpiexec
	Lib    string // its library
	Family string // openmpi or mpich
	Added  bool   // ISTHMUS_MPI_PREFIXES lists it
}

// ScenarioEnv names the scenario to a rank.
const ScenarioEnv = "ISTHMUS_MPI_SCENARIO"

// Scenario is what each rank runs. An error fails the test.
type Scenario func(ctx context.Context, w *mpi.World) error

// Main runs the scenario of a rank, or the tests. raw scenarios open MPI themselves.
func Main(m *testing.M, scenarios map[string]Scenario, raw map[string]func(ctx context.Context) error) {
	if playHost() {
		return
	}
	name := os.Getenv(ScenarioEnv)
	if name == "" {
		if err := atOnce(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(m.Run())
	}
	check, err := isthmus.ParseCheck(os.Getenv("ISTHMUS_CHECK"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	isthmus.SetCheck(check)
	ctx, stop := context.WithTimeout(context.Background(), 8*time.Minute)
	defer stop()
	err = run(ctx, name, scenarios, raw)
	if err != nil {
		fmt.Fprintf(os.Stderr, "scenario %s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// jobsAtOnce is how many jobs a test binary has at a time, if its command line does not say: most of a job's time is a
// launcher's waiting.
const jobsAtOnce = "4"

// atOnce sets how many of the tests that [Each] runs side by side are on their way.
func atOnce() error {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", jobsAtOnce)
}

func run(ctx context.Context, name string, scenarios map[string]Scenario, raw map[string]func(context.Context) error) (err error) {
	if f := raw[name]; f != nil {
		return f(ctx)
	}
	f := scenarios[name]
	if f == nil {
		return fmt.Errorf("no scenario is called %q", name)
	}
	w, err := mpi.Open(ctx, mpi.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		if err != nil {
			// The others wait for this rank: they must not wait for ever.
			fmt.Fprintf(os.Stderr, "scenario %s, rank %d: %v\n", name, w.Comm().Rank(), err)
			w.Abort(1)
		}
		err = errors.Join(err, w.Close(ctx))
	}()
	return f(ctx, w)
}

// Libraries finds the MPI libraries of this machine: those of the system, and those under the folders that
// ISTHMUS_MPI_PREFIXES lists, each with a bin/mpiexec and its libraries in lib. ISTHMUS_MPI_ONLY names the one that is wanted.
// A folder of the list that has no library and launcher is an error that names it; one of an empty name is none.
func Libraries() (out []Library, err error) {
	defer func() {
		if only := os.Getenv("ISTHMUS_MPI_ONLY"); only != "" {
			out = slices.DeleteFunc(out, func(l Library) bool { return l.Name != only })
		}
	}()
	for _, l := range []Library{
		{Name: "openmpi", Exec: "mpiexec.openmpi", Lib: "libmpi.so.40", Family: "openmpi"},
		{Name: "mpich", Exec: "mpiexec.mpich", Lib: "libmpich.so.12", Family: "mpich"},
	} {
		if path, err := exec.LookPath(l.Exec); err == nil {
			l.Exec = path
			out = append(out, l)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("ISTHMUS_MPI_PREFIXES")) {
		if dir == "" {
			continue
		}
		before := len(out)
		for _, l := range []struct{ lib, family, suffix string }{{"libmpi.so.40", "openmpi", ""}, {"libmpi.so.12", "mpich", ""}, {"libmpi_abi.so.1", "mpich", "-abi"}} {
			lib := filepath.Join(dir, "lib", l.lib)
			launcher := filepath.Join(dir, "bin", "mpiexec")
			if isFile(lib) && isFile(launcher) {
				out = append(out, Library{Name: "added-" + filepath.Base(dir) + l.suffix, Exec: launcher, Lib: lib, Family: l.family, Added: true})
			}
		}
		if len(out) == before {
			err = errors.Join(err, fmt.Errorf("mpitest: ISTHMUS_MPI_PREFIXES: no library in %s, or no launcher in %s: %w", filepath.Join(dir, "lib"), filepath.Join(dir, "bin"), isthmus.ErrNotFound))
		}
	}
	return out, err
}

func isFile(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Mode().IsRegular()
}

// Each runs f for each installed library, beside the rest of the test binary's jobs: t and its subtests become parallel
// tests. Without a library the test is skipped; in CI it fails.
func Each(t *testing.T, f func(t *testing.T, l Library)) {
	t.Helper()
	t.Parallel()
	EachInTurn(t, func(t *testing.T, l Library) {
		t.Parallel()
		f(t, l)
	})
}

// EachInTurn is [Each] for what several libraries cannot do at once, such as tests that set the environment.
func EachInTurn(t *testing.T, f func(t *testing.T, l Library)) {
	t.Helper()
	all, err := Libraries()
	if err != nil {
		t.Error(err)
	}
	if os.Getenv("CI") != "" {
		for _, want := range []string{"openmpi", "mpich"} {
			if only := os.Getenv("ISTHMUS_MPI_ONLY"); only != "" && only != want {
				continue
			}
			if !slices.ContainsFunc(all, func(l Library) bool { return l.Name == want }) {
				t.Errorf("no %s is installed", want)
			}
		}
	}
	if len(all) == 0 {
		t.Skip("no MPI library is installed")
	}
	for _, l := range all {
		t.Run(l.Name, func(t *testing.T) { f(t, l) })
	}
}

// EachOfSystem is Each without the libraries that ISTHMUS_MPI_PREFIXES adds, which have them where ISTHMUS_MPI_LONG is set:
// for many jobs that take their time, and ask little of the library that others do not ask.
func EachOfSystem(t *testing.T, f func(t *testing.T, l Library)) {
	t.Helper()
	long := os.Getenv("ISTHMUS_MPI_LONG") != ""
	Each(t, func(t *testing.T, l Library) {
		if l.Added && !long {
			t.Skip("left out, for time: ISTHMUS_MPI_LONG=1 does it")
		}
		f(t, l)
	})
}

// Run runs the scenario with n ranks on each installed library.
func Run(t *testing.T, n int, scenario string) {
	t.Helper()
	Each(t, func(t *testing.T, l Library) {
		t.Helper()
		if out, err := l.Start(t.Context(), n, scenario); err != nil {
			t.Errorf("%d ranks: %v\n%s", n, err, out)
		}
	})
}

// Start runs the scenario and returns what the ranks wrote. Nothing that it has started is left when it returns.
func (l Library) Start(ctx context.Context, n int, scenario string, env ...string) (string, error) {
	return l.StartWith(ctx, n, scenario, nil, env...)
}

// StartWith is Start with arguments of the launcher's own.
func (l Library) StartWith(ctx context.Context, n int, scenario string, args []string, env ...string) (string, error) {
	return l.Launch(ctx, n, args, append(env, ScenarioEnv+"="+scenario), os.Args[0])
}

// Launch runs a program and returns what its ranks wrote.
func (l Library) Launch(ctx context.Context, n int, args, env []string, program ...string) (string, error) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	// What a launcher that was killed leaves in its folder is in the way of the next with the same process number.
	scratch, err := os.MkdirTemp("", "mpi")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	cmd := l.launcher().Command(n, append(l.Env(), env...), args, program...)
	cmd.Env = append(cmd.Env, "TMPDIR="+scratch)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = mpilaunch.Run(ctx, cmd, 5*time.Second)
	return out.String(), err
}

func (l Library) launcher() mpilaunch.Launcher {
	family := mpilaunch.MPICH
	if l.Family == "openmpi" {
		family = mpilaunch.OpenMPI
	}
	return mpilaunch.Launcher{Path: l.Exec, Family: family}
}

// Env is what the ranks need.
func (l Library) Env() []string {
	return []string{"ISTHMUS_MPI=" + l.Lib, "UCX_WARN_UNUSED_ENV_VARS=n"}
}

// Times is how often a test of something random is done: once, or a hundred times where ISTHMUS_MPI_LONG is set.
func Times() int {
	if os.Getenv("ISTHMUS_MPI_LONG") != "" {
		return 100
	}
	return 1
}

// Quiet drops the chatter of launchers from what the ranks wrote.
func Quiet(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "[") && !strings.HasPrefix(line, "---") {
			b.WriteString(line)
		}
	}
	return b.String()
}
