//go:build linux || darwin || freebsd || netbsd

package dl

import (
	"runtime"

	"github.com/ebitengine/purego"
)

// sysOpen binds every symbol at once, so that a library that lacks one fails here and not in the middle of a call,
// and keeps its symbols to itself, so that two libraries that carry the same dependency do not mix.
func sysOpen(path string) (uintptr, error) {
	// The loader keeps its error text for the thread that failed; another goroutine must not come between.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func sysSymbol(handle uintptr, name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlsym(handle, name)
}
