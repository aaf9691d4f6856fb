package boolview

// #include <stdbool.h>
// static int on(void) { return 2; }
// static bool ready(void) { return true; }
import "C"

import "unsafe"

func is() bool {
	n := C.on()
	return *(*bool)(unsafe.Pointer(&n)) // want bool-view:warning
}

func byte0(b []byte) bool {
	return *(*bool)(unsafe.Pointer(&b[0])) // want bool-view:warning
}

func compared() bool { return C.on() != 0 }

func cbool() bool { return bool(C.ready()) }

func bytes(b bool) byte { return *(*byte)(unsafe.Pointer(&b)) }
