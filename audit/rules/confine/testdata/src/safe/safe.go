package safe

import (
	"reflect"
	"unsafe" // want `import of unsafe outside internal/raw`
)

//go:linkname now time.now // want `go:linkname directive outside internal/raw`
func now()

func size() uintptr { return unsafe.Sizeof(0) }

func address(x any) uintptr {
	return reflect.ValueOf(x).Pointer() // want `reflect's Pointer is unsafe by another name`
}

var header reflect.SliceHeader // want `reflect.SliceHeader is unsafe by another name`

func fine(x any) reflect.Kind { return reflect.ValueOf(x).Kind() }
