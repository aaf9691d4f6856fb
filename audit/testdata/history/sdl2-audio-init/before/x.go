// Package before has the shape of the code before a bug was mended.
//
// Bug: memory of malloc goes to the free of a library that has an allocator of its own
// Source: github.com/veandco/go-sdl2 commit 7ed18a0
package before

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
	defer C.SDL_free(unsafe.Pointer(c)) // want wrong-free
	return C.SDL_AudioInit(c) == 0
}
