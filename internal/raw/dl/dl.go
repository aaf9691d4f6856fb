// Package dl opens dynamic libraries and finds their symbols.
//
// Libraries are never closed. Native libraries of the kind that this module drives start threads, register exit
// handlers and hand out function pointers; unmapping their code under any of these is a crash at some later time
// (an XLA plugin that is closed after use crashes the process when it exits). The memory of a library is bounded by
// the number of libraries, which [Open] loads once each.
package dl

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// Library is an open library. It lives as long as the process.
type Library struct {
	path   string
	handle uintptr
}

// Attempt is one path that was tried, and why it was not opened.
type Attempt struct {
	Path string
	Err  error // the system loader's own text
}

// OpenError says what was tried. It is [isthmus.ErrNotFound] when no path was a library that the loader could
// open.
type OpenError struct {
	Tried []Attempt
}

// Error lists every path with the loader's text.
func (e *OpenError) Error() string {
	if len(e.Tried) == 0 {
		return fmt.Sprintf("dl: open library: no path given: %v", isthmus.ErrNotFound)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dl: open library: %v; tried", isthmus.ErrNotFound)
	for i, a := range e.Tried {
		if i > 0 {
			b.WriteString(";")
		}
		fmt.Fprintf(&b, " %q: %v", a.Path, a.Err)
	}
	return b.String()
}

// Unwrap gives [isthmus.ErrNotFound] and the loader's errors.
func (e *OpenError) Unwrap() []error {
	out := []error{isthmus.ErrNotFound}
	for _, a := range e.Tried {
		out = append(out, a.Err)
	}
	return out
}

// The libraries of this process by the system's handle: the loader gives one file one handle, whatever path names
// it. The process has one loader, so there is one table.
var (
	mu     sync.Mutex
	loaded = map[uintptr]*Library{}
)

// Open opens the first of paths that the system's loader accepts. A path without a separator is searched for as
// the loader does. A library that is open already is returned again.
//
// Loading runs the library's initialisers. Errors: an [*OpenError] that lists every path.
func Open(paths ...string) (*Library, error) {
	failed := &OpenError{}
	for _, p := range paths {
		if err := checkName("path", p); err != nil {
			failed.Tried = append(failed.Tried, Attempt{p, err})
			continue
		}
		h, err := sysOpen(p)
		if err != nil {
			failed.Tried = append(failed.Tried, Attempt{p, err})
			continue
		}
		mu.Lock()
		defer mu.Unlock()
		lib := loaded[h]
		if lib == nil {
			lib = &Library{path: p, handle: h}
			loaded[h] = lib
		}
		return lib, nil
	}
	return nil, failed
}

// checkName refuses what the loader would read as something else.
func checkName(what, s string) error {
	if s == "" {
		// dlopen("") is the program itself.
		return fmt.Errorf("empty %s: %w", what, isthmus.ErrInvalid)
	}
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("%s holds a NUL byte: %w", what, isthmus.ErrInvalid)
	}
	return nil
}

// Path returns the path that the library was first opened by.
func (l *Library) Path() string { return l.path }

// Symbol returns the address of a function or variable. Errors: [isthmus.ErrNotFound] with the loader's text.
func (l *Library) Symbol(name string) (call.Fn, error) {
	if l == nil {
		return 0, fmt.Errorf("dl: symbol %q of no library: %w", name, isthmus.ErrClosed)
	}
	if err := checkName("symbol name", name); err != nil {
		return 0, fmt.Errorf("dl: %s: %w", l.path, err)
	}
	a, err := sysSymbol(l.handle, name)
	if err == nil && a == 0 {
		err = errors.New("its address is nil")
	}
	if err != nil {
		return 0, fmt.Errorf("dl: %s: symbol %q: %w: %w", l.path, name, isthmus.ErrNotFound, err)
	}
	return call.Fn(a), nil
}
