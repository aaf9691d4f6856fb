// Package before has the shape of the code before a bug was mended.
//
// Bug: a C string made in an argument list
// Source: github.com/libgit2/git2go commit 1cdf1d7
package before

/*
#include <stdlib.h>
typedef struct git_index git_index;
typedef struct git_index_entry git_index_entry;
const git_index_entry *git_index_get_bypath(git_index *i, const char *path, int stage);
*/
import "C"

func byPath(i *C.git_index, path string) bool {
	return C.git_index_get_bypath(i, C.CString(path), 0) != nil // want cstring-leak
}
