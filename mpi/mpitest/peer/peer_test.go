// Package peer_test puts ranks of package mpi and ranks of mpi4py into one job: what one sends the other receives, and
// both call the collective operations, with their own reductions, windows and communicators.
package peer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/isthmus-ffi/isthmus/mpi"
	"github.com/isthmus-ffi/isthmus/mpi/mpitest"
)

func TestMain(m *testing.M) {
	mpitest.Main(m, nil, map[string]func(context.Context) error{
		"pairs":  func(ctx context.Context) error { return play(ctx, pairCases) },
		"groups": func(ctx context.Context) error { return play(ctx, groupCases) },
	})
}

// One rank of each, for what two exchange; two of each, for what groups do.
func TestPairs(t *testing.T)  { peers(t, "pairs", 1, len(pairCases)) }
func TestGroups(t *testing.T) { peers(t, "groups", 2, len(groupCases)) }

// python finds an interpreter with mpi4py and numpy: the one that ISTHMUS_MPI4PY names, or one beside a launcher.
func python() (string, error) {
	tried := []string{os.Getenv("ISTHMUS_MPI4PY")}
	for _, dir := range filepath.SplitList(os.Getenv("ISTHMUS_MPI_PREFIXES")) {
		tried = append(tried, filepath.Join(dir, "bin", "python"))
	}
	for _, p := range tried {
		if p != "" && exec.Command(p, "-c", "import mpi4py, numpy").Run() == nil {
			return p, nil
		}
	}
	return "", errors.New("no Python with mpi4py and numpy: name one with ISTHMUS_MPI4PY, or run ./check mpi4py")
}

func peers(t *testing.T, what string, each, cases int) {
	py, err := python()
	if err != nil {
		if os.Getenv("CI") != "" && os.Getenv("ISTHMUS_MPI4PY")+os.Getenv("ISTHMUS_MPI_PREFIXES") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	mpitest.Each(t, func(t *testing.T, l mpitest.Library) {
		n := fmt.Sprint(each)
		ours := []string{os.Args[0]}
		theirs := []string{py, "-m", "mpi4py", filepath.Join("testdata", what+".py")} // an exception ends the job
		for _, order := range []struct {
			name    string
			program []string
		}{
			{"go first", slices.Concat(ours, []string{":", "-n", n}, theirs)},
			{"python first", slices.Concat(theirs, []string{":", "-n", n}, ours)},
		} {
			t.Run(order.name, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
				defer stop()
				env := append(theirLibrary(t, l), mpitest.ScenarioEnv+"="+what)
				out, err := l.Launch(ctx, each, nil, env, order.program...)
				if err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				for _, who := range []string{"go", "python"} {
					if said := fmt.Sprintf("%s has done %d cases", who, cases); strings.Count(out, said) != each {
						t.Errorf("not %d times %q:\n%s", each, said, out)
					}
				}
			})
		}
	})
}

// theirLibrary is what mpi4py needs to take l. Its wheels ask for the native interface under the name that it has in
// MPICH's own builds; Debian's has another.
func theirLibrary(t *testing.T, l mpitest.Library) []string {
	lib := strings.Replace(l.Lib, "libmpi_abi.so.1", "libmpi.so.12", 1)
	if l.Family == "openmpi" {
		env := []string{"MPI4PY_MPIABI=openmpi"}
		if filepath.IsAbs(lib) {
			env = append(env, "LD_LIBRARY_PATH="+filepath.Dir(lib))
		}
		return env
	}
	dir := filepath.Dir(lib)
	if !filepath.IsAbs(lib) {
		dir = t.TempDir()
		for _, at := range []string{"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"} {
			if _, err := os.Stat(filepath.Join(at, lib)); err == nil {
				if err := os.Symlink(filepath.Join(at, lib), filepath.Join(dir, "libmpi.so.12")); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
	}
	return []string{"MPI4PY_MPIABI=mpich", "LD_LIBRARY_PATH=" + dir}
}

// job is what a case has.
type job struct {
	w    *mpi.World
	c    *mpi.Comm
	peer int    // the rank of the other language that this one talks to
	py   []bool // which ranks are Python's
}

// step is a case; testdata has its other half, under the same name and in the same place.
type step struct {
	name string
	f    func(ctx context.Context, j *job) error
}

// play runs the cases in step with the other processes.
func play(ctx context.Context, cases []step) (err error) {
	w, err := mpi.Open(ctx, mpi.Options{Foreign: true})
	if err != nil {
		return err
	}
	at := "the start"
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "go rank %d, case %s: %v\n", w.Comm().Rank(), at, err)
			w.Abort(1)
		}
		err = w.Close(ctx)
	}()
	ctx, stop := context.WithTimeout(ctx, 4*time.Minute)
	defer stop()
	world := w.Comm()
	mine := make([]bool, world.Size())
	if err := mpi.Allgather(ctx, world, []bool{false}, mine); err != nil {
		return err
	}
	j := &job{w: w, py: mine, peer: (world.Rank() + world.Size()/2) % world.Size()}
	sync, err := world.Dup(ctx)
	if err != nil {
		return err
	}
	if j.c, err = world.Dup(ctx); err != nil {
		return err
	}
	for _, k := range cases {
		at = k.name
		name, names := [32]byte{}, make([][32]byte, world.Size())
		copy(name[:], k.name)
		if err := mpi.Allgather(ctx, sync, [][32]byte{name}, names); err != nil {
			return err
		}
		for r, n := range names {
			if n != name {
				return fmt.Errorf("rank %d is at case %q", r, strings.TrimRight(string(n[:]), "\x00"))
			}
		}
		if err := k.f(ctx, j); err != nil {
			return err
		}
	}
	at = "the end"
	fmt.Printf("go has done %d cases\n", len(cases))
	return errors.Join(j.c.Close(), sync.Close())
}

// is fails with a text when a condition does not hold.
func is(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// same compares.
func same[T comparable](what string, got, want []T) error {
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s: got %v, want %v", what, short(got), short(want))
	}
	return nil
}

func short[T any](b []T) string {
	if len(b) > 20 {
		return fmt.Sprintf("%v… (%d)", b[:20], len(b))
	}
	return fmt.Sprint(b)
}
