package pjrtserve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// Error is an error with a code of its own. Errors without one get the code that their chain suggests.
type Error struct {
	Code    pjrtc.ErrorCode
	Msg     string
	Payload map[string]string
}

func (e *Error) Error() string { return e.Msg }

func fail(code pjrtc.ErrorCode, format string, a ...any) error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, a...)}
}

func invalid(format string, a ...any) error {
	return fail(pjrtc.ErrorCodeINVALIDARGUMENT, format, a...)
}

func unimplemented(format string, a ...any) error {
	return fail(pjrtc.ErrorCodeUNIMPLEMENTED, format, a...)
}

// codes says which code an error of the shared vocabulary gets, the first that is in its chain.
var codes = []struct {
	is   error
	code pjrtc.ErrorCode
}{
	{context.Canceled, pjrtc.ErrorCodeCANCELLED},
	{context.DeadlineExceeded, pjrtc.ErrorCodeDEADLINEEXCEEDED},
	{isthmus.ErrLimit, pjrtc.ErrorCodeRESOURCEEXHAUSTED},
	{isthmus.ErrUnsupported, pjrtc.ErrorCodeUNIMPLEMENTED},
	{isthmus.ErrPanic, pjrtc.ErrorCodeINTERNAL},
	{isthmus.ErrClosed, pjrtc.ErrorCodeFAILEDPRECONDITION},
	{isthmus.ErrBusy, pjrtc.ErrorCodeFAILEDPRECONDITION},
	{isthmus.ErrNotFound, pjrtc.ErrorCodeNOTFOUND},
	{isthmus.ErrBounds, pjrtc.ErrorCodeINVALIDARGUMENT},
	{isthmus.ErrInvalid, pjrtc.ErrorCodeINVALIDARGUMENT},
}

// codeOf is the code of an error. A program that cannot be read or checked is the caller's mistake.
func codeOf(err error) pjrtc.ErrorCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return c.code
		}
	}
	return pjrtc.ErrorCodeINVALIDARGUMENT
}

// failure is a PJRT_Error: memory that begins with the pointer to a function table, found by its address.
type failure struct {
	code    pjrtc.ErrorCode
	payload map[string]string
	text    text
}

// cellBytes is the size of what an error's handle points to.
const cellBytes = 16

// quarantine is how many destroyed errors are remembered before an address is used again, so that one that is used
// too late is not taken for another.
const quarantine = 1 << 14

// failures finds errors by address. It is the process's: an error belongs to no client.
type failures struct {
	mu      sync.Mutex
	live    map[mem.Addr]*failure
	fresh   []mem.Addr
	retired []mem.Addr // oldest first
}

func (f *failures) add(e *failure) (mem.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var a mem.Addr
	if len(f.retired) > quarantine {
		a, f.retired = f.retired[0], f.retired[1:]
	} else {
		if len(f.fresh) == 0 {
			const slab = 1 << 16
			p, err := mem.Pages(slab)
			if err != nil {
				return 0, err
			}
			for at := mem.Addr(0); at < slab; at += cellBytes {
				f.fresh = append(f.fresh, p+at)
			}
		}
		a, f.fresh = f.fresh[0], f.fresh[1:]
	}
	if f.live == nil {
		f.live = map[mem.Addr]*failure{}
	}
	f.live[a] = e
	return a, nil
}

func (f *failures) get(a mem.Addr) *failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.live[a]
}

func (f *failures) remove(a mem.Addr) *failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.live[a]
	if e != nil {
		delete(f.live, a)
		f.retired = append(f.retired, a)
	}
	return e
}

// count is how many errors nobody has destroyed yet.
func (f *failures) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.live)
}

// maxMessage bounds the text of an error.
const maxMessage = 64 << 10

// raise makes a PJRT_Error, null for nil.
func (s *shared) raise(err error) pjrtc.Ptr[pjrtc.Error] {
	if err == nil {
		return 0
	}
	f := &failure{code: codeOf(err)}
	var e *Error
	if errors.As(err, &e) {
		f.payload = e.Payload
	}
	msg := err.Error()
	if len(msg) > maxMessage {
		msg = msg[:maxMessage]
	}
	// Without memory for its text an error is still an error.
	_ = f.text.set(msg)
	a, err := s.failures.add(f)
	if err == nil {
		var table mem.Addr
		if table, err = s.errorTable.get(errorTable); err == nil {
			// SAFETY: owner: the process, for ever; bounds: a cell is as large as PJRT_Error; alignment: 16; thread: this
			// one, as nobody has the address yet.
			mem.At[pjrtc.Error](a).Vtable = pjrtc.Ptr[pjrtc.ErrorFunctionTable](table)
		}
	}
	if err != nil {
		// Nothing else is left to say it with: the address of no error at all, which every use refuses.
		return pjrtc.Ptr[pjrtc.Error](s.last)
	}
	return pjrtc.Ptr[pjrtc.Error](a)
}

