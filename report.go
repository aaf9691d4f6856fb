package isthmus

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// Problem is what a [Report] is about. The zero value is invalid.
type Problem uint8

const (
	_ Problem = iota
	// ProblemLeak is an object that was collected without being closed. It is destroyed after the report.
	ProblemLeak
	// ProblemLostLoan is lent memory whose loan was forgotten. It stays lent and pinned for ever.
	ProblemLostLoan
	// ProblemDestroy is a native destroy that failed where nobody could be told.
	ProblemDestroy
	// ProblemPanic is Go code that panicked or ended its goroutine while serving native code.
	ProblemPanic
	// ProblemStray is native code that called back after the end, twice, or with a wrong argument.
	ProblemStray
	// ProblemMisuse is a broken calling rule, such as Done without Use.
	ProblemMisuse
	// ProblemLate is native work that outlived the scope or deadline that it belonged to.
	ProblemLate
	// ProblemException is an exception that native code threw where nobody could be told.
	ProblemException
)

// String names the problem.
func (p Problem) String() string {
	switch p {
	case ProblemLeak:
		return "collected without Close"
	case ProblemLostLoan:
		return "loan forgotten"
	case ProblemDestroy:
		return "destroy failed"
	case ProblemPanic:
		return "callback panicked"
	case ProblemStray:
		return "stray native callback"
	case ProblemMisuse:
		return "misuse"
	case ProblemLate:
		return "native work outlived its scope"
	case ProblemException:
		return "native code threw an exception"
	default:
		return fmt.Sprintf("Problem(%d)", uint8(p))
	}
}

// Report is one problem that no caller could be told about.
type Report struct {
	Problem Problem
	Object  Object // the object concerned; its Kind is never empty
	Err     error  // the cause, or nil
}

// Error makes a Report usable as an error.
func (r Report) Error() string {
	s := fmt.Sprintf("isthmus: %s: %s", r.Object, r.Problem)
	if r.Err != nil {
		s += ": " + r.Err.Error()
	}
	return s
}

// Unwrap returns the cause, and [ErrLeak] for a leak.
func (r Report) Unwrap() []error {
	var out []error
	if r.Problem == ProblemLeak || r.Problem == ProblemLostLoan {
		out = append(out, ErrLeak)
	}
	if r.Err != nil {
		out = append(out, r.Err)
	}
	return out
}

var (
	reporter atomic.Pointer[func(Report)]
	reported atomic.Uint64
)

// SetReporter sets the function that reports go to and returns the one before it; nil is the default, a warning
// to [log/slog]'s default logger. The function is called on any goroutine, may not block, and must not call into
// native code. A panic in it ends the process, whatever recovers it on that goroutine.
func SetReporter(f func(Report)) (before func(Report)) {
	var p *func(Report)
	if f != nil {
		p = &f
	}
	if old := reporter.Swap(p); old != nil {
		return *old
	}
	return nil
}

// Reported returns how many reports there were in this process, also those dropped under [CheckOff]. A report counts when
// the reporter has taken it.
func Reported() uint64 { return reported.Load() }

// Tell hands r to the reporter. Under [CheckOff] it only counts. Under [CheckPanic] it then ends the process
// by a panic on a goroutine of its own, so that no native frame is unwound and no recover hides it.
func Tell(r Report) {
	defer reported.Add(1)
	mode := CurrentCheck()
	if mode == CheckOff {
		return
	}
	report(r)
	if mode == CheckPanic {
		go panic(r)
	}
}

func report(r Report) {
	defer func() {
		if v := recover(); v != nil {
			text := fmt.Sprintf("isthmus: the reporter panicked: %v\n\n%s", v, debug.Stack())
			go panic(text) // as under CheckPanic: native code may have called what reports
			select {}
		}
	}()
	if f := reporter.Load(); f != nil {
		(*f)(r)
	} else {
		slog.Default().Warn(r.Error(), "stack", r.Object.Site.Stack())
	}
}
