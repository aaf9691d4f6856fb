// Package before has the shape of the code before a bug was mended.
//
// Bug: a C string made in an argument list
// Source: github.com/google/gopacket commit b1011a6
package before

/*
#include <stdlib.h>
int pcap_tstamp_type_name_to_val(const char *name);
*/
import "C"

func source(s string) int {
	return int(C.pcap_tstamp_type_name_to_val(C.CString(s))) // want cstring-leak
}
