// Package before has the shape of the code before a bug was mended.
//
// Bug: text that the library gives is not given back
// Source: github.com/mattn/go-sqlite3 pull request 738, commit d3c6909
package before

/*
#include <stdlib.h>
typedef struct sqlite3_stmt sqlite3_stmt;
char *sqlite3_expanded_sql(sqlite3_stmt *s);
void sqlite3_free(void *p);
*/
import "C"

func expanded(s *C.sqlite3_stmt) string {
	c := C.sqlite3_expanded_sql(s) // want cstring-leak
	if c == nil {
		return ""
	}
	return C.GoString(c)
}
