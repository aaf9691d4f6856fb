// Package after has the shape of the code after a bug was mended.
//
// Bug: memory of malloc goes to the free of a library that has an allocator of its own
// Source: github.com/veandco/go-sdl2 commit 7ed18a0
package after

/*
#include <stdlib.h>
int SDL_AudioInit(const char *driver);
void SDL_free(void *p);
*/
import "C"

import (
	"unsafe"
)

func audioInit(driver string) bool {
	c := C.CString(driver)
	defer C.free(unsafe.Pointer(c))
	return C.SDL_AudioInit(c) == 0
}
