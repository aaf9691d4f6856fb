package mpic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Family is an implementation of MPI, or a group of them that share launchers and a binary interface.
type Family string

// The families.
const (
	OpenMPI Family = "Open MPI"
	MPICH   Family = "MPICH" // and Intel MPI, MVAPICH, Cray MPICH
)

// Library is an MPI library of this process, loaded and identified. It is immutable and safe for concurrent use, as far
// as the library itself is.
type Library struct {
	ABI     ABI
	Path    string // that it was opened by
	Version string // what MPI_Get_library_version says
	Family  Family

	fns [numAll]call.Fn
	lib *dl.Library
}

// EnvLibrary names the environment variable that chooses the library.
const EnvLibrary = "ISTHMUS_MPI"

// Launched tells which family's launcher has started this process, and how many processes it says there are. ok is
// false for a process that no launcher has started.
func Launched(getenv func(string) string) (f Family, size string, ok bool) {
	for _, e := range []struct {
		name string
		f    Family
	}{{"OMPI_COMM_WORLD_SIZE", OpenMPI}, {"PMI_SIZE", MPICH}} {
		if v := getenv(e.name); v != "" {
			return e.f, v, true
		}
	}
	if getenv("PMI_FD") != "" || getenv("PMI_RANK") != "" {
		return MPICH, "", true
	}
	return "", "", false
}

// Candidates lists what [Open] tries, in order: what the user names; else, of the family whose launcher has started
// this process, or of both, the libraries that the system's loader knows and those that stand beside a launcher in the
// path (as Python's wheels install them).
func Candidates(getenv func(string) string) []string {
	if p := getenv(EnvLibrary); p != "" {
		return []string{p}
	}
	names := map[Family][]string{
		OpenMPI: {"libmpi.so.40"},
		// Where both are there, the native interface comes first: Intel's standard one aborts where it should return errors.
		MPICH: {"libmpich.so.12", "libmpi.so.12", "libmpi_abi.so.1"},
	}
	if runtime.GOOS == "darwin" {
		names = map[Family][]string{OpenMPI: {"libmpi.40.dylib"}, MPICH: {"libmpi.12.dylib", "libmpi_abi.1.dylib"}}
	}
	order := []Family{MPICH, OpenMPI}
	if f, _, ok := Launched(getenv); ok {
		order = []Family{f} // another family's library would make each process the only one
	}
	var dirs []string
	for _, launcher := range []string{"mpiexec", "mpirun"} {
		if p, err := exec.LookPath(launcher); err == nil {
			dirs = append(dirs, filepath.Join(filepath.Dir(p), "..", "lib"))
		}
	}
	var out []string
	for _, f := range order {
		// The launcher's own library stands beside it; only then what the loader finds by itself.
		for _, d := range slices.Compact(dirs) {
			for _, n := range names[f] {
				if p := filepath.Join(d, n); isFile(p) {
					out = append(out, p)
				}
			}
		}
		out = append(out, names[f]...)
	}
	return out
}

func isFile(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.Mode().IsRegular()
}

// Open loads the first library of paths that the system's loader takes, and identifies it: Open MPI by a symbol of its
// own, the standard ABI by what it says of itself, MPICH and its derivatives by their version text. What the library
// does to the process's signal handlers when it is loaded is undone, see [Signals].
//
// Errors: [isthmus.ErrNotFound] with every path that was tried; [isthmus.ErrVersion] for a library of no known
// interface; [isthmus.ErrInvalid] for one without the functions that nothing works without.
func Open(paths ...string) (*Library, error) {
	before := Signals()
	d, err := dl.Open(paths...)
	if err != nil {
		return nil, err
	}
	before.Restore()
	l := &Library{Path: d.Path(), lib: d}
	for f := range Func(NumFuncs) {
		l.fns[f], _ = d.Symbol(functions[f].name) // a function that is missing is an error when it is called
	}
	if err := l.identify(); err != nil {
		return nil, fmt.Errorf("%s: %w", l.Path, err)
	}
	l.extend(d.Symbol)
	for _, f := range []Func{FnInitThread, FnInitialized, FnFinalize, FnFinalized, FnCommRank, FnCommSize, FnErrorClass, FnErrorString, FnCommSetErrhandler, FnIsend, FnIrecv, FnTest, FnTestall, FnCancel, FnRequestFree} {
		if !l.Has(f) {
			return nil, fmt.Errorf("%s: no function %v: %w; is it an MPI library?", l.Path, f, isthmus.ErrInvalid)
		}
	}
	return l, nil
}

