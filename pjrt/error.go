package pjrt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Code says what kind of error a plugin reported. A Code is an error itself, so errors.Is(err, pjrt.Internal) works.
type Code int

// The codes, as in absl::StatusCode.
const (
	Cancelled          Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

// String returns the code's name in lower case, such as "invalid argument".
func (c Code) String() string {
	if c < Cancelled || c > Unauthenticated {
		return fmt.Sprintf("code %d", int(c))
	}
	return strings.ToLower(strings.ReplaceAll(pjrtc.ErrorCode(c).String(), "_", " "))
}

// Error makes a Code usable as a target of errors.Is.
func (c Code) Error() string { return c.String() }

// sentinel is the error of the shared vocabulary that c means, or nil.
func (c Code) sentinel() error {
	switch c {
	case Cancelled:
		return context.Canceled
	case DeadlineExceeded:
		return context.DeadlineExceeded
	case InvalidArgument:
		return isthmus.ErrInvalid
	case NotFound:
		return isthmus.ErrNotFound
	case ResourceExhausted:
		return isthmus.ErrLimit
	case OutOfRange:
		return isthmus.ErrBounds
	case Unimplemented:
		return isthmus.ErrUnsupported
	}
	return nil
}

// Error is what a plugin reported: which operation, which code, the plugin's own text.
type Error struct {
	Op   string // the operation, such as "compile"
	Code Code
	Msg  string // the plugin's text: valid UTF-8, at most 64 KiB of it
	Err  error  // why the text, code or payloads are missing, or nil
	// Payloads are what the plugin attached, by type URL: bytes of a form that the URL names, such as a protocol buffer. At most
	// 64 of 64 KiB each; nil where there are none, and from plugins before API 0.99.
	Payloads map[string][]byte
}

// Error returns op, code and text.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pjrt: %s: %s", e.Op, e.Code)
	if e.Msg != "" {
		b.WriteString(": " + e.Msg)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap gives the code, the shared error that it means, if any, and Err.
func (e *Error) Unwrap() []error {
	out := []error{e.Code}
	if s := e.Code.sentinel(); s != nil {
		out = append(out, s)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// maxText bounds every text that is taken from a plugin.
const maxText = 64 << 10

// text copies text of a plugin: bounded, valid UTF-8.
func text(p pjrtc.Ptr[byte], n uint64) string { return mem.String(p, n, maxText) }

// outcome is how a call in the frame that gave e went: nil, the error that the plugin reports, or what it threw.
func (p *Plugin) outcome(f *call.Frame, op string, e pjrtc.Ptr[pjrtc.Error]) error {
	if x := f.Thrown(); x != nil {
		return p.threw(op, x)
	}
	if e != 0 {
		return p.takeError(op, e)
	}
	return nil
}

// threw is the error for an exception. What the call was given may still be in the plugin's hands. A plugin's first one is
// reported too, since some callers do without what they asked for, and do not pass errors on.
func (p *Plugin) threw(op string, x *isthmus.Exception) error {
	err := fmt.Errorf("pjrt: %s: the plugin %s threw a %w; what it was doing is half done, and its client is suspect: close what was made from it and make another", op, p.name, x)
	if p.suspect.CompareAndSwap(false, true) {
		isthmus.Tell(isthmus.Report{Problem: isthmus.ProblemException, Object: isthmus.Object{Kind: "pjrt.Plugin"}, Err: err})
	}
	return err
}

// suspect reports whether a call ended with an exception, so that nobody knows what of its arguments the plugin still
// has, nor what is in its results: neither may be ended.
func suspect(err error) bool { return err != nil && errors.Is(err, isthmus.ErrException) }

// returnAfter returns a loan after a call failed with err. After an exception it is forgotten instead: the memory stays lent
// and pinned, and the loss is reported.
func returnAfter(l *ffi.Loan, err error) {
	if !suspect(err) {
		l.Return()
	}
}

// takeError turns a native error into an [*Error] and destroys it, exactly once, whatever reading it gives.
func (p *Plugin) takeError(op string, e pjrtc.Ptr[pjrtc.Error]) error {
	f := call.Get()
	defer f.Put()
	defer p.destroyError(f, e)
	out := &Error{Op: op, Code: Unknown}
	var err error
	if out.Msg, err = p.errorMessage(f, e); err != nil {
		out.Err = err
	}
	if out.Code, err = p.errorCode(f, e); err != nil {
		out.Err = err
	}
	if out.Payloads, err = p.errorPayloads(f, e); err != nil {
		out.Err = err
	}
	if refusesSize(out.Msg) {
		major, minor := p.table.Version()
		out.Err = fmt.Errorf("the plugin %s (API %d.%d) takes argument structs of its own version only; install one of another version: %w", p.name, major, minor, isthmus.ErrVersion)
	}
	return out
}

// refusesSize reports whether a message is XLA's about an argument struct that is not of the size that the plugin was
// built with: "Unexpected PJRT_X_Args size: expected 88, got 72. Check installed software versions."
func refusesSize(msg string) bool {
	rest, ok := strings.CutPrefix(msg, "Unexpected PJRT_")
	return ok && strings.Contains(rest, " size: expected ") && strings.Contains(rest, ", got ")
}

func (p *Plugin) errorMessage(f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) (string, error) {
	a, err := call.New[pjrtc.ErrorMessageArgs](f)
	if err != nil {
		return "", err
	}
	if !p.table.Has(a.Slot()) {
		return "", p.lacks(a.Slot())
	}
	a.Error = e
	pjrtc.Call(p.table, f, a)
	if x := f.Thrown(); x != nil {
		return "", p.threw("error message", x)
	}
	return text(a.Message, a.MessageSize), nil
}

// errCodeOK says that an error is none.
var errCodeOK = errors.New("the error's code says ok")

func (p *Plugin) errorCode(f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) (Code, error) {
	a, err := call.New[pjrtc.ErrorGetCodeArgs](f)
	if err != nil {
		return Unknown, err
	}
	if !p.table.Has(a.Slot()) {
		return Unknown, p.lacks(a.Slot())
	}
	a.Error = e
	second := pjrtc.Call(p.table, f, a)
	if x := f.Thrown(); x != nil {
		return Unknown, p.threw("error code", x)
	}
	if second != 0 {
		if second != e {
			p.destroyError(f, second)
		}
		return Unknown, fmt.Errorf("reading the code gave another error")
	}
	if a.Code == pjrtc.ErrorCodeOK {
		return Unknown, errCodeOK
	}
	return Code(a.Code), nil
}

// maxPayloads bounds how many payloads of an error are kept.
const maxPayloads = 64

// errorPayloads copies what the plugin's PJRT_Error_ForEachPayload shows; a plugin without it has none.
func (p *Plugin) errorPayloads(f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) (map[string][]byte, error) {
	a, err := call.New[pjrtc.ErrorForEachPayloadArgs](f)
	if err != nil || !p.table.Has(a.Slot()) {
		return nil, err
	}
	var mu sync.Mutex // a plugin's visits are one after the other, if it keeps the contract
	var out map[string][]byte
	visitor, err := cb.Serve(cb.Shape{Args: 5, User: 4}, cb.Handler{Serve: func(v *cb.Args) uintptr {
		mu.Lock()
		defer mu.Unlock()
		if len(out) < maxPayloads {
			if out == nil {
				out = map[string][]byte{}
			}
			if value, err := mem.Copy(pjrtc.Ptr[byte](v[2]), min(uint64(v[3]), maxText), maxText); err == nil {
				out[text(pjrtc.Ptr[byte](v[0]), uint64(v[1]))] = value
			}
		}
		return 0
	}})
	if err != nil {
		return nil, err
	}
	defer visitor.Release()
	a.Error, a.Visitor, a.UserArg = e, pjrtc.Func(visitor.Fn), pjrtc.Addr(visitor.Arg)
	second := pjrtc.Call(p.table, f, a)
	if x := f.Thrown(); x != nil {
		return nil, p.threw("error payloads", x)
	}
	if second != 0 {
		if second != e {
			p.destroyError(f, second)
		}
		return nil, errors.New("reading the payloads gave another error")
	}
	mu.Lock()
	defer mu.Unlock()
	return out, nil
}

func (p *Plugin) destroyError(f *call.Frame, e pjrtc.Ptr[pjrtc.Error]) {
	a, err := call.New[pjrtc.ErrorDestroyArgs](f)
	if err != nil || !p.table.Has(a.Slot()) {
		return
	}
	a.Error = e
	pjrtc.Call(p.table, f, a)
}

// lacks is the error for a function that the plugin does not have.
func (p *Plugin) lacks(s pjrtc.Slot) error {
	major, minor := p.table.Version()
	if end, ok := s.EndedBy(); ok && !p.table.Has(end) {
		return fmt.Errorf("%s cannot be used: %w", s, p.lacks(end))
	}
	if since := s.Since(); since > minor {
		return fmt.Errorf("the plugin %s (API %d.%d) has no %s, which needs API 0.%d: %w", p.name, major, minor, s, since, isthmus.ErrUnsupported)
	}
	return fmt.Errorf("the plugin %s (API %d.%d) has no %s: %w", p.name, major, minor, s, isthmus.ErrUnsupported)
}

// lacksField is the error for a field that the plugin is too old to know, such as PJRT_ExecuteOptions.context, and nil
// for one that it knows. It is asked before the field is set.
func (p *Plugin) lacksField(field string) error {
	major, minor := p.table.Version()
	if since := pjrtc.FieldSince(field); since > minor {
		return fmt.Errorf("the plugin %s (API %d.%d) has no %s, which needs API 0.%d: %w", p.name, major, minor, field, since, isthmus.ErrUnsupported)
	}
	return nil
}

// do calls the function that takes a. Errors: an [*Error] from the plugin; [isthmus.ErrUnsupported] when the plugin
// lacks the function.
//
// Preconditions: as for [pjrtc.Call].
func do[A any, P interface {
	*A
	pjrtc.Args
}](p *Plugin, f *call.Frame, op string, a P) error {
	if s := a.Slot(); !p.table.Has(s) {
		return fmt.Errorf("pjrt: %s: %w", op, p.lacks(s))
	}
	return p.outcome(f, op, pjrtc.Call(p.table, f, a))
}

// ask makes an argument struct, lets fill set its inputs, calls its function and lets read take the results, while
// the frame still holds them. fill and read may be nil.
func ask[A any, P interface {
	*A
	pjrtc.Args
}](p *Plugin, op string, fill func(*call.Frame, P) error, read func(P) error) error {
	return asking(fill, func(f *call.Frame, a P) error { return do(p, f, op, a) }, read)
}

// asking is ask for whatever way to call.
func asking[A any, P interface{ *A }](fill, invoke func(*call.Frame, P) error, read func(P) error) error {
	f := call.Get()
	defer f.Put()
	a, err := call.New[A](f)
	if err != nil {
		return err
	}
	if fill != nil {
		if err := fill(f, P(a)); err != nil {
			return err
		}
	}
	if err := invoke(f, P(a)); err != nil {
		return err
	}
	if read != nil {
		return read(P(a))
	}
	return nil
}

// invalid is the error for an argument that the caller got wrong.
func invalid(op, format string, a ...any) error {
	return fmt.Errorf("pjrt: %s: %s: %w", op, fmt.Sprintf(format, a...), isthmus.ErrInvalid)
}

// orZero is *v, or a zero value for nil: what only tells something about a value has nothing to tell then.
func orZero[T any](v *T) *T {
	if v == nil {
		return new(T)
	}
	return v
}
