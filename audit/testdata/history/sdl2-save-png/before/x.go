// Package before has the shape of the code before a bug was mended.
//
// Bug: a file name is freed, a line later given to C
// Source: github.com/veandco/go-sdl2 commit d781c3f
package before

/*
#include <stdlib.h>
typedef struct SDL_Surface SDL_Surface;
int IMG_SavePNG(SDL_Surface *s, const char *file);
*/
import "C"

import (
	"unsafe"
)

func save(s *C.SDL_Surface, file string) bool {
	c := C.CString(file)
	C.free(unsafe.Pointer(c))
	return C.IMG_SavePNG(s, c) == 0 // want use-after-free
}
