// Package before has the shape of the code before a bug was mended.
//
// Bug: a C string made in an argument list
// Source: github.com/mattn/go-sqlite3 commit a3cd5cd
package before

/*
#include <stdlib.h>
typedef struct sqlite3 sqlite3;
const char *sqlite3_db_filename(sqlite3 *db, const char *name);
*/
import "C"

type conn struct{ db *C.sqlite3 }

func (c *conn) filename(schema string) string {
	return C.GoString(C.sqlite3_db_filename(c.db, C.CString(schema))) // want cstring-leak
}
