package pjrtserve

import (
	"runtime/debug"

	"github.com/isthmus-ffi/isthmus/internal/raw/cb"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/pjrtc"
)

// guard runs f where a fault at an address of C's is an error.
func guard(f func() error) (err error) {
	before := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(before)
	defer func() {
		if v := recover(); v != nil {
			err = recovered(v)
		}
	}()
	return f()
}

// promiseOf is a function that C calls once, with a struct that holds the token that it was given.
type promiseOf struct{ run func(mem.Addr) }

// laterFn is the C function that takes the tokens.
func laterFn() (pjrtc.Func, error) {
	fn, err := cb.Static1(func(p mem.Addr) uintptr {
		_ = guard(func() error {
			if p == 0 || p%8 != 0 {
				return invalid("the argument struct is null or misaligned")
			}
			// SAFETY: owner: the C caller; bounds: both structs that lead here are longer, and have the token at the same
			// place; alignment: checked; thread: the caller's.
			token := mem.At[pjrtc.BufferDonateWithControlDependencyCallbackArgs](p).CallbackData
			f, err := take[*promiseOf](kindPromise, token)
			if err == nil {
				f.run(p)
			}
			return err
		})
		return 0
	}, func(error) uintptr { return 0 })
	return pjrtc.Func(fn), err
}

// later makes a token, and the C function to give it to: run is called with the struct that C passes, once.
func later(run func(mem.Addr)) (pjrtc.Addr, pjrtc.Func, error) {
	fn, err := world().laterFn.get(laterFn)
	if err != nil {
		return 0, 0, err
	}
	h, err := give[pjrtc.Addr](kindPromise, &promiseOf{run})
	return h, fn, err
}
