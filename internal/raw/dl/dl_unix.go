//go:build linux || darwin || freebsd || netbsd

package dl

import (
	"runtime"

	"github.com/ebitengine/purego"

	"github.com/isthmus-ffi/isthmus/internal/raw/call"
)

// sysOpen binds every symbol at once, so that a library that lacks one fails here and not in the middle of a call,
// and keeps its symbols to itself, so that two libraries that carry the same dependency do not mix.
func sysOpen(path string) (uintptr, error) {
	// The loader keeps its error text for the thread that failed; another goroutine must not come between.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err == nil {
		guard(h)
	}
	return h, err
}

// guard puts the barrier against exceptions up, if the library brought what that takes: it looks where the loader did
// when it bound the library, in what the whole process sees and then in the library and what that depends on.
func guard(handle uintptr) {
	call.Guard(func(name string) call.Fn {
		a, err := purego.Dlsym(purego.RTLD_DEFAULT, name)
		if err != nil || a == 0 {
			if a, err = purego.Dlsym(handle, name); err != nil {
				return 0
			}
		}
		return call.Fn(a)
	})
}

func sysSymbol(handle uintptr, name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlsym(handle, name)
}
