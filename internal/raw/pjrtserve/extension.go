package pjrtserve

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Functions are numbered: the slots of PJRT_Api first, then those of extensions, then those of XLA's FFI.
const maxFunctions = 256

// answers is what a function of C's returns.
type answers uint8

const (
	answersError answers = iota
	answersNothing
	answersFFIError
)

// entry is one function that C calls.
type entry struct {
	name    string
	size    uint64 // the least that the argument struct must say it has; 0 where it does not say
	answers answers
	serve   func(s *Server, a mem.Addr) error
}

// member is a function of an extension.
type member struct {
	pjrtc.ExtFunc
	number pjrtc.Slot
}

// sizeOf is the size that argument structs of the type state, 0 for a type without one.
func sizeOf[A any]() uint64 {
	var zero A
	s, ok := any(&zero).(interface{ SetSize() })
	if !ok {
		return 0
	}
	s.SetSize()
	// SAFETY: owner: this frame; bounds and alignment: every struct that has a SetSize begins with its size; thread:
	// this one.
	return *mem.At[uint64](mem.AddrOfPtr(&zero))
}

// function adds a function, and returns its number.
func (s *shared) function(e entry) pjrtc.Slot {
	n := s.functions
	s.functions++
	s.entries[n] = e
	return n
}

// extend adds the function of an extension that takes A.
func extend[A any, P interface {
	*A
	pjrtc.ExtArgs
}](s *shared, serve func(s *Server, a P) error) {
	f := P(nil).ExtFunc()
	e := entry{name: f.Name, size: sizeOf[A](), serve: func(s *Server, a mem.Addr) error {
		// SAFETY: as in on.
		return serve(s, P(mem.At[A](a)))
	}}
	if !f.Returns {
		e.answers = answersNothing
	}
	s.members = append(s.members, member{f, s.function(e)})
}

// announce makes the chain of extensions, of the C functions that fn gives.
func (s *shared) announce(fn func(pjrtc.Slot) (pjrtc.Func, error)) (first pjrtc.Ptr[pjrtc.ExtensionBase], err error) {
	made := map[pjrtc.ExtensionType]mem.Addr{}
	for _, m := range s.members {
		p := made[m.Type]
		if p == 0 {
			info := pjrtc.Extensions()[m.Type]
			cell, _, err := grab(int(info.Size))
			if err != nil {
				return 0, fmt.Errorf("extension %s: %w", info.Name, err)
			}
			p = cell.addr // never freed: the table lives as long as the process
			made[m.Type] = p
			// SAFETY: owner: the process, for ever; bounds: as many bytes were made as the extension has, which begins with
			// its base; alignment: 64; thread: this one, and constant after.
			base := mem.At[pjrtc.ExtensionBase](p)
			base.StructSize, base.Type, base.Next = uint64(info.Size), m.Type, first
			first = pjrtc.Ptr[pjrtc.ExtensionBase](p)
		}
		f, err := fn(m.number)
		if err != nil {
			return 0, err
		}
		// SAFETY: as above; the offset is inside the extension's struct.
		*mem.At[pjrtc.Func](p + mem.Addr(m.Offset)) = f
	}
	return first, nil
}
