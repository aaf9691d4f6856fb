package ffi

import (
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
)

// Library is a dynamic library. It is opened once for each file and never closed, because native code that was
// loaded may still run, or be called, at any later time. It is safe for concurrent use.
type Library struct{ lib *dl.Library }

// OpenLibrary opens the first of paths that is a library for this machine. A name without a separator is searched
// for as the system's loader does. Opening the same file again gives the same library. The error is
// [isthmus.ErrNotFound], lists every path that was tried, and quotes what the loader said about each.
//
// Opening runs code of the library: open only libraries that you trust.
func OpenLibrary(paths ...string) (*Library, error) {
	lib, err := dl.Open(paths...)
	if err != nil {
		return nil, err
	}
	return &Library{lib}, nil
}

// Path returns the path by which the library was first opened.
func (l *Library) Path() string {
	if l == nil || l.lib == nil {
		return ""
	}
	return l.lib.Path()
}

// Same reports whether both are the same open library.
func (l *Library) Same(other *Library) bool {
	return l != nil && other != nil && l.lib != nil && l.lib == other.lib
}

// Symbol finds a function or variable. Errors: [isthmus.ErrNotFound] with the loader's text.
func (l *Library) Symbol(name string) (Symbol, error) {
	var lib *dl.Library
	if l != nil {
		lib = l.lib
	}
	fn, err := lib.Symbol(name)
	if err != nil {
		return Symbol{}, err
	}
	return Symbol{name: name, fn: fn}, nil
}

// Symbol is a function or variable of a library. The zero value is none.
type Symbol struct {
	name string
	fn   call.Fn
}

// Name returns the symbol's name.
func (s Symbol) Name() string { return s.name }

// Fn returns the address, for the packages of this module that call it.
func (s Symbol) Fn() call.Fn { return s.fn }
