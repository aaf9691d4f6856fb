package exportint

/*
typedef void (*visitor)(int, void *);
extern void good(int, void *);
*/
import "C"

import "unsafe"

//export bad
func bad(n int, p unsafe.Pointer) {} // want export-int

//export good
func good(n C.int, p unsafe.Pointer) {}

//export exact
func exact(n int32) int32 { return n }
