// Package before has the shape of the code before a bug was mended.
//
// Bug: a C string in a variable that nobody frees
// Source: github.com/libgit2/git2go commit cce14aa
package before

/*
#include <stdlib.h>
typedef struct git_repository git_repository;
typedef struct git_reference git_reference;
int git_branch_lookup(git_reference **out, git_repository *r, const char *name, int type);
*/
import "C"

func lookup(r *C.git_repository, name string) *C.git_reference {
	var ref *C.git_reference
	c := C.CString(name) // want cstring-leak
	if C.git_branch_lookup(&ref, r, c, 1) < 0 {
		return nil
	}
	return ref
}