// drop destroys the error at an address.
func (f *failures) drop(a mem.Addr) {
	if e := f.remove(a); e != nil {
		e.text.free()
	}
}

// visit calls a C function with each payload.
func (f *failure) visit(visitor call.Fn, arg uintptr) error {
	frame := call.Get()
	defer frame.Put()
	for k, v := range f.payload {
		key, err := frame.Text(k)
		if err != nil {
			return err
		}
		value, err := frame.Text(v)
		if err != nil {
			return err
		}
		call.Call(visitor, uintptr(key), uintptr(len(k)), uintptr(value), uintptr(len(v)), arg)
	}
	return nil
}

// errorTable makes the function table that each error begins with: the same four functions, for who has no PJRT_Api at
// hand.
func errorTable() (mem.Addr, error) {
	var fns [4]call.Fn
	for i, f := range []any{
		func(e uintptr) uintptr { world().failures.drop(mem.Addr(e)); return 0 },
		func(e, message, size uintptr) uintptr {
			_ = guard(func() error {
				at, n := pjrtc.Ptr[byte](0), uint64(0)
				if f := world().failures.get(mem.Addr(e)); f != nil {
					at, n = f.text.get()
				}
				// SAFETY: owner: the C caller, for the call; bounds and alignment: the API's: places for a pointer and a
				// size; thread: the caller's. A fault is caught.
				*mem.At[pjrtc.Ptr[byte]](message) = at
				*mem.At[uint64](size) = n
				return nil
			})
			return 0
		},
		func(e uintptr) uintptr {
			if f := world().failures.get(mem.Addr(e)); f != nil {
				return uintptr(f.code)
			}
			return uintptr(pjrtc.ErrorCodeUNKNOWN)
		},
		func(e, visitor, arg uintptr) uintptr {
			_ = guard(func() error {
				if f := world().failures.get(mem.Addr(e)); f != nil && visitor != 0 {
					return f.visit(call.Fn(visitor), arg)
				}
				return nil
			})
			return 0
		},
	} {
		var err error
		if fns[i], err = cb.Static(f); err != nil {
			return 0, err
		}
	}
	p, err := mem.Pages(mem.SizeOf[pjrtc.ErrorFunctionTable]())
	if err != nil {
		return 0, err
	}
	// SAFETY: owner: the process, for ever; bounds: as many bytes were made; alignment: pages; thread: this one, and
	// constant after.
	t := mem.At[pjrtc.ErrorFunctionTable](p)
	t.SetSize()
	t.InstanceSize = uint64(mem.SizeOf[pjrtc.Error]())
	t.Destroy, t.Message, t.GetCode, t.ForEachPayload = pjrtc.Func(fns[0]), pjrtc.Func(fns[1]), pjrtc.Func(fns[2]), pjrtc.Func(fns[3])
	return p, nil
}

func (s *shared) errorSlots() {
	on(s, func(_ *Server, a *pjrtc.ErrorDestroyArgs) error {
		s.failures.drop(mem.Addr(a.Error))
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ErrorMessageArgs) error {
		a.Message, a.MessageSize = 0, 0
		if f := s.failures.get(mem.Addr(a.Error)); f != nil {
			a.Message, a.MessageSize = f.text.get()
		}
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ErrorGetCodeArgs) error {
		f := s.failures.get(mem.Addr(a.Error))
		if f == nil {
			return invalid("there is no error %#x", uintptr(a.Error))
		}
		a.Code = f.code
		return nil
	})
	on(s, func(_ *Server, a *pjrtc.ErrorForEachPayloadArgs) error {
		f := s.failures.get(mem.Addr(a.Error))
		if f == nil {
			return invalid("there is no error %#x", uintptr(a.Error))
		}
		if a.Visitor == 0 {
			return invalid("no visitor")
		}
		return f.visit(call.Fn(a.Visitor), uintptr(a.UserArg))
	})
}

// Raise makes a PJRT_Error of an error, for code that stands before a plugin: any client can read and destroy it by its
// function table, and [Server.Dispatch] of any server by the functions of PJRT_Api. nil gives null.
func Raise(err error) pjrtc.Ptr[pjrtc.Error] { return world().raise(err) }
