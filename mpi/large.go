package mpi

import (
	"fmt"
	"math"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/mem"
	"github.com/isthmus-ffi/isthmus/internal/raw/mpic"
)

// large is the function that takes n elements: MPI's functions take a C int, and since MPI 4 have a form with _c that takes
// more.
//
// Errors: [isthmus.ErrUnsupported] and [isthmus.ErrBounds] where the library has no such form; nothing was called then.
func (w *World) large(op string, fn mpic.Func, n int) (mpic.Func, error) {
	if n <= math.MaxInt32 {
		return fn, nil
	}
	c, ok := fn.Large()
	if ok && w.lib.Has(c) && w.lib.Has(mpic.FnGetCountC) {
		return c, nil
	}
	why := fmt.Errorf("%v_c is not in the standard: %w", fn, isthmus.ErrUnsupported)
	if ok {
		if _, err := w.lib.Fn(c); err != nil {
			why = err
		} else {
			_, why = w.lib.Fn(mpic.FnGetCountC)
		}
	}
	return 0, fmt.Errorf("mpi: %s: %d elements, more than a C int holds: %w: %w; send at most %d at once", op, n, isthmus.ErrBounds, why, math.MaxInt32)
}

// countLarge has what arrives counted as a number of 64 bits.
func (o *operation) countLarge() error {
	return o.world.step(&o.block.counts, mpic.FnGetCountC, uintptr(mem.AddrOf(o.block.status[:])), uintptr(o.dt.h), uintptr(mem.AddrOfPtr(&o.block.long)))
}

// countSmall undoes it, for the next operation.
func (o *operation) countSmall() error {
	o.large = false
	return o.world.step(&o.block.counts, mpic.FnGetCount, uintptr(mem.AddrOf(o.block.status[:])), 0, uintptr(mem.AddrOfPtr(&o.block.count)))
}

// received is how many elements have arrived, or the library's number for no whole number of them.
func (o *operation) received() int {
	if o.large {
		return int(o.block.long)
	}
	return int(o.block.count)
}

// grow has the operation take n elements.
func (k *collective) grow(n int) {
	if n <= math.MaxInt32 || k.err != nil || k.large {
		return
	}
	fn, err := k.c.world.large(k.op, k.now, n)
	if err != nil {
		k.fail(err)
		return
	}
	k.now, k.large = fn, true
	if c, ok := k.init.Large(); ok {
		k.init = c
	}
}
