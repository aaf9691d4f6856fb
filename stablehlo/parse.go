package stablehlo

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/stablehlo/internal/bytecode"
	"github.com/isthmus-ffi/isthmus/stablehlo/internal/mlir"
)

// Options change how [Parse] reads a program. The zero value is the default.
type Options struct {
	// File is the name that error positions carry.
	File string

	// FirstLine is the line number of the first line of text, for a part of a larger file; 0 is 1.
	FirstLine int

	// TestOps allows the operations of the check and interpreter dialects, which conformance tests of the
	// specification are written in. They become [CustomCall] with their full name as target ("check.expect_eq"),
	// their attributes as BackendConfig, and a side effect.
	TestOps bool

	// SkipVerify leaves the graph unverified. Nothing but a printer should use such a graph.
	SkipVerify bool
}

// Error is one thing that is wrong with a program.
type Error struct {
	Pos Pos
	Op  string // the operation that is wrong, with its dialect; empty for the program as a whole
	Msg string // what is wrong, and what to do where that is known
	Err error  // the cause, if another package found it
}

// Error gives position, operation and message: "prog.mlir:3:10: stablehlo.add: …".
func (e *Error) Error() string {
	s := e.Msg
	if e.Op != "" {
		s = e.Op + ": " + s
	}
	if at := e.Pos.String(); at != "" {
		s = at + ": " + s
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxErrors bounds how many errors one Parse reports.
const maxErrors = 20

// IsBytecode reports whether src begins like MLIR bytecode.
func IsBytecode(src []byte) bool { return bytes.HasPrefix(src, []byte("ML\xefR")) }

// SplitInput cuts a test file at its lines "// -----", which stand between programs. The parts joined are src.
func SplitInput(src []byte) [][]byte { return mlir.SplitInput(src) }

// Parse reads a program from text or from portable bytecode, which it tells apart by their first bytes, and verifies
// it. Constants of the result may share memory with src, which must not be changed afterwards.
//
// An error is an [*Error], or several of them joined with [errors.Join].
func Parse(src []byte, opts Options) (*Module, error) {
	root, err := read(src, opts)
	if err != nil {
		return nil, err
	}
	l := newLifter(opts)
	m := l.module(root)
	if len(l.errs) > 0 {
		return nil, joinErrors(l.errs)
	}
	if !opts.SkipVerify {
		if err := Verify(m); err != nil {
			return nil, withFile(err, opts.File)
		}
	}
	return m, nil
}

func read(src []byte, opts Options) (*mlir.Op, error) {
	var root *mlir.Op
	var err error
	if IsBytecode(src) {
		root, _, err = bytecode.Read(src)
	} else {
		root, err = mlir.ParseText(src, mlir.Options{FirstLine: opts.FirstLine})
	}
	if err == nil {
		return root, nil
	}
	var syntax *mlir.Error
	if errors.As(err, &syntax) {
		e := &Error{Pos: syntax.Pos, Msg: syntax.Msg, Err: err}
		if e.Pos.File == "" {
			e.Pos.File = opts.File
		}
		if syntax.Pos.Line == 0 {
			e.Msg = fmt.Sprintf("byte %d: %s", syntax.Offset, syntax.Msg)
		}
		return nil, e
	}
	return nil, &Error{Pos: Pos{File: opts.File}, Msg: err.Error(), Err: err}
}

func joinErrors(errs []*Error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return errors.Join(all...)
}

// withFile names the file in the positions of errors that lack one.
func withFile(err error, file string) error {
	if file == "" {
		return err
	}
	set := func(err error) {
		if e, ok := err.(*Error); ok && e.Pos.File == "" {
			e.Pos.File = file
		}
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			set(e)
		}
	} else {
		set(err)
	}
	return err
}
