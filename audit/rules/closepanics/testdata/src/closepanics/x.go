package closepanics

// static int destroy(int h) { return h; }
import "C"

import (
	"errors"
	"runtime"
)

type Object struct{ h C.int }

func (o *Object) Close() error {
	if C.destroy(o.h) != 0 {
		panic("destroy failed") // want close-panics:warning
	}
	return nil
}

func track(o *Object) {
	runtime.SetFinalizer(o, func(o *Object) {
		if o.h != 0 {
			panic("not closed") // want close-panics:warning
		}
	})
}

type Good struct{ h C.int }

func (g *Good) Close() error {
	if C.destroy(g.h) != 0 {
		return errors.New("destroy failed")
	}
	return nil
}
