// Package after has the shape of the code after a bug was mended.
//
// Bug: C strings in a slice that nobody frees
// Source: github.com/linxGnu/grocksdb pull request 141, commit a642c03
package after

/*
#include <stdlib.h>
typedef struct rocksdb_t rocksdb_t;
void rocksdb_set_options(rocksdb_t *db, int n, const char *const *keys, char **err);
*/
import "C"

import (
	"unsafe"
)

func set(db *C.rocksdb_t, keys []string) {
	if len(keys) == 0 {
		return
	}
	all := make([]*C.char, len(keys))
	for i := range keys {
		all[i] = C.CString(keys[i])
	}
	var msg *C.char
	C.rocksdb_set_options(db, C.int(len(keys)), &all[0], &msg)
	for i := range all {
		C.free(unsafe.Pointer(all[i]))
	}
}
