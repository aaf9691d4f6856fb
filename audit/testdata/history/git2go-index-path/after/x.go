// Package after has the shape of the code after a bug was mended.
//
// Bug: a C string made in an argument list
// Source: github.com/libgit2/git2go commit 1cdf1d7
package after

/*
#include <stdlib.h>
typedef struct git_index git_index;
typedef struct git_index_entry git_index_entry;
const git_index_entry *git_index_get_bypath(git_index *i, const char *path, int stage);
*/
import "C"

import (
	"unsafe"
)

func byPath(i *C.git_index, path string) bool {
	c := C.CString(path)
	defer C.free(unsafe.Pointer(c))
	return C.git_index_get_bypath(i, c, 0) != nil
}
