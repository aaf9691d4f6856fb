package langrt

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

// Code says why the runtime refused something: C's rt_error. It is an error, so that errors.Is(err, langrt.Frozen) tells
// what the errors of package isthmus do not.
type Code int32

// The codes, and what an [Error] of each wraps beside it.
const (
	NoObject    = Code(rtheap.BadHandle)    // the object is gone, or never was: isthmus.ErrClosed
	WrongType   = Code(rtheap.BadType)      // an object of another type: isthmus.ErrInvalid
	NoValue     = Code(rtheap.BadValue)     // what was to be stored is no value, or of an object that is gone: isthmus.ErrInvalid
	OutOfRange  = Code(rtheap.BadIndex)     // isthmus.ErrBounds
	BadSize     = Code(rtheap.BadSize)      // negative, or more than the limit: isthmus.ErrBounds
	NoKey       = Code(rtheap.BadKey)       // nil, which is no key: isthmus.ErrInvalid
	Frozen      = Code(rtheap.IsFrozen)     // isthmus.ErrInvalid
	NoMemory    = Code(rtheap.NoMemory)     // isthmus.ErrLimit
	Empty       = Code(rtheap.IsEmpty)      // isthmus.ErrNotFound
	Changed     = Code(rtheap.Changed)      // the dictionary grew while it was walked: isthmus.ErrInvalid
	NotRunning  = Code(rtheap.NotStarted)   // isthmus.ErrClosed
	Forked      = Code(rtheap.Forked)       // isthmus.ErrClosed
	Closed      = Code(rtheap.IsClosed)     // isthmus.ErrClosed
	TimedOut    = Code(rtheap.TimedOut)     // context.DeadlineExceeded
	Cancelled   = Code(rtheap.IsCancelled)  // context.Canceled
	Failed      = Code(rtheap.HasFailed)    // a body ended without a result
	OnItself    = Code(rtheap.OnItself)     // it would wait for itself: isthmus.ErrBusy
	BadState    = Code(rtheap.BadState)     // not now: isthmus.ErrInvalid
	IOFailed    = Code(rtheap.IOFailed)     //
	NotFound    = Code(rtheap.NotFound)     // no such key or file: isthmus.ErrNotFound, fs.ErrNotExist
	Permission  = Code(rtheap.NotPermitted) // fs.ErrPermission
	DiskFull    = Code(rtheap.DiskFull)     // isthmus.ErrLimit
	IsDirectory = Code(rtheap.IsDirectory)  // isthmus.ErrInvalid
	Defect      = Code(rtheap.Panicked)     // a function of this program's, or the runtime, panicked: isthmus.ErrPanic
)

// Error is the text of the code.
func (c Code) Error() string { return rtheap.Code(c).String() }

// wraps are the errors that a code stands for in Go.
func (c Code) wraps() []error {
	switch c {
	case NoObject, NotRunning, Forked, Closed:
		return []error{c, isthmus.ErrClosed}
	case WrongType, NoValue, NoKey, Frozen, Changed, BadState, IsDirectory:
		return []error{c, isthmus.ErrInvalid}
	case OutOfRange, BadSize:
		return []error{c, isthmus.ErrBounds}
	case NoMemory, DiskFull:
		return []error{c, isthmus.ErrLimit}
	case Empty:
		return []error{c, isthmus.ErrNotFound}
	case NotFound:
		return []error{c, isthmus.ErrNotFound, fs.ErrNotExist}
	case Permission:
		return []error{c, fs.ErrPermission}
	case OnItself:
		return []error{c, isthmus.ErrBusy}
	case TimedOut:
		return []error{c, context.DeadlineExceeded}
	case Cancelled:
		return []error{c, context.Canceled}
	case Defect:
		return []error{c, isthmus.ErrPanic}
	}
	return []error{c}
}

// Error is an operation of the runtime that was refused.
type Error struct {
	Op     string // such as "array get"
	Code   Code
	Value  Value  // what it was asked of
	Detail string // which index, key or size; may be empty
	Err    error  // of the system or of this program; may be nil
}

// Error names the operation, what it was asked of, and why it was refused.
func (e *Error) Error() string {
	if e == nil {
		return "langrt: no error"
	}
	text := "langrt: " + e.Op
	if !e.Value.IsNil() || e.Code == NoObject || e.Code == WrongType {
		text += fmt.Sprintf(" of %v", e.Value)
	}
	if e.Detail != "" {
		text += " " + e.Detail
	}
	text += ": " + e.Code.Error()
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the code, the errors of package isthmus and others that it stands for, and Err.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	if e.Err != nil {
		return append(e.Code.wraps(), e.Err)
	}
	return e.Code.wraps()
}

// refusal is the error of an operation on v that code refuses. Its arguments are made into text here only, so that an
// operation that succeeds does not pay for it.
func refusal(op string, v Value, code rtheap.Code) error {
	return &Error{Op: op, Code: Code(code), Value: v}
}

func refusalAt(op string, v Value, i int64, code rtheap.Code) error {
	return &Error{Op: op, Code: Code(code), Value: v, Detail: fmt.Sprintf("at %d", i)}
}

func refusalOf(op string, v, arg Value, code rtheap.Code) error {
	return &Error{Op: op, Code: Code(code), Value: v, Detail: fmt.Sprintf("with %v", arg)}
}

// notRunning is the error of an operation before anything was made: no word is an object yet.
func notRunning(op string, v Value) error { return refusal(op, v, rtheap.BadHandle) }

// check is nil for OK.
func check(op string, v Value, code rtheap.Code) error {
	if code == rtheap.OK {
		return nil
	}
	return refusal(op, v, code)
}
