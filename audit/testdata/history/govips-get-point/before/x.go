// Package before has the shape of the code before a bug was mended.
//
// Bug: deferred frees, through helpers in Go, that read their arguments while they are nil
// Source: github.com/davidbyttow/govips pull request 510, commit b7aa4f1
package before

/*
#include <stdlib.h>
typedef struct VipsImage VipsImage;
int getpoint(VipsImage *in, double **vector, int n);
int image_get_as_string(const VipsImage *in, const char *name, char **out);
void g_free(void *p);
*/
import "C"

import (
	"unsafe"
)

func gFree(p unsafe.Pointer) { C.g_free(p) }

func freeString(s *C.char) { C.free(unsafe.Pointer(s)) }

func point(in *C.VipsImage, n int) []float64 {
	var out *C.double
	defer gFree(unsafe.Pointer(out)) // want free-before-set
	if C.getpoint(in, &out, C.int(n)) != 0 {
		return nil
	}
	return append([]float64(nil), unsafe.Slice((*float64)(unsafe.Pointer(out)), n)...)
}

func text(in *C.VipsImage, name *C.char) string {
	var out *C.char
	defer freeString(out) // want free-before-set
	if C.image_get_as_string(in, name, &out) != 0 {
		return ""
	}
	return C.GoString(out)
}
