package errnolate

/*
#include <errno.h>
static int work(int n) { errno = n; return -1; }
static int get_errno(void) { return errno; }
*/
import "C"

func bad() (int, int) {
	r := C.work(3)
	return int(r), int(C.get_errno()) // want errno-late
}

func good() (int, error) {
	r, err := C.work(3)
	return int(r), err
}
