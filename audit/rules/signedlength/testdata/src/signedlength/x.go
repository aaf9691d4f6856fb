package signedlength

/*
#include <stddef.h>
static int blob_len(void) { return -1; }
static size_t blob_size(void) { return 1; }
static void *blob(void) { return NULL; }
*/
import "C"

import "unsafe"

func bytes() []byte {
	return C.GoBytes(C.blob(), C.blob_len()) // want signed-length:warning
}

func slice() []byte {
	n := C.blob_len()
	return unsafe.Slice((*byte)(C.blob()), int(n)) // want signed-length:warning
}

func made() []byte {
	return make([]byte, C.blob_len()) // want signed-length:note
}

func checked() []byte {
	n := C.blob_len()
	if n <= 0 {
		return nil
	}
	return C.GoBytes(C.blob(), n)
}

func unsigned() []byte { return unsafe.Slice((*byte)(C.blob()), int(C.blob_size())) }
