package safe

import (
	"reflect"
	"syscall"
	_ "unsafe" // want confine:policy

	_ "github.com/ebitengine/purego" // want confine:policy
)

//go:linkname now time.now // want confine:policy
func now() int64

func address(v reflect.Value) uintptr {
	return v.Pointer() // want confine:policy
}

func kernel() {
	syscall.Syscall(39, 0, 0, 0) // want confine:policy
}