func (l *Library) identify() error {
	if !l.Has(FnGetLibraryVersion) {
		return fmt.Errorf("no function %v: %w; is it an MPI library?", FnGetLibraryVersion, isthmus.ErrInvalid)
	}
	f := call.Get()
	defer f.Put()
	n, err := call.New[int32](f)
	if err != nil {
		return err
	}
	text, err := mem.Alloc(8192, 0) // the longest of all interfaces
	if err != nil {
		return err
	}
	defer func() { _ = text.Free() }()
	if code := f.Call(l.fns[FnGetLibraryVersion], uintptr(mem.AddrOf(text.Bytes())), uintptr(mem.AddrOfPtr(n))); int32(code) != 0 {
		return fmt.Errorf("its version cannot be read: code %d: %w", int32(code), isthmus.ErrVersion)
	}
	l.Version = strings.TrimRight(mem.String(mem.AddrOf(text.Bytes()), max(0, min(*n, 8192)), 8192), " \n\x00")
	if _, err := l.lib.Symbol("ompi_mpi_comm_world"); err == nil {
		return l.bindOpenMPI()
	}
	if major, err := l.abiVersion(f); err != nil {
		return err
	} else if major >= 1 {
		l.ABI, l.Family = standard, MPICH
		if strings.HasPrefix(l.Version, "Open MPI") {
			l.Family = OpenMPI
		}
		return nil
	}
	for _, known := range []string{"MPICH", "Intel(R) MPI", "MVAPICH", "CRAY MPICH"} {
		if strings.Contains(l.Version, known) {
			l.ABI, l.Family = mpich, MPICH
			return l.loadVariables()
		}
	}
	return fmt.Errorf("a library of no interface that is known here, it calls itself %q: %w", l.Version, isthmus.ErrVersion)
}

// abiVersion asks for the version of the standard ABI; the native interface of MPICH 5 answers -1.
func (l *Library) abiVersion(f *call.Frame) (int32, error) {
	if !l.Has(FnAbiGetVersion) {
		return -1, nil
	}
	v, err := call.Slice[int32](f, 2)
	if err != nil {
		return 0, err
	}
	if code := f.Call(l.fns[FnAbiGetVersion], uintptr(mem.AddrOfPtr(&v[0])), uintptr(mem.AddrOfPtr(&v[1]))); int32(code) != 0 {
		return -1, nil
	}
	if v[0] > 1 {
		return 0, fmt.Errorf("version %d.%d of the standard ABI, this module speaks 1: %w", v[0], v[1], isthmus.ErrVersion)
	}
	return v[0], nil
}

// bindOpenMPI takes the addresses of Open MPI's predefined objects.
func (l *Library) bindOpenMPI() error {
	l.ABI, l.Family = openMPI5, OpenMPI
	if strings.HasPrefix(l.Version, "Open MPI v4") || strings.HasPrefix(l.Version, "Open MPI v3") {
		l.ABI = openMPI4
	}
	var missing []error
	for _, s := range symbols {
		a, err := l.lib.Symbol(s.name)
		if err != nil {
			missing = append(missing, err)
			continue
		}
		s.set(&l.ABI, Handle(a))
	}
	if l.ABI.CommWorld == 0 || l.ABI.Byte == 0 || l.ABI.ErrorsReturn == 0 || l.ABI.RequestNull == 0 {
		return fmt.Errorf("Open MPI without its predefined objects: %w: %w", isthmus.ErrVersion, errors.Join(missing...))
	}
	return nil
}

