package mpic_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

const role = "ISTHMUS_MPIC_ROLE"

// Two MPI libraries in one process are no case that anybody supports, so each is looked at in a process of its own.
func TestMain(m *testing.M) {
	if path := os.Getenv(role); path != "" {
		l, err := mpic.Open(path)
		if err != nil {
			fmt.Println("error", errors.Is(err, isthmus.ErrNotFound), err)
			os.Exit(0)
		}
		missing := 0
		for f := range mpic.Func(mpic.NumFuncs) {
			if !l.Has(f) {
				missing++
			}
		}
		fmt.Printf("%s|%s|%v|%v|%d\n", l.Family, l.ABI.Name, l.ABI.CommWorld != 0 && l.ABI.Double != 0 && l.ABI.Sum != 0, l.ABI.Unweighted != 0, missing)
		func() {
			defer func() { fmt.Println("recovered", recover() != nil) }()
			var p *int
			fmt.Println(*p) // a fault of Go's own is a panic still
		}()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role+"="+path)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, errs.String())
	}
	return string(out)
}

// The installed libraries are known for what they are, and leave Go its faults. UCX, which MPICH of Debian loads, takes
// them over: without the guard the nil dereference ends the process.
func TestOpenIdentifies(t *testing.T) {
	any := false
	for name, want := range map[string]string{
		"libmpich.so.12": "MPICH|the ABI that MPICH 3.1 and later, Intel MPI, MVAPICH and Cray MPICH share|true|true|",
		"libmpi.so.40":   "Open MPI|Open MPI 4|true|true|",
	} {
		t.Run(name, func(t *testing.T) {
			got := child(t, name)
			if strings.HasPrefix(got, "error true") {
				if os.Getenv("CI") != "" {
					t.Fatal(got)
				}
				t.Skipf("%s is not installed", name)
			}
			any = true
			if !strings.HasPrefix(got, want) || !strings.Contains(got, "recovered true") {
				t.Errorf("got %q, want %q…", got, want)
			}
		})
	}
	if !any {
		t.Skip("no MPI library is installed")
	}
}

func TestOpenRefuses(t *testing.T) {
	if got := child(t, "libnone.so.7"); !strings.HasPrefix(got, "error true") || !strings.Contains(got, "libnone.so.7") {
		t.Error(got)
	}
	if got := child(t, "libc.so.6"); !strings.HasPrefix(got, "error false") || !strings.Contains(got, "MPI_Get_library_version") {
		t.Error(got)
	}
}

func TestCandidates(t *testing.T) {
	env := func(m map[string]string) func(string) string { return func(k string) string { return m[k] } }
	for name, c := range map[string]struct {
		env       map[string]string
		has, not  string
		exactly   []string
		family    mpic.Family
		launched  bool
		processes string
	}{
		"named":    {env: map[string]string{"ISTHMUS_MPI": "/x/libmpi.so"}, exactly: []string{"/x/libmpi.so"}},
		"open mpi": {env: map[string]string{"OMPI_COMM_WORLD_SIZE": "4"}, has: "libmpi.so.40", not: "libmpich.so.12", family: mpic.OpenMPI, launched: true, processes: "4"},
		"mpich":    {env: map[string]string{"PMI_SIZE": "3", "PMI_RANK": "1"}, has: "libmpich.so.12", not: "libmpi.so.40", family: mpic.MPICH, launched: true, processes: "3"},
		"hydra":    {env: map[string]string{"PMI_FD": "7"}, has: "libmpich.so.12", not: "libmpi.so.40", family: mpic.MPICH, launched: true},
		"nobody":   {has: "libmpi.so.40"},
	} {
		t.Run(name, func(t *testing.T) {
			got := mpic.Candidates(env(c.env))
			for i := range got {
				if c.exactly == nil {
					got[i] = filepath.Base(got[i])
				}
			}
			if c.exactly != nil && !slices.Equal(got, c.exactly) || c.has != "" && !slices.Contains(got, c.has) || c.not != "" && slices.Contains(got, c.not) {
				t.Errorf("%v", got)
			}
			f, n, ok := mpic.Launched(env(c.env))
			if f != c.family || n != c.processes || ok != c.launched {
				t.Errorf("launched %q, %q, %v", f, n, ok)
			}
		})
	}
}

func TestArrays(t *testing.T) {
	for _, size := range []uintptr{4, 8} {
		a := mpic.ABI{HandleSize: size}
		b := make([]byte, 3*size)
		for i, h := range []mpic.Handle{1, 0x4c00080b, 3} {
			a.PutHandle(b, i, h)
		}
		if a.GetHandle(b, 1) != 0x4c00080b || a.GetHandle(b, 0) != 1 || a.GetHandle(b, 2) != 3 {
			t.Errorf("%d bytes: %x", size, b)
		}
	}
	s := mpic.ABI{StatusSize: 20, OffsetSource: 8, OffsetTag: 12, OffsetError: 16}
	b := make([]byte, 40)
	copy(b[28:], "\xfe\xff\xff\xff\x07\x00\x00\x00\x0e\x00\x00\x00")
	if d := cmp.Diff(mpic.Status{Source: -2, Tag: 7, Error: 14}, s.Status(b, 1)); d != "" {
		t.Error(d)
	}
}

// The committed file is what the generator makes of the headers today.
func TestGeneratedFileIsCurrent(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no C compiler")
	}
	out := filepath.Join(t.TempDir(), "zmpi.go")
	if text, err := exec.Command("go", "run", "../../gen/mpigen", "-headers", "headers", "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("zmpi.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("zmpi.go is not what the generator makes of the headers; run go generate")
	}
}

// The installed header of each library says what the pinned one said.
func TestInstalledHeadersAgree(t *testing.T) {
	for name, dir := range map[string]string{"mpich-5.0": "/usr/include/x86_64-linux-gnu/mpich", "openmpi-4.1": "/usr/lib/x86_64-linux-gnu/openmpi/include"} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(dir + "/mpi.h"); err != nil {
				t.Skipf("no header in %s", dir)
			}
			tmp := t.TempDir()
			if err := os.CopyFS(tmp, os.DirFS("headers")); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(tmp, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(dir, filepath.Join(tmp, name)); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(tmp, "zmpi.go")
			if text, err := exec.Command("go", "run", "../../gen/mpigen", "-headers", tmp, "-out", out).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			theirs, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := os.ReadFile("zmpi.go")
			if err != nil {
				t.Fatal(err)
			}
			// An older release, or one built without a Fortran type (0xc000000 is the null datatype), lacks names; what it has,
			// it has with the same value.
			a, b := strings.Split(string(ours), "\n"), strings.Split(string(theirs), "\n")
			has := map[string]bool{}
			for _, l := range a {
				has[strings.Join(strings.Fields(l), " ")] = true
			}
			for _, l := range b {
				f := strings.Join(strings.Fields(l), " ")
				if !has[f] && !strings.HasSuffix(f, "Absent,") && !strings.HasSuffix(f, ": 0xc000000,") && !strings.Contains(f, "Version:") && !strings.Contains(f, "Subversion:") {
					t.Errorf("the installed header says %q", f)
				}
			}
		})
	}
}
