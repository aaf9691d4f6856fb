package largercast

// static void put(long *p) { *p = 1; }
// static void put_int(int *p) { *p = 1; }
import "C"

import "unsafe"

func out() int32 {
	var n int32
	C.put((*C.long)(unsafe.Pointer(&n))) // want larger-cast
	return n
}

func good() int32 {
	var n int32
	C.put_int((*C.int)(unsafe.Pointer(&n)))
	return n
}

func smaller() byte {
	x := uint32(1)
	return *(*byte)(unsafe.Pointer(&x))
}

func array() uint64 {
	var b [8]byte
	return *(*uint64)(unsafe.Pointer(&b))
}
