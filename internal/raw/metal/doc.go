// Package metal sends the messages of Metal and of Metal Performance Shaders that this module needs: a method in Go for each, with
// Go's types. What each is called with, and what comes back, is compared with the facts of Apple's headers (zfacts.go), and those with
// the classes that are there when they are first seen; what differs is refused, by itself.
//
// All results are owned and closed by the caller; messages are sent through an autorelease pool ([System.Pool]). Nothing here checks
// what Metal leaves undefined (shapes, extents, overlap): the caller has.
package metal

//go:generate go run ../../gen/mpsgen -rows rows.txt -out zfacts.go

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/dl"
	"github.com/isthmus-ffi/isthmus/internal/raw/objc"
)

// Pool is an autorelease pool: see [objc.Pool].
type Pool = objc.Pool

// System is Metal with its shaders, loaded and verified.
type System struct {
	rt      *objc.Runtime
	facts   []objc.Fact
	table   *objc.Table
	classes map[string]*objc.Class
	create  call.Fn
}

// frameworks are Apple's. Without CoreGraphics a program without windows gets no device.
var frameworks = []string{
	"/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics",
	"/System/Library/Frameworks/Metal.framework/Metal",
	"/System/Library/Frameworks/MetalPerformanceShaders.framework/MetalPerformanceShaders",
}

const createDevice = "MTLCreateSystemDefaultDevice"

// Open loads the frameworks, or the libraries that take their place in tests, and verifies the classes. The last one has
// MTLCreateSystemDefaultDevice, or the one before it. Errors: [isthmus.ErrUnsupported] where there are none.
func Open(libraries ...string) (*System, error) { return open(facts[:], libraries) }

func open(facts []objc.Fact, libraries []string) (*System, error) {
	if len(libraries) == 0 {
		if runtime.GOOS != "darwin" {
			return nil, fmt.Errorf("metal: open on %s: %w", runtime.GOOS, isthmus.ErrUnsupported)
		}
		libraries = frameworks
	}
	rt, err := objc.Open()
	if err != nil {
		return nil, fmt.Errorf("metal: %w", err)
	}
	s := &System{rt: rt, facts: facts, classes: map[string]*objc.Class{}}
	for _, path := range libraries {
		lib, err := dl.Open(path)
		if err != nil {
			return nil, fmt.Errorf("metal: %w", err)
		}
		if fn, err := lib.Symbol(createDevice); err == nil {
			s.create = fn
		}
	}
	if s.create == 0 {
		return nil, fmt.Errorf("metal: no library has %s: %w", createDevice, isthmus.ErrNotFound)
	}
	if s.table, err = rt.Bind(facts); err != nil {
		return nil, err
	}
	for _, name := range s.table.Classes() {
		if strings.HasPrefix(name, "MPS") || name == compileOptions { // the others are protocols, and verified when an object is seen
			if c, err := s.table.Class(name); err == nil {
				s.classes[name] = c
			}
		}
	}
	return s, nil
}

// Runtime is the Objective-C runtime.
func (s *System) Runtime() *objc.Runtime { return s.rt }

// Pool calls f with an autorelease pool, on one thread, and drains it after.
func (s *System) Pool(f func(*Pool) error) error { return s.rt.Pool(f) }

// Supports says why a class, such as MPSMatrixMultiplication, cannot be used: it is missing, or a method is, or has other types. The
// error is a *[objc.MethodError], which is [isthmus.ErrUnsupported].
func (s *System) Supports(class string) error { return s.table.Supports(class) }

// Problems are all such errors of the classes that were seen until now. Of the two ways to choose how exact a compiler is, one is enough.
func (s *System) Problems() []*objc.MethodError {
	all := s.table.Problems()
	ways := []string{s.facts[rowMTLCompileOptionsSetMathMode].Selector, s.facts[rowMTLCompileOptionsSetFastMathEnabled].Selector}
	most := slices.DeleteFunc(slices.Clone(all), func(e *objc.MethodError) bool {
		return e.Class == compileOptions && slices.Contains(ways, e.Selector)
	})
	if len(most) == len(all)-1 {
		return most
	}
	return all
}

func (s *System) class(name string) (*objc.Class, error) {
	if c := s.classes[name]; c != nil {
		return c, nil
	}
	return nil, &objc.MethodError{Class: name}
}

// make makes an object of a class by an initialiser.
func (s *System) make(p *Pool, into *objc.Object, class string, row objc.Row, args ...objc.Arg) error {
	c, err := s.class(class)
	if err != nil {
		return err
	}
	return p.New(into, c, row, args...)
}

// ask makes an object by a message to a class.
func (s *System) ask(p *Pool, into *objc.Object, class string, row objc.Row, args ...objc.Arg) error {
	c, err := s.class(class)
	if err != nil {
		return err
	}
	return p.ClassObject(into, c, row, args...)
}

// object is nil where the typed value is.
func object[T any](v *T, o func(*T) *objc.Object) *objc.Object {
	if v == nil {
		return nil
	}
	return o(v)
}
