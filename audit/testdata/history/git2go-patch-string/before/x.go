// Package before has the shape of the code before a bug was mended.
//
// Bug: a buffer that the library fills is not disposed of
// Source: github.com/libgit2/git2go commit de521bb
package before

/*
#include <stdlib.h>
typedef struct { char *ptr; size_t asize; size_t size; } git_buf;
typedef struct git_patch git_patch;
int git_patch_to_buf(git_buf *out, git_patch *p);
void git_buf_free(git_buf *b);
*/
import "C"

func text(p *C.git_patch) string {
	var buf C.git_buf
	if C.git_patch_to_buf(&buf, p) < 0 { // want cstring-leak
		return ""
	}
	return C.GoString(buf.ptr)
}
