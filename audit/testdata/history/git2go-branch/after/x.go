// Package after has the shape of the code after a bug was mended.
//
// Bug: a C string in a variable that nobody frees
// Source: github.com/libgit2/git2go commit cce14aa
package after

/*
#include <stdlib.h>
typedef struct git_repository git_repository;
typedef struct git_reference git_reference;
int git_branch_lookup(git_reference **out, git_repository *r, const char *name, int type);
*/
import "C"

import (
	"unsafe"
)

func lookup(r *C.git_repository, name string) *C.git_reference {
	var ref *C.git_reference
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	if C.git_branch_lookup(&ref, r, c, 1) < 0 {
		return nil
	}
	return ref
}
