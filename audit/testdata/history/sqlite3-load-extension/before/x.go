// Package before has the shape of the code before a bug was mended.
//
// Bug: a deferred free that reads its argument while it is nil
// Source: github.com/mattn/go-sqlite3 commit 8b648a0
package before

/*
#include <stdlib.h>
typedef struct sqlite3 sqlite3;
int sqlite3_load_extension(sqlite3 *db, const char *file, const char *proc, char **msg);
void sqlite3_free(void *p);
*/
import "C"

import (
	"errors"
	"unsafe"
)

func load(db *C.sqlite3, lib *C.char) error {
	var msg *C.char
	defer C.sqlite3_free(unsafe.Pointer(msg)) // want free-before-set
	if C.sqlite3_load_extension(db, lib, nil, &msg) != 0 {
		return errors.New(C.GoString(msg))
	}
	return nil
}
