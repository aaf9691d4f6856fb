// Package before has the shape of the code before a bug was mended.
//
// Bug: C strings in a slice that nobody frees
// Source: github.com/linxGnu/grocksdb pull request 141, commit a642c03
package before

/*
#include <stdlib.h>
typedef struct rocksdb_t rocksdb_t;
void rocksdb_set_options(rocksdb_t *db, int n, const char *const *keys, char **err);
*/
import "C"

func set(db *C.rocksdb_t, keys []string) {
	if len(keys) == 0 {
		return
	}
	all := make([]*C.char, len(keys))
	for i := range keys {
		all[i] = C.CString(keys[i]) // want cstring-leak
	}
	var msg *C.char
	C.rocksdb_set_options(db, C.int(len(keys)), &all[0], &msg)
}
