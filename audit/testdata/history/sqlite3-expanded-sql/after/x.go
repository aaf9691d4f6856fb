// Package after has the shape of the code after a bug was mended.
//
// Bug: text that the library gives is not given back
// Source: github.com/mattn/go-sqlite3 pull request 738, commit d3c6909
package after

/*
#include <stdlib.h>
typedef struct sqlite3_stmt sqlite3_stmt;
char *sqlite3_expanded_sql(sqlite3_stmt *s);
void sqlite3_free(void *p);
*/
import "C"

import (
	"unsafe"
)

func expanded(s *C.sqlite3_stmt) string {
	c := C.sqlite3_expanded_sql(s)
	defer C.sqlite3_free(unsafe.Pointer(c))
	if c == nil {
		return ""
	}
	return C.GoString(c)
}
