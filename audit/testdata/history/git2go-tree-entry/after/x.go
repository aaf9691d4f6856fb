// Package after has the shape of the code after a bug was mended.
//
// Bug: an entry that the caller owns is copied and not freed
// Source: github.com/libgit2/git2go issue 313, commit f503d91
package after

/*
typedef struct git_tree git_tree;
typedef struct git_tree_entry git_tree_entry;
int git_tree_entry_bypath(git_tree_entry **out, const git_tree *t, const char *path);
int git_tree_entry_filemode(const git_tree_entry *e);
void git_tree_entry_free(git_tree_entry *e);
*/
import "C"

func mode(t *C.git_tree, path *C.char) int {
	var e *C.git_tree_entry
	if C.git_tree_entry_bypath(&e, t, path) < 0 {
		return -1
	}
	defer C.git_tree_entry_free(e)
	return int(C.git_tree_entry_filemode(e))
}
