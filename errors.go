package isthmus

import "errors"

// The errors that every package of this module wraps. Test with [errors.Is]; the text around them says what
// was being done, to which object, and what to do about it.
var (
	// ErrClosed says that the value was closed, never opened, or given away.
	ErrClosed = errors.New("closed")
	// ErrBusy says that the value is in use, or that values made from it are still alive.
	ErrBusy = errors.New("busy")
	// ErrBorrowed says that the memory is lent out in a way that excludes the use asked for.
	ErrBorrowed = errors.New("memory is lent out")
	// ErrBounds says that an index, length or size is outside what it indexes, or overflows.
	ErrBounds = errors.New("out of bounds")
	// ErrUnsupported says that this platform, library or version cannot do what was asked.
	ErrUnsupported = errors.New("unsupported")
	// ErrVersion says that two sides were built for versions that do not fit.
	ErrVersion = errors.New("version mismatch")
	// ErrInvalid says that an argument, or a value that native code returned, breaks its contract.
	ErrInvalid = errors.New("invalid")
	// ErrNotFound says that a library, symbol, file or name does not exist.
	ErrNotFound = errors.New("not found")
	// ErrLimit says that a bounded resource (a table, a memory limit) is used up.
	ErrLimit = errors.New("limit reached")
	// ErrPanic says that Go code called by native code panicked or ended its goroutine.
	ErrPanic = errors.New("callback panicked")
	// ErrException says that native code threw an exception instead of returning: see [Exception].
	ErrException = errors.New("native exception")
	// ErrLeak says that native objects were still alive where none should be.
	ErrLeak = errors.New("native objects leaked")
)
