package rtfile

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/isthmus-ffi/isthmus/internal/raw/rtheap"
)

var (
	errTooMany      = errors.New("too many file operations are under way")
	errBadPath      = errors.New("the path is empty or has a NUL byte, or the mode is none")
	errClosedBefore = errors.New("the file was closed before it began")
	errNegative     = errors.New("the offset or length is negative")
	errPastEnd      = errors.New("the offset is past the end of the file")
	errTooLong      = errors.New("the length is more than a string can have")
	errWriteOnly    = errors.New("the file was opened for writing only")
	errReadOnly     = errors.New("the file was opened for reading only")
	errNoPlace      = errors.New("it is a pipe or a socket, which has no offsets")
	errBroken       = errors.New("a write failed, so the file that was there stays")
)

// Error is an operation that failed.
type Error struct {
	Code rtheap.Code
	Err  error // may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

func failure(code rtheap.Code, err error) error { return &Error{code, err} }

// failed is what the system said, by its name.
func failed(err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	code := rtheap.IOFailed
	switch {
	case errors.Is(err, syscall.EISDIR):
		code = rtheap.IsDirectory
	case errors.Is(err, fs.ErrNotExist):
		code = rtheap.NotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		code = rtheap.NotPermitted
	case errors.Is(err, syscall.ENOSPC), full(err):
		code = rtheap.DiskFull
	case errors.Is(err, fs.ErrExist):
		code = rtheap.BadState
	case errors.Is(err, syscall.EFBIG):
		code = rtheap.BadSize
	case errors.Is(err, os.ErrClosed):
		code = rtheap.IsClosed
	}
	return failure(code, err)
}
