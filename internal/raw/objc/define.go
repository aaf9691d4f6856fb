package objc

import (
	"fmt"

	"github.com/isthmus-ffi/isthmus"
	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// Method is a method of a class that is made here: a C function of the receiver, the selector, and what the encoding says.
type Method struct {
	Selector, Encoding string
	Fn                 call.Fn
}

// Define makes a class of objects, below a class that there is. It is for tests: doubles that need no compiler. A class cannot be
// unmade, so a name can be had once: [isthmus.ErrInvalid] after that.
func (r *Runtime) Define(name, super string, methods ...Method) error {
	base := r.class(super)
	if base == 0 {
		return &MethodError{Class: super}
	}
	class := text(r.allocatePair, name, 1, base)
	if class == 0 {
		return fmt.Errorf("objc: the class %s is there already: %w", name, isthmus.ErrInvalid)
	}
	for _, m := range methods {
		if _, err := planOf(m.Selector, m.Encoding, false); err != nil {
			return err
		}
		sel, err := r.selector(m.Selector)
		if err != nil {
			return err
		}
		f := call.Get()
		types, err := f.Text(m.Encoding)
		if err == nil && f.Call(r.addMethod, class, sel, uintptr(m.Fn), uintptr(types))&0xff == 0 {
			err = fmt.Errorf("objc: %s has a method %s already: %w", name, m.Selector, isthmus.ErrInvalid)
		}
		f.Put()
		if err != nil {
			return err
		}
	}
	call.Call(r.registerPair, class)
	return nil
}
