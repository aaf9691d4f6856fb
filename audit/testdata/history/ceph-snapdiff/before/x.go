// Package before has the shape of the code before a bug was mended.
//
// Bug: C strings made in the argument list of a wrapper in the preamble
// Source: github.com/ceph/go-ceph commit 98f6cb1
package before

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
	return int(C.open_snapdiff(fn, m,
		C.CString(root), // want cstring-leak
		C.CString(rel))) // want cstring-leak
}
