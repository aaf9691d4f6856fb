package objc

import (
	"errors"
	"fmt"

	"github.com/isthmus-ffi/isthmus"
)

// ErrNil is an object that should be there and is nil.
var ErrNil = errors.New("nil result")

// CallError is what a message ended with: [ErrNil], a *[NSError], an *[isthmus.Exception], or why it was not sent.
type CallError struct {
	Class, Selector string
	Err             error
}

func (e *CallError) Error() string { return fmt.Sprintf("%s %s: %v", e.Class, e.Selector, e.Err) }

// Unwrap is what happened.
func (e *CallError) Unwrap() error { return e.Err }

// NSError is an NSError, read.
type NSError struct {
	Domain string
	Code   int
	Text   string // localizedDescription
}

func (e *NSError) Error() string { return fmt.Sprintf("%s %d: %s", e.Domain, e.Code, e.Text) }

// MethodError says that a class is not, or has a method not, as the facts say. It is [isthmus.ErrUnsupported].
type MethodError struct {
	Class, Selector string // Selector is empty when the class is missing
	Want, Have      string // encodings; Have is empty when the method is missing
}

func (e *MethodError) Error() string {
	switch {
	case e.Selector == "":
		return fmt.Sprintf("objc: there is no class %s: %v", e.Class, isthmus.ErrUnsupported)
	case e.Have == "":
		return fmt.Sprintf("objc: %s has no method %s: %v", e.Class, e.Selector, isthmus.ErrUnsupported)
	}
	return fmt.Sprintf("objc: %s %s has the types %s and not %s: %v", e.Class, e.Selector, e.Have, e.Want, isthmus.ErrUnsupported)
}

// Unwrap gives [isthmus.ErrUnsupported].
func (e *MethodError) Unwrap() error { return isthmus.ErrUnsupported }
