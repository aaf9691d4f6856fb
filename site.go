package isthmus

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

const (
	siteDepth  = 12 // the assembly knows it
	modulePath = "github.com/isthmus-ffi/isthmus"
)

// Site is the place in the program that made an object: a few frames of its call stack. The zero value is an
// unknown place, as under [CheckOff].
type Site struct {
	n  int
	pc [siteDepth]uintptr
	at *[]runtime.Frame // in place of pc, for code that is not Go
}

// SiteOf is a place whose frames are known otherwise, innermost first: that of a call in C, by its file and line, and above
// it the Go code that has called C. Sites that SiteOf makes are equal only to their copies.
func SiteOf(frames []runtime.Frame) Site {
	if len(frames) == 0 {
		return Site{}
	}
	frames = slices.Clone(frames)
	return Site{at: &frames}
}

// record fills s with the calling stack.
func (s *Site) record() { s.n = callers(&s.pc, 0) }

// Here returns the calling place. Under [CheckOff] it returns the unknown site.
func Here() Site {
	var s Site
	if CurrentCheck() != CheckOff {
		s.record()
	}
	return s
}

// HereAbove is [Here] for code that other library code calls: it leaves out the skip innermost frames, so that more of the
// user's are recorded. A function that was inlined is no frame.
func HereAbove(skip int) Site {
	var s Site
	if CurrentCheck() != CheckOff {
		s.n = callers(&s.pc, skip)
	}
	return s
}

// Known reports whether the place was recorded.
func (s Site) Known() bool { return s.n > 0 || s.at != nil }

// Frames returns the recorded frames, innermost first.
func (s Site) Frames() []runtime.Frame {
	var out []runtime.Frame
	if s.at != nil {
		return slices.Clone(*s.at)
	}
	if s.n == 0 {
		return nil
	}
	it := runtime.CallersFrames(s.pc[:s.n])
	for {
		f, more := it.Next()
		if f.Function != "" {
			out = append(out, f)
		}
		if !more {
			return out
		}
	}
}

// String returns the innermost frame that is not this module's library code, as file:line (function). On a goroutine of
// this module's own it is the outermost frame.
func (s Site) String() string {
	frames := s.Frames()
	if len(frames) == 0 {
		return "unknown place"
	}
	best := frames[0]
	for _, f := range frames {
		if strings.HasPrefix(f.Function, "runtime.") {
			break // the goroutine's own start: it is this module's
		}
		best = f
		if !library(f) {
			break
		}
	}
	return fmt.Sprintf("%s:%d (%s)", trimPath(best.File), best.Line, trimFunc(best.Function))
}

// Stack returns all recorded frames, one to a line.
func (s Site) Stack() string {
	var b strings.Builder
	for _, f := range s.Frames() {
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", trimFunc(f.Function), trimPath(f.File), f.Line)
	}
	return b.String()
}

// library reports whether f is this module's own code and not a test, command or example of it.
func library(f runtime.Frame) bool {
	if !strings.HasPrefix(f.Function, modulePath) || strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	rest := strings.TrimPrefix(f.Function, modulePath)
	return !strings.HasPrefix(rest, "/cmd/") && !strings.HasPrefix(rest, "/examples/")
}

// trimPath keeps a file's last two elements: enough to find it, the same on every machine.
func trimPath(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return p
	}
	return p[strings.LastIndexByte(p[:i], '/')+1:]
}

// trimFunc drops the directory part of a function's package.
func trimFunc(f string) string { return f[strings.LastIndexByte(f, '/')+1:] }
