// Package after has the shape of the code after a bug was mended.
//
// Bug: a database is not closed where its first setting fails
// Source: github.com/mattn/go-sqlite3 commit 4c2dc88
package after

/*
#include <stdlib.h>
typedef struct sqlite3 sqlite3;
int sqlite3_open_v2(const char *name, sqlite3 **db, int flags, const char *vfs);
int sqlite3_busy_timeout(sqlite3 *db, int ms);
int sqlite3_close_v2(sqlite3 *db);
*/
import "C"

import (
	"errors"
)

var errBad = errors.New("bad")

type conn struct{ db *C.sqlite3 }

func open(name *C.char, ms int) (*conn, error) {
	var db *C.sqlite3
	rv := C.sqlite3_open_v2(name, &db, 6, nil)
	if rv != 0 {
		C.sqlite3_close_v2(db)
		return nil, errBad
	}
	rv = C.sqlite3_busy_timeout(db, C.int(ms))
	if rv != 0 {
		C.sqlite3_close_v2(db)
		return nil, errBad
	}
	return &conn{db}, nil
}