// loadVariables reads the addresses that MPICH keeps in variables.
func (l *Library) loadVariables() error {
	for _, v := range variables {
		a, err := l.lib.Symbol(v.name)
		if err != nil {
			continue // an older MPICH; who needs the value gets 0, which the library refuses
		}
		// SAFETY: owner: the library, for the process's life; bounds: the pointer variable that the header declares;
		// alignment: the linker's; thread: any, the variable is constant.
		v.set(&l.ABI, *mem.At[Addr](a))
	}
	return nil
}

// Has reports whether the library has the function.
func (l *Library) Has(f Func) bool { return l != nil && f >= 0 && f < numAll && l.fns[f] != 0 }

// Addr is the function's address, 0 when the library does not have it.
func (l *Library) Addr(f Func) call.Fn { return l.fns[f] }

// Fn is the function's address. Errors: [isthmus.ErrUnsupported] with the name of the function and of the library.
func (l *Library) Fn(f Func) (call.Fn, error) {
	if !l.Has(f) {
		return 0, fmt.Errorf("%s has no %v: %w", l.name(), f, isthmus.ErrUnsupported)
	}
	return l.fns[f], nil
}

// name is the library's own name for itself, without the details.
func (l *Library) name() string {
	s, _, _ := strings.Cut(l.Version, "\n")
	s, _, _ = strings.Cut(s, ",")
	return strings.Join(strings.Fields(s), " ")
}

// String returns the C name of f.
func (f Func) String() string {
	if f < 0 || f >= numAll {
		return fmt.Sprintf("Func(%d)", int(f))
	}
	if f >= NumFuncs {
		return extensions[f-NumFuncs].name
	}
	return functions[f].name
}

// Params is how many arguments f takes.
func (f Func) Params() int {
	if f < 0 || f >= numAll {
		return 0
	}
	if f >= NumFuncs {
		return extensions[f-NumFuncs].params
	}
	return functions[f].params
}

// Large is the function of f's that takes counts of 64 bits, f's name with _c; false where the standard has none.
func (f Func) Large() (Func, bool) {
	want := f.String() + "_c"
	i, ok := slices.BinarySearchFunc(functions[:], want, func(e struct {
		name   string
		params int
	}, name string,
	) int {
		return strings.Compare(e.name, name)
	})
	return Func(i), ok
}

// ClassName is the name of an error class, such as MPI_ERR_TRUNCATE; "" for a class that the interface does not define.
func (a *ABI) ClassName(class int) string {
	for _, c := range classes {
		if c.of(a) == class {
			return c.name
		}
	}
	return ""
}

// PutHandle writes the i-th of an array of handles, of the width that the interface has.
func (a *ABI) PutHandle(array []byte, i int, h Handle) {
	if a.HandleSize == 4 {
		binary.NativeEndian.PutUint32(array[4*i:], uint32(h))
		return
	}
	binary.NativeEndian.PutUint64(array[8*i:], uint64(h))
}

// GetHandle reads the i-th of an array of handles.
func (a *ABI) GetHandle(array []byte, i int) Handle {
	if a.HandleSize == 4 {
		return Handle(binary.NativeEndian.Uint32(array[4*i:]))
	}
	return Handle(binary.NativeEndian.Uint64(array[8*i:]))
}

// Status is what a message was: who sent it, with which tag, and what went wrong with it.
type Status struct{ Source, Tag, Error int }

// Status reads the i-th of an array of MPI_Status.
func (a *ABI) Status(array []byte, i int) Status {
	s := array[uintptr(i)*a.StatusSize:][:a.StatusSize]
	at := func(off uintptr) int { return int(int32(binary.NativeEndian.Uint32(s[off:]))) }
	return Status{at(a.OffsetSource), at(a.OffsetTag), at(a.OffsetError)}
}
