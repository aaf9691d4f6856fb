package gopointerstored

/*
#include <stdlib.h>
typedef struct { void *data; int n; } vec;
static int use(vec *v) { return v->n; }
*/
import "C"

import "unsafe"

func bad(n int) int {
	b := make([]byte, n+1)
	v := (*C.vec)(C.calloc(1, C.sizeof_vec))
	defer C.free(unsafe.Pointer(v))
	v.data = unsafe.Pointer(&b[0]) // want go-pointer-stored
	return int(C.use(v))
}

func good(b []byte) int {
	v := (*C.vec)(C.calloc(1, C.sizeof_vec))
	defer C.free(unsafe.Pointer(v))
	v.data = C.CBytes(b)
	defer C.free(v.data)
	return int(C.use(v))
}
