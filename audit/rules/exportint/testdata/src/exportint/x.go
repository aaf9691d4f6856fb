package exportint

/*
typedef void (*visitor)(int, void *);
extern void good(int, void *);
extern int wide(void);
extern long long narrow(void);
*/
import "C"

import "unsafe"

//export bad
func bad(n int, p unsafe.Pointer) {} // want export-int

//export good
func good(n C.int, p unsafe.Pointer) {}

//export exact
func exact(n int32) int32 { return n }

//export wide
func wide() int { return 1 } // want export-int:warning

//export narrow
func narrow() int32 { return 1 } // want export-int
