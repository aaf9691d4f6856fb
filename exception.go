package isthmus

// Exception is an exception of C++, of Objective-C, or of another language with the same unwinder, that native code threw out of a call
// of Go's. It was caught where it would have entered Go, and destroyed. What the native code had begun is not undone:
// what it was working on is in a state that nobody knows.
type Exception struct {
	Name  string // the C++ type, such as std::runtime_error, or an NSException's name; empty when it is neither
	What  string // the text of a std::exception, or an NSException's reason: valid UTF-8, at most 4 KiB of it
	Class string // the language's mark, such as GNUCC++ or GNUCOBJC
}

// Error says what was thrown.
func (e *Exception) Error() string {
	switch {
	case e == nil:
		return "no exception"
	case e.Name != "" && e.What != "":
		return "native exception " + e.Name + ": " + e.What
	case e.Name != "":
		return "native exception " + e.Name
	case e.Class != "":
		return "native exception of the class " + e.Class
	}
	return "native exception"
}

// Unwrap makes it an [ErrException].
func (e *Exception) Unwrap() error { return ErrException }
