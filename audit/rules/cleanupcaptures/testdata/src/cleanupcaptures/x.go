package cleanupcaptures

import "runtime"

type object struct{ handle uintptr }

func destroy(uintptr) {}

func captured() *object {
	o := &object{1}
	runtime.AddCleanup(o, func(uintptr) { destroy(o.handle) }, 0) // want cleanup-captures
	return o
}

func finalizer() *object {
	o := &object{1}
	runtime.SetFinalizer(o, func(*object) { destroy(o.handle) }) // want cleanup-captures
	return o
}

func argument() *object {
	o := &object{1}
	runtime.AddCleanup(o, func(o *object) { destroy(o.handle) }, o) // want cleanup-captures
	return o
}

func good() *object {
	o := &object{1}
	runtime.AddCleanup(o, destroy, o.handle)
	runtime.SetFinalizer(o, func(o *object) { destroy(o.handle) })
	return o
}

func other() (*object, *object) {
	a, b := &object{1}, &object{2}
	runtime.SetFinalizer(a, func(*object) { destroy(b.handle) })
	return a, b
}
