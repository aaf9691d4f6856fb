package mallocsize

// #include <stdlib.h>
// typedef struct { long a, b; } pair;
import "C"

import "unsafe"

func pointer() *C.pair {
	return (*C.pair)(C.malloc(8)) // want malloc-size
}

func elements(v []int32) *C.int {
	p := (*C.int)(C.malloc(C.size_t(len(v)))) // want malloc-size
	copy(unsafe.Slice((*int32)(p), len(v)), v)
	return p
}

func good(v []int32) (*C.pair, *C.int) {
	return (*C.pair)(C.malloc(C.sizeof_pair)), (*C.int)(C.malloc(C.size_t(len(v)) * C.sizeof_int))
}
