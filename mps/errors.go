package mps

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus/mps/internal/op"
)

// The errors of what a device computed. Test with [errors.Is].
var (
	// ErrSingular says that a factor has a zero on its diagonal.
	ErrSingular = op.ErrSingular
	// ErrNotPositiveDefinite says that a matrix has no Cholesky factor.
	ErrNotPositiveDefinite = op.ErrNotPositiveDefinite
	// ErrNumerics says that [Options.Check] found numbers that the device should not have given.
	ErrNumerics = errors.New("wrong numbers")
)

// OpError is a failure that the numbers of one operation made: which operation of the batch, which matrix of it, and why. The others
// of the batch ran all the same, on what it left.
type OpError = op.OpError

// Error says what was refused, and why. It wraps a sentinel of package isthmus: nothing was sent to the device.
type Error struct {
	Op      string // the operation: "matmul", "new matrix"
	Operand string // "left", "result"; empty where it is not about one
	Msg     string // the rule that is broken and what to do
	Err     error  // isthmus.ErrInvalid, ErrBounds, ErrBusy, ErrClosed, ErrUnsupported
}

// Error is one line.
func (e *Error) Error() string {
	if e == nil {
		return "mps: no error"
	}
	s := "mps: " + e.Op
	if e.Operand != "" {
		s += ": " + e.Operand
	}
	return fmt.Sprintf("%s: %s: %v", s, e.Msg, e.Err)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

func failure(op string, err error, format string, args ...any) error {
	return &Error{Op: op, Msg: fmt.Sprintf(format, args...), Err: err}
}
