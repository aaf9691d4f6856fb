package wrongfree

/*
#include <stdio.h>
#include <stdlib.h>
*/
import "C"

import "unsafe"

func bad(name *C.char, mode *C.char) {
	f := C.fopen(name, mode)
	if f != nil {
		C.free(unsafe.Pointer(f)) // want wrong-free
	}
}

func good(name *C.char, mode *C.char) {
	f := C.fopen(name, mode)
	if f != nil {
		C.fclose(f)
	}
}
