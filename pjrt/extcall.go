package pjrt

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus/ffi"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// own makes o the owner of h, which A's function destroys.
func own[T any, A any, P interface {
	*A
	pjrtc.ExtArgs
}](o *extObject[T], p *Plugin, kind string, h pjrtc.Ptr[T], set func(P, pjrtc.Ptr[T]), parents ...ffi.Parent) error {
	return o.take(p, kind, h, func(h pjrtc.Ptr[T]) error {
		return askExt(p, "destroy "+kind, func(_ *call.Frame, a P) error { set(a, h); return nil }, nil)
	}, parents...)
}

// askOf is askExt about an object that stays alive for the call.
func askOf[T any, A any, P interface {
	*A
	pjrtc.ExtArgs
}](o *extObject[T], op string, fill func(*call.Frame, P, pjrtc.Ptr[T]) error, read func(P) error) error {
	// Not by with: read may make an object, and where it was made is a few frames above.
	h, err := o.use(op)
	if err != nil {
		return err
	}
	defer o.owned.Done()
	return askExt(o.plugin, op, func(f *call.Frame, a P) error { return fill(f, a, h) }, read)
}

// lendSized is lendBytes with the size.
func lendSized(f *call.Frame, pin *mem.Pin, b []byte) (pjrtc.Ptr[byte], uint64, error) {
	p, err := lendBytes(f, pin, b)
	return p, uint64(len(b)), err
}

// lendList is lendBytes for a list of them.
func lendList(f *call.Frame, pin *mem.Pin, list [][]byte) (pjrtc.Ptr[pjrtc.Ptr[byte]], pjrtc.Ptr[uint64], error) {
	ptrs, err := call.Slice[pjrtc.Ptr[byte]](f, max(len(list), 1))
	if err != nil {
		return 0, 0, err
	}
	sizes, err := call.Slice[uint64](f, max(len(list), 1))
	if err != nil {
		return 0, 0, err
	}
	for i, b := range list {
		if ptrs[i], sizes[i], err = lendSized(f, pin, b); err != nil {
			return 0, 0, err
		}
	}
	return pjrtc.ToSlice(ptrs), pjrtc.ToSlice(sizes), nil
}

// takeList copies a list of byte strings that a plugin owns.
func takeList(op string, ptrs pjrtc.Ptr[pjrtc.Ptr[byte]], sizes pjrtc.Ptr[uint64], n uint64) ([][]byte, error) {
	p, err := numbers(op, ptrs, n, maxValues)
	if err != nil {
		return nil, err
	}
	s, err := numbers(op, sizes, n, maxValues)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(p))
	for i := range p {
		if out[i], err = mem.Copy(p[i], s[i], maxProgram); err != nil {
			return nil, fmt.Errorf("pjrt: %s: %d: %w", op, i, err)
		}
	}
	return out, nil
}

// array copies numbers into the frame, with an address also when there are none.
func array[T, S mem.Integer](f *call.Frame, op string, in []S) (pjrtc.Ptr[T], error) {
	s, err := call.Slice[T](f, max(len(in), 1))
	if err != nil {
		return 0, err
	}
	for i, v := range in {
		if s[i], err = mem.To[T](v); err != nil {
			return 0, fmt.Errorf("pjrt: %s: %w", op, err)
		}
	}
	return pjrtc.ToSlice(s), nil
}

// release calls a deleter that came with an object, where there is one.
func release(deleter pjrtc.Func, object mem.Addr) {
	if deleter != 0 && object != 0 {
		call.Call1(call.Fn(deleter), object)
	}
}

// lentError reads an error that stays the plugin's, as callbacks get it; some are not null and say ok.
func (p *Plugin) lentError(op string, e pjrtc.Ptr[pjrtc.Error]) error {
	if e == 0 {
		return nil
	}
	f := call.Get()
	defer f.Put()
	code, err := p.errorCode(f, e)
	if err == errCodeOK {
		return nil
	}
	out := &Error{Op: op, Code: code, Err: err}
	if out.Msg, err = p.errorMessage(f, e); err != nil {
		out.Err = err
	}
	return out
}
