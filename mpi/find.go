package mpi

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Attempt is a place where a library was looked for.
type Attempt struct {
	Path string
	Err  error // why it was not taken; nil for the one that was
}

// Find finds and identifies the library that [Open] would take, without initialising MPI: so Info.Threads is not known.
// The library stays in the process. The attempts are in the order in which they were made, whatever the error.
//
// Errors: as for [Open].
func Find(ctx context.Context, o Options) (Info, []Attempt, error) {
	if ctx.Err() != nil {
		return Info{}, nil, fmt.Errorf("mpi: find: %w", context.Cause(ctx))
	}
	paths := []string{o.Library}
	if o.Library == "" {
		paths = mpic.Candidates(os.Getenv)
	}
	var tried []Attempt
	var errs []error
	for _, p := range paths {
		lib, err := mpic.Open(p)
		tried = append(tried, Attempt{p, err})
		if err == nil {
			return describe(lib), tried, nil
		}
		errs = append(errs, err)
		if !errors.Is(err, isthmus.ErrNotFound) {
			break // Open would not look further
		}
	}
	return Info{}, tried, fmt.Errorf("mpi: find: %w; install Open MPI or MPICH, or name a library with %s", errors.Join(errs...), mpic.EnvLibrary)
}

// describe says which library lib is.
func describe(lib *mpic.Library) Info {
	i := Info{Path: lib.Path, File: file(lib.Path), Version: lib.Version, Family: string(lib.Family), ABI: lib.ABI.Name}
	for f := range mpic.Func(mpic.NumFuncs) {
		if lib.Has(f) {
			i.Functions++
		} else {
			i.Missing = append(i.Missing, f.String())
		}
	}
	return i
}

// file is where the loader found a name, as Linux tells it; else the name.
func file(name string) string {
	if filepath.IsAbs(name) {
		if p, err := filepath.EvalSymlinks(name); err == nil {
			return p
		}
		return name
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return name
	}
	defer maps.Close()
	// libmpi.so.40 is a link to libmpi.so.40.30.4, and that is the file.
	for s := bufio.NewScanner(maps); s.Scan(); {
		if at := strings.IndexByte(s.Text(), '/'); at >= 0 {
			if path := s.Text()[at:]; strings.HasPrefix(filepath.Base(path), filepath.Base(name)) {
				return path
			}
		}
	}
	return name
}
