// Package before has the shape of the code before a bug was mended.
//
// Bug: a list by value, which every other caller closes
// Source: github.com/hybridgroup/gocv commit 9583045
package before

/*
typedef struct { void *points; int length; } KeyPoints;
KeyPoints ORB_Detect(void *d);
KeyPoints SIFT_Detect(void *d);
void KeyPoints_Close(KeyPoints k);
*/
import "C"

import (
	"unsafe"
)

func orb(d unsafe.Pointer) int {
	ret := C.ORB_Detect(d)
	defer C.KeyPoints_Close(ret)
	return count(ret)
}

func count(k C.KeyPoints) int { return int(k.length) }

func sift(d unsafe.Pointer) int {
	ret := C.SIFT_Detect(d) // want cstring-leak:warning
	return count(ret)
}
