// Package after has the shape of the code after a bug was mended.
//
// Bug: C strings made in the argument list of a wrapper in the preamble
// Source: github.com/ceph/go-ceph commit 98f6cb1
package after

/*
#include <stdlib.h>
struct mount;
static int open_snapdiff(void *fn, struct mount *m, const char *root, const char *rel) {
	int (*f)(struct mount *, const char *, const char *) = fn;
	return f(m, root, rel);
}
*/
import "C"

import (
	"unsafe"
)

func open(fn unsafe.Pointer, m *C.struct_mount, root, rel string) int {
	r, l := C.CString(root), C.CString(rel)
	defer C.free(unsafe.Pointer(r))
	defer C.free(unsafe.Pointer(l))
	return int(C.open_snapdiff(fn, m, r, l))
}
