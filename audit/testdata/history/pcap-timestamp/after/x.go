// Package after has the shape of the code after a bug was mended.
//
// Bug: a C string made in an argument list
// Source: github.com/google/gopacket commit b1011a6
package after

/*
#include <stdlib.h>
int pcap_tstamp_type_name_to_val(const char *name);
*/
import "C"

import (
	"unsafe"
)

func source(s string) int {
	c := C.CString(s)
	defer C.free(unsafe.Pointer(c))
	return int(C.pcap_tstamp_type_name_to_val(c))
}
