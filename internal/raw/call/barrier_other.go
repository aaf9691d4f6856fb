//go:build !((linux || darwin) && (amd64 || arm64)) || isthmus_portable

package call

import (
	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
)

// Guarded reports whether exceptions become errors: not on this platform, where one ends the process.
func Guarded() bool { return false }

// Guard does nothing on this platform.
func Guard(func(name string) Fn) bool { return false }

// Thrown returns nil: on this platform an exception ends the process.
func (f *Frame) Thrown() *isthmus.Exception { return nil }

// Threw reports false, as [Frame.Thrown].
func (f *Frame) Threw() bool { return false }

// Thrown returns nil, as [Frame.Thrown].
func (s *Step) Thrown() *isthmus.Exception { return nil }

// Thrown returns nil, as [Frame.Thrown].
func (w *Wide) Thrown() *isthmus.Exception { return nil }

// GuardObjects does nothing on this platform.
func GuardObjects(Fn, uintptr, uintptr, func(mem.Addr) (string, string)) {}

// Drop reports false, as [Frame.Thrown].
func (w *Wide) Drop() bool { return false }
