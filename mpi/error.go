package mpi

import (
	"fmt"
	"strings"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// Class is a kind of error, by its name in the standard. A Class is an error itself, so errors.Is(err, mpi.ErrTruncate)
// works whatever number a library gives it.
type Class string

// The error classes that programs ask for; every other class of the standard is a Class too.
const (
	ErrBuffer      Class = "MPI_ERR_BUFFER"
	ErrCount       Class = "MPI_ERR_COUNT"
	ErrType        Class = "MPI_ERR_TYPE"
	ErrTag         Class = "MPI_ERR_TAG"
	ErrComm        Class = "MPI_ERR_COMM"
	ErrRank        Class = "MPI_ERR_RANK"
	ErrRequest     Class = "MPI_ERR_REQUEST"
	ErrRoot        Class = "MPI_ERR_ROOT"
	ErrGroup       Class = "MPI_ERR_GROUP"
	ErrOp          Class = "MPI_ERR_OP"
	ErrTopology    Class = "MPI_ERR_TOPOLOGY"
	ErrDims        Class = "MPI_ERR_DIMS"
	ErrArg         Class = "MPI_ERR_ARG"
	ErrUnknown     Class = "MPI_ERR_UNKNOWN"
	ErrTruncate    Class = "MPI_ERR_TRUNCATE" // a message is longer than the buffer that it is received into
	ErrOther       Class = "MPI_ERR_OTHER"
	ErrIntern      Class = "MPI_ERR_INTERN"
	ErrWin         Class = "MPI_ERR_WIN"
	ErrFile        Class = "MPI_ERR_FILE"
	ErrNoSuchFile  Class = "MPI_ERR_NO_SUCH_FILE"
	ErrFileExists  Class = "MPI_ERR_FILE_EXISTS"
	ErrFileInUse   Class = "MPI_ERR_FILE_IN_USE"
	ErrBadFile     Class = "MPI_ERR_BAD_FILE" // a name that no file can have
	ErrAccess      Class = "MPI_ERR_ACCESS"   // permission
	ErrReadOnly    Class = "MPI_ERR_READ_ONLY"
	ErrAmode       Class = "MPI_ERR_AMODE"
	ErrIO          Class = "MPI_ERR_IO"
	ErrNoSpace     Class = "MPI_ERR_NO_SPACE" // the disk is full
	ErrQuota       Class = "MPI_ERR_QUOTA"
	ErrNoMem       Class = "MPI_ERR_NO_MEM"
	ErrProcAborted Class = "MPI_ERR_PROC_ABORTED"
)

// The error classes of libraries that survive a process: see [Comm.Shrink].
const (
	ErrProcFailed        Class = "MPI_ERR_PROC_FAILED"         // a process that takes part is gone
	ErrProcFailedPending Class = "MPI_ERR_PROC_FAILED_PENDING" // a receive from any process could be from one that is gone
	ErrRevoked           Class = "MPI_ERR_REVOKED"             // the communicator was revoked
)

// Error returns the name.
func (c Class) Error() string { return string(c) }

// sentinel is the error of the shared vocabulary that c means, or nil.
func (c Class) sentinel() error {
	switch c {
	case ErrBuffer, ErrType, ErrTag, ErrComm, ErrRequest, ErrRoot, ErrGroup, ErrOp, ErrTopology, ErrDims, ErrArg, ErrAmode, ErrBadFile:
		return isthmus.ErrInvalid
	case ErrCount, ErrRank, ErrTruncate:
		return isthmus.ErrBounds
	case ErrNoSuchFile:
		return isthmus.ErrNotFound
	case ErrNoMem, ErrNoSpace, ErrQuota:
		return isthmus.ErrLimit
	case ErrFileInUse:
		return isthmus.ErrBusy
	case "MPI_ERR_UNSUPPORTED_OPERATION", "MPI_ERR_UNSUPPORTED_DATAREP":
		return isthmus.ErrUnsupported
	}
	return nil
}

// Error is what an MPI library reported.
type Error struct {
	Op    string // the operation, such as "send"
	Class Class  // the same name with every library
	Code  int    // the library's own number
	Msg   string // the library's own text
}

// Error returns operation, class and text.
func (e *Error) Error() string {
	if e == nil {
		return "<nil>"
	}
	s := fmt.Sprintf("mpi: %s: %s", e.Op, e.Class)
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	return s
}

// Unwrap gives the class, and the shared error that it means, if any.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	if s := e.Class.sentinel(); s != nil {
		return []error{e.Class, s}
	}
	return []error{e.Class}
}

// failure makes an error of a code that the library returned, which is not 0.
func (w *World) failure(op string, code int32) error {
	f := call.Get()
	defer f.Put()
	out := &Error{Op: op, Code: int(code), Class: ErrUnknown}
	if class, err := call.New[int32](f); err == nil && w.run(f, mpic.FnErrorClass, uintptr(uint32(code)), uintptr(mem.AddrOfPtr(class))) == 0 {
		if name := w.lib.ABI.ClassName(int(*class)); name != "" {
			out.Class = Class(name)
		} else if name := w.lib.FaultClass(int(*class)); name != "" {
			out.Class = Class(name)
		}
	}
	n, err := call.New[int32](f)
	if err != nil {
		return out
	}
	text, err := call.Slice[byte](f, maxErrorString)
	if err != nil {
		return out
	}
	if w.run(f, mpic.FnErrorString, uintptr(uint32(code)), uintptr(mem.AddrOf(text)), uintptr(mem.AddrOfPtr(n))) == 0 {
		out.Msg = strings.TrimSpace(mem.String(mem.AddrOf(text), max(0, min(*n, maxErrorString)), maxErrorString))
	}
	return out
}

// maxErrorString is the longest MPI_MAX_ERROR_STRING of all interfaces.
const maxErrorString = 512

// invalid is the error for an argument that the caller got wrong.
func invalid(op, format string, a ...any) error {
	return fmt.Errorf("mpi: %s: %s: %w", op, fmt.Sprintf(format, a...), isthmus.ErrInvalid)
}

// bounds is the error for a number that is out of its range.
func bounds(op, format string, a ...any) error {
	return fmt.Errorf("mpi: %s: %s: %w", op, fmt.Sprintf(format, a...), isthmus.ErrBounds)
}
