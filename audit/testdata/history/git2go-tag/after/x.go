// Package after has the shape of the code after a bug was mended.
//
// Bug: runtime.KeepAlive of a copy keeps nothing: the method has a value receiver
// Source: github.com/libgit2/git2go issue 513, commit 5c79683
package after

/*
typedef struct git_tag git_tag;
const char *git_tag_message(git_tag *t);
git_tag *git_tag_some(void);
void git_tag_free(git_tag *t);
*/
import "C"

import (
	"runtime"
)

// Tag is freed by the collector.
type Tag struct{ ptr *C.git_tag }

func newTag() *Tag {
	t := &Tag{C.git_tag_some()}
	runtime.SetFinalizer(t, (*Tag).free)
	return t
}

func (t *Tag) free() { C.git_tag_free(t.ptr) }

func (t *Tag) Message() string {
	s := C.GoString(C.git_tag_message(t.ptr))
	runtime.KeepAlive(t)
	return s
}
